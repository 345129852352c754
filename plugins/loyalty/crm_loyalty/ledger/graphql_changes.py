"""Corrections, transfers and the proof, in the API."""

from datetime import datetime

import strawberry
from strawberry import ID

from crm_framework import (
    BigInt,
    CrmError,
    Customer,
    ErrorCode,
    Hold,
    UnitOfWork,
    chosen,
    key_of,
    live_customer,
    live_customers,
    mutation,
    new_id,
    optional,
    payload,
    reference,
    required,
    retry_key,
)
from crm_loyalty.programs.graphql import LoyaltyProgram

from .earning import cancel_pending, nothing_pending
from .graphql import LoyaltyAccount, LoyaltyEntry
from .requests import Adjustment, Transfer
from .spending import adjust, transfer
from .verify import verify

ADJUST = "loyalty.adjust"
VERIFY = "loyalty.verify"


@strawberry.input(description="A correction of an account by hand.")
class AdjustPointsInput:
    program: ID = required("In which programme.")
    customer: ID = required("Whose account.")
    points: BigInt = required("How many points are added; negative to take some.")
    reason: str = required("Why, in 1 to 1,000 characters. It stands in the entry.")
    expires_at: datetime | None = optional("When added points expire; by the programme's rule if left out.")
    idempotency_key: str | None = retry_key()


@strawberry.input(description="Points from one customer to another.")
class TransferPointsInput:
    program: ID = required("In which programme.")
    from_customer: ID = required("Who gives them.")
    to_customer: ID = required("Who gets them.")
    points: BigInt = required("How many.")
    reason: str | None = optional("Why, in 1,000 characters at most.", default=None)
    idempotency_key: str | None = retry_key()


@payload
class LoyaltyAccountPayload:
    """The account after the change."""

    account_id: strawberry.Private[str | None] = None
    account: LoyaltyAccount | None = reference("account_id", "The account; null on failure.")


@strawberry.input(description="Points that are pending and will not be given.")
class CancelPendingPointsInput:
    entry: ID = required("The entry by which they are pending.")
    reason: str = required("Why, in 1 to 1,000 characters. It stands in the entry.")
    idempotency_key: str | None = retry_key()


@payload
class TransferPointsPayload:
    """Both accounts after the change."""

    from_id: strawberry.Private[str | None] = None
    to_id: strawberry.Private[str | None] = None
    from_account: LoyaltyAccount | None = reference("from_id", "Whose points went; null on failure.")
    to_account: LoyaltyAccount | None = reference("to_id", "Whose points came; null on failure.")


@mutation(permission=ADJUST)
async def adjust_points(tx: UnitOfWork, input: AdjustPointsInput) -> LoyaltyAccountPayload:
    """Adds points to an account by hand, or takes some; the reason stands in the entry."""
    program = await _program(tx, input.program)
    reason = _needed(input.reason, "A correction")
    expires_at = chosen(input.expires_at)
    if expires_at is not None and expires_at <= tx.now:
        raise CrmError(
            ErrorCode.BAD_INPUT, "The points would have expired already.", path=("expires_at",),
            hint="Give a moment to come, or leave it out.",
        )  # fmt: skip
    [customer] = await _customers(tx, {"customer": input.customer})
    [posted] = await adjust(
        tx,
        [
            Adjustment(
                program_id=program,
                customer_id=customer,
                points=input.points,
                source_key=f"adjustment:{new_id()}",
                reason=reason,
                expires_at=expires_at,
            )
        ],
    )
    return LoyaltyAccountPayload(account_id=posted.account_id)


@mutation(permission=ADJUST)
async def cancel_pending_points(tx: UnitOfWork, input: CancelPendingPointsInput) -> LoyaltyAccountPayload:
    """Takes back all that is still pending by an entry; the reason stands in the new one. Refused where
    nothing is pending by it any more. A replay leaves what was cancelled as it is.
    """
    key = key_of(input.entry, LoyaltyEntry, path=("entry",))
    reason = _needed(input.reason, "A cancellation")
    rows = await tx.fetch(
        "SELECT e.program_id, e.source_key, a.customer_id FROM loyalty_entry e"
        " JOIN loyalty_account a ON a.id = e.account_id WHERE e.id = ?",
        [key],
    )
    if not rows or rows[0]["customer_id"] is None:
        raise CrmError(
            ErrorCode.NOT_FOUND, "There is no such entry, or its customer was erased.", path=("entry",)
        )
    [row] = rows
    await live_customer(tx, str(row["customer_id"]), Hold.ADD, path=("entry",))
    posted = await cancel_pending(
        tx, str(row["program_id"]), row["source_key"], f"cancellation:{key}", reason
    )
    if not posted.new:
        raise nothing_pending()
    return LoyaltyAccountPayload(account_id=posted.account_id)


@mutation(permission=ADJUST)
async def transfer_points(tx: UnitOfWork, input: TransferPointsInput) -> TransferPointsPayload:
    """Moves points from one customer to another. They expire when they did before."""
    program = await _program(tx, input.program)
    giver, taker = await _customers(
        tx, {"from_customer": input.from_customer, "to_customer": input.to_customer}
    )
    [(sent, received)] = await transfer(
        tx,
        [
            Transfer(
                program_id=program,
                from_customer_id=giver,
                to_customer_id=taker,
                points=input.points,
                source_key=f"transfer:{new_id()}",
                reason=_reason(input.reason) or None,
            )
        ],
    )
    return TransferPointsPayload(from_id=sent.account_id, to_id=received.account_id)


@payload
class VerifyLoyaltyPayload:
    """Whether accounts are what their entries come to, and none of these was changed or removed."""

    accounts: int | None = strawberry.field(
        description="How many accounts were looked at; null on failure.", default=None
    )
    entries: int | None = strawberry.field(
        description="How many entries they have; null on failure.", default=None
    )
    differences: list[str] | None = strawberry.field(
        description="Where they are not, the first 100 of these; null on failure.", default=None
    )


@mutation(permission=VERIFY, everyone=True)
async def verify_loyalty(tx: UnitOfWork) -> VerifyLoyaltyPayload:
    """Replays every account from its entries, and changes nothing."""
    proof = await verify(tx)
    return VerifyLoyaltyPayload(
        accounts=proof.accounts, entries=proof.entries, differences=list(proof.differences)
    )


async def _program(tx: UnitOfWork, id: str) -> str:
    key = key_of(id, LoyaltyProgram, path=("program",))
    if not await tx.fetch("SELECT 1 AS one FROM loyalty_program WHERE id = ?", [key]):
        raise CrmError(ErrorCode.NOT_FOUND, "There is no such programme.", path=("program",))
    return key


async def _customers(tx: UnitOfWork, members: dict[str, str]) -> list[str]:
    """Keys of the customers of these members of the input, held in one call."""
    keys = {name: key_of(id, Customer, path=(name,)) for name, id in members.items()}
    found = await live_customers(tx, set(keys.values()), Hold.ADD)
    live: list[str] = []
    for name, key in keys.items():
        customer = found[key]
        if isinstance(customer, CrmError):
            raise customer.under(name)
        live.append(customer.id)
    return live


def _needed(text: str, what: str) -> str:
    reason = _reason(text)
    if not reason:
        raise CrmError(ErrorCode.BAD_INPUT, f"{what} has a reason.", path=("reason",))
    return reason


def _reason(text: str | None) -> str:
    reason = " ".join((text or "").split())
    if len(reason) > 1_000:
        raise CrmError(ErrorCode.BAD_INPUT, "A reason has 1,000 characters at most.", path=("reason",))
    return reason
