"""What the models say of each customer, in the API: fields, filters and orders."""

import math
from collections.abc import Mapping, Sequence
from decimal import Decimal
from typing import Annotated, Any

import strawberry
from strawberry import Info

from crm_framework import (
    Batch,
    CrmError,
    Customer,
    ErrorCode,
    Fragment,
    Member,
    Money,
    OrderField,
    among,
    batch,
    children,
    column,
    computed,
    currency_code,
    fields_of,
    optional,
    record,
    reference,
)

from . import bgnbd
from .histories import WEEK
from .models import PredictionModel

READ = "analytics.read"
MOST_MINOR = 2**63 - 1
"""As both databases have it."""


def _money(minor: int | None, currency: str) -> Money | None:
    return None if minor is None else Money.of(minor, currency)


@record(
    table="analytics_prediction",
    permission=READ,
    hidden={
        "customer_id": str,
        "model_id": str,
        "mean_minor": int | None,
        "expected_value_minor": int | None,
        "clv_minor": int | None,
    },
)
class CustomerPrediction:
    """What a model says of a customer, as of its day."""

    currency: str = column("ISO 4217. A customer who buys in several has a prediction in each.")
    main: bool = column("Whether the customer buys on most days in this currency.")
    repeats: int = column("Days (UTC) with a purchase after the first.")
    recency_days: int = column("Days from the first purchase to the last.")
    age_days: int = column("Days from the first purchase to the day of the model.")
    probability_alive: float = column(
        "The probability, from 0 to 1, that the customer still buys. 1 without a repeat purchase: in BG/NBD"
        " customers leave after one."
    )
    expected_purchases: float = column("Days with a purchase that are to be expected within the horizon.")
    model: "PredictionModel | None" = reference("model_id", "The model.")

    @computed()
    @staticmethod
    def mean_value(mean_minor: int | None, currency: str) -> Money | None:
        """What a day with a purchase was worth after the first; null where there was none."""
        return _money(mean_minor, currency)

    @computed()
    @staticmethod
    def expected_value(expected_value_minor: int | None, currency: str) -> Money | None:
        """What such a day will be worth, on average; null where nothing is known of values."""
        return _money(expected_value_minor, currency)

    @computed()
    @staticmethod
    def clv(clv_minor: int | None, currency: str) -> Money | None:
        """What the customer will spend within the model's time for values, discounted; null likewise."""
        return _money(clv_minor, currency)


class _OfCustomer:
    predictions: list[CustomerPrediction] = children(
        key="customer_id",
        order=("currency",),
        permission=READ,
        description="What is to be expected of the customer, one prediction per currency.",
    )


# The three that follow are fields of a type whose key is the customer's.


async def _main(keys: list[str], info: Info, columns: str) -> dict[str, Any]:
    """Key → the columns of the prediction in the main currency."""
    reader = info.context.reader
    where = among("p.customer_id", keys, reader.dialect)
    rows = await reader.rows(
        f"SELECT CAST(p.customer_id AS TEXT), {columns} FROM analytics_prediction AS p"
        " JOIN analytics_model AS m ON m.id = p.model_id"
        f" WHERE p.main AND {where.sql}",
        where.args,
        bounded=len(keys) <= 200,
    )
    return {row[0]: row[1:] for row in rows}


@batch(needs=("id",), permission=READ, about=Customer)
async def probability_alive(each: Batch[Any], info: Info) -> list[float | None]:
    """The probability that the customer still buys, in the main currency, as of the last fit; null before."""
    keys = each.ids
    found = await _main(keys, info, "p.probability_alive")
    return [found[key][0] if key in found else None for key in keys]


Days = Annotated[
    int | None,
    strawberry.argument(
        description="How many days ahead of the day of the model, 1 to 3,650; if left out, the settings'"
        " `horizon_days`, 90."
    ),
]
MOST_DAYS = 3650
_MODEL = "p.repeats, p.recency_days, p.age_days, m.r, m.alpha, m.a, m.b"


@batch(needs=("id",), permission=READ, about=Customer)
async def expected_purchases(each: Batch[Any], info: Info, days: Days = None) -> list[float | None]:
    """Days with a purchase that are to be expected, in the main currency; null likewise."""
    keys = each.ids
    if days is None:
        found = await _main(keys, info, "p.expected_purchases")
        return [found[key][0] if key in found else None for key in keys]
    if not 1 <= days <= MOST_DAYS:
        raise CrmError(ErrorCode.BAD_INPUT, f"{days} days are not 1 to {MOST_DAYS:,}.", path=("days",))
    seen = await _main(keys, info, _MODEL)
    return [_expected(seen[key], days) if key in seen else None for key in keys]


