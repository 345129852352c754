"""How often one address, or one network of IPv6, may send a token that opens nothing.

Who has a token that opens passes, whatever others behind the same proxy try: a token has 256 random bits, and
guessing is hopeless; what is bounded is the noise that it makes.
"""

from collections import OrderedDict
from time import monotonic

from .visitors import visitor

MAX_KEPT = 10_000
"""Addresses that are remembered at a time."""
WINDOW_S = 60.0


class Guesses:
    """Wrong tokens by address, counted over a minute from the first on."""

    def __init__(self, most: int) -> None:
        self._most = most
        self._kept: OrderedDict[str, tuple[float, int]] = OrderedDict()

    def note(self, address: str, at: float | None = None) -> int:
        """Counts one more. Seconds until the address may try again; 0 while it may."""
        now = monotonic() if at is None else at
        address = visitor(address)
        since, count = self._kept.get(address, (now, 0))
        if now - since >= WINDOW_S:
            since, count = now, 0
        self._kept[address] = (since, count + 1)
        self._kept.move_to_end(address)
        if len(self._kept) > MAX_KEPT:
            self._kept.popitem(last=False)
        return 0 if count < self._most else max(1, round(since + WINDOW_S - now))
