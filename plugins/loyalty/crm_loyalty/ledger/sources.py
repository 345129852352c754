"""Causes and the entries that they have: each source key counts once in a programme.

Whoever earns, spends or corrects holds the customers, and calls once in a transaction: see `accounts`.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from crm_framework import CrmError, ErrorCode, UnitOfWork, among
from crm_loyalty.moments import NEVER, add_months

from .accounts import Account, Program
from .entries import Effect, Kind
from .requests import Posted
from .writing import Cause, Writing

MOST_POINTS = 10**15
"""In one entry: a point for each minor unit of the largest purchase."""


@dataclass(frozen=True)
class Key:
    """A cause by its source key."""

    program_id: str
    source_key: str


Known = dict[tuple[str, str], Posted]


async def new_causes(tx: UnitOfWork, causes: Sequence[Any]) -> tuple[list[Any], Known]:
    """Those of the causes that are new, each once, and what is in the ledger for the others."""
    found = await entries_of(tx, ((each.program_id, each.source_key) for each in causes))
    known = {
        key: Posted(row["id"], row["account_id"], row["points"], row["pending"], new=False)
        for key, row in found.items()
    }
    unique = {(each.program_id, each.source_key): each for each in causes}
    return [each for key, each in unique.items() if key not in known], known


async def entries_of(
    tx: UnitOfWork, causes: Iterable[tuple[str, str]]
) -> dict[tuple[str, str], dict[str, Any]]:
    """The entries of these causes (programme, source key) that are there."""
    wanted = set(causes)
    where = among("source_key", sorted({key for _, key in wanted}), tx.dialect)
    rows = await tx.fetch(
        "SELECT id, program_id, account_id, kind, points, pending, amount_minor, source_key,"
        f" qualifying_points, qualifying_minor, qualifies_at FROM loyalty_entry WHERE {where.sql}",
        where.args,
    )
    found = {(row["program_id"], row["source_key"]): row for row in rows}
    return {key: row for key, row in found.items() if key in wanted}


def still_there(held: dict[str, Account], row: dict[str, Any]) -> Account:
    """The account of an entry among those that are held. CONFLICT where it was merged meanwhile."""
    account = held.get(row["account_id"])
    if account is None:
        raise CrmError(ErrorCode.CONFLICT, "The account is being merged into another.", hint="Try again.")
    return account


def enter(writing: Writing, account: Account, kind: Kind, effect: Effect, cause: Cause) -> Posted:
    """Enters what the book of an account has taken; what the caller is told of it."""
    entry = writing.enter(account, kind, effect, cause)
    return Posted(entry.id, account.id, effect.points, effect.pending, new=True)


def expiry(program: Program, at: datetime) -> datetime:
    """When points expire by the programme's terms."""
    return NEVER if program.expiry_months is None else add_months(at, program.expiry_months, program.zone)


def check_points(numbers: Iterable[int], *, least: int) -> None:
    """BAD_INPUT for numbers out of range."""
    for points in numbers:
        if not least <= points <= MOST_POINTS:
            raise CrmError(
                ErrorCode.BAD_INPUT,
                f"{points} points are out of range.",
                path=("points",),
                hint=f"Give {least} to {MOST_POINTS}.",
            )