def _expected(seen: Sequence[Any], days: int) -> float | None:
    repeats, recency, age, *parameters = seen
    if None in parameters:
        return None
    known = bgnbd.Seen(repeats, recency / WEEK, age / WEEK)
    return bgnbd.expected_purchases(bgnbd.Parameters(*parameters), known, days / WEEK)


@batch(needs=("id",), permission=READ, about=Customer)
async def clv_predicted(each: Batch[Any], info: Info) -> list[Money | None]:
    """What the customer will spend in a year, discounted, in the main currency; null where that is
    unknown.
    """
    keys = each.ids
    found = await _main(keys, info, "p.clv_minor, p.currency")
    return [_money(*found[key]) if key in found else None for key in keys]


def _of_main(column: str) -> str:
    return f"(SELECT {column} FROM analytics_prediction AS p WHERE p.customer_id = t.id AND p.main)"


@strawberry.input(description="A condition on the predicted value of customers in one currency.")
class ClvPredictedFilter:
    currency: str | None = optional("ISO 4217; needed where there is an amount.")
    gte: Decimal | None = optional("At least so much, in units of the currency.")
    lt: Decimal | None = optional("Less than so much.")


def _clv(value: Any, dialect: object) -> Fragment:
    if not isinstance(value, Mapping) or set(value) - {"currency", "gte", "lt"}:
        raise _refused("an object of currency, gte and lt is expected")
    conditions, args = ["p.customer_id = t.id", "p.clv_minor IS NOT NULL"], list[Any]()
    currency = value.get("currency")
    if currency is not None:
        currency = currency_code(currency, path=("filter", "clvPredicted", "currency"))
        conditions.append("p.currency = ?")
        args.append(currency)
    for name, sign in (("gte", ">="), ("lt", "<")):
        if value.get(name) is None:
            continue
        if currency is None:
            raise _refused("an amount needs its currency")
        conditions.append(f"p.clv_minor {sign} ?")
        args.append(_minor(value[name], currency))
    found = f"EXISTS (SELECT 1 FROM analytics_prediction AS p WHERE {' AND '.join(conditions)})"
    return Fragment(found, tuple(args))


def _minor(amount: Any, currency: str) -> int:
    """Rounded up: of amounts in whole minor units, at least and less than it mean the same."""
    try:
        minor = math.ceil(Decimal(str(amount)) / Money.of(1, currency).amount)
    except (ArithmeticError, ValueError):
        raise _refused(f"{amount!r} is no amount") from None
    if abs(minor) > MOST_MINOR:
        raise _refused(f"{amount} {currency} is more than anybody spends")
    return minor


def _refused(problem: str) -> CrmError:
    return CrmError(ErrorCode.BAD_INPUT, f"clvPredicted: {problem}.", path=("filter", "clvPredicted"))


MEMBERS = [
    Member(
        "probabilityAlive",
        "decimal",
        "The probability that the customer still buys, in the main currency.",
        sql=_of_main("p.probability_alive"),
        permission=READ,
    ),
    Member(
        "expectedPurchases",
        "decimal",
        "Days with a purchase to be expected within the horizon, in the main currency.",
        sql=_of_main("p.expected_purchases"),
        permission=READ,
    ),
    Member(
        "clvPredicted",
        "custom",
        "The predicted value in one currency.",
        input=ClvPredictedFilter,
        condition=_clv,
        permission=READ,
    ),
]
ORDERS = [
    OrderField(
        "PROBABILITY_ALIVE",
        "int",
        "By the probability that the customer still buys.",
        sql=_of_main("CAST(ROUND(p.probability_alive * 1000000) AS INTEGER)"),
        nullable=True,
        permission=READ,
    ),
    OrderField(
        "EXPECTED_PURCHASES",
        "int",
        "By the purchases to be expected within the horizon.",
        sql=_of_main("CAST(ROUND(p.expected_purchases * 1000000) AS INTEGER)"),
        nullable=True,
        permission=READ,
    ),
    OrderField(
        "CLV_PREDICTED",
        "int",
        "By the predicted value in the main currency; filter by clvPredicted where you sell in several.",
        sql=_of_main("p.clv_minor"),
        nullable=True,
        permission=READ,
    ),
]

CUSTOMER = fields_of(_OfCustomer)
