"""The plugin's part of the API."""

from datetime import datetime
from typing import Annotated

import strawberry
from strawberry import ID, Info

from crm_framework import (
    Batch,
    Connection,
    Customer,
    Fragment,
    Member,
    Node,
    OrderField,
    Orders,
    SchemaParts,
    Through,
    UnitOfWork,
    batch,
    column,
    connection,
    fields_of,
    key_of,
    load_groups,
    mutation,
    node,
    optional,
    payload,
    reference,
    required,
)

from .programs import create_program
from .settings import LoyaltySettings

READ = "loyalty.read"


PROGRAM_ORDERS = Orders("LoyaltyProgramOrder", [OrderField("NAME", "string", "By name.", column="name")])
ENTRY_ORDERS = Orders(
    "LoyaltyEntryOrder", [OrderField("AT", "datetime", "By the moment of the cause.", column="at")]
)


@node(table="loyalty_program", permission=READ, shared=True)
class LoyaltyProgram(Node):
    """What earns points, and how many."""

    version: int = column("Grows by one with each change.")
    name: str = column("The programme's name.")
    currency: str = column("ISO 4217; only purchases in it earn.")
    points_per_unit: int = column("Points per unit of the currency, rounded down per purchase.")
    active: bool = column("Whether purchases earn in it.")
    created_at: datetime = column("When it was made; earlier purchases earn nothing.")


@node(
    table="loyalty_entry",
    permission=READ,
    hidden={"corrects_id": str | None},
    owner=Through("account_id", "loyalty_account"),
)
class LoyaltyEntry(Node):
    """One line of an account. Entries are never changed or removed."""

    kind: str = column("EARNED for a purchase, REFUNDED for what a refund took back.")
    points: int = column("Points added; negative where they were taken.")
    source_key: str = column("What caused it, such as purchase:<key>; each cause counts once.")
    reason: str | None = column("How the points came about; null once the person was erased.")
    at: datetime = column("When what caused it happened.")
    created_at: datetime = column("When the entry was made.")
    corrects: "LoyaltyEntry | None" = reference("corrects_id", "The entry that this one corrects.")


@node(
    table="loyalty_account",
    permission=READ,
    hidden={"program_id": str, "customer_id": str | None},
)
class LoyaltyAccount(Node):
    """A customer's points in one programme."""

    balance: int = column("Points to spend: the sum of all entries. Refunds may make it negative.")
    lifetime: int = column("All points ever earned, refunds not taken off.")
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


ProgramArgument = Annotated[ID | None, strawberry.argument(description="Which programme.")]


@batch(needs=("id",), permission=READ)
async def loyalty(
    customers: Batch[Customer], info: Info, program: ProgramArgument = None
) -> list[LoyaltyAccount | None]:
    """The customer's account in a programme, or without one named the oldest; null where there is none."""
    where = (
        Fragment("t.program_id = ?", (key_of(program, LoyaltyProgram, path=("program",)),))
        if program
        else None
    )
    groups = await load_groups(
        info,
        LoyaltyAccount,
        "customer_id",
        customers.ids,
        order=("created_at", "id"),
        where=where,
        columns=(),
    )
    return [accounts[0] if accounts else None for accounts in groups]


class _Queries:
    loyalty_programs: Connection[LoyaltyProgram] = connection(
        orders=PROGRAM_ORDERS,
        default_order=("NAME",),
        description="Loyalty programmes, by name.",
        permission=READ,
    )


LOYALTY_BALANCE = Member(
    "loyaltyBalance",
    "int",
    "Points over all accounts; 0 without one.",
    sql="(SELECT COALESCE(SUM(a.balance), 0) FROM loyalty_account a WHERE a.customer_id = t.id)",
    permission=READ,
)


@strawberry.input(description="A new loyalty programme.")
class CreateLoyaltyProgramInput:
    name: str = required("The programme's name; no two share one.")
    currency: str = required("ISO 4217; only purchases in it earn.")
    points_per_unit: int | None = optional(
        "Points per unit of the currency; that of the settings if left out.", default=None
    )
    idempotency_key: str | None = optional("The same key with the same input gives the first answer again.")


@payload
class LoyaltyProgramPayload:
    """The programme after the change."""

    program_id: strawberry.Private[str | None] = None
    program: LoyaltyProgram | None = reference("program_id", "The programme; null on failure.")


def parts(settings: LoyaltySettings) -> SchemaParts:
    """What the plugin adds, with the rate of the settings for programmes that name none."""

    @mutation(permission="loyalty.write", everyone=True)
    async def create_loyalty_program(
        tx: UnitOfWork, input: CreateLoyaltyProgramInput
    ) -> LoyaltyProgramPayload:
        """Makes a programme. Purchases in its currency earn points from now on."""
        rate = settings.points_per_unit if input.points_per_unit is None else input.points_per_unit
        return LoyaltyProgramPayload(program_id=await create_program(tx, input.name, input.currency, rate))

    return SchemaParts(
        extend={Customer: [loyalty]},
        query=fields_of(_Queries),
        mutation=[create_loyalty_program],
        filters={"CustomerFilter": [LOYALTY_BALANCE]},
    )
