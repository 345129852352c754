"""What is earned: entered, taken back by refunds, cancelled while it is pending, and brought up to date.

Each takes a batch, in a few statements whatever its size; each cause (`source_key`) counts once in a
programme, and telling it again gives the first answer. What is refused raises `CrmError`; the unit of work is
then to be given up.
"""

from collections import defaultdict
from collections.abc import Iterable, Sequence
from datetime import timedelta
from typing import Any

from crm_framework import CrmError, ErrorCode, UnitOfWork, among, new_id, parse_time
from crm_loyalty.models import RefundPolicy
from crm_loyalty.rules import points_to_keep

from .accounts import Account, Program, hold_accounts, hold_owners, programs
from .entries import Kind, Lot, Pending
from .lots import know_lots, know_origins
from .requests import ClawBack, Posted, Posting
from .sources import Key, check_points, enter, entries_of, expiry, new_causes, still_there
from .writing import Cause, Writing, begin


async def post(tx: UnitOfWork, postings: Sequence[Posting]) -> list[Posted]:
    """Enters what is earned, in the order of its moments."""
    check_points((each.points for each in postings), least=0)
    accounts = await hold_owners(tx, ((each.program_id, each.customer_id) for each in postings))
    fresh, known = await new_causes(tx, postings)
    if fresh:
        rules = await programs(tx, {each.program_id for each in fresh})
        writing = await begin(tx, {account.id: account for account in accounts.values()})
        for each in sorted(fresh, key=lambda posting: posting.at):
            account = accounts[each.program_id, each.customer_id]
            known[each.program_id, each.source_key] = _earn(writing, account, rules[each.program_id], each)
        await writing.end()
    return [known[each.program_id, each.source_key] for each in postings]


async def claw_back(tx: UnitOfWork, refunds: Sequence[ClawBack]) -> list[Posted]:
    """Takes back what a refunded purchase earned, in proportion, and never more than is left of it.

    Points of it that expired unspent are not taken once more. Causes that earned nothing are passed over:
    the answer tells of the others.
    """
    found = await entries_of(tx, ((each.program_id, each.earning_key) for each in refunds))
    held = await hold_accounts(tx, (row["account_id"] for row in found.values()))
    fresh, known = await new_causes(tx, refunds)
    if fresh:
        rules = await programs(tx, {row["program_id"] for row in found.values()})
        keys = [row["id"] for row in found.values()]
        writing = await begin(tx, held)
        await know_origins(tx, keys, held)
        so_far = await _taken(tx, keys)
        takings: list[tuple[ClawBack, dict[str, Any], int, int]] = []
        needs: dict[str, int] = defaultdict(int)
        for each in fresh:
            row = found.get((each.program_id, each.earning_key))
            if row is None or row["kind"] not in (Kind.EARNED, Kind.PENDING):
                continue
            account = still_there(held, row)
            refunded, taken, more = so_far[row["id"]]
            earned = _earned(row) + more
            bought = (row["amount_minor"] or 0) if each.of_minor is None else each.of_minor
            points = _to_take(bought, earned, refunded, each.amount_minor)
            # more may have expired than is left, where others' points were taken for those that were spent
            points = max(0, min(points, earned - taken - account.book.expired_of(row["id"])))
            so_far[row["id"]] = (refunded + each.amount_minor, taken + points, more)
            takings.append((each, row, refunded, points))
            needs[account.id] += points
        await know_lots(tx, needs, held)
        for each, row, _, points in takings:
            account = held[row["account_id"]]
            known[each.program_id, each.source_key] = _take_back(
                writing, account, rules[row["program_id"]], each, row, points
            )
        await writing.end()
    return [known[key] for each in refunds if (key := (each.program_id, each.source_key)) in known]


async def cancel_pending(
    tx: UnitOfWork, program_id: str, earning_key: str, source_key: str, reason: str | None = None
) -> Posted:
    """Takes back all that is still pending of what was earned. REFUSED where nothing is."""
    found = await entries_of(tx, [(program_id, earning_key)])
    row = found.get((program_id, earning_key))
    if row is None:
        raise CrmError(ErrorCode.NOT_FOUND, f"Nothing was earned for {earning_key!r}.")
    held = await hold_accounts(tx, [row["account_id"]])
    fresh, known = await new_causes(tx, [Key(program_id, source_key)])
    if not fresh:
        return known[program_id, source_key]
    account = still_there(held, row)
    writing = await begin(tx, held)
    await know_origins(tx, [row["id"]], held)
    pending = account.book.held.get(row["id"])
    if pending is None or not pending.remaining:
        raise nothing_pending()
    cause = Cause(
        source_key=source_key,
        at=account.posted_at,
        reason=reason,
        corrects_id=row["id"],
        qualifying_minor=-row["qualifying_minor"],
        qualifies_at=parse_time(row["qualifies_at"]),
    )
    effect = account.book.cancel(row["id"], pending.remaining)
    posted = enter(writing, account, Kind.CANCELLED, effect, cause)
    await writing.end()
    return posted


