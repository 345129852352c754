"""How a run is shown."""

from collections.abc import Callable, Sequence
from statistics import median

from rich.table import Table

from benchmarks.client import Load
from benchmarks.company import Size
from benchmarks.measure import Outcome


def table(title: str, size: Size, outcomes: Sequence[Outcome]) -> Table:
    """One row a workload: medians over its rounds."""
    shown = Table(
        title=f"{title}\n{size.customers:,} customers, {size.interactions:,} interactions",
        title_justify="left",
    )
    shown.add_column("workload")
    for heading in (
        "product/s",
        "p50 ms",
        "p99 ms",
        "limit/s",
        "p50 ms",
        "p99 ms",
        "ratio",
        "ceiling/s",
        "client",
    ):
        shown.add_column(heading, justify="right", no_wrap=True)
    for outcome in outcomes:
        figures = [
            figure
            for loads in (outcome.product, outcome.limit)
            for figure in (
                f"{middle(loads, lambda load: load.per_second):,.0f}",
                f"{middle(loads, lambda load: load.p50):.1f}",
                f"{middle(loads, lambda load: load.p99):.1f}",
            )
        ]
        busiest = max(load.client for load in (*outcome.product, *outcome.limit))
        ceiling = f"{middle(outcome.ceiling, lambda load: load.per_second):,.0f}"
        shown.add_row(outcome.workload.title, *figures, f"{outcome.ratio:.2f}", ceiling, f"{busiest:.0%}")
    return shown


def client_line(outcomes: Sequence[Outcome]) -> str:
    """What the client could do if no server kept it waiting: from the rounds in which it did most."""
    loads = [load for outcome in outcomes for load in (*outcome.product, *outcome.limit, *outcome.ceiling)]
    busiest = max(loads, key=lambda load: load.per_second)
    return (
        f"The client took {busiest.client:.0%} of a core to send {busiest.per_second:,.0f} requests a second,"
        f" the most in this run, so it can send about {busiest.per_second / busiest.client:,.0f}."
    )


def middle(loads: Sequence[Load], value: Callable[[Load], float]) -> float:
    return median(value(load) for load in loads)
