"""`analytics { rfm }`: everybody's scores, counted by segment, from one row a customer."""

import strawberry
from strawberry import Info

from crm_analytics import charts
from crm_analytics.metrics.measured import share
from crm_analytics.metrics.rfm import DEFINITION, NAMES, Rfm, ranks
from crm_analytics.rollups.quintiles import MEASURES
from crm_analytics.tables import as_csv
from crm_framework import Batch, batch, computed

from .analytics import Analytics
from .metric import MetricGroup, group_of
from .question import Question

JSON = strawberry.scalars.JSON


@strawberry.type(description="A cell of the table of scores.")
class RfmCell:
    recency: int = strawberry.field(description="1 to 5, 5 best.")
    frequency: int = strawberry.field(description="1 to 5, 5 best.")
    monetary: int = strawberry.field(description="1 to 5, 5 best.")
    segment: str = strawberry.field(description="The segment's name.")
    customers: int = strawberry.field(description="How many have these scores.")


@strawberry.type(description="RFM of everybody with one main currency, as they are now.")
class RfmTable:
    name: str = strawberry.field(description="What it is called.")
    currency: str = strawberry.field(description="The main currency of these customers (ISO 4217).")
    customers: int = strawberry.field(description="How many they are.")
    definition: str = strawberry.field(description="What it means.")
    definition_version: int = strawberry.field(description="Grows when the definition changes.")
    segments: list[MetricGroup] = strawberry.field(
        description="Share of the customers in each segment, in percent; the best segment first."
    )
    cells: list[RfmCell] = strawberry.field(description="Customers by scores, the best first.")

    @computed()
    @staticmethod
    def chart(name: str, currency: str, segments: list[MetricGroup]) -> JSON:
        """A Vega-Lite specification (version 5) with the data inline, that renders as it is."""
        rows = [{"label": one.label, "value": one.numerator} for one in segments]
        return charts.bars(f"{name} ({currency})", rows, "customers")

    @computed()
    @staticmethod
    def csv(currency: str, cells: list[RfmCell]) -> str:
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
async def rfm_field(each: Batch[Analytics], info: Info) -> list[list[RfmTable]]:
    """Recency, frequency and monetary value of everybody, as of now, whatever the window: a table for
    each main currency.

    The quintiles are those of all customers; a filter only chooses whom is counted.
    """
    return [await _tables(asked) for asked in each.column("asked")]


async def _tables(asked: Question) -> list[RfmTable]:
    populations = await asked.reader.rows(
        "SELECT currency, COUNT(*) FROM analytics_customer WHERE currency IS NOT NULL"
        " GROUP BY currency ORDER BY currency"
    )
    return [await _table(asked, currency, int(number)) for currency, number in populations]


async def _table(asked: Question, currency: str, population: int) -> RfmTable:
    # the bounds lie along the indexes; then one pass over the customers, without sorting any
    about = asked.about("f.customer_id")
    bounds = ", ".join(
        f"(SELECT {column} FROM analytics_customer WHERE currency = ? ORDER BY {column} LIMIT 1 OFFSET"
        f" {rank})"
        f" AS {measure}_{fifth}"
        for measure, column in MEASURES.items()
        for fifth, rank in enumerate(ranks(population), 1)
    )
    scores = ", ".join(
        "1"
        + "".join(
            f" + (CASE WHEN f.{column} > b.{measure}_{fifth} THEN 1 ELSE 0 END)" for fifth in range(1, 5)
        )
        for measure, column in MEASURES.items()
    )
    found = await asked.reader.rows(
        f"SELECT {scores}, COUNT(*) FROM (SELECT {bounds}) AS b, analytics_customer AS f"
        f" WHERE f.currency = ? AND {about.sql} GROUP BY 1, 2, 3 ORDER BY 1 DESC, 2 DESC, 3 DESC",
        [*[currency] * (4 * len(MEASURES)), currency, *about.args],
    )
    cells = [
        RfmCell(
            recency=r,
            frequency=f,
            monetary=m,
            segment=Rfm(r, f, m).segment,
            customers=int(number),
        )
        for r, f, m, number in found
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
        segments=[
            group_of(name, share(number, total, nothing="nobody is asked about"))
            for name, number in by_name.items()
        ],
        cells=cells,
    )
