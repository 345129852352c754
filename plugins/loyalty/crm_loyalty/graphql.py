"""The plugin's part of the API."""

from crm_framework import Customer, SchemaParts, fields_of

from .campaigns import graphql as campaigns
from .earning import graphql as earning
from .earning.preview import preview_earning
from .ledger import graphql as ledger
from .ledger.graphql import LOYALTY_BALANCE, LoyaltyAccount, LoyaltyEntry, points_liability
from .ledger.graphql_changes import adjust_points, cancel_pending_points, transfer_points, verify_loyalty
from .programs.graphql import LoyaltyProgram, ProgramQueries, creating, update_loyalty_program
from .referrals import graphql as referrals
from .replays import graphql as replays
from .rewards import graphql as rewards
from .rewards import graphql_changes as reward_changes
from .settings import LoyaltySettings
from .tiers.graphql import create, update


def parts(settings: LoyaltySettings) -> SchemaParts:
    """What the plugin adds, with the rate of the settings for programmes that name none."""
    return SchemaParts(
        extend={
            Customer: [
                *fields_of(ledger.OfCustomer),
                *fields_of(referrals.OfCustomer),
                referrals.loyalty_referral_code,
            ],
            LoyaltyAccount: fields_of(rewards.OfAccount),
            LoyaltyEntry: fields_of(earning.OfEntry),
            LoyaltyProgram: [
                *fields_of(earning.OfProgram),
                *fields_of(campaigns.OfProgram),
                *fields_of(rewards.OfProgram),
                *fields_of(replays.OfProgram),
            ],
        },
        query=[*fields_of(ProgramQueries), points_liability, preview_earning],
        mutation=[
            creating(settings),
            update_loyalty_program,
            create,
            update,
            adjust_points,
            cancel_pending_points,
            transfer_points,
            verify_loyalty,
            *earning.MUTATIONS,
            *campaigns.MUTATIONS,
            *reward_changes.MUTATIONS,
            *referrals.MUTATIONS,
            *replays.MUTATIONS,
        ],
        filters={"CustomerFilter": [LOYALTY_BALANCE]},
    )
