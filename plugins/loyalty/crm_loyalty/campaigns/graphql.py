"""Campaigns over the API."""

from datetime import datetime

import strawberry
from strawberry import ID, Info

from crm_framework import (
    INTERNAL,
    Batch,
    Connection,
    Node,
    OrderField,
    Orders,
    UnitOfWork,
    among,
    batch,
    chosen,
    column,
    connection,
    key_of,
    load,
    mutation,
    node,
    optional,
    payload,
    reference,
    required,
    retry_key,
)
from crm_loyalty.earning.graphql import LoyaltyEarningRule
from crm_loyalty.earning.inputs import JSON, EarningConditionsInput, conditions_of, shown
from crm_loyalty.earning.store import currency_of, plain
from crm_loyalty.programs.graphql import READ, WRITE, LoyaltyProgram

from .store import NewCampaign, create_campaign, end_campaign


@node(
    table="loyalty_campaign",
    permission=READ,
    hidden={"program_id": str, "conditions": JSON, "rules": JSON},
    shared=True,
)
class LoyaltyCampaign(Node):
    """A multiplier for a time. What one says never changes; it can be ended."""

    version: int = column("Grows by one with each change.")
    name: str = column("Its name; no two campaigns of a programme share one.")
    percent: int = column("What points are multiplied by, in percent: 200 doubles.")
    starts_at: datetime | None = column("For what happens from then on; null: from ever.")
    ends_at: datetime | None = column("For what happens before then; null: for ever.")
    created_at: datetime = column("When it was made.")
    program: LoyaltyProgram = reference("program_id", "The programme.")

    @batch(needs=("rules",), restricted=True)
    @staticmethod
    async def rules(each: Batch["LoyaltyCampaign"], info: Info) -> list[list[LoyaltyEarningRule]]:
        """The rules whose points it multiplies; empty: those of all."""
        named = [plain(keys) for keys in each.column("rules")]
        wanted = sorted({key for keys in named for key in keys})
        found = dict(zip(wanted, await load(info, LoyaltyEarningRule, wanted, columns=()), strict=True))
        return [[rule for key in keys if (rule := found[key]) is not None] for keys in named]

    @batch(needs=("program_id", "conditions"), permission=INTERNAL, restricted=True)
    @staticmethod
    async def conditions(each: Batch["LoyaltyCampaign"], info: Info) -> list[JSON]:
        """On what it depends besides, as `EarningConditionsInput` says it; only what was given."""
        reader = info.context.reader
        programs = each.column("program_id")
        where = among("id", sorted(set(programs)), reader.dialect)
        rows = await reader.rows(
            f"SELECT CAST(id AS TEXT), currency FROM loyalty_program WHERE {where.sql}",
            where.args,
            bounded=True,
        )
        currency = {str(key): code for key, code in rows}
        return [
            shown(value, currency[program])
            for value, program in zip(each.column("conditions"), programs, strict=True)
        ]


CAMPAIGN_ORDERS = Orders(
    "LoyaltyCampaignOrder",
    [
        OrderField("NAME", "string", "By name.", column="name"),
        OrderField("CREATED_AT", "datetime", "By the moment it was made.", column="created_at"),
    ],
)


class OfProgram:
    """Fields of LoyaltyProgram."""

    campaigns: Connection[LoyaltyCampaign] = connection(
        key="program_id",
        orders=CAMPAIGN_ORDERS,
        default_order=("-CREATED_AT",),
        permission=READ,
        description="Its campaigns, the latest first.",
    )


@strawberry.input(description="A new campaign.")
class CreateLoyaltyCampaignInput:
    program: ID = required("In which programme.")
    name: str = required("Its name; no two campaigns of a programme share one.")
    percent: int = required("What points are multiplied by, in percent: 200 doubles.")
    starts_at: datetime | None = optional("For what happens from then on.")
    ends_at: datetime | None = optional("For what happens before then.")
    rules: list[ID] | None = optional("Only what these rules give; of all if left out.")
    conditions: EarningConditionsInput | None = optional("On what it depends besides, such as a tier.")
    idempotency_key: str | None = retry_key()


@strawberry.input(description="A campaign that ends.")
class EndLoyaltyCampaignInput:
    campaign: ID = required("Which campaign.")


@payload
class LoyaltyCampaignPayload:
    """The campaign after the change."""

    campaign_id: strawberry.Private[str | None] = None
    campaign: LoyaltyCampaign | None = reference("campaign_id", "The campaign; null on failure.")


@mutation(permission=WRITE, everyone=True, name="createLoyaltyCampaign")
async def create(tx: UnitOfWork, input: CreateLoyaltyCampaignInput) -> LoyaltyCampaignPayload:
    """Makes a campaign: points are multiplied while it holds. Those that hold together all multiply."""
    program = key_of(input.program, LoyaltyProgram, path=("program",))
    currency = await currency_of(tx, program)
    new = NewCampaign(
        program_id=program,
        name=input.name,
        percent=input.percent,
        starts_at=chosen(input.starts_at),
        ends_at=chosen(input.ends_at),
        rules=tuple(
            key_of(id_, LoyaltyEarningRule, path=("rules", index))
            for index, id_ in enumerate(chosen(input.rules) or ())
        ),
        conditions=conditions_of(chosen(input.conditions), currency),
    )
    return LoyaltyCampaignPayload(campaign_id=await create_campaign(tx, new))


@mutation(permission=WRITE, everyone=True, name="endLoyaltyCampaign")
async def end(tx: UnitOfWork, input: EndLoyaltyCampaignInput) -> LoyaltyCampaignPayload:
    """Ends a campaign now. What it multiplied stays."""
    key = key_of(input.campaign, LoyaltyCampaign, path=("campaign",))
    await end_campaign(tx, key)
    return LoyaltyCampaignPayload(campaign_id=key)


MUTATIONS = (create, end)
