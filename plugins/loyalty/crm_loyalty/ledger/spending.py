"""What is spent: redeemed, put back, given to others, and adjusted by hand.

Each takes a batch, in a few statements whatever its size; each cause (`source_key`) counts once in a
programme, and telling it again gives the first answer. What is refused raises `CrmError`; the unit of work is
then to be given up.
"""

from collections import defaultdict
from collections.abc import Sequence

from crm_framework import CrmError, ErrorCode, UnitOfWork, among, new_id

from .accounts import Account, hold_accounts, hold_owners, programs
from .book import Short
from .entries import Effect, Kind, Lot
from .lots import know_lots, know_used
from .requests import Adjustment, Posted, Reversal, Spending, Transfer
from .sources import Key, check_points, enter, entries_of, expiry, new_causes, still_there
from .writing import Cause, Writing, begin


async def redeem(tx: UnitOfWork, spendings: Sequence[Spending]) -> list[Posted]:
    """Takes points out of their lots, soonest to expire first. REFUSED where there are too few to spend."""
    check_points((each.points for each in spendings), least=1)
    accounts = await hold_owners(tx, ((each.program_id, each.customer_id) for each in spendings))
    fresh, known = await new_causes(tx, spendings)
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
            effect = spend(account, each.points)
            known[each.program_id, each.source_key] = enter(writing, account, Kind.REDEEMED, effect, cause)
        await writing.end()
    return [known[each.program_id, each.source_key] for each in spendings]


async def reverse(tx: UnitOfWork, reversals: Sequence[Reversal]) -> list[Posted]:
    """Puts redeemed points back into the lots that they came from, which expire when they did before.

    NOT_FOUND for what was never redeemed, REFUSED for what was reversed already.
    """
    found = await entries_of(tx, ((each.program_id, each.redemption_key) for each in reversals))
    held = await hold_accounts(tx, (row["account_id"] for row in found.values()))
    fresh, known = await new_causes(tx, reversals)
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
            account = still_there(held, row)
            effect = account.book.put_back(used[row["id"]], account.posted_at)
            cause = Cause(
                source_key=each.source_key, at=account.posted_at, reason=each.reason, corrects_id=row["id"]
            )
            known[each.program_id, each.source_key] = enter(writing, account, Kind.REVERSED, effect, cause)
        await writing.end()
    return [known[each.program_id, each.source_key] for each in reversals]


async def transfer(tx: UnitOfWork, transfers: Sequence[Transfer]) -> list[tuple[Posted, Posted]]:
    """Moves points from one customer to another; both are held by whoever calls. REFUSED where too few are
    there to spend, and to oneself.
    """
    check_points((each.points for each in transfers), least=1)
    for each in transfers:
        if each.from_customer_id == each.to_customer_id:
            raise CrmError(ErrorCode.REFUSED, "Nobody transfers points to themselves.", path=("to_customer",))
    owners = {(each.program_id, each.from_customer_id) for each in transfers}
    accounts = await hold_owners(tx, owners | {(each.program_id, each.to_customer_id) for each in transfers})
    sent = [Key(each.program_id, f"{each.source_key}:sent") for each in transfers]
    fresh_keys, known = await new_causes(tx, sent)
    _, received = await new_causes(
        tx, [Key(each.program_id, f"{each.source_key}:received") for each in transfers]
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
    check_points((abs(each.points) for each in adjustments), least=1)
    accounts = await hold_owners(tx, ((each.program_id, each.customer_id) for each in adjustments))
    fresh, known = await new_causes(tx, adjustments)
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
                    expires_at=each.expires_at or expiry(rules[each.program_id], at),
                    earned_at=at,
                    origin_id=entry_id,
                )
                effect = account.book.credit([lot], at)
            else:
                effect = spend(account, -each.points)
            cause = Cause(source_key=each.source_key, at=at, reason=each.reason, entry_id=entry_id)
            known[each.program_id, each.source_key] = enter(writing, account, Kind.ADJUSTED, effect, cause)
        await writing.end()
    return [known[each.program_id, each.source_key] for each in adjustments]


async def _corrected(tx: UnitOfWork, entry_ids: Sequence[str], kind: Kind) -> set[str]:
    where = among("corrects_id", entry_ids, tx.dialect)
    rows = await tx.fetch(
        f"SELECT corrects_id FROM loyalty_entry WHERE {where.sql} AND kind = ?", [*where.args, kind]
    )
    return {row["corrects_id"] for row in rows}


def spend(account: Account, points: int) -> Effect:
    try:
        return account.book.spend(points, account.posted_at)
    except Short as short:
        raise CrmError(
            ErrorCode.REFUSED,
            f"{points} points are asked for, and {short.available} are there to spend.",
            path=("points",),
            hint="Points that are pending or expired cannot be spent.",
        ) from None


def _transfer(writing: Writing, giver: Account, taker: Account, each: Transfer) -> tuple[Posted, Posted]:
    effect = spend(giver, each.points)
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
        enter(writing, giver, Kind.SENT, effect, sent),
        enter(writing, taker, Kind.RECEIVED, taker.book.credit(given, taker.posted_at), received),
    )
