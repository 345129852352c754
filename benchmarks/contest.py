"""The main part of a run: product, limits and peers on one database, workload by workload."""

import random
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

import orjson

from benchmarks import servers
from benchmarks.client import ask
from benchmarks.measure import Outcome, Plan, Side, compare, take_turns
from benchmarks.peers import Peer
from benchmarks.workloads import PAGE, READS, Workload, empty_request, limit_request, product_request

LIMITS = ("json", "rows")
Tell = Callable[[Workload, int, int], None]
"""Gets workload, connections, and the number of the round that is over."""


@dataclass(frozen=True)
class Contest:
    """What one database gave. `statements` has the SQL per request of the page without and with plugins."""

    outcomes: Sequence[Outcome]
    statements: Mapping[str, Sequence[str]]


def contest(
    url: str,
    workloads: Sequence[Workload],
    customers: int,
    plans: Sequence[Plan],
    peers: Sequence[Peer],
    tell: Tell,
) -> Contest:
    """All rounds. Raises where answers differ, or one has an error."""
    with ExitStack() as stack:
        taking = [*_takers(stack, url, workloads, customers, peers)]
        outcomes = []
        for plan in plans:
            for workload, sides in taking:
                if workload.bulk and plan is not plans[0]:
                    continue  # one request at a time, whatever the number of connections
                fitting = replace(plan, connections=1) if workload.bulk else plan
                timed = {
                    name: replace(side, seconds=plan.seconds * side.seconds) for name, side in sides.items()
                }
                told = partial(tell, workload, plan.connections)
                outcomes.append(take_turns(workload, timed, fitting, told))
    counted = servers.statements(url) if any(workload.plugins for workload in workloads) else {}
    return Contest(outcomes, counted)


def check_peer(workload: Workload, name: str, ours: Side, its: Side) -> None:
    """Raises unless the peer gives the same values in the same order, whatever it calls ids and moments."""
    for seed in range(3):
        product, peer = (ask(side.ports[0], side.make(random.Random(seed))) for side in (ours, its))
        if orjson.loads(peer).get("errors"):
            raise RuntimeError(f"{workload.name}: {name} answers {peer[:2000]!r}")
        if not workload.writes and leaves(orjson.loads(product)) != leaves(orjson.loads(peer)):
            raise RuntimeError(f"{workload.name}: {name} answers otherwise: {peer[:2000]!r}")


def leaves(answer: Any) -> list[tuple[str, object]]:
    """Names and values that are no objects, in order, but for those that each spells in its own way."""
    if isinstance(answer, list):
        return [leaf for each in answer for leaf in leaves(each)]
    found: list[tuple[str, object]] = []
    for name, value in answer.items():
        if isinstance(value, dict | list):
            found += leaves(value)
        elif name != "id" and not name.endswith("At"):
            found.append((name, value))
    return found


def _takers(
    stack: ExitStack, url: str, workloads: Sequence[Workload], customers: int, peers: Sequence[Peer]
) -> Iterator[tuple[Workload, dict[str, Side]]]:
    """The sides of each workload; their seconds are shares of a round."""
    ceiling = stack.enter_context(servers.ceiling()).port
    if any(not workload.plugins for workload in workloads):
        token = servers.make_token(url)
        product = stack.enter_context(servers.product(url))
        limit = stack.enter_context(servers.limit(url))
        running = {peer.name: (peer, stack.enter_context(peer.serve(url))) for peer in peers}
    for workload in workloads:
        if workload.plugins:
            token_of_all = servers.make_token(url, plugins=True)
            server = stack.enter_context(servers.product(url, plugins=True))
            yield (
                workload,
                {
                    name: Side(
                        [server.port],
                        product_request(asked, token_of_all, customers),
                        1,
                        pid=server.pid,
                        may_fail=name == "product",  # what one plugin does must not end the run
                    )
                    for name, asked in (("product", workload), ("page", PAGE))
                },
            )
            continue
        once = 1 if workload.bulk else None
        ours = Side([product.port], product_request(workload, token, customers), 1, once, product.pid)
        its = {
            kind: Side([limit.port], limit_request(workload, customers, kind), 1, once, limit.pid)
            for kind in (LIMITS if workload in READS else LIMITS[1:])
        }
        if workload in READS:
            compare(workload.name, {"product": ours, **its})
        others = {
            name: Side([server.port], peer.request(workload, customers), 1, pid=server.pid, may_fail=True)
            for name, (peer, server) in running.items()
            if workload.name in peer.queries
        }
        for name, side in others.items():
            check_peer(workload, name, ours, side)
        empty = {} if workload.bulk else {"ceiling": Side([ceiling], empty_request, 1 / 3)}
        yield workload, {"product": ours, **its, **others, **empty}
