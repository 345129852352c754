"""One run: the rounds of product and limit in turn, and what they come to."""

import asyncio
import random
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from statistics import median

from benchmarks import client, servers
from benchmarks.client import Load, MakeRequest
from benchmarks.workloads import Workload, empty_request, limit_request, product_request

WARM_UP = 0.5
"""Seconds before the first round that counts, at most: caches fill, statements get prepared."""


@dataclass(frozen=True)
class Plan:
    """How long, how often, with how many requests under way."""

    seconds: float
    rounds: int
    connections: int


@dataclass(frozen=True)
class Outcome:
    """The rounds of a workload: the i-th of the one was run next to the i-th of the other."""

    workload: Workload
    product: Sequence[Load]
    limit: Sequence[Load]

    @property
    def ratio(self) -> float:
        """Median over the rounds of what the product does of what the limit does."""
        return median(
            ours.per_second / its.per_second for ours, its in zip(self.product, self.limit, strict=True)
        )


def measure_ceiling(plan: Plan) -> Load:
    """What server and client can do when there is nothing to do."""
    with servers.ceiling() as port:
        _load(port, empty_request, plan, min(WARM_UP, plan.seconds))
        return _load(port, empty_request, plan, plan.seconds)


def measure(
    url: str, workloads: Sequence[Workload], customers: int, plan: Plan, tell: Callable[[Workload, int], None]
) -> Iterator[Outcome]:
    """Both servers on the database at `url`. Raises where answers differ, or one has an error."""
    token = servers.make_token(url)
    with servers.product(url) as product_port, servers.limit(url) as limit_port:
        for workload in workloads:
            ours = product_port, product_request(workload, token, customers)
            its = limit_port, limit_request(workload, customers)
            compare(workload, ours, its)
            for port, make in (ours, its):
                _load(port, make, plan, min(WARM_UP, plan.seconds))
            rounds: tuple[list[Load], list[Load]] = ([], [])
            for number in range(plan.rounds):
                for side, (port, make) in list(enumerate((ours, its)))[:: -1 if number % 2 else 1]:
                    rounds[side].append(_load(port, make, plan, plan.seconds, seed=number + 1))
                tell(workload, number + 1)
            yield Outcome(workload, *rounds)


def compare(workload: Workload, ours: tuple[int, MakeRequest], its: tuple[int, MakeRequest]) -> None:
    """Raises unless both answer the same questions alike. Writes are left out: their keys differ."""
    if workload.writes:
        return
    for seed in range(3):
        one, other = (asyncio.run(client.ask(port, make(random.Random(seed)))) for port, make in (ours, its))
        if one != other:
            raise RuntimeError(
                f"{workload.name}: product and limit differ:\n{one[:2000]!r}\n{other[:2000]!r}"
            )


def _load(port: int, make: MakeRequest, plan: Plan, seconds: float, seed: int = 0) -> Load:
    return asyncio.run(client.run(port, make, connections=plan.connections, seconds=seconds, seed=seed))
