"""`analytics { cohorts }`: from the sums over all customers, or from the months of those asked about."""

from collections.abc import Iterable, Sequence
from datetime import date
from enum import Enum
from typing import Annotated, Any

import strawberry
from strawberry import Info

from crm_analytics import charts
from crm_analytics.metrics.cohorts import DEFINITION, Cohort, cohorts
from crm_analytics.rollups.kept import as_day
from crm_analytics.tables import as_csv
from crm_analytics.windows import midnight, month_of, months_later
from crm_framework import Batch, CrmError, ErrorCode, Fragment, batch, computed, describe

from .analytics import Analytics
from .metric import MetricGroup, group_of
from .question import Question

JSON = strawberry.scalars.JSON
MOST_PERIODS = 120


class CohortBasis(Enum):
    """By what customers belong to a cohort."""

    FIRST_PURCHASE = "purchase"
    SIGN_UP = "signup"


describe(
    CohortBasis,
    "By what customers belong to a cohort.",
    FIRST_PURCHASE="By the month of their first purchase.",
    SIGN_UP="By the month in which their record was made.",
)


@strawberry.type(description="The customers who came in one month.")
class CohortRow:
    month: date = strawberry.field(description="The first day of the month in which they came.")
    size: int = strawberry.field(description="How many they are.")
    periods: list[MetricGroup] = strawberry.field(
        description="Of them, those who bought in the n-th month after; `label` is n, from 0 on."
    )
    unbounded: list[MetricGroup] = strawberry.field(
        description="Of them, those who bought in the n-th month after or later."
    )


@strawberry.type(description="Cohorts, one a month of the window.")
class CohortTable:
    name: str = strawberry.field(description="What it is called.")
    unit: str = strawberry.field(description="The unit of the values.")
    definition: str = strawberry.field(description="What it means.")
    definition_version: int = strawberry.field(description="Grows when the definition changes.")
    reason: str | None = strawberry.field(description="Why there are no rows at all.")
    rows: list[CohortRow] = strawberry.field(description="The cohorts, the earliest first.")

    @computed()
    @staticmethod
    def chart(name: str, unit: str, rows: list[CohortRow]) -> JSON:
        """A Vega-Lite specification (version 5) with the data inline, that renders as it is."""
        cells = [
            {"cohort": row.month.isoformat(), "month": int(cell.label or 0), "value": cell.value}
            for row in rows
            for cell in row.periods
        ]
        return charts.matrix(name, cells, unit, x="month", y="cohort")

    @computed()
    @staticmethod
    def csv(rows: list[CohortRow]) -> str:
        """One line for each cohort and month after it, as CSV."""
        header = ("cohort", "size", "month", "active", "value", "active_or_later", "unbounded")
        return as_csv(
            header,
            [
                (row.month, row.size, cell.label, cell.numerator, cell.value, later.numerator, later.value)
                for row in rows
                for cell, later in zip(row.periods, row.unbounded, strict=True)
            ],
        )


Basis = Annotated[CohortBasis, strawberry.argument(description="By what customers belong to a cohort.")]
Periods = Annotated[int, strawberry.argument(description="How many months after are looked at; 120 at most.")]


@batch(needs=("asked",), name="cohorts")
async def cohorts_field(
    each: Batch[Analytics], info: Info, basis: Basis = CohortBasis.FIRST_PURCHASE, periods: Periods = 12
) -> list[CohortTable]:
    """Customers by the month in which they came, and how many of them buy in the months after it."""
    if not 0 <= periods <= MOST_PERIODS:
        raise CrmError(
            ErrorCode.BAD_INPUT, f"{periods} periods are not 0 to {MOST_PERIODS}.", path=("periods",)
        )
    return [await _table(asked, basis, periods) for asked in each.column("asked")]


NOBODY = "none of the customers asked about came in these months"


async def _table(asked: Question, basis: CohortBasis, periods: int) -> CohortTable:
    found = [] if asked.undefined else await _cohorts(asked, basis, periods)
    return CohortTable(
        name=DEFINITION.name,
        unit=DEFINITION.unit,
        definition=DEFINITION.text,
        definition_version=DEFINITION.version,
        reason=asked.undefined or (None if found else NOBODY),
        rows=[_row(one) for one in found],
    )


