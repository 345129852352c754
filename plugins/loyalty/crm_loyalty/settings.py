"""The section `[loyalty]` of crm.toml."""

from typing import Annotated

import msgspec

from crm_framework import PluginSettings


class LoyaltySettings(PluginSettings, frozen=True):
    points_per_unit: Annotated[int, msgspec.Meta(ge=1, le=1_000_000)] = 1
    """Points per unit of money (per euro, per yen), for programmes that do not say otherwise."""

    expiring_notice_days: Annotated[int, msgspec.Meta(ge=1, le=365)] = 30
    """How many days before points expire the event `loyalty.points_expiring` says so."""
