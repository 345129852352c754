"""Serves a channel of its own: what goes by courier."""

from crm_framework import Channel, CrmError, ErrorCode, OutgoingMessage, Plugin, PluginSettings, hookimpl


class SenderSettings(PluginSettings, frozen=True):
    longest: int = 1_000
    """Characters that a courier carries."""


plugin = Plugin(
    name="with_sender",
    requires_api="1.0",
    summary="Sends couriers.",
    settings=SenderSettings,
    channels=[Channel("courier", "Somebody who rides to the customer.")],
)

carried: list[OutgoingMessage] = []
"""In place of a service outside: a real one gets `message.id`, so that it knows what it has already."""


@hookimpl
async def send(message: OutgoingMessage, settings: SenderSettings) -> bool:
    if message.channel != "courier":
        return False
    if len(message.text) > settings.longest:
        raise CrmError(ErrorCode.REFUSED, f"Couriers carry {settings.longest} characters.")
    carried.append(message)
    return True
