"""The plugin's part of the API."""

from crm_framework import Customer, SchemaParts, fields_of

from .ledger.graphql import (
    LOYALTY_BALANCE,
    adjust_points,
    loyalty,
    points_liability,
    transfer_points,
    verify_loyalty,
)
from .programs.graphql import ProgramQueries, creating, update_loyalty_program
from .settings import LoyaltySettings
from .tiers.graphql import create


def parts(settings: LoyaltySettings) -> SchemaParts:
    """What the plugin adds, with the rate of the settings for programmes that name none."""
    return SchemaParts(
        extend={Customer: [loyalty]},
        query=[*fields_of(ProgramQueries), points_liability],
        mutation=[
            creating(settings),
            update_loyalty_program,
            create,
            adjust_points,
            transfer_points,
            verify_loyalty,
        ],
        filters={"CustomerFilter": [LOYALTY_BALANCE]},
    )
