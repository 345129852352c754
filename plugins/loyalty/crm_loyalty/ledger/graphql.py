"""Accounts and entries in the API."""

from datetime import date, datetime
from enum import StrEnum
from typing import Annotated
from zoneinfo import ZoneInfo

import strawberry
from strawberry import ID, Info

from crm_framework import (
    Batch,
    BigInt,
    Connection,
    CrmError,
    Customer,
    ErrorCode,
    Fragment,
    Member,
    Node,
    OrderField,
    Orders,
    Through,
    batch,
    column,
    connection,
    describe,
    key_of,
    node,
    now,
    one,
    reference,
    root,
)
from crm_loyalty.programs.graphql import LoyaltyProgram
from crm_loyalty.tiers.graphql import TIER_CHANGE_ORDERS, LoyaltyStanding, LoyaltyTierChange, standings_at

from .entries import Kind
from .past import held_at, liability

READ = "loyalty.read"

describe(
    Kind,
    "What an entry stands for.",
    name="LoyaltyEntryKind",
    EARNED="Points that were earned.",
    PENDING="Points that were earned and cannot be spent yet.",
    UNLOCKED="Pending points that can be spent from now on.",
    CANCELLED="Pending points that were taken back.",
    REDEEMED="Points that were spent.",
    REVERSED="Spent points that were given back, into the lots that they came from.",
    REFUNDED="What a refund took back.",
    EXPIRED="A lot came to its end.",
    SENT="Points that were given to another customer.",
    RECEIVED="Points that another customer gave.",
    ADJUSTED="A correction by hand.",
    MERGED="Another account of the same person was taken over.",
)

ENTRY_ORDERS = Orders(
    "LoyaltyEntryOrder", [OrderField("AT", "datetime", "By the moment of the cause.", column="at")]
)
LOT_ORDERS = Orders(
    "LoyaltyLotOrder",
    [
        OrderField("EXPIRES_AT", "datetime", "By the moment of expiry.", column="expires_at"),
        OrderField("EARNED_AT", "datetime", "By the moment of earning.", column="earned_at"),
    ],
)


@node(
    table="loyalty_entry",
    permission=READ,
    hidden={"corrects_id": str | None},
    owner=Through("account_id", "loyalty_account"),
)
class LoyaltyEntry(Node):
    """One line of an account. Entries are never changed or removed."""

    kind: Kind = column("What it stands for.")
    points: BigInt = column("What it adds to the balance; negative where points were taken.")
    pending: BigInt = column("What it adds to the pending points.")
    source_key: str = column("What caused it, such as purchase:<key>; each cause counts once.")
    reason: str | None = column("How the points came about; null once the person was erased.")
    at: datetime = column("When what caused it happened.")
    created_at: datetime = column("When the entry was made.")
    corrects: "LoyaltyEntry | None" = reference("corrects_id", "The entry that this one corrects.")


@node(
    table="loyalty_lot",
    permission=READ,
    owner=Through("account_id", "loyalty_account"),
)
class LoyaltyLot(Node):
    """Points that were earned together and expire together."""

    points: BigInt = column("How many they were.")
    remaining: BigInt = column("How many of them are left.")
    earned_at: datetime = column("When they were earned.")
    expires_at: datetime = column("When they expire; 9999-12-31 for those that do not.")


At = Annotated[datetime, strawberry.argument(description="The moment; not in the future.")]


@strawberry.type(description="What an account was at a moment.")
class LoyaltyAccountAsOf:
    at: datetime = strawberry.field(description="The moment.")
    balance: BigInt = strawberry.field(description="The points then, less those that had expired.")
    pending: BigInt = strawberry.field(description="Points that were pending then.")
    tier: LoyaltyStanding | None = strawberry.field(
        description="The tier then, by the rules of that time; null where the programme has none."
    )


