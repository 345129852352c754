"""Codes and referrals. Those of a programme are made one after the other, so that none closes a circle."""

import secrets

from crm_framework import (
    CrmError,
    ErrorCode,
    Hold,
    UnitOfWork,
    live_customer,
    live_customers,
    new_id,
    resolve_id,
)
from crm_loyalty.models import ReferralStatus

from .events import ReferralAccepted

ALPHABET = "ABCDEFGHJKLMNPQRSTUVWXYZ23456789"
"""Without letters and digits that are taken for each other."""
LENGTH = 10


async def code_of(tx: UnitOfWork, customer_id: str) -> str:
    """Key of the customer's code, which is made where there is none.

    NOT_FOUND for an unknown customer, REFUSED for an erased one.
    """
    # alone among those who change the customer, so that there is one code
    customer = await live_customer(tx, customer_id, Hold.CHANGE, path=("customer",))
    rows = await tx.fetch(
        "SELECT id FROM loyalty_referral_code WHERE customer_id = ? ORDER BY id LIMIT 1", [customer.id]
    )
    if rows:
        return str(rows[0]["id"])
    key = new_id()
    code = "".join(secrets.choice(ALPHABET) for _ in range(LENGTH))
    tx.insert(
        "loyalty_referral_code",
        {"id": key, "customer_id": customer.id, "code": code, "created_at": tx.now},
    )
    return key


async def accept(tx: UnitOfWork, program_id: str, customer_id: str, code: str) -> str:
    """Key of the new referral: the customer came by this code.

    NOT_FOUND for an unknown programme or code. REFUSED for the customer's own code, for one who bought or was
    referred before, and where the one who passed the code on came by this customer, over however many others.
    """
    shown = code.strip().upper()
    rows = await tx.fetch("SELECT customer_id FROM loyalty_referral_code WHERE code = ?", [shown])
    if not rows or rows[0]["customer_id"] is None:
        raise CrmError(
            ErrorCode.NOT_FOUND,
            "There is no such referral code.",
            path=("code",),
            hint="Compare it letter by letter with the one that was passed on.",
        )
    named = str(rows[0]["customer_id"])
    await resolve_id(tx, customer_id, path=("customer",))  # within reach; who passed it on need not be
    reach, tx.reach = tx.reach, None
    try:
        found = await live_customers(tx, [customer_id, named], Hold.CHANGE)
    finally:
        tx.reach = reach
    customer, referrer = found[customer_id], found[named]
    if isinstance(customer, CrmError):
        raise customer.under("customer")
    if isinstance(referrer, CrmError):
        raise CrmError(ErrorCode.REFUSED, "Who passed this code on is no customer any more.", path=("code",))
    await _hold_program(tx, program_id)
    await _refuse(tx, program_id, customer.id, referrer.id)
    key = new_id()
    tx.insert(
        "loyalty_referral",
        {
            "id": key, "program_id": program_id, "customer_id": customer.id, "referrer_id": referrer.id,
            "status": ReferralStatus.PENDING, "created_at": tx.now,
        },
    )  # fmt: skip
    tx.emit(ReferralAccepted(customer_id=customer.id, referral_id=key, referrer_id=referrer.id))
    return key


async def _hold_program(tx: UnitOfWork, program_id: str) -> None:
    await tx.lock("loyalty_program", [program_id], strength="NO KEY UPDATE")
    rows = await tx.fetch("SELECT active FROM loyalty_program WHERE id = ?", [program_id])
    if not rows:
        raise CrmError(ErrorCode.NOT_FOUND, "There is no such programme.", path=("program",))
    if not rows[0]["active"]:
        raise CrmError(ErrorCode.REFUSED, "The programme has ended.", path=("program",))


async def _refuse(tx: UnitOfWork, program_id: str, customer_id: str, referrer_id: str) -> None:
    if customer_id == referrer_id:
        raise CrmError(
            ErrorCode.REFUSED,
            "It is the customer's own code.",
            path=("code",),
            hint="Give the code of whoever recommended us.",
        )
    there = await tx.fetch(
        "SELECT id FROM loyalty_referral WHERE program_id = ? AND customer_id = ? AND status <> ? LIMIT 1",
        [program_id, customer_id, ReferralStatus.VOID],
    )
    if there:
        raise CrmError(ErrorCode.REFUSED, "The customer was referred before.", path=("customer",))
    bought = await tx.fetch(
        "SELECT id FROM crm_interaction WHERE customer_id = ? AND kind = 'purchase' LIMIT 1", [customer_id]
    )
    if bought:
        raise CrmError(
            ErrorCode.REFUSED,
            "The customer has bought before.",
            path=("customer",),
            hint="A code is accepted before the first purchase.",
        )
    if await came_by(tx, program_id, referrer_id, customer_id):
        raise CrmError(
            ErrorCode.REFUSED, "Who passed the code on came by this very customer.", path=("code",)
        )


async def came_by(tx: UnitOfWork, program_id: str, customer_id: str, other: str) -> bool:
    """Whether the customer came by the other one, directly or over others."""
    rows = await tx.fetch(
        "WITH RECURSIVE way (id) AS ("
        "SELECT referrer_id FROM loyalty_referral WHERE program_id = ? AND customer_id = ? AND status <> ?"
        " UNION SELECT r.referrer_id FROM loyalty_referral r JOIN way ON r.customer_id = way.id"
        " WHERE r.program_id = ? AND r.status <> ?"
        ") SELECT 1 AS found FROM way WHERE id = ? LIMIT 1",
        [program_id, customer_id, ReferralStatus.VOID, program_id, ReferralStatus.VOID, other],
    )
    return bool(rows)
