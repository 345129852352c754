"""The rules of an account: what it holds follows from its entries, one after the other, and nothing else.

The same book serves whoever adds an entry, with the lots that this needs, and whoever replays a ledger, with
all of them.
"""

from bisect import bisect_left, insort
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from datetime import datetime

from crm_loyalty.moments import NEVER

from .entries import Effect, Lot, Pending, Use


class Short(Exception):
    """There are fewer points to spend than are asked for."""

    def __init__(self, available: int) -> None:
        super().__init__(f"{available} points are there to spend")
        self.available = available


@dataclass(slots=True)
class OpenLot:
    """A lot and what is left of it; `expired` is what expired of it so far. `since` is when points came into
    it that was over by then: those expire at once, and not before they came.
    """

    lot: Lot
    remaining: int
    expired: int = 0
    since: datetime | None = field(default=None, compare=False)

    @property
    def expires_at(self) -> datetime:
        """When what is left of it expires."""
        return self.lot.expires_at if self.since is None else max(self.lot.expires_at, self.since)


@dataclass(slots=True)
class HeldPending:
    """Pending points and how many of them are pending still."""

    pending: Pending
    remaining: int


@dataclass(frozen=True)
class Due:
    """Something that happens to an account as time goes by: at `at`, a lot expires or points unlock."""

    at: datetime
    unlocks: bool
    id: str

    @property
    def turn(self) -> tuple[datetime, bool, str]:
        """At the same moment, what expires goes before what unlocks."""
        return self.at, self.unlocks, self.id


