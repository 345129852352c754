"""How much each token may ask for in a minute, in objects that its operations may lead to.

A budget fills evenly, up to what a minute gives: it can be spent at once, or as it comes. It is kept in the
memory of each process, so that a token has one on each.
"""

from collections import OrderedDict
from math import ceil
from time import monotonic

MAX_KEPT = 10_000
"""Tokens whose budgets are kept. The one that was not used for longest is forgotten: it is full again."""


class Budget:
    """What one token has left. `size` is what a minute gives."""

    __slots__ = ("_left", "_seen", "size")

    def __init__(self, size: int, at: float) -> None:
        self.size = size
        self._left = float(size)
        self._seen = at

    def left(self, at: float | None = None) -> float:
        """What there is to spend; less than nothing after an operation that cost more than there was."""
        now = monotonic() if at is None else at
        self._left = min(float(self.size), self._left + (now - self._seen) * self.size / 60)
        self._seen = now
        return self._left

    def spend(self, cost: int, at: float | None = None) -> bool:
        """Takes the cost away, or nothing where there is not enough.

        An operation that costs more than the whole budget needs a full one, and leaves a debt.
        """
        left = self.left(at)
        if left < min(cost, self.size):
            return False
        self._left = left - cost
        return True

    def charge(self, seconds: float, cost: int = 0) -> None:
        """Takes away what that much time gives, after work that took it, and the cost; may leave a debt."""
        self._left = self.left() - seconds * self.size / 60 - cost

    def seconds_until(self, cost: int, at: float | None = None) -> int:
        """How long to wait for that much, in whole seconds; 0 if it is there."""
        missing = min(cost, self.size) - self.left(at)
        return max(0, ceil(missing * 60 / self.size))

    def headers(self) -> tuple[tuple[bytes, bytes], ...]:
        """`RateLimit` and `RateLimit-Policy`, as draft-ietf-httpapi-ratelimit-headers has them."""
        left = self.left()
        full = ceil((self.size - left) * 60 / self.size)
        return (
            (b"ratelimit-policy", b'"token";q=%d;w=60' % self.size),
            (b"ratelimit", b'"token";r=%d;t=%d' % (max(0, int(left)), full)),
        )


class Budgets:
    """The budgets of all tokens. `size` 0 is none at all."""

    def __init__(self, size: int) -> None:
        self.size = size
        self._kept: OrderedDict[str, Budget] = OrderedDict()

    def of(self, token: str | None) -> Budget | None:
        """The budget of a token, by its id."""
        if not self.size or token is None:
            return None
        found = self._kept.get(token)
        if found is None:
            found = self._kept[token] = Budget(self.size, monotonic())
            if len(self._kept) > MAX_KEPT:
                self._kept.popitem(last=False)
        else:
            self._kept.move_to_end(token)
        return found
