"""What a change enters into the accounts that it holds, gathered and written together.

    writing = await begin(tx, accounts)
    writing.enter(account, Kind.REDEEMED, account.book.spend(100, account.posted_at), cause)
    await writing.end()

Before its first entry, and after the last, an account is brought up to date: what is due to expire or to
unlock does. So it makes no difference whether the jobs for these have run.
"""

from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from secrets import token_hex

from crm_framework import CrmError, ErrorCode, UnitOfWork, new_id
from crm_loyalty import events
from crm_loyalty.tiers.standing import judge

from . import shares
from .accounts import Account, sealed
from .digest import digest, reason_digest
from .entries import Effect, Entry, Kind, Lot
from .lots import know_due
from .requests import Given

EVENT_OF: Mapping[Kind, type[events.PointsEvent]] = {
    Kind.EARNED: events.PointsEarned,
    Kind.PENDING: events.PointsPending,
    Kind.UNLOCKED: events.PointsUnlocked,
    Kind.CANCELLED: events.PointsCancelled,
    Kind.REDEEMED: events.PointsRedeemed,
    Kind.REVERSED: events.RedemptionReversed,
    Kind.REFUNDED: events.PointsTakenBack,
    Kind.EXPIRED: events.PointsExpired,
    Kind.SENT: events.PointsTransferred,
    Kind.RECEIVED: events.PointsTransferred,
    Kind.ADJUSTED: events.PointsAdjusted,
}
CREDITS = (Kind.EARNED, Kind.PENDING, Kind.RECEIVED, Kind.ADJUSTED)
"""What adds points that were in no account before, or in another one."""
MOST_HELD = 2**53 - 1
"""Points of an account, and those that it ever earned: far below the 64 bits of a column, so that mergers and
reversals, which are never refused for it, have room; and readers of JSON do not round it."""
ENTRY = (
    "id", "program_id", "account_id", "book_id", "seq", "kind", "points", "pending", "deficit",
    "qualifying_points", "qualifying_minor", "qualifies_at", "amount_minor", "source_key", "corrects_id",
    "other_id", "reason", "reason_salt", "reason_digest", "shares_digest", "at", "created_at", "digest",
)  # fmt: skip
LOT = (
    "id",
    "account_id",
    "entry_id",
    "origin_id",
    "points",
    "expires_at",
    "earned_at",
    "remaining",
    "expired",
)
PENDING = ("id", "account_id", "points", "unlock_at", "expires_at", "earned_at", "qualifies", "remaining")
ALLOCATION = ("id", "entry_id", "lot_id", "points")


@dataclass(frozen=True, kw_only=True)
class Cause:
    """Why an entry is made. `entry_id` is given where lots or pending points name it already."""

    source_key: str
    at: datetime
    reason: str | None = None
    entry_id: str | None = None
    amount_minor: int | None = None
    corrects_id: str | None = None
    other_id: str | None = None
    qualifying_points: int = 0
    qualifying_minor: int = 0
    qualifies_at: datetime | None = None
    shares: tuple[Given, ...] = ()


@dataclass(frozen=True)
class _Line:
    account: Account
    entry: Entry
    reason: str | None
    salt: str | None
    shares: tuple[Given, ...]


