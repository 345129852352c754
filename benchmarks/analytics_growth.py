"""The metrics of two companies that differ in how much their customers did alone, in turns.

Processor time is that of this process and of the database's, on average; clock time is the least.
"""

import os
import statistics
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from rich.table import Table

ROUNDS = 30
Opened = Callable[[str], Any]
Saved = Callable[[Any], Awaitable[Mapping[str, Sequence[str]]]]


@dataclass(frozen=True)
class Cost:
    """Milliseconds of an answer."""

    processor: float
    least: float
    middle: float


async def costs(
    urls: Sequence[str], questions: Mapping[str, str], opened: Opened, saved: Saved
) -> dict[str, list[Cost]]:
    """By question, of each company. `saved` gives the segments that are asked about, by variable."""
    found: dict[str, list[Cost]] = {}
    async with AsyncExitStack() as stack:
        clients = [await stack.enter_async_context(opened(url)) for url in urls]
        segments = [await saved(client) for client in clients]
        for name, graphql in questions.items():
            for client, own in zip(clients, segments, strict=True):
                for _ in range(3):
                    await client.data(graphql, **own)
            worked: list[list[float]] = [[] for _ in clients]
            clocks: list[list[float]] = [[] for _ in clients]
            for _ in range(ROUNDS):
                for which, client in enumerate(clients):
                    async with processors(client, worked[which]):
                        began = time.perf_counter()
                        await client.data(graphql, **segments[which])
                        clocks[which].append(time.perf_counter() - began)
            found[name] = [
                Cost(1000 * statistics.fmean(work), 1000 * min(clock), 1000 * statistics.median(clock))
                for work, clock in zip(worked, clocks, strict=True)
            ]
    return found


def table(kind: str, found: Mapping[str, Sequence[Cost]]) -> Table:
    table = Table(
        "metric", f"{kind}: processor, ms", "times", "clock, least, ms", "times", "middle, ms", "times"
    )
    for name, (small, large) in found.items():
        cells = []
        for one, other in (
            (small.processor, large.processor),
            (small.least, large.least),
            (small.middle, large.middle),
        ):
            cells += [f"{one:.1f}, {other:.1f}", f"{other / one:.2f}"]
        table.add_row(name, *cells)
    return table


@asynccontextmanager
async def processors(client: Any, into: list[float]) -> AsyncIterator[None]:
    """Adds the seconds that processors worked inside of the block: this process's and the database's. What
    ended there, such as helpers of a parallel scan, is told in hundredths of a second."""
    database = client.service.database
    backends: list[int] = []
    if database.dialect == "postgres":
        rows = await database.fetch("SELECT pid FROM pg_stat_activity WHERE datname = current_database()")
        backends = [int(row["pid"]) for row in rows]
    server = int(_stat(backends[0])[1]) if backends else None
    before = _seconds(server, backends)
    own = time.process_time()
    yield
    into.append(time.process_time() - own + _seconds(server, backends) - before)


def _seconds(server: int | None, backends: Sequence[int]) -> float:
    """Of these backends, and of all that ended."""
    if server is None:
        return 0.0
    running = 0
    for backend in backends:
        with suppress(FileNotFoundError):  # it is among those that ended
            running += int(Path(f"/proc/{backend}/schedstat").read_text().split()[0])
    return running / 1e9 + sum(map(int, _stat(server)[13:15])) / os.sysconf("SC_CLK_TCK")


def _stat(process: int) -> list[str]:
    """From its state on."""
    return Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()
