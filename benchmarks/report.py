"""How a run is shown: the same tables on the console and in the README."""

from collections.abc import Sequence
from dataclasses import dataclass

from rich.table import Table

from benchmarks.contest import LIMITS, Contest
from benchmarks.measure import Outcome
from benchmarks.workloads import IMPORTED

ABSENT = {"json": "as rows"}
"""A side without rounds: the JSON of a write is made in one way. Any other did not answer."""
NAMES = {"json": "JSON in the database", "rows": "rows", "product": "product"}


@dataclass(frozen=True)
class Sheet:
    """A table: its title, the headings, and the rows. The first column is text."""

    title: str
    headings: Sequence[str]
    rows: Sequence[Sequence[str]]

    def shown(self) -> Table:
        """For the console."""
        table = Table(title=self.title, title_justify="left")
        for place, heading in enumerate(self.headings):
            table.add_column(heading, justify="right" if place else "left")
        for row in self.rows:
            table.add_row(*row)
        return table

    def markdown(self) -> str:
        """For the README."""
        lines = [
            f"| {' | '.join(self.headings)} |",
            f"|---|{'--:|' * (len(self.headings) - 1)}",
            *(f"| {' | '.join(row)} |" for row in self.rows),
        ]
        return "\n".join([f"{self.title}:", "", *lines, ""])


def sheets(title: str, contest: Contest, peers: Sequence[str]) -> list[Sheet]:
    """All tables of one database."""
    made = []
    for connections in dict.fromkeys(outcome.connections for outcome in contest.outcomes):
        usual = [
            one
            for one in contest.outcomes
            if one.connections == connections and not one.workload.bulk and not one.workload.plugins
        ]
        if usual:
            under_way = f"{title}, {connections} requests under way"
            made += [_ratios(under_way, usual, peers), _figures(under_way, usual, peers)]
            made.append(_processor(under_way, usual, peers))
    bulk = [one for one in contest.outcomes if one.workload.bulk]
    if bulk:
        made.append(_bulk(title, bulk))
    plugins = [one for one in contest.outcomes if one.workload.plugins]
    if plugins:
        made.append(_plugins(title, plugins, contest))
    return made


def better(outcome: Outcome) -> str:
    """The limit that did more."""
    limits = [name for name in LIMITS if name in outcome.rounds]
    return max(limits, key=lambda name: outcome.middle(name, lambda load: load.per_second))


def _ratios(title: str, outcomes: Sequence[Outcome], peers: Sequence[str]) -> Sheet:
    headings = (
        "workload",
        "of JSON in the database",
        "of the better limit",
        *(f"× {peer}" for peer in peers),
    )
    rows = []
    for outcome in outcomes:
        best = better(outcome)
        against = ["json" if "json" in outcome.rounds else "rows", best, *peers]
        rows.append(
            (
                outcome.workload.title,
                *(f"{outcome.ratio(name):.2f}" if name in outcome.rounds else "fails" for name in against),
            )
        )
    return Sheet(f"{title}: what the product does of what the others do", headings, rows)


def _figures(title: str, outcomes: Sequence[Outcome], peers: Sequence[str]) -> Sheet:
    sides = ("product", *LIMITS, *peers, "ceiling")
    headings = ("workload", *(NAMES.get(side, side) for side in sides), "client")
    rows = []
    for outcome in outcomes:
        cells = [
            _cell(outcome, side) if side in outcome.rounds else ABSENT.get(side, "fails") for side in sides
        ]
        # at the ceiling it is the client that is measured as much as the server
        busiest = max(
            load.client for side, loads in outcome.rounds.items() if side != "ceiling" for load in loads
        )
        rows.append((outcome.workload.title, *cells, f"{busiest:.0%}"))
    return Sheet(f"{title}: requests a second (p50 / p99 in ms)", headings, rows)


def _processor(title: str, outcomes: Sequence[Outcome], peers: Sequence[str]) -> Sheet:
    sides = ("product", *LIMITS, *peers)
    headings = ("workload", *(NAMES.get(side, side) for side in sides), "least by hand / product")
    rows = []
    for outcome in outcomes:
        taken = {
            side: outcome.middle(side, lambda load: load.server or 0.0)
            for side in sides
            if side in outcome.rounds
        }
        least = min(taken[side] for side in LIMITS if side in taken)
        cells = (f"{taken[side]:,.0f}" if side in taken else ABSENT.get(side, "fails") for side in sides)
        rows.append((outcome.workload.title, *cells, f"{least / max(taken['product'], 1):.2f}"))
    return Sheet(f"{title}: processor time of the server's process a request, µs", headings, rows)


def _cell(outcome: Outcome, side: str) -> str:
    rate = outcome.middle(side, lambda load: load.per_second)
    p50, p99 = outcome.middle(side, lambda load: load.p50), outcome.middle(side, lambda load: load.p99)
    return f"{rate:,.0f} ({p50:.1f} / {p99:.1f})"


def _bulk(title: str, outcomes: Sequence[Outcome]) -> Sheet:
    rows = [
        (
            outcome.workload.title,
            *(f"{outcome.middle(side, lambda load: load.seconds):.2f}" for side in ("product", "rows")),
            f"{1 / outcome.ratio('rows'):.2f}",
        )
        for outcome in outcomes
    ]
    headings = ("workload", "product, s", "by hand, s", "times as long")
    return Sheet(f"{title}: one request with {IMPORTED:,} rows", headings, rows)


def _plugins(title: str, outcomes: Sequence[Outcome], contest: Contest) -> Sheet:
    rows = [
        (
            f"{outcome.workload.title}, {outcome.connections} under way",
            _cell(outcome, "product") if "product" in outcome.rounds else "fails",
            _cell(outcome, "page"),
            f"{outcome.ratio('page'):.2f}" if "product" in outcome.rounds else "",
            str(len(contest.statements["page"])),
            str(len(contest.statements[outcome.workload.name])),
        )
        for outcome in outcomes
    ]
    headings = ("workload", "product", "the page alone", "ratio", "statements of the page", "statements")
    return Sheet(f"{title}: all plugins enabled, requests a second (p50 / p99 in ms)", headings, rows)


def client_line(contests: Sequence[Contest]) -> str:
    """What the client could do if no server kept it waiting: from the round in which it did most."""
    loads = [
        load
        for contest in contests
        for one in contest.outcomes
        for side in one.rounds.values()
        for load in side
    ]
    busiest = max(loads, key=lambda load: load.per_second)
    return (
        f"The client took {busiest.client:.0%} of a core to send {busiest.per_second:,.0f} requests a second,"
        f" the most in this run, so it can send about {busiest.per_second / busiest.client:,.0f}."
    )
