"""How a run is shown."""

from collections.abc import Callable, Sequence
from statistics import median

from rich.table import Table

from benchmarks.client import Load
from benchmarks.company import Size
from benchmarks.measure import Outcome


def table(title: str, size: Size, outcomes: Sequence[Outcome]) -> Table:
    """One row a workload: medians over its rounds."""
    shown = Table(title=title, title_justify="left")
    shown.add_column(f"{size.customers:,} customers, {size.interactions:,} interactions")
    for heading in ("product/s", "p50 ms", "p99 ms", "limit/s", "p50 ms", "p99 ms", "ratio", "client"):
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
        shown.add_row(outcome.workload.title, *figures, f"{outcome.ratio:.2f}", f"{busiest:.0%}")
    return shown


def ceiling_line(load: Load) -> str:
    return (
        f"Ceiling: {load.per_second:,.0f} requests a second of an application that does nothing, on the same"
        f" server (p50 {load.p50:.1f} ms, p99 {load.p99:.1f} ms). The client took {load.client:.0%} of a core"
        f" for it, so it could send about {load.per_second / load.client:,.0f}. The column says the most that"
        " it took in a round: well below 100 % it is not what holds a server up."
    )


def middle(loads: Sequence[Load], value: Callable[[Load], float]) -> float:
    return median(value(load) for load in loads)
