"""How many cases run, from which seeds, and what is told of one in which the two executors differ."""

import os
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from random import Random

CASES = int(os.environ.get("DIFFERENTIAL_CASES", "2400"))
"""Of all kinds and on both databases together; each test takes its share."""
FIRST = int(os.environ.get("DIFFERENTIAL_FROM", "0"))
"""Number of the first case of each test: to go on with a run that was ended."""
FAILURES = int(os.environ.get("DIFFERENTIAL_FAILURES", "1"))
"""How many differences a test collects before it ends."""
SEED = os.environ["DIFFERENTIAL_SEED"]
"""Every second case is made from it; the others are the same in every run."""
_FIXED = "fixed"
_TOLD_EVERY = 1_000


@dataclass(frozen=True)
class Case:
    """One document to be compared, and its number."""

    number: int
    seed: str

    def rng(self, what: str = "") -> Random:
        return Random(f"{self.seed}/{self.number}/{what}")


@dataclass
class Trials:
    """Counts the cases of one test, and collects the differences."""

    name: str
    share: float
    ran: int = 0
    failures: list[str] = field(default_factory=list)

    @property
    def wanted(self) -> int:
        return max(1, int(CASES * self.share))

    def cases(self) -> Iterator[Case]:
        """Documents, one after the other, until enough cases have run."""
        number, told, begun = FIRST, 0, time.monotonic()
        while self.ran < self.wanted:
            yield Case(number, SEED if number % 2 else _FIXED)
            number += 1
            if self.ran // _TOLD_EVERY > told:
                told = self.ran // _TOLD_EVERY
                seconds = time.monotonic() - begun
                sys.stderr.write(
                    f"\n{self.name}: {self.ran} of {self.wanted} cases in {seconds:.0f} s,"
                    f" {len(self.failures)} differences; DIFFERENTIAL_SEED={SEED}"
                    f" DIFFERENTIAL_FROM={number} goes on from here\n"
                )

    def failed(self, case: Case, text: str) -> None:
        """Takes down a difference. Raises once there are enough."""
        again = f"DIFFERENTIAL_FROM={case.number} DIFFERENTIAL_SEED={SEED}"
        self.failures.append(f"case {case.number} of the seed {case.seed!r} ({again}):\n{text}")
        if len(self.failures) >= FAILURES:
            self.end()

    def end(self) -> None:
        """Raises what was collected."""
        if self.failures:
            shown = "\n\n".join(self.failures)
            raise AssertionError(f"{self.name}: {len(self.failures)} of {self.ran} cases differ\n\n{shown}")
