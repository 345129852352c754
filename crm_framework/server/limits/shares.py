"""How many long reads of one token run at once: its filters must not hold up the small reads of others.

Half of the connections for reads, so that the other half is there for everybody else. Reads that are bounded,
by key or along an index, are not counted.
"""

import asyncio
from collections import OrderedDict

MAX_KEPT = 10_000
"""Tokens that are remembered at a time."""


class Shares:
    """The turns of each token. `reads` is how many reads a process runs at once."""

    def __init__(self, reads: int) -> None:
        self._most = max(1, reads // 2)
        self._kept: OrderedDict[str, asyncio.Semaphore] = OrderedDict()

    def of(self, token: str) -> asyncio.Semaphore:
        """What a long read of this token waits for, and holds while it runs."""
        found = self._kept.get(token)
        if found is None:
            found = self._kept[token] = asyncio.Semaphore(self._most)
            if len(self._kept) > MAX_KEPT:
                self._kept.popitem(last=False)
        else:
            self._kept.move_to_end(token)
        return found
