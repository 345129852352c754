"""`Customer.metrics`: figures about a customer, from one row each; and what of them is filtered and
ordered by."""

from collections.abc import Callable, Sequence
from datetime import date, datetime
from typing import Any

import strawberry
from strawberry import Info
from strawberry.types.field import StrawberryField

from crm_analytics.metrics.prospect import Prospect, Score, prospect_score
from crm_analytics.metrics.rfm import Bounds, Rfm
from crm_analytics.predictions import customers as predictions
from crm_analytics.rollups.kept import as_day
from crm_analytics.rollups.quintiles import COLUMNS
from crm_analytics.rollups.state import state
from crm_analytics.settings import AnalyticsSettings
from crm_analytics.windows import day_in
from crm_framework import (
    Batch,
    BigInt,
    Customer,
    Money,
    Reader,
    among,
    batch,
    column,
    computed,
    now,
    one,
    parse_time,
    record,
)

from .members import COUNTS
from .risk import RiskReason, reasons_of, standings

READ = "analytics.read"
MOST_AT_ONCE = 200
"""Customers whose figures are a short read."""


@strawberry.type(description="Recency, frequency and monetary value of a customer, 1 to 5, 5 best.")
class CustomerRfm:
    recency: int = strawberry.field(description="Of the latest purchase.")
    frequency: int = strawberry.field(description="Of the number of purchases.")
    monetary: int = strawberry.field(description="Of purchases less refunds.")
    segment: str = strawberry.field(description="The segment's name.")
    currency: str = strawberry.field(description="The main currency: among its customers the scores are.")
    as_of: datetime = strawberry.field(description="When the quintiles were last looked at.")


@strawberry.type(description="Days between a customer's purchases.")
class PurchaseGap:
    median_days: float = strawberry.field(description="The median.")
    mean_days: float = strawberry.field(description="The mean.")


@strawberry.type(description="A reason for a prospect's score.")
class ScoreReason:
    points: int = strawberry.field(description="What it adds to the score.")
    text: str = strawberry.field(description="In words.")


@strawberry.type(description="How promising a prospect is, 0 to 100.")
class ProspectScore:
    value: int = strawberry.field(description="The sum of the reasons' points.")
    reasons: list[ScoreReason] = strawberry.field(description="What it is made of.")


@record(
    table="analytics_customer",
    key="customer_id",
    owner="customer_id",
    permission=READ,
    hidden={
        "net_minor": int,
        "last_day": date | None,
        "gap_median": float | None,
        "gap_mean": float | None,
        "tickets": int | None,
        "points": int | None,
    },
)
class CustomerMetrics:
    """Figures about one customer."""

    purchases: int = column("How many purchases were recorded.")
    refunds: int = column("How many refunds were recorded.")
    first_purchase_at: datetime | None = column("The first purchase, if any.")
    last_purchase_at: datetime | None = column("The latest purchase, if any.")
    main_currency: str | None = column(
        "That of most of the purchases; of as many the first by name. Null without purchases.", sql="currency"
    )
    next_purchase_expected: date | None = column(
        "The latest day with a purchase and the median gap; null with fewer than two such days.",
        sql="expected_on",
    )
    probability_alive = predictions.probability_alive
    expected_purchases = predictions.expected_purchases
    clv_predicted = predictions.clv_predicted

    @batch(needs=("id",))
    @staticmethod
    async def revenue(each: Batch["CustomerMetrics"], info: Info) -> list[list[Money]]:
        """Purchases less refunds, an amount per currency."""
        reader = info.context.reader
        where = among("r.customer_id", each.ids, reader.dialect)
        rows = await reader.rows(
            f"{_REVENUE} WHERE {where.sql} ORDER BY r.customer_id, r.currency",
            where.args,
            bounded=len(each) <= MOST_AT_ONCE,
        )
        found: dict[str, list[Money]] = {key: [] for key in each.ids}
        for key, currency, minor in rows:
            found[key].append(Money.of(minor, currency))
        return [found[key] for key in each.ids]

    @computed()
    @staticmethod
    def purchase_gap(gap_median: float | None, gap_mean: float | None) -> PurchaseGap | None:
        """Days between days with a purchase; null with fewer than two of them."""
        if gap_median is None or gap_mean is None:
            return None
        return PurchaseGap(median_days=gap_median, mean_days=gap_mean)

    @batch(needs=("main_currency", "last_day", "purchases", "net_minor"))
    @staticmethod
    async def rfm(each: Batch["CustomerMetrics"], info: Info) -> list[CustomerRfm | None]:
        """Scores among those who buy in the same main currency; null before the first purchase is scored."""
        currencies = sorted({one for one in each.column("main_currency") if one is not None})
        quintiles = await _quintiles(currencies, info.context.reader)
        columns = [each.column(one) for one in ("main_currency", "last_day", "purchases", "net_minor")]
        return [
            _rfm(quintiles.get(currency), currency, (last_day, purchases, net))
            for currency, last_day, purchases, net in zip(*columns, strict=True)
        ]

    @batch(needs=("tickets",), permission="ticketing.read", about=Customer)
    @staticmethod
    def tickets_opened(each: Batch["CustomerMetrics"]) -> list[int | None]:
        """Tickets opened since this plugin is enabled; null where nothing was told. Neither proved by
        verifyFigures nor counted anew by a rebuild."""
        return each.column("tickets")

    @batch(needs=("points",), permission="loyalty.read", about=Customer, name="points")
    @staticmethod
    def points_moved(each: Batch["CustomerMetrics"]) -> list[BigInt | None]:
        """Loyalty points gained less lost since this plugin is enabled; null likewise."""
        return [None if points is None else BigInt(points) for points in each.column("points")]

    @batch(needs=("id",), permission="interactions.read", about=Customer)
    @staticmethod
    async def at_risk(each: Batch["CustomerMetrics"], info: Info) -> list[list[RiskReason]]:
        """What puts the customer at risk; empty for who is not."""
        keys = each.ids
        reasons = await reasons_of(info, await standings(info, keys), now())
        return [reasons[key] for key in keys]

    @batch(needs=("id",), permission="interactions.read", about=Customer)
    @staticmethod
    async def prospect_score(each: Batch["CustomerMetrics"], info: Info) -> list[ProspectScore | None]:
        """How promising a prospect is; null for who is none."""
        scores = await _scores(each.ids, info.context.reader)
        return [
            ProspectScore(
                value=scores[key].value,
                reasons=[ScoreReason(points=one.points, text=one.text) for one in scores[key].reasons],
            )
            if key in scores
            else None
            for key in each.ids
        ]


