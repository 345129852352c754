"""`analytics { rfm }`: everybody's scores, counted by segment, from one row a customer."""

from collections import Counter
from datetime import date

import strawberry
from strawberry import Info

from crm_analytics import charts
from crm_analytics.metrics.measured import share
from crm_analytics.metrics.rfm import DEFINITION, NAMES, Rfm
from crm_analytics.tables import as_csv
from crm_framework import Batch, batch, computed

from .analytics import Analytics
from .metric import MetricGroup, group_of
from .question import Question
from .rfm_then import scores_then
from .scores import Scores, counted_by_scores
from .then import AsOf, checked, nobody

JSON = strawberry.scalars.JSON


@strawberry.type(description="A cell of the table of scores.")
class RfmCell:
    recency: int = strawberry.field(description="1 to 5, 5 best.")
    frequency: int = strawberry.field(description="1 to 5, 5 best.")
    monetary: int = strawberry.field(description="1 to 5, 5 best.")
    segment: str = strawberry.field(description="The segment's name.")
    customers: int = strawberry.field(description="How many have these scores.")


@strawberry.type(description="RFM of everybody with one main currency, as they are now or were on a day.")
class RfmTable:
    name: str = strawberry.field(description="What it is called.")
    currency: str | None = strawberry.field(
        description="The main currency of these customers (ISO 4217); null where there are none at all."
    )
    customers: int = strawberry.field(description="How many they are.")
    definition: str = strawberry.field(description="What it means.")
    definition_version: int = strawberry.field(description="Grows when the definition changes.")
    reason: str | None = strawberry.field(description="Why nobody is in it, or not yet everybody.")
    segments: list[MetricGroup] = strawberry.field(
        description="Share of the customers in each segment, in percent; the best segment first."
    )
    cells: list[RfmCell] = strawberry.field(description="Customers by scores, the best first.")

    @computed()
    @staticmethod
    def chart(name: str, currency: str | None, segments: list[MetricGroup]) -> JSON:
        """A Vega-Lite specification (version 5) with the data inline, that renders as it is."""
        rows = [{"label": one.label, "value": one.numerator} for one in segments]
        return charts.bars(name if currency is None else f"{name} ({currency})", rows, "customers")

    @computed()
    @staticmethod
    def csv(currency: str | None, cells: list[RfmCell]) -> str:
        """The cells as CSV."""
        header = ("currency", "recency", "frequency", "monetary", "segment", "customers")
        return as_csv(
            header,
            [
                (currency, one.recency, one.frequency, one.monetary, one.segment, one.customers)
                for one in cells
            ],
        )


@batch(needs=("asked",), name="rfm")
async def rfm_field(each: Batch[Analytics], info: Info, as_of: AsOf = None) -> list[list[RfmTable]]:
    """Recency, frequency and monetary value of everybody, as of now or another day, whatever the window: a
    table for each main currency, or an empty one where nobody bought.

    The quintiles are those of all customers; a filter only chooses whom is counted.
    """
    return [await _tables(asked, checked(as_of, asked)) for asked in each.column("asked")]


async def _tables(asked: Question, as_of: date | None) -> list[RfmTable]:
    found = await (counted_by_scores(asked) if as_of is None else scores_then(asked, as_of))
    tables: list[tuple[str | None, Counter[Scores]]] = [*found.items()] or [(None, Counter())]
    return [
        _table(currency, numbers, asked.uncounted or (None if numbers.total() else nobody(as_of)))
        for currency, numbers in tables
    ]


def _table(currency: str | None, numbers: Counter[Scores], reason: str | None) -> RfmTable:
    cells = [
        RfmCell(
            recency=r,
            frequency=f,
            monetary=m,
            segment=Rfm(r, f, m).segment,
            customers=number,
        )
        for (r, f, m), number in sorted(numbers.items(), reverse=True)
        if number
    ]
    total = sum(cell.customers for cell in cells)
    by_name = dict.fromkeys(NAMES, 0)
    for cell in cells:
        by_name[cell.segment] += cell.customers
    return RfmTable(
        name=DEFINITION.name,
        currency=currency,
        customers=total,
        definition=DEFINITION.text,
        definition_version=DEFINITION.version,
        reason=reason,
        segments=[
            group_of(name, share(number, total, nothing="nobody is asked about"))
            for name, number in by_name.items()
        ],
        cells=cells,
    )
