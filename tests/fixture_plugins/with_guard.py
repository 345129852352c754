"""Refuses changes that a rule of the company forbids."""

from collections.abc import Sequence

from crm_framework import CrmError, ErrorCode, Event, Plugin, PluginSettings, PurchaseRecorded, hookimpl


class GuardSettings(PluginSettings, frozen=True):
    largest_purchase_minor: int = 1_000_000
    """In minor units of the purchase's currency."""


plugin = Plugin(
    name="with_guard",
    requires_api="1.0",
    summary="Limits the amount of a purchase.",
    settings=GuardSettings,
)


@hookimpl
async def before_change(events: Sequence[Event], settings: GuardSettings) -> None:
    for event in events:
        if isinstance(event, PurchaseRecorded) and event.total_minor > settings.largest_purchase_minor:
            raise CrmError(
                ErrorCode.REFUSED,
                "The purchase is larger than this company sells at once.",
                path=("lines",),
                hint="Split it, or raise largest_purchase_minor.",
            )