_REVENUE = (
    "SELECT CAST(r.customer_id AS TEXT), r.currency, r.purchased_minor - r.refunded_minor"
    " FROM analytics_revenue AS r"
)
_QUINTILES = (
    f"SELECT q.currency, q.counted_at, {', '.join(f'q.{name}' for name in COLUMNS)}"
    " FROM analytics_quintile AS q"
)
Quintiles = tuple[datetime, list[Bounds]]
"""When they were looked at, and the bounds of each measure."""


class OfCustomer:
    metrics: CustomerMetrics = one(
        key="customer_id",
        otherwise=dict.fromkeys(COUNTS, 0),
        permission=READ,
        description="Figures about the customer, kept with each purchase and refund.",
    )


def value_field(settings: AnalyticsSettings) -> StrawberryField:
    """`CustomerMetrics.clv`, for a company with these settings."""
    costs = settings.costs

    @batch(needs=("main_currency", "net_minor", "tickets"))
    def clv(each: Batch[CustomerMetrics]) -> list[Money | None]:
        """Historic lifetime value in the main currency: purchases less refunds, acquisition and service
        cost."""
        found: list[Money | None] = []
        for currency, net, tickets in zip(
            each.column("main_currency"), each.column("net_minor"), each.column("tickets"), strict=True
        ):
            worth = None if currency is None else int(net) - costs.of(currency, tickets or 0)
            found.append(None if worth is None else Money.of(worth, currency))
        return found

    return clv


async def _quintiles(
    currencies: Sequence[str], reader: Reader
) -> dict[str | None, tuple[datetime, list[Any]]]:
    """Currency → when its quintiles were looked at, and their bounds."""
    if not currencies:
        return {}
    where = among("q.currency", currencies, reader.dialect)
    rows = await reader.rows(f"{_QUINTILES} WHERE {where.sql}", where.args, bounded=True)
    return {
        currency: (
            parse_time(counted_at),
            [_bounds(found[:4], as_day), _bounds(found[4:8], int), _bounds(found[8:], int)],
        )
        for currency, counted_at, *found in rows
    }


def _bounds(found: Sequence[Any], read: Callable[[Any], Any]) -> Bounds:
    return Bounds(tuple(read(one) for one in found if one is not None))


def _rfm(
    quintiles: Quintiles | None, currency: str | None, values: tuple[date | None, int, int]
) -> CustomerRfm | None:
    if quintiles is None or currency is None or values[0] is None:
        return None
    as_of, by_measure = quintiles
    scores = Rfm(*(one.score(value) for one, value in zip(by_measure, values, strict=True)))
    return CustomerRfm(
        recency=scores.recency,
        frequency=scores.frequency,
        monetary=scores.monetary,
        segment=scores.segment,
        currency=currency,
        as_of=as_of,
    )


_PROSPECTS = (
    "SELECT CAST(c.id AS TEXT) AS id, (c.email IS NOT NULL OR c.phone IS NOT NULL) AS reachable,"
    " (SELECT COUNT(*) FROM crm_interaction AS i WHERE i.customer_id = c.id AND i.direction = 'INBOUND')"
    " AS inbound,"
    " (SELECT MAX(i.occurred_at) FROM crm_interaction AS i WHERE i.customer_id = c.id) AS touched,"
    " (SELECT i.sentiment FROM crm_interaction AS i WHERE i.customer_id = c.id AND i.sentiment IS NOT NULL"
    " ORDER BY i.occurred_at DESC, i.id DESC LIMIT 1) AS mood,"
    " EXISTS (SELECT 1 FROM crm_contact_point AS p WHERE p.customer_id = c.id AND p.consent = 'OPTED_IN')"
    " AS opted_in FROM crm_customer AS c WHERE c.stage = 'PROSPECT' AND "
)


async def _scores(keys: Sequence[str], reader: Reader) -> dict[str, Score]:
    """Of those who are prospects, by the company's days."""
    where = among("c.id", keys, reader.dialect)
    rows = await reader.fetch(f"{_PROSPECTS}{where.sql}", where.args)
    if not rows:
        return {}
    zone = (await state(reader)).zone
    today = day_in(now(), zone)
    return {
        row["id"]: prospect_score(
            Prospect(
                int(row["inbound"]),
                None if row["touched"] is None else day_in(parse_time(row["touched"]), zone),
                row["mood"],
                bool(row["opted_in"]),
                bool(row["reachable"]),
            ),
            today,
        )
        for row in rows
    }
