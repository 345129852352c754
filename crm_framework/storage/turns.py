"""Long work on the event loop, in turns: others go on in between."""

import asyncio
import time
from collections.abc import Callable, Iterable
from typing import TypeVar

T = TypeVar("T")
S = TypeVar("S")

TURN_SECONDS = 0.01
"""How long the event loop is kept at one time, about."""


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


async def in_turns(make: Callable[[S], T], items: Iterable[S]) -> list[T]:
    """What `make` makes of each item."""
    made: list[T] = []
    turn = Turn()
    for item in items:
        if turn.is_over:
            await turn.end()
        made.append(make(item))
    return made