class Writing:
    """The entries of one change. `accounts` are those that it holds, by their keys."""

    def __init__(self, tx: UnitOfWork, accounts: Mapping[str, Account]) -> None:
        self.tx = tx
        self.accounts = accounts
        self._lines: list[_Line] = []

    def enter(self, account: Account, kind: Kind, effect: Effect, cause: Cause) -> Entry:
        """Adds the entry of an effect that the account's book has taken."""
        salt = token_hex(8) if cause.reason is not None else None
        entry = Entry(
            id=cause.entry_id or new_id(),
            book_id=account.id,
            seq=account.seq + 1,
            kind=kind,
            effect=effect,
            source_key=cause.source_key,
            at=cause.at,
            posted_at=account.posted_at,
            qualifying_points=cause.qualifying_points,
            qualifying_minor=cause.qualifying_minor,
            qualifies_at=cause.qualifies_at or cause.at,
            amount_minor=cause.amount_minor,
            corrects_id=cause.corrects_id,
            other_id=cause.other_id,
            reason_digest=reason_digest(cause.reason, salt) if cause.reason is not None and salt else None,
            shares_digest=shares.digest(cause.shares),
        )
        account.seq, account.digest = entry.seq, digest(account.digest, entry)
        if kind in (Kind.EARNED, Kind.UNLOCKED):
            account.lifetime += effect.points
        if kind in CREDITS and (effect.points > 0 or effect.pending > 0):
            _check_room(account)
        self._lines.append(_Line(account, _sealed(entry, account.digest), cause.reason, salt, cause.shares))
        return entry

    def settle(self) -> None:
        """Lets what is due by now expire and unlock, in the order of the moments."""
        for account in self.accounts.values():
            while (due := account.book.due(account.posted_at)) is not None:
                if due.unlocks:
                    pending = account.book.held[due.id].pending
                    effect = account.book.unlock(due.id, new_id())
                    cause = Cause(
                        source_key=f"unlock:{due.id}",
                        at=due.at,
                        corrects_id=due.id,
                        qualifying_points=effect.points if pending.qualifies else 0,
                        qualifies_at=pending.earned_at,
                    )
                    self.enter(account, Kind.UNLOCKED, effect, cause)
                else:
                    effect = account.book.expire(due.id)
                    each = account.book.lots[due.id]
                    # a reversed redemption may put points back into a lot that expired before
                    key = f"expire:{due.id}:{each.expired}"
                    self.enter(account, Kind.EXPIRED, effect, Cause(source_key=key, at=each.expires_at))

    async def end(self) -> None:
        """Writes it all: a few statements, whatever the number of entries."""
        self.settle()
        await self.flush()
        await self.judge()

    async def flush(self) -> None:
        """Writes the entries and what they come to, and tells of them."""
        entries = [line.entry for line in self._lines]
        if entries:
            self._insert(entries)
            await self._update(entries)
            self._tell({line.account.id: line.account for line in self._lines})

    async def judge(self) -> None:
        """Brings tiers up to date with what was written."""
        if self._lines:
            changed = {line.account.id: line.account for line in self._lines}
            there = [account for account in changed.values() if account.merged_into_id is None]
            await judge(self.tx, there, [line.entry for line in self._lines])

    def _insert(self, entries: list[Entry]) -> None:
        tx = self.tx
        tx.insert_values("loyalty_entry", ENTRY, [_entry_row(line) for line in self._lines])
        opened = [(line.account, line.entry, lot) for line in self._lines for lot in line.entry.effect.opened]
        tx.insert_values("loyalty_lot", LOT, [_lot_row(*each) for each in opened])
        held = [(line.account, line.entry.effect.held) for line in self._lines]
        tx.insert_values(
            "loyalty_pending",
            PENDING,
            [
                (
                    pending.id, account.id, pending.points, pending.unlock_at, pending.expires_at,
                    pending.earned_at, pending.qualifies, account.book.held[pending.id].remaining,
                )
                for account, pending in held
                if pending is not None
            ],
        )  # fmt: skip
        tx.insert_values(
            "loyalty_allocation",
            ALLOCATION,
            [(new_id(), entry.id, use.lot_id, use.points) for entry in entries for use in entry.effect.uses],
        )
        tx.insert_values(
            "loyalty_share",
            shares.COLUMNS,
            [
                shares.row(line.account.id, line.entry.id, given, tx.now)
                for line in self._lines
                for given in line.shares
            ],
        )

    async def _update(self, entries: list[Entry]) -> None:
        """What is left in lots and pending that were there before, and what the accounts come to."""
        new_lots = {lot.id for entry in entries for lot in entry.effect.opened}
        new_pending = {entry.id for entry in entries}
        lots: dict[str, tuple[object, ...]] = {}
        pending: dict[str, tuple[object, ...]] = {}
        for line in self._lines:
            book, effect = line.account.book, line.entry.effect
            for use in effect.uses:
                if use.lot_id not in new_lots:
                    each = book.lots[use.lot_id]
                    lots[use.lot_id] = (each.remaining, each.expired, use.lot_id)
            of = line.entry.corrects_id
            if effect.pending < 0 and of is not None and of not in new_pending:
                pending[of] = (book.held[of].remaining, of)
        tx = self.tx
        await tx.execute_many(
            "UPDATE loyalty_lot SET remaining = ?, expired = ? WHERE id = ?", sorted_by_key(lots)
        )
        await tx.execute_many("UPDATE loyalty_pending SET remaining = ? WHERE id = ?", sorted_by_key(pending))
        accounts = {line.account.id: line.account for line in self._lines}
        await tx.execute_many(
            "UPDATE loyalty_account SET balance = ?, pending = ?, deficit = ?, lifetime = ?,"
            " entries_number = ?, digest = ?, seal = ?, posted_at = ?, updated_at = ? WHERE id = ?",
            [
                (
                    each.book.balance, each.book.pending, each.book.deficit, each.lifetime, each.seq,
                    each.digest, sealed(tx, each), each.posted_at, tx.now, each.id,
                )
                for each in accounts.values()
            ],
        )  # fmt: skip

    def _tell(self, accounts: Mapping[str, Account]) -> None:
        sums: dict[str, int] = defaultdict(int)
        for line in self._lines:
            account, entry = line.account, line.entry
            sums[account.id] += entry.effect.points
            kind = EVENT_OF.get(entry.kind)
            if kind is not None:
                self.tx.emit(
                    kind(
                        customer_id=account.customer_id,
                        account_id=account.id,
                        program_id=account.program_id,
                        entry_id=entry.id,
                        points=entry.effect.points,
                        pending=entry.effect.pending,
                        source_key=entry.source_key,
                    )
                )
        self.tx.emit(
            *(
                events.PointsChanged(
                    customer_id=accounts[key].customer_id,
                    account_id=key,
                    program_id=accounts[key].program_id,
                    points=points,
                )
                for key, points in sums.items()
            )
        )


