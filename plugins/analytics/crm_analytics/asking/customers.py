"""`Customer.metrics`: figures about a customer, from one row each; and what of them is filtered and
ordered by."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any

import strawberry
from strawberry import Info
from strawberry.types.field import StrawberryField

from crm_analytics.metrics.clv import Costs
from crm_analytics.metrics.prospect import Prospect, prospect_score
from crm_analytics.metrics.rfm import Bounds, Rfm
from crm_analytics.predictions import customers as predictions
from crm_analytics.rollups.kept import as_day
from crm_analytics.rollups.quintiles import COLUMNS
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
    computed,
    now,
    parse_time,
)

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


@dataclass(frozen=True)
class Known:
    """A row of `analytics_customer`, and the bounds of its currency's quintiles."""

    purchases: int
    refunds: int
    first_at: datetime | None
    last_at: datetime | None
    last_day: date | None
    currency: str | None
    net_minor: int
    gap_median: float | None
    gap_mean: float | None
    expected_on: date | None
    tickets: int | None
    points: int | None
    counted_at: datetime | None
    bounds: tuple[Any, ...]


NOTHING = Known(0, 0, None, None, None, None, 0, None, None, None, None, None, None, ())


@strawberry.type(description="Figures about one customer.")
class CustomerMetrics:
    customer_key: strawberry.Private[str]
    known: strawberry.Private[Known]
    revenue: list[Money] = strawberry.field(description="Purchases less refunds, an amount per currency.")
    costs: strawberry.Private[Costs]
    probability_alive = predictions.probability_alive
    expected_purchases = predictions.expected_purchases
    clv_predicted = predictions.clv_predicted

    @computed()
    @staticmethod
    def purchases(known: Known) -> int:
        """How many purchases were recorded."""
        return known.purchases

    @computed()
    @staticmethod
    def refunds(known: Known) -> int:
        """How many refunds were recorded."""
        return known.refunds

    @computed()
    @staticmethod
    def first_purchase_at(known: Known) -> datetime | None:
        """The first purchase, if any."""
        return known.first_at

    @computed()
    @staticmethod
    def last_purchase_at(known: Known) -> datetime | None:
        """The latest purchase, if any."""
        return known.last_at

    @computed()
    @staticmethod
    def main_currency(known: Known) -> str | None:
        """That of most of the purchases; of as many the first by name. Null without purchases."""
        return known.currency

    @computed()
    @staticmethod
    def clv(known: Known, costs: Costs) -> Money | None:
        """Historic lifetime value in the main currency: purchases less refunds, acquisition and service
        cost."""
        if known.currency is None:
            return None
        return Money.of(known.net_minor - costs.of(known.currency, known.tickets or 0), known.currency)

    @computed()
    @staticmethod
    def purchase_gap(known: Known) -> PurchaseGap | None:
        """Days between days with a purchase; null with fewer than two of them."""
        if known.gap_median is None or known.gap_mean is None:
            return None
        return PurchaseGap(median_days=known.gap_median, mean_days=known.gap_mean)

    @computed()
    @staticmethod
    def next_purchase_expected(known: Known) -> date | None:
        """The latest day with a purchase and the median gap; null with fewer than two such days."""
        return known.expected_on

    @computed()
    @staticmethod
    def rfm(known: Known) -> CustomerRfm | None:
        """Scores among those who buy in the same main currency; null before the first purchase is scored."""
        if known.counted_at is None or known.last_day is None or known.currency is None:
            return None
        by_measure = [Bounds(known.bounds[place : place + 4]) for place in (0, 4, 8)]
        values = (known.last_day, known.purchases, known.net_minor)
        scores = Rfm(*(one.score(value) for one, value in zip(by_measure, values, strict=True)))
        return CustomerRfm(
            recency=scores.recency,
            frequency=scores.frequency,
            monetary=scores.monetary,
            segment=scores.segment,
            currency=known.currency,
            as_of=known.counted_at,
        )

    @batch(needs=("known",), permission="ticketing.read", about=Customer)
    @staticmethod
    def tickets_opened(each: Batch["CustomerMetrics"]) -> list[int | None]:
        """Tickets opened since this plugin is enabled; null where nothing was told."""
        return [known.tickets for known in each.column("known")]

    @batch(needs=("known",), permission="loyalty.read", about=Customer)
    @staticmethod
    def points(each: Batch["CustomerMetrics"]) -> list[BigInt | None]:
        """Loyalty points gained less lost since this plugin is enabled; null likewise."""
        return [None if known.points is None else BigInt(known.points) for known in each.column("known")]

    @batch(needs=("customer_key",), permission="interactions.read", about=Customer)
    @staticmethod
    async def at_risk(each: Batch["CustomerMetrics"], info: Info) -> list[list[RiskReason]]:
        """What puts the customer at risk; empty for who is not."""
        keys = each.column("customer_key")
        reasons = await reasons_of(info, await standings(info, keys), day_in(now(), "UTC"))
        return [reasons[key] for key in keys]

    @batch(needs=("customer_key",), permission="interactions.read", about=Customer)
    @staticmethod
    async def prospect_score(each: Batch["CustomerMetrics"], info: Info) -> list[ProspectScore | None]:
        """How promising a prospect is; null for who is none."""
        found = await _prospects(each.column("customer_key"), info.context.reader)
        scores = {key: prospect_score(one, day_in(now(), "UTC")) for key, one in found.items()}
        return [
            ProspectScore(
                value=scores[key].value,
                reasons=[ScoreReason(points=one.points, text=one.text) for one in scores[key].reasons],
            )
            if key in scores
            else None
            for key in each.column("customer_key")
        ]


