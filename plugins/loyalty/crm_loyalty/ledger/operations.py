"""What the ledger does for others: earn, redeem, reverse, transfer, adjust, take back, unlock, expire.

Each takes a batch, in a few statements whatever its size; each cause (`source_key`) counts once in a
programme, and telling it again gives the first answer. Whoever calls holds the customers, and calls once in a
transaction: see `accounts`. What is refused raises `CrmError`; the unit of work is then to be given up.
"""

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from crm_framework import CrmError, ErrorCode, UnitOfWork, among, new_id, parse_time
from crm_loyalty.models import RefundPolicy
from crm_loyalty.moments import NEVER, add_months
from crm_loyalty.rules import points_to_keep

from .accounts import Account, Program, hold_accounts, hold_owners, programs
from .book import Short
from .entries import Effect, Kind, Lot, Pending
from .lots import know_lots, know_origins, know_used
from .requests import Adjustment, ClawBack, Posted, Posting, Reversal, Spending, Transfer
from .writing import Cause, Writing, begin

MOST_POINTS = 1_000_000_000_000
"""In one entry."""


async def post(tx: UnitOfWork, postings: Sequence[Posting]) -> list[Posted]:
    """Enters what is earned, in the order of its moments."""
    _check_points((each.points for each in postings), least=0)
    accounts = await hold_owners(tx, ((each.program_id, each.customer_id) for each in postings))
    fresh, known = await _fresh(tx, postings)
    if fresh:
        rules = await programs(tx, {each.program_id for each in fresh})
        writing = await begin(tx, {account.id: account for account in accounts.values()})
        for each in sorted(fresh, key=lambda posting: posting.at):
            account = accounts[each.program_id, each.customer_id]
            known[each.program_id, each.source_key] = _earn(writing, account, rules[each.program_id], each)
        await writing.end()
    return [known[each.program_id, each.source_key] for each in postings]


async def redeem(tx: UnitOfWork, spendings: Sequence[Spending]) -> list[Posted]:
    """Takes points out of their lots, soonest to expire first. REFUSED where there are too few to spend."""
    _check_points((each.points for each in spendings), least=1)
    accounts = await hold_owners(tx, ((each.program_id, each.customer_id) for each in spendings))
    fresh, known = await _fresh(tx, spendings)
    for each in spendings:
        told = known.get((each.program_id, each.source_key))
        if told is not None and told.points != -each.points:
            raise CrmError(
                ErrorCode.CONFLICT, f"{-told.points} points were redeemed for {each.source_key!r} before."
            )
    if fresh:
        held = {account.id: account for account in accounts.values()}
        writing = await begin(tx, held)
        needs: dict[str, int] = defaultdict(int)
        for each in fresh:
            needs[accounts[each.program_id, each.customer_id].id] += each.points
        await know_lots(tx, needs, held)
        for each in fresh:
            account = accounts[each.program_id, each.customer_id]
            cause = Cause(source_key=each.source_key, at=account.posted_at, reason=each.reason)
            effect = _spend(account, each.points)
            known[each.program_id, each.source_key] = _enter(writing, account, Kind.REDEEMED, effect, cause)
        await writing.end()
    return [known[each.program_id, each.source_key] for each in spendings]


async def reverse(tx: UnitOfWork, reversals: Sequence[Reversal]) -> list[Posted]:
    """Puts redeemed points back into the lots that they came from, which expire when they did before.

    NOT_FOUND for what was never redeemed, REFUSED for what was reversed already.
    """
    found = await _entries(tx, ((each.program_id, each.redemption_key) for each in reversals))
    held = await hold_accounts(tx, (row["account_id"] for row in found.values()))
    fresh, known = await _fresh(tx, reversals)
    if fresh:
        used = await know_used(tx, [row["id"] for row in found.values()], held)
        done = await _corrected(tx, [row["id"] for row in found.values()], Kind.REVERSED)
        writing = await begin(tx, held)
        for each in fresh:
            row = found.get((each.program_id, each.redemption_key))
            if row is None or row["kind"] != Kind.REDEEMED:
                raise CrmError(ErrorCode.NOT_FOUND, f"Nothing was redeemed for {each.redemption_key!r}.")
            if row["id"] in done:
                raise CrmError(ErrorCode.REFUSED, "The redemption was reversed already.")
            done.add(row["id"])
            account = _still_there(held, row)
            effect = account.book.put_back(used[row["id"]], account.posted_at)
            cause = Cause(
                source_key=each.source_key, at=account.posted_at, reason=each.reason, corrects_id=row["id"]
            )
            known[each.program_id, each.source_key] = _enter(writing, account, Kind.REVERSED, effect, cause)
        await writing.end()
    return [known[each.program_id, each.source_key] for each in reversals]


