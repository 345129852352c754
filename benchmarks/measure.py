"""One run: the rounds of product, limit and ceiling in turn, and what they come to."""

import asyncio
import random
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
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
class Side:
    """A server, what it is asked, and for how long in a round."""

    port: int
    make: MakeRequest
    seconds: float


@dataclass(frozen=True)
class Outcome:
    """The rounds of a workload: the i-th of each were run one after another."""

    workload: Workload
    product: Sequence[Load]
    limit: Sequence[Load]
    ceiling: Sequence[Load]

    @property
    def ratio(self) -> float:
        """Median over the rounds of what the product does of what the limit does."""
        return median(
            ours.per_second / its.per_second for ours, its in zip(self.product, self.limit, strict=True)
        )


def measure(
    url: str, workloads: Sequence[Workload], customers: int, plan: Plan, tell: Callable[[Workload, int], None]
) -> Iterator[Outcome]:
    """Both servers on the database at `url`. Raises where answers differ, or one has an error."""
    token = servers.make_token(url)
    with servers.product(url) as product, servers.limit(url) as limit, servers.ceiling() as ceiling:
        for workload in workloads:
            sides = [
                Side(product.port, product_request(workload, token, customers), plan.seconds),
                Side(limit.port, limit_request(workload, customers), plan.seconds),
                Side(ceiling.port, empty_request, plan.seconds / 3),
            ]
            compare(workload, *sides[:2])
            for side in sides:
                load(replace(side, seconds=min(WARM_UP, plan.seconds)), plan)
            rounds: list[list[Load]] = [[] for _ in sides]
            for number in range(1, plan.rounds + 1):
                # each round begins with another one, so that none always follows the same
                for place in range(number, number + len(sides)):
                    rounds[place % len(sides)].append(load(sides[place % len(sides)], plan, seed=number))
                tell(workload, number)
            yield Outcome(workload, *rounds)


def compare(workload: Workload, product: Side, limit: Side) -> None:
    """Raises unless both answer the same questions alike. Writes are left out: their keys differ."""
    if workload.writes:
        return
    for seed in range(3):
        one, other = (
            asyncio.run(client.ask(side.port, side.make(random.Random(seed)))) for side in (product, limit)
        )
        if one != other:
            raise RuntimeError(
                f"{workload.name}: product and limit differ:\n{one[:2000]!r}\n{other[:2000]!r}"
            )


def load(side: Side, plan: Plan, seed: int = 0) -> Load:
    """One round."""
    return asyncio.run(
        client.run(side.port, side.make, connections=plan.connections, seconds=side.seconds, seed=seed)
    )
