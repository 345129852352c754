"""Rounds of several sides that take turns, so that whatever else the machine does falls on all of them."""

import random
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from statistics import median

from benchmarks import client
from benchmarks.client import Load, MakeRequest
from benchmarks.processes import processor_seconds
from benchmarks.workloads import Workload

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
    """What is asked of a server, for how long in a round, or how often."""

    ports: Sequence[int]
    make: MakeRequest
    seconds: float
    requests: int | None = None
    pid: int | None = None
    """Its process, if the processor time that it takes is wanted."""
    may_fail: bool = False
    """Whether the run goes on without it where it does not answer."""


@dataclass(frozen=True)
class Outcome:
    """The rounds of a workload: the i-th of each side were run one after another.

    A side that failed has no rounds.
    """

    workload: Workload
    connections: int
    rounds: Mapping[str, Sequence[Load]]

    def middle(self, side: str, value: Callable[[Load], float]) -> float:
        """The median over the rounds."""
        return median(value(load) for load in self.rounds[side])

    def ratio(self, other: str, side: str = "product") -> float:
        """Median over the rounds of what `side` does of what `other` does."""
        pairs = zip(self.rounds[side], self.rounds[other], strict=True)
        return median(ours.per_second / its.per_second for ours, its in pairs)


def take_turns(
    workload: Workload, sides: Mapping[str, Side], plan: Plan, tell: Callable[[int], None]
) -> Outcome:
    """Warms all up, then measures; `tell` gets the number of each round that is over."""
    names = list(sides)
    rounds: dict[str, list[Load]] = {name: [] for name in names}
    for name in list(names):
        side = sides[name]
        if side.requests is None:
            warm = replace(side, seconds=min(WARM_UP, plan.seconds))
            if _load_of(workload, name, warm, plan) is None:
                names.remove(name)
    for number in range(1, plan.rounds + 1):
        # each round begins with another one, so that none always follows the same
        turn = names[number % len(names) :] + names[: number % len(names)]
        for name in turn:
            found = _load_of(workload, name, sides[name], plan, seed=number)
            if found is None:
                names.remove(name)
            else:
                rounds[name].append(found)
        tell(number)
    return Outcome(workload, plan.connections, {name: rounds[name] for name in names})


def compare(name: str, sides: Mapping[str, Side]) -> None:
    """Raises unless all answer the same questions with the same bytes."""
    for seed in range(3):
        answers = {
            side: client.ask(one.ports[0], one.make(random.Random(seed))) for side, one in sides.items()
        }
        if len(set(answers.values())) > 1:
            told = "\n".join(f"{side}: {answer[:2000]!r}" for side, answer in answers.items())
            raise RuntimeError(f"{name}: the answers differ:\n{told}")


def _load_of(workload: Workload, name: str, side: Side, plan: Plan, seed: int = 0) -> Load | None:
    """None where the side may fail, and does."""
    try:
        return load(side, plan, seed)
    except (OSError, client.WrongAnswer) as error:
        if side.may_fail:
            return None
        error.add_note(f"It was {name} that was asked for: {workload.title}, {plan.connections} under way.")
        raise


def load(side: Side, plan: Plan, seed: int = 0) -> Load:
    """One round."""
    before = processor_seconds(side.pid) if side.pid else 0.0
    done = client.run(
        side.ports,
        side.make,
        connections=plan.connections,
        seconds=side.seconds,
        requests=side.requests,
        seed=seed,
    )
    if side.pid is None:
        return done
    return replace(done, server=(processor_seconds(side.pid) - before) / done.requests * 1e6)