def _row(cohort: Cohort) -> CohortRow:
    return CohortRow(
        month=cohort.month,
        size=cohort.size,
        periods=[group_of(str(n), one) for n, one in enumerate(cohort.periods)],
        unbounded=[group_of(str(n), one) for n, one in enumerate(cohort.unbounded)],
    )


async def _cohorts(asked: Question, basis: CohortBasis, periods: int) -> list[Cohort]:
    first, last = month_of(asked.window.first), month_of(asked.window.last)
    active, latest = await _counted(asked, basis, first, last)
    if basis is CohortBasis.SIGN_UP:
        sizes = await _signed_up(asked, first, last)
    else:
        # everybody bought in the first month, so who bought last somewhere is everybody
        sizes = dict.fromkeys((cohort for cohort, _ in latest), 0)
        for (cohort, _), number in latest.items():
            sizes[cohort] += number
    return cohorts(sizes, active, latest, month_of(asked.today), periods)


Cells = dict[tuple[date, date], int]


async def _counted(asked: Question, basis: CohortBasis, first: date, last: date) -> tuple[Cells, Cells]:
    """By cohort and month: customers who bought in it, and who bought last in it."""
    if asked.where is None and asked.in_own_zone:
        both = []
        for which in (basis.value, f"{basis.value}_last"):
            sums = await asked.reader.rows(
                "SELECT cohort, month, SUM(customers) FROM analytics_cohort"
                " WHERE basis = ? AND cohort BETWEEN ? AND ? GROUP BY cohort, month",
                [which, first, last],
            )
            both.append(_cells(sums))
        return both[0], both[1]
    month = "signup_month" if basis is CohortBasis.SIGN_UP else "first_month"
    about = asked.about("f.customer_id")
    rows = await asked.reader.rows(
        f"SELECT f.{month}, f.month, COUNT(DISTINCT f.customer_id),"
        " COUNT(DISTINCT CASE WHEN f.month = f.last_month THEN f.customer_id END)"
        f" FROM {_MONTHS[asked.in_own_zone]} AS f WHERE f.{month} BETWEEN ? AND ? AND {about.sql}"
        " GROUP BY 1, 2",
        [first, last, *about.args],
    )
    return (
        _cells((cohort, month, active) for cohort, month, active, _ in rows),
        _cells((cohort, month, latest) for cohort, month, _, latest in rows),
    )


_MONTHS = {
    True: (
        "(SELECT b.customer_id, b.first_month, b.last_month, b.signup_month, m.month"
        " FROM analytics_customer AS b"
        " JOIN analytics_month AS m ON m.customer_id = b.customer_id AND m.purchases > 0)"
    ),
    False: "zoned_month",
}
"""Months in which customers bought, by whether the days are the company's."""


def _cells(rows: Iterable[Sequence[Any]]) -> Cells:
    return {(as_day(cohort), as_day(month)): int(number) for cohort, month, number in rows if number}


async def _signed_up(asked: Question, first: date, last: date) -> dict[date, int]:
    """Customers whose record was made in each month, whether they ever bought or not."""
    about = asked.about("c.id")
    months = []
    month = first
    while month <= min(last, month_of(asked.today)):
        months.append(month)
        month = months_later(month, 1)
    if not months:
        return {}
    condition = Fragment(f"c.merged_into_id IS NULL AND c.erased_at IS NULL AND {about.sql}", about.args)
    part = (
        "SELECT COUNT(*) AS n FROM crm_customer AS c"
        f" WHERE c.created_at >= ? AND c.created_at < ? AND {condition.sql}"
    )
    args: list[Any] = []
    for month in months:
        args += [midnight(month, asked.zone), midnight(months_later(month, 1), asked.zone), *condition.args]
    counts = await asked.reader.rows("SELECT " + ", ".join(f"({part})" for _ in months), args)
    return {month: int(number) for month, number in zip(months, counts[0], strict=True) if number}
