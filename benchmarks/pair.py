"""`--processes`: reads of two processes beside those of one."""

import os
from collections.abc import Sequence

from benchmarks import servers
from benchmarks.measure import Plan, Side, take_turns
from benchmarks.report import Sheet
from benchmarks.workloads import Workload, product_request


def pair(
    title: str, url: str, workloads: Sequence[Workload], customers: int, plans: Sequence[Plan]
) -> list[Sheet]:
    """Two servers of one process each on one database, the client's connections spread over both."""
    token = servers.make_token(url)
    with servers.product(url) as first, servers.product(url) as second:
        return [
            Sheet(
                f"{title}, {plan.connections} requests under way: two processes, on {os.cpu_count()} cores"
                " that client and database use too",
                ("workload", "one process", "two processes", "ratio", "client"),
                [_row(workload, token, customers, plan, first.port, second.port) for workload in workloads],
            )
            for plan in plans
        ]


def _row(
    workload: Workload, token: str, customers: int, plan: Plan, first: int, second: int
) -> tuple[str, ...]:
    make = product_request(workload, token, customers)
    sides = {
        "one": Side([first], make, plan.seconds),
        "two": Side([first, second], make, plan.seconds),
    }
    outcome = take_turns(workload, sides, plan, lambda _: None)
    one, two = (f"{outcome.middle(name, lambda load: load.per_second):,.0f}" for name in ("one", "two"))
    client = max(load.client for load in outcome.rounds["two"])
    return workload.title, one, two, f"{outcome.ratio('one', 'two'):.2f}", f"{client:.0%}"
