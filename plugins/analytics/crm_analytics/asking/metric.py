"""`Metric`: a value that says what it is made of, by group where that is asked for, with its picture."""

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any, TypeVar

import strawberry

from crm_analytics import charts
from crm_analytics.metrics.measured import Definition, Measured
from crm_analytics.tables import as_csv
from crm_analytics.windows import Window
from crm_framework import Batch, batch, computed

from .question import Dimension, Grouping, Question

JSON = strawberry.scalars.JSON


@strawberry.type(description="Days of the company's time zone.")
class MetricWindow:
    first: date = strawberry.field(description="The first day that belongs to it.")
    last: date = strawberry.field(description="The last day that belongs to it.")

    @classmethod
    def of(cls, window: Window) -> "MetricWindow":
        return cls(first=window.first, last=window.last)


@strawberry.type(description="The value of a metric for one group.")
class MetricGroup:
    label: str | None = strawberry.field(
        description="The group: the first day of a period, a channel, a tag, an attribute's value, the id of"
        " a segment, the name of a filter; null for what has none."
    )
    value: float | None = strawberry.field(description="The value; null where it is undefined.")
    numerator: float | None = strawberry.field(description="What was counted.")
    denominator: float | None = strawberry.field(description="What it was divided by; null for sums.")
    n: int = strawberry.field(description="Number of observations.")
    reason: str | None = strawberry.field(description="Why there is no value.")


@strawberry.type(description="The value of a metric in the window before, of the same length.")
class PreviousMetric:
    window: MetricWindow = strawberry.field(description="The window before.")
    value: float | None = strawberry.field(description="The value then; null where it is undefined.")
    numerator: float | None = strawberry.field(description="What was counted.")
    denominator: float | None = strawberry.field(description="What it was divided by; null for sums.")
    n: int = strawberry.field(description="Number of observations.")
    reason: str | None = strawberry.field(description="Why there is no value.")
    change: float | None = strawberry.field(description="The value now less the value then.")


@dataclass(frozen=True)
class Answer:
    """A value, and that of each group. A label of None is what has none."""

    whole: Measured
    groups: Sequence[tuple[str | None, Measured]] = ()


Again = Callable[[Question], Awaitable[Measured]]
"""The value, not by groups, for another window."""


@strawberry.type(
    description="A figure that explains itself. What is undefined is null with a reason, never 0."
)
class Metric:
    name: str = strawberry.field(description="What it is called.")
    value: float | None = strawberry.field(description="The value in `unit`; null where it is undefined.")
    numerator: float | None = strawberry.field(description="What was counted.")
    denominator: float | None = strawberry.field(description="What it was divided by; null for sums.")
    n: int = strawberry.field(description="Number of observations.")
    unit: str = strawberry.field(
        description="`%`, `points`, `days`, or a currency (ISO 4217); `money` where there is nothing in any."
    )
    reason: str | None = strawberry.field(description="Why there is no value.")
    definition: str = strawberry.field(description="What it means.")
    definition_version: int = strawberry.field(description="Grows when the definition changes.")
    window: MetricWindow = strawberry.field(description="The days that it is about.")
    time_zone: str = strawberry.field(description="The zone of these days.")
    data_through: datetime = strawberry.field(description="What was recorded until then is in it.")
    covers_from: date | None = strawberry.field(
        description="The first day that has figures; null where none has."
    )
    groups: list[MetricGroup] = strawberry.field(
        description="The value of each group; empty unless `groupBy` was given."
    )
    by_period: strawberry.Private[bool]
    asked: strawberry.Private[Question]
    again: strawberry.Private[Again | None]

    @batch(needs=("asked", "again", "value"))
    @staticmethod
    async def previous(each: Batch["Metric"]) -> list[PreviousMetric | None]:
        """The value in the window before, of the same length."""
        found: list[PreviousMetric | None] = []
        columns = (each.column("asked"), each.column("again"), each.column("value"))
        for asked, again, value in zip(*columns, strict=True):
            found.append(None if again is None else await _previous(asked, again, value))
        return found

    @computed()
    @staticmethod
    def chart(name: str, unit: str, value: float | None, groups: list[MetricGroup], by_period: bool) -> JSON:
        """A Vega-Lite specification (version 5) with the data inline, that renders as it is."""
        rows = [{"label": group.label, "value": group.value} for group in groups]
        if by_period:
            return charts.line(name, rows, unit)
        return charts.bars(name, rows or [{"label": name, "value": value}], unit)

    @computed()
    @staticmethod
    def csv(
        name: str,
        unit: str,
        value: float | None,
        numerator: float | None,
        denominator: float | None,
        n: int,
        reason: str | None,
        groups: list[MetricGroup],
    ) -> str:
        """The groups, or the whole where there are none, as CSV."""
        header = ("metric", "unit", "group", "value", "numerator", "denominator", "n", "reason")
        lines = [
            (name, unit, group.label, group.value, group.numerator, group.denominator, group.n, group.reason)
            for group in groups
        ]
        return as_csv(header, lines or [(name, unit, None, value, numerator, denominator, n, reason)])