def nothing_pending() -> CrmError:
    """REFUSED for what was unlocked, cancelled or refunded, or never was pending."""
    return CrmError(
        ErrorCode.REFUSED,
        "Nothing is pending by this entry.",
        path=("entry",),
        hint="Points that are unlocked are taken by adjustPoints.",
    )


async def settle(tx: UnitOfWork, account_ids: Iterable[str]) -> int:
    """Lets what is due in these accounts expire and unlock; how many accounts there were."""
    held = await hold_accounts(tx, account_ids)
    await (await begin(tx, held)).end()
    return len(held)


async def _taken(tx: UnitOfWork, entry_ids: Sequence[str]) -> dict[str, tuple[int, int, int]]:
    """Of each earning entry the amount that was refunded, the points that were taken back, and those that
    corrections added. Of what is linked to it, corrections have no amount, and refunds have one."""
    where = among("corrects_id", entry_ids, tx.dialect)
    rows = await tx.fetch(
        "SELECT corrects_id, SUM(CASE WHEN kind = 'REFUNDED' THEN amount_minor END) AS refunded,"
        " SUM(CASE WHEN kind = 'CANCELLED' OR amount_minor IS NOT NULL THEN points + pending END) AS taken,"
        " SUM(CASE WHEN kind <> 'CANCELLED' AND amount_minor IS NULL THEN points + pending END) AS more"
        f" FROM loyalty_entry WHERE {where.sql} AND kind <> 'UNLOCKED' GROUP BY corrects_id",
        where.args,
    )
    found = {
        row["corrects_id"]: (int(row["refunded"] or 0), -int(row["taken"] or 0), int(row["more"] or 0))
        for row in rows
    }
    return {key: found.get(key, (0, 0, 0)) for key in entry_ids}


def _earned(row: dict[str, Any]) -> int:
    points: int = row["points"] + row["pending"]
    return points


def _to_take(bought: int, earned: int, refunded: int, more: int) -> int:
    return points_to_keep(earned, bought, refunded) - points_to_keep(earned, bought, refunded + more)


def _earn(writing: Writing, account: Account, program: Program, each: Posting) -> Posted:
    entry_id = new_id()
    expires_at = each.expires_at or expiry(program, each.at)
    unlock_at = each.unlock_at or each.at + timedelta(days=program.pending_days)
    spent = each.amount_minor or 0 if each.qualifies else 0
    if unlock_at > account.posted_at and each.points > 0:
        pending = Pending(
            id=entry_id,
            points=each.points,
            unlock_at=unlock_at,
            expires_at=expires_at,
            earned_at=each.at,
            qualifies=each.qualifies,
        )
        effect, kind, counted = account.book.hold(pending), Kind.PENDING, 0
    else:
        lot = Lot(
            id=new_id(), points=each.points, expires_at=expires_at, earned_at=each.at, origin_id=entry_id
        )
        effect, kind = account.book.credit([lot], account.posted_at), Kind.EARNED
        counted = each.points if each.qualifies else 0
    cause = Cause(
        source_key=each.source_key,
        at=each.at,
        reason=each.reason,
        entry_id=entry_id,
        amount_minor=each.amount_minor,
        qualifying_points=counted,
        qualifying_minor=spent,
        shares=each.shares,
    )
    return enter(writing, account, kind, effect, cause)


def _take_back(
    writing: Writing, account: Account, program: Program, each: ClawBack, row: dict[str, Any], points: int
) -> Posted:
    held = account.book.held.get(row["id"])
    pending = min(points, held.remaining if held is not None else 0)
    effect = account.book.take_back(
        points - pending,
        account.posted_at,
        origin_id=row["id"],
        pending=pending,
        clamp=program.refund_policy is RefundPolicy.CLAMP_TO_ZERO,
    )
    counts = bool(row["qualifying_points"] or row["qualifying_minor"])
    cause = Cause(
        source_key=each.source_key,
        at=each.at,
        reason=each.reason,
        amount_minor=each.amount_minor,
        corrects_id=row["id"],
        qualifying_points=-(points - pending) if counts else 0,
        qualifying_minor=-min(each.amount_minor, row["qualifying_minor"]) if counts else 0,
        qualifies_at=parse_time(row["qualifies_at"]),
    )
    return enter(writing, account, Kind.REFUNDED, effect, cause)
