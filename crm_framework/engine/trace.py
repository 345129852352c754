"""How an operation was run, step by step: for whoever asks why it takes its time."""

import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from .sql import Dialect

if TYPE_CHECKING:
    from .context import Reader

_HERE: ContextVar[str] = ContextVar("engine.place", default="")


IN_ABOVE = "in the statement above"
"""Why a step has no statement of its own: its records came with those that they hang on."""


@dataclass
class Statement:
    """A statement, how many rows it gave and how long it took, in milliseconds."""

    sql: str
    rows: int
    milliseconds: float
    arguments: Sequence[object] = field(default=(), repr=False)


@dataclass
class Step:
    """A field that was asked for of all objects of a level at once.

    `place` is its path without the numbers of lists, `how` what kind of field it is ("reference", "pages",
    "batch" …, or "graphql-core" where that ran it), `why` what there is to say about that; `objects` the size
    of the level. The time includes that of the steps below it.
    """

    place: str
    element: str
    how: str
    objects: int
    why: str | None = None
    milliseconds: float = 0.0
    statements: list[Statement] = field(default_factory=list)


class Trace:
    """The steps of one operation, in the order in which they began."""

    def __init__(self) -> None:
        self.steps: list[Step] = []

    @contextmanager
    def step(self, step: Step) -> Iterator[None]:
        """Records a step, and the statements in it as its own."""
        self.steps.append(step)
        token = _HERE.set(step.place)
        began = time.perf_counter()
        try:
            yield
        finally:
            step.milliseconds = _since(began)
            _HERE.reset(token)

    def read(self, sql: str, arguments: Sequence[object], rows: int, began: float) -> None:
        """Records a statement where it was asked for."""
        place = _HERE.get()
        step = next((one for one in reversed(self.steps) if one.place == place), None)
        if step is None:
            step = Step(place, "", "operation", 1)
            self.steps.append(step)
        step.statements.append(Statement(sql, rows, _since(began), arguments))

    @property
    def ordered(self) -> list[Step]:
        """The steps as a tree: each below the one that led to it, siblings as they began."""
        began: dict[str, int] = {}
        for number, step in enumerate(self.steps):
            began.setdefault(step.place, number)

        def key(step: Step) -> list[int]:
            parts = step.place.split(".")
            above = (".".join(parts[:length]) for length in range(1, len(parts) + 1))
            return [began[place] for place in above if place in began]

        return sorted(self.steps, key=key)

    @property
    def shown(self) -> list[dict[str, Any]]:
        """The steps as JSON; arguments are left out, since they may be anybody's data."""
        return [
            {
                "place": step.place,
                "element": step.element,
                "how": step.how,
                **({"why": step.why} if step.why else {}),
                "objects": step.objects,
                "milliseconds": step.milliseconds,
                "statements": [
                    {"sql": one.sql, "rows": one.rows, "milliseconds": one.milliseconds}
                    for one in step.statements
                ],
            }
            for step in self.ordered
        ]


class TracedReader:
    """A reader whose statements are recorded."""

    def __init__(self, reader: "Reader", trace: Trace) -> None:
        self._reader = reader
        self._trace = trace

    @property
    def dialect(self) -> Dialect:
        """Which database it is."""
        return self._reader.dialect

    async def fetch(
        self, sql: str, args: Sequence[object] = (), *, bounded: bool = False
    ) -> list[dict[str, Any]]:
        """As the reader does."""
        began = time.perf_counter()
        rows = await self._reader.fetch(sql, args, bounded=bounded)
        self._trace.read(sql, args, len(rows), began)
        return rows

    async def rows(
        self, sql: str, args: Sequence[object] = (), *, bounded: bool = False
    ) -> Sequence[Sequence[Any]]:
        """As the reader does."""
        began = time.perf_counter()
        rows = await self._reader.rows(sql, args, bounded=bounded)
        self._trace.read(sql, args, len(rows), began)
        return rows


def _since(began: float) -> float:
    return round((time.perf_counter() - began) * 1000, 3)