async def claw_back(tx: UnitOfWork, refunds: Sequence[ClawBack]) -> list[Posted]:
    """Takes back what a refunded purchase earned, in proportion, and never more than is left of it.

    Points of it that expired unspent are not taken once more. Causes that earned nothing are passed over:
    the answer tells of the others.
    """
    found = await _entries(tx, ((each.program_id, each.earning_key) for each in refunds))
    held = await hold_accounts(tx, (row["account_id"] for row in found.values()))
    fresh, known = await _fresh(tx, refunds)
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
            account = _still_there(held, row)
            refunded, taken, more = so_far[row["id"]]
            earned = _earned(row) + more
            points = _to_take(row, earned, refunded, each.amount_minor)
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


async def transfer(tx: UnitOfWork, transfers: Sequence[Transfer]) -> list[tuple[Posted, Posted]]:
    """Moves points from one customer to another; both are held by whoever calls. REFUSED where too few are
    there to spend, and to oneself.
    """
    _check_points((each.points for each in transfers), least=1)
    for each in transfers:
        if each.from_customer_id == each.to_customer_id:
            raise CrmError(ErrorCode.REFUSED, "Nobody transfers points to themselves.", path=("to",))
    owners = {(each.program_id, each.from_customer_id) for each in transfers}
    accounts = await hold_owners(tx, owners | {(each.program_id, each.to_customer_id) for each in transfers})
    sent = [_Key(each.program_id, f"{each.source_key}:sent") for each in transfers]
    fresh_keys, known = await _fresh(tx, sent)
    _, received = await _fresh(
        tx, [_Key(each.program_id, f"{each.source_key}:received") for each in transfers]
    )
    known |= received
    fresh = [each for each, key in zip(transfers, sent, strict=True) if key in fresh_keys]
    if fresh:
        held = {account.id: account for account in accounts.values()}
        writing = await begin(tx, held)
        needs: dict[str, int] = defaultdict(int)
        for each in fresh:
            needs[accounts[each.program_id, each.from_customer_id].id] += each.points
        await know_lots(tx, needs, held)
        for each in fresh:
            giver = accounts[each.program_id, each.from_customer_id]
            taker = accounts[each.program_id, each.to_customer_id]
            for posted, key in zip(_transfer(writing, giver, taker, each), ("sent", "received"), strict=True):
                known[each.program_id, f"{each.source_key}:{key}"] = posted
        await writing.end()
    return [
        (
            known[each.program_id, f"{each.source_key}:sent"],
            known[each.program_id, f"{each.source_key}:received"],
        )
        for each in transfers
    ]


async def adjust(tx: UnitOfWork, adjustments: Sequence[Adjustment]) -> list[Posted]:
    """Corrects balances by hand. REFUSED where more is to be taken than is there to spend."""
    _check_points((abs(each.points) for each in adjustments), least=1)
    accounts = await hold_owners(tx, ((each.program_id, each.customer_id) for each in adjustments))
    fresh, known = await _fresh(tx, adjustments)
    if fresh:
        rules = await programs(tx, {each.program_id for each in fresh})
        held = {account.id: account for account in accounts.values()}
        writing = await begin(tx, held)
        needs: dict[str, int] = defaultdict(int)
        for each in fresh:
            needs[accounts[each.program_id, each.customer_id].id] += max(0, -each.points)
        await know_lots(tx, needs, held)
        for each in fresh:
            account = accounts[each.program_id, each.customer_id]
            entry_id, at = new_id(), account.posted_at
            if each.points > 0:
                lot = Lot(
                    id=new_id(),
                    points=each.points,
                    expires_at=each.expires_at or _expiry(rules[each.program_id], at),
                    earned_at=at,
                    origin_id=entry_id,
                )
                effect = account.book.credit([lot], at)
            else:
                effect = _spend(account, -each.points)
            cause = Cause(source_key=each.source_key, at=at, reason=each.reason, entry_id=entry_id)
            known[each.program_id, each.source_key] = _enter(writing, account, Kind.ADJUSTED, effect, cause)
        await writing.end()
    return [known[each.program_id, each.source_key] for each in adjustments]


async def cancel_pending(
    tx: UnitOfWork, program_id: str, earning_key: str, source_key: str, reason: str | None = None
) -> Posted:
    """Takes back all that is still pending of what was earned. REFUSED where nothing is."""
    found = await _entries(tx, [(program_id, earning_key)])
    row = found.get((program_id, earning_key))
    if row is None:
        raise CrmError(ErrorCode.NOT_FOUND, f"Nothing was earned for {earning_key!r}.")
    held = await hold_accounts(tx, [row["account_id"]])
    fresh, known = await _fresh(tx, [_Key(program_id, source_key)])
    if not fresh:
        return known[program_id, source_key]
    account = _still_there(held, row)
    writing = await begin(tx, held)
    await know_origins(tx, [row["id"]], held)
    pending = account.book.held.get(row["id"])
    if pending is None or not pending.remaining:
        raise CrmError(ErrorCode.REFUSED, f"Nothing is pending of {earning_key!r}.")
    cause = Cause(
        source_key=source_key,
        at=account.posted_at,
        reason=reason,
        corrects_id=row["id"],
        qualifying_minor=-row["qualifying_minor"],
        qualifies_at=parse_time(row["qualifies_at"]),
    )
    effect = account.book.cancel(row["id"], pending.remaining)
    posted = _enter(writing, account, Kind.CANCELLED, effect, cause)
    await writing.end()
    return posted


