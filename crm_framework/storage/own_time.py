"""How long a coroutine itself keeps the event loop, whatever others do meanwhile."""

import time
from collections.abc import Callable, Coroutine, Generator
from typing import Any


class OwnTime:
    """Awaits `work`, and times each of its steps from one wait to the next.

    `spent` are the seconds of all its steps, `longest` those of the longest one: for so long nobody else had
    a turn on the event loop. A step that is under way counts when it ends.
    """

    def __init__(self, work: Coroutine[Any, Any, None]) -> None:
        self._work = work
        self.spent = 0.0
        self.longest = 0.0

    def __await__(self) -> Generator[Any, Any, None]:
        step: Callable[[Any], Any] = self._work.send
        given: Any = None
        while True:
            began = time.perf_counter()
            try:
                waits_for = step(given)
            except StopIteration:
                return
            finally:
                step, given = self._work.send, None  # an exception here would keep itself alive
                taken = time.perf_counter() - began
                self.spent += taken
                self.longest = max(self.longest, taken)
            try:
                given = yield waits_for
            except BaseException as error:  # its cancellation, say: it is for the work to answer
                step, given = self._work.throw, error
