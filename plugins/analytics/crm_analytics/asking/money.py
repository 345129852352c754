"""Currencies: how many decimals they have, and the rates that the company entered."""

from collections import defaultdict
from collections.abc import Sequence
from datetime import date
from decimal import Decimal, InvalidOperation

import strawberry

from crm_analytics.metrics.revenue import Rates
from crm_analytics.rollups.kept import as_day
from crm_framework import (
    CrmError,
    ErrorCode,
    Money,
    Reader,
    UnitOfWork,
    currency_code,
    mutation,
    new_id,
    payload,
    required,
    root,
)

GREATEST_RATE = Decimal(10) ** 12
"""And its inverse is the smallest one."""

_LONGEST_RATE = 40
"""Characters of a rate."""


def digits_of(currency: str) -> int:
    """Decimals of the currency: of one minor unit's amount."""
    exponent = Money.of(1, currency).amount.as_tuple().exponent
    return -exponent if isinstance(exponent, int) else 0


@strawberry.type(description="A rate that the company entered.")
class ExchangeRate:
    currency: str = strawberry.field(description="ISO 4217.")
    base: str = strawberry.field(description="ISO 4217.")
    valid_from: date = strawberry.field(description="The first day that it holds for.")
    rate: str = strawberry.field(description="How many units of `base` one unit of `currency` is.")


async def rates(reader: Reader, base: str) -> Rates:
    rows = await reader.fetch(
        "SELECT currency, valid_from, rate FROM analytics_rate WHERE base = ? ORDER BY currency, valid_from",
        [base],
    )
    found: dict[str, list[tuple[date, Decimal]]] = defaultdict(list)
    for row in rows:
        found[row["currency"]].append((as_day(row["valid_from"]), Decimal(row["rate"])))
    return Rates(base, found)


@root(permission="analytics.read")
async def exchange_rates(info: strawberry.Info) -> list[ExchangeRate]:
    """The rates that amounts are converted by, the newest first; 1,000 at most."""
    rows = await info.context.reader.fetch(
        "SELECT currency, base, valid_from, rate FROM analytics_rate"
        " ORDER BY valid_from DESC, currency, base LIMIT 1000"
    )
    return [
        ExchangeRate(
            currency=row["currency"],
            base=row["base"],
            valid_from=as_day(row["valid_from"]),
            rate=row["rate"],
        )
        for row in rows
    ]


@strawberry.input(description="A rate from one currency to another.")
class ExchangeRateInput:
    currency: str = required("ISO 4217.")
    base: str = required("ISO 4217.")
    valid_from: date = required("The first day that it holds for, until the next one.")
    rate: str = required("How many units of `base` one unit of `currency` is: a decimal number, as 1.0825.")


@strawberry.input(description="Rates to enter. One of the same currencies and day is replaced.")
class SetExchangeRatesInput:
    rates: list[ExchangeRateInput] = required("1,000 at most.")


@payload
class SetExchangeRatesPayload:
    """What was entered."""

    count: int | None = strawberry.field(description="How many rates; null on failure.", default=None)


@mutation(permission="analytics.rates", everyone=True)
async def set_exchange_rates(tx: UnitOfWork, input: SetExchangeRatesInput) -> SetExchangeRatesPayload:
    """Enters rates that amounts are converted by. They hold at once, for the past too."""
    if not 1 <= len(input.rates) <= 1000:
        raise CrmError(ErrorCode.BAD_INPUT, f"{len(input.rates)} rates are not 1 to 1,000.", path=("rates",))
    rows = [_row(one, ("rates", place)) for place, one in enumerate(input.rates)]
    await tx.execute_many(
        "INSERT INTO analytics_rate (id, currency, base, valid_from, rate) VALUES (?, ?, ?, ?, ?)"
        " ON CONFLICT (currency, base, valid_from) DO UPDATE SET rate = excluded.rate",
        sorted(rows, key=lambda row: (row[1], row[2], row[3])),
    )
    return SetExchangeRatesPayload(count=len(rows))


def _row(one: ExchangeRateInput, path: Sequence[str | int]) -> tuple[str, str, str, date, str]:
    currency = currency_code(one.currency, path=(*path, "currency"))
    base = currency_code(one.base, path=(*path, "base"))
    if currency == base:
        raise CrmError(ErrorCode.BAD_INPUT, "A currency needs no rate to itself.", path=(*path, "base"))
    try:
        rate = Decimal(one.rate[: _LONGEST_RATE + 1])
    except InvalidOperation:
        rate = Decimal(0)
    if len(one.rate) > _LONGEST_RATE or not (rate.is_finite() and 1 / GREATEST_RATE <= rate <= GREATEST_RATE):
        raise CrmError(
            ErrorCode.BAD_INPUT,
            f"{one.rate[:40]!r} is no decimal number from 1E-12 to 1E+12.",
            path=(*path, "rate"),
            hint="Write it as 1.0825.",
        )
    return new_id(), currency, base, one.valid_from, str(rate)
