"""`--grow`: reads on ten times the data, beside the same reads on the data as it is."""

import shutil
import time
from collections.abc import Sequence
from contextlib import ExitStack

from rich.console import Console

from benchmarks import servers
from benchmarks.company import Size
from benchmarks.databases import bytes_of, database_of, title_of
from benchmarks.measure import Plan, Side, take_turns
from benchmarks.report import Sheet
from benchmarks.workloads import Workload, product_request

TIMES = 10


def growth(
    kind: str, workloads: Sequence[Workload], size: Size, plan: Plan, console: Console, *, keep: bool
) -> Sheet:
    """The product on both sizes in turn. Says how long the larger one took to make, and its bytes."""
    large = Size(size.customers * TIMES, size.interactions * TIMES)
    with ExitStack() as stack:
        sides: dict[str, tuple[int, str, int]] = {}
        made = 0.0
        for name, one in (("small", size), ("large", large)):
            begun = time.monotonic()
            url = stack.enter_context(database_of(kind, one, console, keep=keep, plugins=False))
            made = time.monotonic() - begun
            token = servers.make_token(url)
            sides[name] = (stack.enter_context(servers.product(url)).port, token, one.customers)
        console.print(
            f"{large.customers:,} customers and {large.interactions:,} interactions: {made:,.0f} s to make,"
            f" {bytes_of(url) / 1e9:.1f} GB, {shutil.disk_usage('.').free / 1e9:.0f} GB left."
        )
        title = f"{title_of(url)}, {plan.connections} requests under way: ten times the data"
        rows = []
        for workload in workloads:
            turns = {
                name: Side([port], product_request(workload, token, customers), plan.seconds)
                for name, (port, token, customers) in sides.items()
            }
            outcome = take_turns(workload, turns, plan, lambda _: None)
            small, big = (outcome.middle(name, lambda load: load.p50) for name in ("small", "large"))
            rows.append((workload.title, f"{small:.2f}", f"{big:.2f}", f"{big / small:.2f}"))
    headings = (
        "workload", f"{size.customers:,} customers, p50 ms", f"{large.customers:,} customers, p50 ms",
        "times as long",
    )  # fmt: skip
    return Sheet(title, headings, rows)
