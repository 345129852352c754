"""`--hold MINUTES`: one node held at saturation, and what memory and waiting times do meanwhile.

In every second slice a client asks as well that overruns its budget: the others shall not notice.
"""

import asyncio
import random
import subprocess
import sys
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from statistics import median

from rich.console import Console
from rich.progress import track

from benchmarks import client, servers
from benchmarks.client import Load, MakeRequest
from benchmarks.processes import resident_bytes
from benchmarks.report import Sheet
from benchmarks.workloads import READS, WORKLOADS, product_request
from crm_framework.app import open_service
from crm_framework.security.actors import Actor
from crm_framework.security.permissions import Permissions
from crm_framework.security.tokens import create_token
from crm_framework.settings import Settings

SLICE_SECONDS = 15.0
SLICES_A_MINUTE = 4
CONNECTIONS = 8
WRITES = 0.2
"""Share of the requests."""
TOKENS = 100
BUDGET = 100_000
"""Objects a minute for each token: together more than one process can give, alone soon spent."""
SAMPLE_SECONDS = 0.5


@dataclass(frozen=True)
class Slice:
    """A part of the run. `answered` and `refused` are of the greedy client, None where it was not there."""

    load: Load
    answered: int | None
    refused: int | None


def hold(title: str, url: str, minutes: float, customers: int, console: Console) -> list[Sheet]:
    """Raises `WrongAnswer` at the first answer with an error in it."""
    *tokens, greedy = asyncio.run(_tokens(url, TOKENS + 1))
    make = mixed(tokens, customers)
    number = max(2, round(minutes * SLICES_A_MINUTE))
    seconds = min(SLICE_SECONDS, minutes * 60 / number)
    slices: list[Slice] = []
    arguments = ["-m", "crm_framework.cli", "serve", "--log-level", "warning", "--port"]
    with servers.running(arguments, url, variables={"CRM_RATE_LIMIT_PER_MINUTE": str(BUDGET)}) as product:
        client.run([product.port], make, connections=CONNECTIONS, seconds=min(5.0, seconds))
        with _sampled(product.pid) as memory:
            for step in track(range(number), "held", console=console, transient=True):
                with _greedy(product.port, greedy if step % 2 else None, customers, seconds) as told:
                    load = client.run(
                        [product.port], make, connections=CONNECTIONS, seconds=seconds, seed=step + 1
                    )
                slices.append(Slice(load, *(told or (None, None))))
    return [_per_minute(title, slices, memory), _summary(title, slices, memory)]


def mixed(tokens: Sequence[str], customers: int) -> MakeRequest:
    """Reads of every kind and single writes, by many clients."""
    writes = [workload for workload in WORKLOADS if workload.writes and not workload.bulk]
    made = [
        ([product_request(each, token, customers) for each in READS],
         [product_request(each, token, customers) for each in writes])
        for token in tokens
    ]  # fmt: skip

    def make(rng: random.Random) -> bytes:
        return rng.choice(rng.choice(made)[rng.random() < WRITES])(rng)

    return make


async def _tokens(url: str, number: int) -> list[str]:
    async with open_service(Settings(database_url=url)) as service:
        permissions = Permissions.of(service.host.declarations)
        async with service.database.unit_of_work(Actor.system("bench")) as tx:
            return [
                (await create_token(tx, permissions, name=f"bench {each}", grants=servers.GRANTS)).secret
                for each in range(number)
            ]


@contextmanager
def _sampled(pid: int) -> Iterator[list[int]]:
    """Resident bytes of the process, looked at until the block ends."""
    found: list[int] = []
    ended = threading.Event()

    def look() -> None:
        while not ended.wait(SAMPLE_SECONDS):
            found.append(resident_bytes(pid))

    looking = threading.Thread(target=look)
    looking.start()
    try:
        yield found
    finally:
        ended.set()
        looking.join()
        found.append(resident_bytes(pid))


@contextmanager
def _greedy(port: int, token: str | None, customers: int, seconds: float) -> Iterator[list[int]]:
    """How many requests of the greedy client were answered and refused, once the block is over."""
    told: list[int] = []
    if token is None:
        yield told
        return
    process = subprocess.Popen(
        [sys.executable, "-m", "benchmarks.greedy", str(port), token, str(customers), str(seconds)],
        cwd=servers.ROOT,
        stdout=subprocess.PIPE,
        text=True,
    )
    try:
        yield told
        said, _ = process.communicate(timeout=seconds + client.PATIENCE)
        if process.returncode:
            raise RuntimeError(f"the greedy client ended with {process.returncode}")
        told += map(int, said.split())
    finally:
        process.kill()
        process.wait()


def _per_minute(title: str, slices: Sequence[Slice], memory: Sequence[int]) -> Sheet:
    rows = []
    for first in range(0, len(slices), SLICES_A_MINUTE):
        here = slices[first : first + SLICES_A_MINUTE]
        part = memory[len(memory) * first // len(slices) : len(memory) * (first + len(here)) // len(slices)]
        rows.append(
            (
                f"{first // SLICES_A_MINUTE + 1}",
                f"{sum(each.load.requests for each in here) / sum(each.load.seconds for each in here):,.0f}",
                f"{median(each.load.p50 for each in here):.1f}",
                f"{median(each.load.p99 for each in here):.1f}",
                f"{median(part) / 2**20:.1f}" if part else "",
                f"{sum(each.answered or 0 for each in here):,}",
                f"{sum(each.refused or 0 for each in here):,}",
            )
        )
    headings = ("minute", "requests/s", "p50 ms", "p99 ms", "MiB", "greedy: answered", "told to wait")
    return Sheet(f"{title}, held, {CONNECTIONS} under way", headings, rows)


def _summary(title: str, slices: Sequence[Slice], memory: Sequence[int]) -> Sheet:
    """Memory of the second fifth of the time and of the last; waiting without and with the greedy client."""
    fifth = max(1, len(memory) // 5)
    second, last = median(memory[fifth : 2 * fifth] or memory), median(memory[-fifth:])
    pairs = [(one.load, other.load) for one, other in zip(slices[::2], slices[1::2], strict=False)]
    rows = [
        ("memory, MiB", f"{second / 2**20:.1f}", f"{last / 2**20:.1f}", f"{last / second:.3f}"),
        *(
            (
                f"{name} ms without and with the greedy client",
                f"{median(getattr(one, name) for one, _ in pairs):.1f}",
                f"{median(getattr(other, name) for _, other in pairs):.1f}",
                f"{median(getattr(other, name) / getattr(one, name) for one, other in pairs):.2f}",
            )
            for name in ("p50", "p99")
        ),
        ("requests, errors", f"{sum(each.load.requests for each in slices):,}", "0", ""),
    ]
    return Sheet(f"{title}: what became of it", ("", "before", "after", "ratio"), rows)
