"""A plain model of an account, which the ledger is compared with."""

from dataclasses import dataclass, field
from datetime import datetime


@dataclass
class ModelLot:
    points: int
    expires_at: datetime
    earned_at: datetime
    origin: str


@dataclass
class ModelPending:
    points: int
    unlock_at: datetime
    expires_at: datetime
    earned_at: datetime


@dataclass
class Purchase:
    points: int
    minor: int
    refunded: int = 0
    taken: int = 0
    expired: int = 0


@dataclass
class Model:
    """One account."""

    lots: list[ModelLot] = field(default_factory=list)
    pending: dict[str, ModelPending] = field(default_factory=dict)
    deficit: int = 0
    purchases: dict[str, Purchase] = field(default_factory=dict)

    @property
    def balance(self) -> int:
        return sum(lot.points for lot in self.lots) - self.deficit

    @property
    def waiting(self) -> int:
        return sum(each.points for each in self.pending.values())

    def until(self, now: datetime) -> None:
        """Everything that was due by then, one after the other."""
        while True:
            ends = [(lot.expires_at, 0, index) for index, lot in enumerate(self.lots) if lot.points]
            unlocks = [(each.unlock_at, 1, key) for key, each in self.pending.items() if each.points]
            due = sorted(((moment, what, str(key), key) for moment, what, key in [*ends, *unlocks]))
            if not due or due[0][0] > now:
                return
            moment, what, _, key = due[0]
            if what == 0:
                lot = self.lots[key]  # type: ignore[call-overload]  # an index, as it says
                if lot.origin in self.purchases:
                    self.purchases[lot.origin].expired += lot.points
                lot.points = 0
            else:
                each = self.pending[key]  # type: ignore[index]  # a key, as it says
                points, each.points = each.points, 0
                self.add(points, each.expires_at, each.earned_at, str(key), moment)

    def add(self, points: int, expires_at: datetime, earned_at: datetime, origin: str, now: datetime) -> None:
        lot = ModelLot(points, expires_at, earned_at, origin)
        self.lots.append(lot)
        self.absorb([lot], now)

    def absorb(self, lots: list[ModelLot], now: datetime) -> None:
        for lot in self.in_order(lots, now):
            made_up = min(lot.points, self.deficit)
            lot.points -= made_up
            self.deficit -= made_up

    def in_order(self, lots: list[ModelLot], now: datetime) -> list[ModelLot]:
        there = [lot for lot in lots if lot.points and lot.expires_at > now]
        return sorted(there, key=lambda lot: (lot.expires_at, lot.earned_at))

    def spend(self, points: int, now: datetime) -> list[tuple[ModelLot, int]] | None:
        """What was taken from which lots; None where it is short."""
        there = self.in_order(self.lots, now)
        if sum(lot.points for lot in there) < points:
            return None
        taken = []
        for lot in there:
            part = min(points, lot.points)
            if part:
                lot.points -= part
                points -= part
                taken.append((lot, part))
        return taken

    def put_back(self, taken: list[tuple[ModelLot, int]], now: datetime) -> None:
        for lot, points in taken:
            lot.points += points
        self.absorb([lot for lot, _ in taken], now)

    def refund(self, key: str, minor: int, clamp: bool, now: datetime) -> None:
        bought = self.purchases[key]

        def kept(refunded: int) -> int:
            return bought.points * max(bought.minor - refunded, 0) // bought.minor

        points = kept(bought.refunded) - kept(bought.refunded + minor)
        points = max(0, min(points, bought.points - bought.taken - bought.expired))
        bought.refunded += minor
        bought.taken += points
        if key in self.pending:
            part = min(points, self.pending[key].points)
            self.pending[key].points -= part
            points -= part
        own = [lot for lot in self.in_order(self.lots, now) if lot.origin == key]
        left = points
        for lot in [*own, *self.in_order(self.lots, now)]:
            part = min(left, lot.points)
            lot.points -= part
            left -= part
        if not clamp:
            self.deficit += left

    def take_over(self, other: "Model", now: datetime) -> None:
        self.lots += other.lots
        self.pending |= other.pending
        self.purchases |= other.purchases
        self.deficit += other.deficit
        self.absorb(self.lots, now)
