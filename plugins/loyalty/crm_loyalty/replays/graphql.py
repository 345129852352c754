"""Replays over the API."""

from datetime import datetime

import strawberry
from strawberry import ID, Info

from crm_framework import (
    Batch,
    BigInt,
    Connection,
    Node,
    OrderField,
    Orders,
    Through,
    UnitOfWork,
    among,
    batch,
    column,
    connection,
    describe,
    key_of,
    mutation,
    node,
    payload,
    reference,
    required,
    retry_key,
)
from crm_loyalty.models import ReplayStatus
from crm_loyalty.programs.graphql import LoyaltyProgram

from .changes import apply_replay, begin_replay

REPLAY = "loyalty.replay"

describe(
    ReplayStatus,
    "How far a replay has come.",
    name="LoyaltyReplayStatus",
    COMPARING="The worker compares.",
    COMPARED="What would differ is known; nothing has changed.",
    CORRECTING="The worker enters what corrects the ledger.",
    CORRECTED="The ledger is as the rules say.",
)


@node(
    table="loyalty_replay_difference",
    permission=REPLAY,
    hidden={"replay_id": str},
    owner=Through("account_id", "loyalty_account"),
)
class LoyaltyReplayDifference(Node):
    """Of one account: what it has for these causes, and what it would have."""

    before: BigInt = column("Points that it has for them, less what was refunded.")
    after: BigInt = column("Points that it would have.")
    by_segments: int = column(
        "How many of its purchases and interactions may earn otherwise by the segments that the customer"
        " belonged to then: they are taken as they are now."
    )
    corrected: bool = column("Whether that was entered.")


DIFFERENCE_ORDERS = Orders(
    "LoyaltyReplayDifferenceOrder", [OrderField("AFTER", "int", "By what it would have.", column="after")]
)


@node(table="loyalty_replay", permission=REPLAY, hidden={"program_id": str}, shared=True)
class LoyaltyEarningReplay(Node):
    """What earlier purchases and interactions would earn by the rules of `rulesAt`."""

    version: int = column("Grows by one with each change.")
    status: ReplayStatus = column("How far it has come.")
    from_at: datetime = column("Of what happened from then on.")
    until_at: datetime = column("Of what happened before then.")
    rules_at: datetime = column("The rules as they were then.")
    present: list[str] = column(
        "What of customers is taken as it is when the replay runs, as no history of it is kept and some rule"
        " or campaign asks for it: segments. Tags, attributes and tiers are those of the moment of each"
        " purchase."
    )
    by_segments: int = column("How many of the causes may earn otherwise by the segments of then.")
    causes: int = column("How many purchases and interactions were looked at.")
    created_at: datetime = column("When it was asked for.")
    program: LoyaltyProgram = reference("program_id", "The programme.")

    @batch(needs=("id",))
    @staticmethod
    async def points(each: Batch["LoyaltyEarningReplay"], info: Info) -> list[BigInt]:
        """What all accounts together would have more; negative where it is less."""
        reader = info.context.reader
        where = among("replay_id", each.ids, reader.dialect)
        rows = await reader.rows(
            "SELECT CAST(replay_id AS TEXT), SUM(after - before) FROM loyalty_replay_difference"
            f" WHERE {where.sql} GROUP BY replay_id",
            where.args,
        )
        found = {str(key): int(points) for key, points in rows}
        return [BigInt(found.get(key, 0)) for key in each.ids]

    differences: Connection[LoyaltyReplayDifference] = connection(
        key="replay_id",
        orders=DIFFERENCE_ORDERS,
        default_order=("-AFTER",),
        permission=REPLAY,
        description="The accounts that differ.",
    )


REPLAY_ORDERS = Orders(
    "LoyaltyEarningReplayOrder",
    [OrderField("CREATED_AT", "datetime", "By the moment it was asked for.", column="created_at")],
)


class OfProgram:
    """Fields of LoyaltyProgram."""

    replays: Connection[LoyaltyEarningReplay] = connection(
        key="program_id",
        orders=REPLAY_ORDERS,
        default_order=("-CREATED_AT",),
        permission=REPLAY,
        description="Replays of its rules, the latest first.",
    )


@strawberry.input(description="Which part of the past is to be looked at by the rules of now.")
class ReplayEarningInput:
    program: ID = required("In which programme.")
    from_at: datetime = required("What happened from then on.")
    until_at: datetime = required("What happened before then.")
    idempotency_key: str | None = retry_key()


@strawberry.input(description="A replay that is to be entered.")
class ApplyEarningReplayInput:
    replay: ID = required("Which replay; it has been compared.")


@payload
class EarningReplayPayload:
    """The replay after the change."""

    replay_id: strawberry.Private[str | None] = None
    replay: LoyaltyEarningReplay | None = reference("replay_id", "The replay; null on failure.")


@mutation(permission=REPLAY, everyone=True)
async def replay_earning(tx: UnitOfWork, input: ReplayEarningInput) -> EarningReplayPayload:
    """Has the worker compare what was earned with what the rules of now would give. Nothing changes by it:
    look at the replay's differences, then `applyEarningReplay`.
    """
    program = key_of(input.program, LoyaltyProgram, path=("program",))
    key = await begin_replay(tx, program, input.from_at, input.until_at)
    return EarningReplayPayload(replay_id=key)


@mutation(permission=REPLAY, everyone=True)
async def apply_earning_replay(tx: UnitOfWork, input: ApplyEarningReplayInput) -> EarningReplayPayload:
    """Has the worker enter what makes the ledger as the rules of `rulesAt` say: entries that name those that
    they correct. What is short makes a deficit, or is let go, as the programme's refund policy says.
    """
    key = key_of(input.replay, LoyaltyEarningReplay, path=("replay",))
    await apply_replay(tx, key)
    return EarningReplayPayload(replay_id=key)


MUTATIONS = (apply_earning_replay, replay_earning)