class Book:
    """What an account holds. Each method is an entry: it changes the book and tells its effect."""

    def __init__(self, *, balance: int = 0, pending: int = 0, deficit: int = 0) -> None:
        self.balance = balance
        self.pending = pending
        self.deficit = deficit
        self.lots: dict[str, OpenLot] = {}
        self.held: dict[str, HeldPending] = {}
        self._turns: list[tuple[datetime, datetime, str]] = []

    def know(self, lots: Iterable[OpenLot] = (), held: Iterable[HeldPending] = ()) -> None:
        """Takes in lots and pending points that are there already; those that it knows stay."""
        for each in lots:
            if each.lot.id not in self.lots:
                self._place(each)
        for one in held:
            self.held.setdefault(one.pending.id, one)

    def credit(self, opened: Iterable[Lot], at: datetime) -> Effect:
        """New points. They make up a deficit first."""
        lots = tuple(lot for lot in opened if lot.points > 0)
        for lot in lots:
            self._place(OpenLot(lot, lot.points))
        uses, absorbed = self._absorb((lot.id for lot in lots), at)
        return self._done(opened=lots, uses=uses, deficit=-absorbed)

    def spend(self, points: int, at: datetime) -> Effect:
        """Takes points in the order of spending. Raises `Short` where there are too few."""
        uses, left = self._take(points, at)
        if left:
            for use in uses:
                self._use(use.lot_id, -use.points)
            raise Short(points - left)
        return self._done(uses=uses)

    def take_back(
        self, points: int, at: datetime, *, origin_id: str, pending: int = 0, clamp: bool = False
    ) -> Effect:
        """Takes points that were earned by mistake: `pending` of those that are not unlocked yet, and of
        others those of their own lots first. What is short makes a deficit, or is let go with `clamp`.
        """
        if pending:
            self.held[origin_id].remaining -= pending
        own = [turn for turn in self._turns if self.lots[turn[2]].lot.origin_id == origin_id]
        first, left = self._take_from(iter(own), points, at)
        more, left = self._take(left, at)
        return self._done(uses=(*first, *more), deficit=0 if clamp else left, pending=-pending)

    def put_back(self, uses: Iterable[Use], at: datetime) -> Effect:
        """Reverses a redemption: its points go back to their lots, and make up a deficit first."""
        back = [Use(use.lot_id, -use.points) for use in uses]
        for use in back:
            self.lots[use.lot_id].since = at
            self._use(use.lot_id, use.points)
        taken, absorbed = self._absorb([use.lot_id for use in back], at)
        return self._done(uses=(*back, *taken), deficit=-absorbed)

    def hold(self, pending: Pending) -> Effect:
        """New points that are pending."""
        self.held[pending.id] = HeldPending(pending, pending.points)
        return self._done(pending=pending.points, held=pending)

    def cancel(self, pending_id: str, points: int) -> Effect:
        """Takes back pending points."""
        self.held[pending_id].remaining -= points
        return self._done(pending=-points)

    def unlock(self, pending_id: str, lot_id: str) -> Effect:
        """Makes pending points a lot."""
        held = self.held[pending_id]
        lot = Lot(
            id=lot_id,
            points=held.remaining,
            expires_at=held.pending.expires_at,
            earned_at=held.pending.earned_at,
            origin_id=pending_id,
        )
        points, held.remaining = held.remaining, 0
        self._place(OpenLot(lot, points, since=held.pending.unlock_at))
        uses, absorbed = self._absorb([lot.id], held.pending.unlock_at)
        return self._done(opened=(lot,), uses=uses, pending=-points, deficit=-absorbed)

    def expire(self, lot_id: str) -> Effect:
        """Ends a lot."""
        each = self.lots[lot_id]
        points = each.remaining
        each.expired += points
        self._use(lot_id, -points)
        return self._done(uses=(Use(lot_id, -points),))

    def merge(self, other: "Book", at: datetime) -> Effect:
        """Takes over all that another account holds. Lots of the one make up the deficit of the other."""
        self.know(other.lots.values(), other.held.values())
        self.balance += other.balance
        self.pending += other.pending
        self.deficit += other.deficit
        uses, absorbed = self._absorb([turn[2] for turn in self._turns], at)
        return self._done(uses=uses, deficit=-absorbed)

    def due(self, at: datetime) -> Due | None:
        """What happens first until then, and has not happened yet."""
        found = [
            Due(each.pending.unlock_at, True, each.pending.id)
            for each in self.held.values()
            if each.remaining > 0 and each.pending.unlock_at <= at
        ]
        for expires_at, _, lot_id in self._turns[:1]:
            if expires_at <= at:
                found.append(Due(expires_at, False, lot_id))
        return min(found, key=lambda due: due.turn, default=None)

    def available(self, at: datetime) -> int:
        """Points that can be spent at a moment."""
        return sum(self.lots[turn[2]].remaining for turn in self._open(at))

    def expired_of(self, origin_id: str) -> int:
        """How many of the points that an entry earned expired."""
        return sum(each.expired for each in self.lots.values() if each.lot.origin_id == origin_id)

    @property
    def open_points(self) -> int:
        """Points in lots, expired ones included until an entry ends them."""
        return sum(each.remaining for each in self.lots.values())

    def _open(self, at: datetime) -> Iterator[tuple[datetime, datetime, str]]:
        start = bisect_left(self._turns, (at, NEVER, "\uffff"))
        return iter(self._turns[start:])

    def _take(self, points: int, at: datetime) -> tuple[tuple[Use, ...], int]:
        return self._take_from(self._open(at), points, at)

    def _take_from(
        self, turns: Iterator[tuple[datetime, datetime, str]], points: int, at: datetime
    ) -> tuple[tuple[Use, ...], int]:
        uses: list[Use] = []
        for turn in turns:
            if not points:
                break
            if turn[0] > at:
                taken = min(points, self.lots[turn[2]].remaining)
                uses.append(Use(turn[2], -taken))
                points -= taken
        for use in uses:
            self._use(use.lot_id, use.points)
        return tuple(uses), points

    def _absorb(self, lot_ids: Iterable[str], at: datetime) -> tuple[tuple[Use, ...], int]:
        """Takes the deficit from these lots; how many points of it they made up."""
        turns = sorted(self.lots[lot_id].lot.turn for lot_id in lot_ids)
        uses, left = self._take_from(iter(turns), self.deficit, at)
        return uses, self.deficit - left

    def _use(self, lot_id: str, points: int) -> None:
        each = self.lots[lot_id]
        before, each.remaining = each.remaining, each.remaining + points
        place = bisect_left(self._turns, each.lot.turn)
        if before and not each.remaining:
            del self._turns[place]
        elif not before and each.remaining:
            self._turns.insert(place, each.lot.turn)

    def _place(self, each: OpenLot) -> None:
        self.lots[each.lot.id] = each
        if each.remaining:
            insort(self._turns, each.lot.turn)

    def _done(
        self,
        *,
        opened: tuple[Lot, ...] = (),
        uses: tuple[Use, ...] = (),
        pending: int = 0,
        deficit: int = 0,
        held: Pending | None = None,
    ) -> Effect:
        """The whole effect. The balance is what is in lots less the deficit: it changes as they do."""
        net: dict[str, int] = {}
        for use in uses:
            net[use.lot_id] = net.get(use.lot_id, 0) + use.points
        points = sum(lot.points for lot in opened) + sum(net.values()) - deficit
        self.balance += points
        self.pending += pending
        self.deficit += deficit
        kept = tuple(Use(lot_id, taken) for lot_id, taken in net.items() if taken)
        return Effect(points=points, pending=pending, deficit=deficit, opened=opened, uses=kept, held=held)
