"""Cancelling a task at a chosen one of its awaits."""

import asyncio
from collections.abc import Generator
from typing import Any


class CancelledAt:
    """Awaits `work`, and cancels the task that does so at its await number `number`.

    `late` cancels when what was awaited has just ended and its result is about to be handed over.
    """

    def __init__(self, work: Any, number: int | None, *, late: bool) -> None:
        self.work = work
        self.number = number
        self.late = late
        self.awaits = 0

    def __await__(self) -> Generator[Any, Any, Any]:
        steps = self.work.__await__()
        task = asyncio.current_task()
        assert task is not None
        send, value = steps.send, None
        while True:
            try:
                waiting = send(value)
            except StopIteration as end:
                return end.value
            self.awaits += 1
            if self.awaits == self.number:
                if self.late and waiting is not None:
                    waiting.add_done_callback(lambda _: task.cancel())
                else:
                    task.cancel()
            try:
                send, value = steps.send, (yield waiting)
            except BaseException as error:
                send, value = steps.throw, error