async def settle(tx: UnitOfWork, account_ids: Iterable[str]) -> int:
    """Lets what is due in these accounts expire and unlock; how many accounts there were."""
    held = await hold_accounts(tx, account_ids)
    await (await begin(tx, held)).end()
    return len(held)


@dataclass(frozen=True)
class _Key:
    program_id: str
    source_key: str


_Known = dict[tuple[str, str], Posted]


async def _fresh(tx: UnitOfWork, causes: Sequence[Any]) -> tuple[list[Any], _Known]:
    """Those of the causes that are new, each once, and what is in the ledger for the others."""
    found = await _entries(tx, ((each.program_id, each.source_key) for each in causes))
    known = {
        key: Posted(row["id"], row["account_id"], row["points"], row["pending"], new=False)
        for key, row in found.items()
    }
    unique = {(each.program_id, each.source_key): each for each in causes}
    return [each for key, each in unique.items() if key not in known], known


async def _entries(
    tx: UnitOfWork, causes: Iterable[tuple[str, str]]
) -> dict[tuple[str, str], dict[str, Any]]:
    wanted = set(causes)
    where = among("source_key", sorted({key for _, key in wanted}), tx.dialect)
    rows = await tx.fetch(
        "SELECT id, program_id, account_id, kind, points, pending, amount_minor, source_key,"
        f" qualifying_points, qualifying_minor, qualifies_at FROM loyalty_entry WHERE {where.sql}",
        where.args,
    )
    found = {(row["program_id"], row["source_key"]): row for row in rows}
    return {key: row for key, row in found.items() if key in wanted}


async def _corrected(tx: UnitOfWork, entry_ids: Sequence[str], kind: Kind) -> set[str]:
    where = among("corrects_id", entry_ids, tx.dialect)
    rows = await tx.fetch(
        f"SELECT corrects_id FROM loyalty_entry WHERE {where.sql} AND kind = ?", [*where.args, kind]
    )
    return {row["corrects_id"] for row in rows}


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


def _to_take(row: dict[str, Any], earned: int, refunded: int, more: int) -> int:
    bought = row["amount_minor"] or 0
    return points_to_keep(earned, bought, refunded) - points_to_keep(earned, bought, refunded + more)


def _earn(writing: Writing, account: Account, program: Program, each: Posting) -> Posted:
    entry_id = new_id()
    expires_at = each.expires_at or _expiry(program, each.at)
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
    )
    return _enter(writing, account, kind, effect, cause)


def _expiry(program: Program, at: datetime) -> datetime:
    return NEVER if program.expiry_months is None else add_months(at, program.expiry_months, program.zone)


def _spend(account: Account, points: int) -> Effect:
    try:
        return account.book.spend(points, account.posted_at)
    except Short as short:
        raise CrmError(
            ErrorCode.REFUSED,
            f"{points} points are asked for, and {short.available} are there to spend.",
            path=("points",),
            hint="Points that are pending or expired cannot be spent.",
        ) from None


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
    return _enter(writing, account, Kind.REFUNDED, effect, cause)


def _transfer(writing: Writing, giver: Account, taker: Account, each: Transfer) -> tuple[Posted, Posted]:
    effect = _spend(giver, each.points)
    entry_id = new_id()
    lots = [giver.book.lots[use.lot_id].lot for use in effect.uses]
    given = [
        Lot(
            id=new_id(),
            points=-use.points,
            expires_at=lot.expires_at,
            earned_at=lot.earned_at,
            origin_id=entry_id,
        )
        for use, lot in zip(effect.uses, lots, strict=True)
    ]
    sent = Cause(
        source_key=f"{each.source_key}:sent", at=giver.posted_at, reason=each.reason, other_id=taker.id
    )
    received = Cause(
        source_key=f"{each.source_key}:received",
        at=taker.posted_at,
        reason=each.reason,
        entry_id=entry_id,
        other_id=giver.id,
    )
    return (
        _enter(writing, giver, Kind.SENT, effect, sent),
        _enter(writing, taker, Kind.RECEIVED, taker.book.credit(given, taker.posted_at), received),
    )


def _enter(writing: Writing, account: Account, kind: Kind, effect: Effect, cause: Cause) -> Posted:
    entry = writing.enter(account, kind, effect, cause)
    return Posted(entry.id, account.id, effect.points, effect.pending, new=True)


def _still_there(held: dict[str, Account], row: dict[str, Any]) -> Account:
    account = held.get(row["account_id"])
    if account is None:
        raise CrmError(ErrorCode.CONFLICT, "The account is being merged into another.", hint="Try again.")
    return account


def _check_points(numbers: Iterable[int], *, least: int) -> None:
    for points in numbers:
        if not least <= points <= MOST_POINTS:
            raise CrmError(
                ErrorCode.BAD_INPUT,
                f"{points} points are out of range.",
                path=("points",),
                hint=f"Give {least} to {MOST_POINTS}.",
            )