_COLUMNS = (
    *("purchases", "refunds", "first_purchase_at", "last_purchase_at", "last_day", "currency", "net_minor"),
    *("gap_median", "gap_mean", "expected_on", "tickets", "points"),
)
_SELECT = (
    f"SELECT CAST(f.customer_id AS TEXT), {', '.join(f'f.{name}' for name in _COLUMNS)},"
    f" q.counted_at, {', '.join(f'q.{name}' for name in COLUMNS)},"
    " r.currency, r.purchased_minor - r.refunded_minor FROM analytics_customer AS f"
    " LEFT JOIN analytics_revenue AS r ON r.customer_id = f.customer_id"
    " LEFT JOIN analytics_quintile AS q ON q.currency = f.currency"
)


def metrics_field(settings: AnalyticsSettings) -> StrawberryField:
    """The field, for a company with these settings."""
    costs = settings.costs

    @batch(needs=("id",), permission=READ)
    async def metrics(customers: Batch[Customer], info: Info) -> list[CustomerMetrics]:
        """Figures about the customer, kept with each purchase and refund."""
        known, revenue = await _known(customers.ids, info.context.reader)
        return [
            CustomerMetrics(
                customer_key=key, known=known.get(key, NOTHING), revenue=revenue.get(key, []), costs=costs
            )
            for key in customers.ids
        ]

    return metrics


async def _known(keys: Sequence[str], reader: Reader) -> tuple[dict[str, Known], dict[str, list[Money]]]:
    where = among("f.customer_id", keys, reader.dialect)
    rows = await reader.rows(
        f"{_SELECT} WHERE {where.sql} ORDER BY f.customer_id, r.currency",
        where.args,
        bounded=len(keys) <= MOST_AT_ONCE,
    )
    known: dict[str, Known] = {}
    revenue: dict[str, list[Money]] = {}
    for key, *values, currency, minor in rows:
        if key not in known:
            known[key] = _known_of(values)
            revenue[key] = []
        if currency is not None:
            revenue[key].append(Money.of(minor, currency))
    return known, revenue


def _known_of(values: Sequence[Any]) -> Known:
    purchases, refunds, first, last, last_day, currency, net, median, mean, expected, tickets, points = (
        values[:12]
    )
    counted_at, *bounds = values[12:]
    recency = [as_day(one) for one in bounds[:4] if one is not None]
    return Known(
        purchases,
        refunds,
        None if first is None else parse_time(first),
        None if last is None else parse_time(last),
        None if last_day is None else as_day(last_day),
        currency,
        int(net),
        median,
        mean,
        None if expected is None else as_day(expected),
        tickets,
        points,
        None if counted_at is None else parse_time(counted_at),
        (*recency, *bounds[4:]),
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


async def _prospects(keys: Sequence[str], reader: Reader) -> dict[str, Prospect]:
    where = among("c.id", keys, reader.dialect)
    return {
        row["id"]: Prospect(
            int(row["inbound"]),
            None if row["touched"] is None else day_in(parse_time(row["touched"]), "UTC"),
            row["mood"],
            bool(row["opted_in"]),
            bool(row["reachable"]),
        )
        for row in await reader.fetch(f"{_PROSPECTS}{where.sql}", where.args)
    }