async def _previous(asked: Question, again: Again, value: float | None) -> PreviousMetric:
    earlier = asked.earlier
    then = await again(earlier)
    if earlier.undefined:
        then = then.because(earlier.undefined)
    change = None if value is None or then.value is None else value - then.value
    return PreviousMetric(
        window=MetricWindow.of(earlier.window),
        value=then.value,
        numerator=then.numerator,
        denominator=then.denominator,
        n=then.n,
        reason=then.reason,
        change=change,
    )


def metric(
    asked: Question,
    definition: Definition,
    answer: Answer,
    *,
    grouping: Grouping | None = None,
    again: Again | None = None,
    unit: str | None = None,
    more: str = "",
    of_window: bool = True,
) -> Metric:
    """`more` is said after the definition: the rule that was chosen, say. What is not `of_window` is of some
    moment, and defined whether or not the window has begun."""
    undefined = asked.undefined if of_window else asked.uncounted
    whole = answer.whole if undefined is None else answer.whole.because(undefined)
    return Metric(
        name=definition.name,
        value=whole.value,
        numerator=whole.numerator,
        denominator=whole.denominator,
        n=whole.n,
        unit=unit or definition.unit,
        reason=whole.reason,
        definition=definition.text + (f" {more}" if more else ""),
        definition_version=definition.version,
        window=MetricWindow.of(asked.window),
        time_zone=asked.zone,
        data_through=asked.data_through,
        covers_from=asked.covers_from,
        groups=[group_of(label, one) for label, one in answer.groups],
        by_period=grouping is not None and grouping.by is Dimension.PERIOD,
        asked=asked,
        again=again,
    )


def without_currency(
    asked: Question,
    definition: Definition,
    reason: str,
    *,
    grouping: Grouping | None = None,
    more: str = "",
    of_window: bool = True,
) -> Metric:
    """What stands where there is an amount in no currency: for a list of metrics would be empty, and say no
    reason."""
    nothing = Measured(None, None, None, 0, reason)
    answer = Answer(nothing, by_group(asked, grouping, [], lambda _: nothing))
    return metric(asked, definition, answer, grouping=grouping, more=more, of_window=of_window)


def group_of(label: str | None, one: Measured) -> MetricGroup:
    return MetricGroup(
        label=label,
        value=one.value,
        numerator=one.numerator,
        denominator=one.denominator,
        n=one.n,
        reason=one.reason,
    )


Value = TypeVar("Value")


def by_group(
    asked: Question,
    grouping: Grouping | None,
    rows: Sequence[Sequence[Any]],
    measure: Callable[[Sequence[Sequence[Any]]], Value],
) -> list[tuple[str | None, Value]]:
    """The value of each group of (group, …) rows: of all periods of the window, and all filters, also those
    without rows; of others those that there are, by their labels."""
    if grouping is None:
        return []
    found: dict[str | None, list[Sequence[Any]]] = {}
    if grouping.by is Dimension.PERIOD:
        found = {start.isoformat(): [] for start in asked.window.periods(grouping.period)}
    elif grouping.conditions:
        found = {label: [] for label, _ in grouping.conditions}
    for row in rows:
        label = row[0]
        if grouping.by is Dimension.PERIOD:
            label = grouping.period.start(label).isoformat()
        elif label == "" and grouping.by is Dimension.CHANNEL:
            label = None
        found.setdefault(None if label is None else str(label), []).append(row)
    labels: list[str | None] = list(found)
    if grouping.by is not Dimension.PERIOD and not grouping.conditions:
        labels.sort(key=lambda label: (label is None, label or ""))
    return [(label, measure(found[label])) for label in labels]
