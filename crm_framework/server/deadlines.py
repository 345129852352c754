"""Time limits for requests, at less cost than `asyncio.timeout`, which takes as long as a small query."""

import asyncio
from asyncio import AbstractEventLoop, CancelledError, Task
from types import TracebackType
from typing import Any, Self


class Deadlines:
    """Limits of one length for whatever is under way. The oldest ends first, so one timer does for all."""

    def __init__(self, seconds: float) -> None:
        self.seconds = seconds
        self._loop: AbstractEventLoop | None = None
        self._open: dict[Deadline, None] = {}
        self._waiting = False

    def begin(self) -> "Deadline":
        """A limit from now on, for the `with` block of this task."""
        loop = asyncio.get_running_loop()
        if loop is not self._loop:  # an application may see several, one after another
            self._loop, self._open, self._waiting = loop, {}, False
        deadline = Deadline(loop.time() + self.seconds, self._open, loop)
        self._open[deadline] = None
        if not self._waiting:
            self._waiting = True
            loop.call_at(deadline.at, self._end_what_is_late, loop)
        return deadline

    def _end_what_is_late(self, loop: AbstractEventLoop) -> None:
        if loop is not self._loop:
            return
        # a timer may come a little early: within the precision of the clock it is due
        late = loop.time() + 0.001
        while self._open:
            deadline = next(iter(self._open))
            if deadline.at > late:
                loop.call_at(deadline.at, self._end_what_is_late, loop)
                return
            del self._open[deadline]
            deadline.expire()
        self._waiting = False


class Deadline:
    """`with deadlines.begin() as deadline:` raises TimeoutError if the block takes too long.

    The task is cancelled then, as by `asyncio.timeout`; a cancellation by others stays one.
    """

    __slots__ = ("_cancelling", "_open", "_task", "at", "expired")

    def __init__(self, at: float, open_: "dict[Deadline, None]", loop: AbstractEventLoop) -> None:
        self.at = at
        self.expired = False
        self._open = open_
        task = asyncio.current_task(loop)
        assert task is not None  # a running loop runs tasks
        self._task: Task[Any] = task
        self._cancelling = task.cancelling()

    def expire(self) -> None:
        self.expired = True
        self._task.cancel()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, _: TracebackType | None
    ) -> None:
        if not self.expired:
            del self._open[self]
        elif self._task.uncancel() <= self._cancelling and kind is CancelledError:
            raise TimeoutError from error