async def begin(tx: UnitOfWork, accounts: Mapping[str, Account]) -> Writing:
    """A change of the accounts of these keys, which are held; brought up to date before it."""
    await know_due(tx, accounts.values())
    writing = Writing(tx, accounts)
    writing.settle()
    return writing


def _check_room(account: Account) -> None:
    """REFUSED where an account has come to more points than one can have. Nothing is written then."""
    points = max(account.book.balance, account.lifetime) + account.book.pending
    if points > MOST_HELD:
        raise CrmError(
            ErrorCode.REFUSED,
            f"The account would come to {points} points, and one has {MOST_HELD} at most.",
            path=("points",),
            hint="Add fewer points.",
        )


def sorted_by_key(rows: Mapping[str, tuple[object, ...]]) -> list[tuple[object, ...]]:
    return [rows[key] for key in sorted(rows)]


def _sealed(entry: Entry, sealed: str) -> Entry:
    # quicker than dataclasses.replace, and the entry was made here
    object.__setattr__(entry, "digest", sealed)
    return entry


def _entry_row(line: _Line) -> tuple[object, ...]:
    entry, effect = line.entry, line.entry.effect
    return (
        entry.id, line.account.program_id, line.account.id, entry.book_id, entry.seq, entry.kind,
        effect.points, effect.pending, effect.deficit, entry.qualifying_points, entry.qualifying_minor,
        entry.qualifies_at, entry.amount_minor, entry.source_key, entry.corrects_id, entry.other_id,
        line.reason, line.salt, entry.reason_digest, entry.shares_digest, entry.at, entry.posted_at,
        entry.digest,
    )  # fmt: skip


def _lot_row(account: Account, entry: Entry, lot: Lot) -> tuple[object, ...]:
    kept = account.book.lots[lot.id]
    return (
        lot.id, account.id, entry.id, lot.origin_id, lot.points, lot.expires_at, lot.earned_at,
        kept.remaining, kept.expired,
    )  # fmt: skip
