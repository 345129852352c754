"""The section `[ticketing]` of crm.toml."""

from crm_framework import PluginSettings


class TicketingSettings(PluginSettings, frozen=True):
    categories: tuple[str, ...] = ("question", "request", "complaint")
    """What a ticket can be about. The first is that of a ticket that does not say."""
