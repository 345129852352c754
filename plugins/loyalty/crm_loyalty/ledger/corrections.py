"""Corrections of what was earned, by entries that name the one that they correct."""

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from crm_framework import CrmError, ErrorCode, UnitOfWork, new_id, parse_time
from crm_loyalty.models import RefundPolicy

from .accounts import Account, hold_accounts, programs
from .entries import Kind, Lot, Pending
from .lots import know_lots, know_origins
from .requests import Given, Posted
from .sources import enter, entries_of, new_causes, still_there
from .writing import Cause, Writing, begin


@dataclass(frozen=True, kw_only=True)
class Correction:
    """Points that an earlier cause should have earned more, or (negative) less. `earning_key` is its key.

    With `of_refund` it is what refunds should have taken less, or more: later refunds then count it so.
    `shares` is what each rule should have given more, or less; there may be some where the points stay.
    """

    program_id: str
    earning_key: str
    points: int
    source_key: str
    at: datetime
    unlock_at: datetime
    expires_at: datetime
    reason: str | None = None
    of_refund: bool = False
    shares: tuple[Given, ...] = ()


async def correct(tx: UnitOfWork, corrections: Sequence[Correction]) -> list[Posted]:
    """Enters corrections. What is to be taken and not there any more makes a deficit, or is let go, by the
    programme's refund policy; what expired of it unspent is not taken once more.

    NOT_FOUND for what was never earned.
    """
    found = await entries_of(tx, ((each.program_id, each.earning_key) for each in corrections))
    held = await hold_accounts(tx, (row["account_id"] for row in found.values()))
    fresh, known = await new_causes(tx, corrections)
    if fresh:
        rules = await programs(tx, {row["program_id"] for row in found.values()})
        writing = await begin(tx, held)
        await know_origins(tx, [row["id"] for row in found.values()], held)
        needs: dict[str, int] = defaultdict(int)
        for each in fresh:
            row = found.get((each.program_id, each.earning_key))
            if row is None:
                raise CrmError(ErrorCode.NOT_FOUND, f"Nothing was earned for {each.earning_key!r}.")
            needs[row["account_id"]] += max(0, -each.points)
        await know_lots(tx, needs, held)
        for each in fresh:
            row = found[each.program_id, each.earning_key]
            account = still_there(held, row)
            if each.points >= 0:
                posted = _more(writing, account, each, row)
            else:
                clamp = rules[row["program_id"]].refund_policy is RefundPolicy.CLAMP_TO_ZERO
                posted = _less(writing, account, each, row, clamp=clamp)
            known[each.program_id, each.source_key] = posted
        await writing.end()
    return [known[each.program_id, each.source_key] for each in corrections]


def _more(writing: Writing, account: Account, each: Correction, row: dict[str, Any]) -> Posted:
    """A lot of its own, or pending points as long as the first ones are."""
    entry_id = new_id()
    if each.unlock_at > account.posted_at and each.points:
        pending = Pending(
            id=entry_id,
            points=each.points,
            unlock_at=each.unlock_at,
            expires_at=each.expires_at,
            earned_at=each.at,
        )
        effect, kind, counted = account.book.hold(pending), Kind.PENDING, 0
    else:
        lot = Lot(
            id=new_id(),
            points=each.points,
            expires_at=each.expires_at,
            earned_at=each.at,
            origin_id=entry_id,
        )
        effect, kind = account.book.credit([lot], account.posted_at), Kind.EARNED
        counted = each.points
    return enter(writing, account, kind, effect, _cause(each, row, counted, entry_id))


def _less(
    writing: Writing, account: Account, each: Correction, row: dict[str, Any], *, clamp: bool
) -> Posted:
    held = account.book.held.get(row["id"])
    points = min(-each.points, max(0, row["points"] + row["pending"] - account.book.expired_of(row["id"])))
    pending = min(points, held.remaining if held is not None else 0)
    effect = account.book.take_back(
        points - pending, account.posted_at, origin_id=row["id"], pending=pending, clamp=clamp
    )
    return enter(writing, account, Kind.REFUNDED, effect, _cause(each, row, pending - points, new_id()))


def _cause(each: Correction, row: dict[str, Any], counted: int, entry_id: str) -> Cause:
    return Cause(
        source_key=each.source_key,
        at=each.at,
        reason=each.reason,
        entry_id=entry_id,
        amount_minor=0 if each.of_refund else None,
        corrects_id=row["id"],
        qualifying_points=counted,
        qualifies_at=parse_time(row["qualifies_at"]),
        shares=each.shares,
    )
