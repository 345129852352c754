"""Long work on the event loop, in turns: others go on in between."""

import asyncio
import time
from collections.abc import AsyncIterator, Callable, Iterable, Sequence
from typing import TypeVar

T = TypeVar("T")
S = TypeVar("S")

TURN_SECONDS = 0.005
"""How long the event loop is kept at one time, about."""

PART = 250
"""Items that are worked on together: a few milliseconds, and enough to go by columns."""

_AT_ONCE = 25
"""Items between two looks at the clock, which costs as much as many an item."""


class Turn:
    """A turn on the event loop: `if turn.is_over: await turn.end()` between two steps begins another one."""

    __slots__ = ("_since",)

    def __init__(self) -> None:
        self._since = time.perf_counter()

    @property
    def is_over(self) -> bool:
        return time.perf_counter() - self._since > TURN_SECONDS

    async def end(self) -> None:
        await asyncio.sleep(0)
        self._since = time.perf_counter()


async def in_turns(make: Callable[[S], T], items: Sequence[S]) -> list[T]:
    """What `make` makes of each item."""
    return await parts_in_turns(lambda part: map(make, part), items, _AT_ONCE)


async def parts_in_turns(
    make: Callable[[Sequence[S]], Iterable[T]], items: Sequence[S], size: int = PART
) -> list[T]:
    """What `make` makes of them, for `size` of them together: of what it is given, in its order."""
    if len(items) <= size:
        return list(make(items))
    return [each async for part in parts_of(items, size) for each in make(part)]


async def parts_of(items: Sequence[S], size: int = PART) -> AsyncIterator[Sequence[S]]:
    """`size` of them at a time."""
    turn = Turn()
    for start in range(0, len(items), size):
        if turn.is_over:
            await turn.end()
        yield items[start : start + size]