@node(
    table="loyalty_account",
    permission=READ,
    hidden={
        "program_id": str,
        "customer_id": str | None,
    },
    # as SQLite would take an index for IS NULL before that of the customer
    where="(t.merged_into_id IS NULL) IS TRUE",
)
class LoyaltyAccount(Node):
    """A customer's points in one programme."""

    balance: BigInt = column("The sum of all entries. Refunds may make it negative.")
    pending: BigInt = column("Points that cannot be spent yet.")
    deficit: BigInt = column("Points that a refund could not take back; what comes next makes them up first.")
    lifetime: BigInt = column("All points ever earned, refunds not taken off.")
    created_at: datetime = column("When the first points came.")
    updated_at: datetime = column("When it last changed.")
    program: LoyaltyProgram = reference("program_id", "The programme.")
    customer: Customer | None = reference("customer_id", "Whose it is; null once the person was erased.")
    entries: Connection[LoyaltyEntry] = connection(
        key="account_id",
        orders=ENTRY_ORDERS,
        default_order=("-AT",),
        description="The entries, newest first.",
    )
    lots: Connection[LoyaltyLot] = connection(
        key="account_id",
        orders=LOT_ORDERS,
        default_order=("EXPIRES_AT", "EARNED_AT"),
        where="t.remaining > 0",
        description="The lots in which points are left, in the order in which they are spent.",
    )
    tier_history: Connection[LoyaltyTierChange] = connection(
        key="account_id",
        orders=TIER_CHANGE_ORDERS,
        default_order=("-AT",),
        description="Which tiers were reached and lost, the latest first.",
    )

    @batch(needs=("id",))
    @staticmethod
    async def spendable(accounts: Batch["LoyaltyAccount"], info: Info) -> list[BigInt]:
        """Points that can be spent now: expired ones are left out, also before an entry ends them."""
        held = await held_at(info.context.reader, accounts.ids, now())
        return [BigInt(max(0, held[key].balance)) for key in accounts.ids]

    @batch(needs=("id", "program_id"))
    @staticmethod
    async def tier(accounts: Batch["LoyaltyAccount"], info: Info) -> list[LoyaltyStanding | None]:
        """The tier now, also while it is none yet; null where the programme has no tiers."""
        return await standings_at(info.context.reader, accounts.ids, accounts.column("program_id"), now())

    @batch(needs=("id", "program_id"))
    @staticmethod
    async def as_of(accounts: Batch["LoyaltyAccount"], info: Info, at: At) -> list[LoyaltyAccountAsOf]:
        """What the account was at a moment, by what is known today of what had happened by then."""
        if at > now():
            raise CrmError(ErrorCode.BAD_INPUT, f"{at} is in the future.", path=("at",))
        reader = info.context.reader
        held = await held_at(reader, accounts.ids, at)
        tiers = await standings_at(reader, accounts.ids, accounts.column("program_id"), at)
        return [
            LoyaltyAccountAsOf(
                at=at, balance=BigInt(held[key].balance), pending=BigInt(held[key].pending), tier=tier
            )
            for key, tier in zip(accounts.ids, tiers, strict=True)
        ]


ProgramArgument = Annotated[ID | None, strawberry.argument(description="Which programme.")]


def _of_program(program: ProgramArgument = None) -> Fragment | None:
    if not program:
        return None
    return Fragment("t.program_id = ?", (key_of(program, LoyaltyProgram, path=("program",)),))


class OfCustomer:
    loyalty: LoyaltyAccount | None = one(
        key="customer_id",
        order=("created_at",),
        narrow=_of_program,
        permission=READ,
        description="The customer's account in a programme, or without one named the oldest; null where there"
        " is none.",
    )


LOYALTY_BALANCE = Member(
    "loyaltyBalance",
    "bigint",
    "Points over all accounts; 0 without one.",
    sql="(SELECT COALESCE(SUM(a.balance), 0) FROM loyalty_account a WHERE a.customer_id = t.id)",
    permission=READ,
)


class Calendar(StrEnum):
    """Which stretches of the calendar figures are told by."""

    MONTH = "MONTH"


describe(
    Calendar, "By which stretches of time.", name="LoyaltyPeriod", MONTH="By months of the programme's zone."
)


@strawberry.type(description="Points that are owed to customers.")
class PointsLiability:
    month: date | None = strawberry.field(
        description="First day of the month in which they expire; null for those that do not."
    )
    points: BigInt = strawberry.field(description="How many of them could still be spent.")


WhichProgram = Annotated[ID, strawberry.argument(description="Which programme.")]
By = Annotated[Calendar, strawberry.argument(description="By which stretches of time.")]
Moment = Annotated[
    datetime | None, strawberry.argument(description="At which moment; now, if left out or later.")
]
MOST_MONTHS = 1_300


@root(permission=READ, most=lambda **_: MOST_MONTHS)
async def points_liability(
    info: Info, program: WhichProgram, by: By = Calendar.MONTH, at: Moment = None
) -> list[PointsLiability]:
    """Points of a programme that could still be spent, by the month of their expiry. Pending ones are not
    counted, and deficits of others are not set off.
    """
    key = key_of(program, LoyaltyProgram, path=("program",))
    reader = info.context.reader
    rows = await reader.fetch("SELECT time_zone FROM loyalty_program WHERE id = ?", [key], bounded=True)
    if not rows:
        raise CrmError(ErrorCode.NOT_FOUND, "There is no such programme.", path=("program",))
    owed = await liability(reader, key, ZoneInfo(rows[0]["time_zone"]), min(at or now(), now()))
    return [PointsLiability(month=each.month, points=BigInt(each.points)) for each in owed]
