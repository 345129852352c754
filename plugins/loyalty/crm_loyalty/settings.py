"""The section `[loyalty]` of crm.toml."""

from typing import Annotated

import msgspec

from crm_framework import PluginSettings


class LoyaltySettings(PluginSettings, frozen=True):
    points_per_unit: Annotated[int, msgspec.Meta(ge=1, le=1_000_000)] = 1
    """Points per unit of money (per euro, per yen), for programmes that do not say otherwise."""

    expiring_notice_days: Annotated[int, msgspec.Meta(ge=1, le=365)] = 30
    """How many days before points expire the event `loyalty.points_expiring` says so."""

    expiring_email: bool = False
    """Whether customers are told so by e-mail too, where the contact policy allows it."""

    expiring_email_subject: str = "{points} points of {program} expire soon"
    """Its subject; `{name}`, `{points}`, `{program}` and `{day}` stand for the customer, the points, the
    programme, and the day on which the first of them expire."""

    expiring_email_text: str = "Dear {name},\n\n{points} points of {program} expire, the first on {day}."
    """What it says, with the same words in braces."""
