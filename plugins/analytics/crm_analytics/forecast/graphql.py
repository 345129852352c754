"""`analytics { forecast }`: revenue of the months to come, from that of the months known."""

import asyncio
from dataclasses import replace
from datetime import date, timedelta
from typing import Annotated, Any

import strawberry
from strawberry import Info

from crm_analytics.asking.analytics import Analytics
from crm_analytics.asking.money import digits_of
from crm_analytics.asking.question import Dimension, Grouping, Question
from crm_analytics.asking.revenue import sums_of
from crm_analytics.charts import SCHEMA, days
from crm_analytics.tables import as_csv
from crm_analytics.windows import Period, Window, month_of, months_between, months_later
from crm_framework import Batch, CrmError, ErrorCode, Money, batch, computed, currency_code, describe

from .revenue import DEFINITION, FARTHEST, Forecast, Method, forecast

JSON = strawberry.scalars.JSON
LONGEST = 120
"""Months that are looked back on at most."""

NEXT_TO_NOTHING = "next to nothing was to be foretold in the back-test"

describe(
    Method,
    "How a series is carried on (Hyndman and Athanasopoulos, Forecasting: Principles and Practice).",
    SEASONAL_NAIVE="What was a year ago comes again.",
    HOLT_WINTERS="Level, trend and, where two years are known, season, each smoothed.",
)


@strawberry.type(description="Revenue of one month, known or expected.")
class ForecastMonth:
    month: date = strawberry.field(description="Its first day.")
    revenue: Money = strawberry.field(description="Purchases less refunds, as they were or are expected.")
    low: Money | None = strawberry.field(description="Where the interval begins; null of a month known.")
    high: Money | None = strawberry.field(description="Where it ends.")


@strawberry.type(description="What revenue is to be expected in one currency.")
class RevenueForecast:
    name: str = strawberry.field(description="What it is called.")
    definition: str = strawberry.field(description="What it means.")
    definition_version: int = strawberry.field(description="Grows when the definition changes.")
    currency: str = strawberry.field(description="ISO 4217.")
    method: Method | None = strawberry.field(description="The one that erred less in the back-test.")
    probability: float = strawberry.field(description="That of each month's interval, from 0 to 1.")
    error: Money | None = strawberry.field(description="Mean absolute error of a month in the back-test.")
    error_percent: float | None = strawberry.field(
        description="The same, in percent of the mean that was to be foretold; null where that was next to"
        " nothing."
    )
    error_percent_reason: str | None = strawberry.field(description="Why the error is not told in percent.")
    other_error: Money | None = strawberry.field(description="The error of the method that was not taken.")
    compared: int = strawberry.field(description="How many months were foretold in the back-test.")
    reason: str | None = strawberry.field(description="Why nothing is expected.")
    known: list[ForecastMonth] = strawberry.field(description="The whole months before.")
    expected: list[ForecastMonth] = strawberry.field(description="The months that follow.")

    @computed()
    @staticmethod
    def chart(currency: str, known: list[ForecastMonth], expected: list[ForecastMonth]) -> JSON:
        """A Vega-Lite specification (version 5) with the data inline, that renders as it is."""
        rows: list[dict[str, Any]] = [
            {"month": one.month.isoformat(), "what": what, "revenue": float(one.revenue.amount)}
            for what, months in (("known", known), ("expected", expected))
            for one in months
        ]
        band = [
            {"month": one.month.isoformat(), "low": float(one.low.amount), "high": float(one.high.amount)}
            for one in expected
            if one.low is not None and one.high is not None
        ]
        time = days("month", "month")
        return JSON(
            {
                "$schema": SCHEMA,
                "title": "revenue forecast",
                "layer": [
                    {
                        "data": {"values": band},
                        "mark": {"type": "area", "opacity": 0.25},
                        "encoding": {
                            "x": time,
                            "y": {"field": "low", "type": "quantitative", "title": currency},
                            "y2": {"field": "high"},
                        },
                    },
                    {
                        "data": {"values": rows},
                        "mark": {"type": "line", "point": True, "tooltip": True},
                        "encoding": {
                            "x": time,
                            "y": {"field": "revenue", "type": "quantitative"},
                            "color": {"field": "what", "type": "nominal", "title": None, "sort": None},
                        },
                    },
                ],
            }
        )

    @computed()
    @staticmethod
    def csv(known: list[ForecastMonth], expected: list[ForecastMonth]) -> str:
        """The months as CSV."""
        return as_csv(
            ("month", "revenue", "low", "high"),
            [
                (one.month, one.revenue.amount, one.low and one.low.amount, one.high and one.high.amount)
                for one in (*known, *expected)
            ],
        )


Currency = Annotated[str, strawberry.argument(description="ISO 4217.")]
Months = Annotated[int, strawberry.argument(description=f"How many months ahead; {FARTHEST} at most.")]
Probability = Annotated[
    float, strawberry.argument(description="With which a month lies within its interval, 0.5 to 0.99.")
]


@batch(needs=("asked",), name="forecast")
async def forecast_field(
    each: Batch[Analytics],
    info: Info,
    currency: Currency,
    months: Months = 6,
    probability: Probability = 0.8,
) -> list[RevenueForecast]:
    """Revenue of the months that follow the last whole one of the window, from all whole months up to it."""
    if not 1 <= months <= FARTHEST:
        raise CrmError(ErrorCode.BAD_INPUT, f"{months} months are not 1 to {FARTHEST}.", path=("months",))
    if not 0.5 <= probability <= 0.99:
        raise CrmError(ErrorCode.BAD_INPUT, f"{probability} is not from 0.5 to 0.99.", path=("probability",))
    code = currency_code(currency, path=("currency",))
    return [await _forecast(asked, code, months, probability) for asked in each.column("asked")]


async def _forecast(asked: Question, currency: str, months: int, probability: float) -> RevenueForecast:
    asked.not_converted("forecast")
    digits = digits_of(currency)
    series = {} if asked.undefined else await _series(asked, currency)
    # it tries some hundred weights: nobody else waits for that
    found: Forecast | str
    if asked.undefined:
        found = asked.undefined
    else:
        values = [value / 10**digits for value in series.values()]
        found = await asyncio.to_thread(forecast, values, months, probability)
    known = [
        ForecastMonth(month=month, revenue=Money.of(minor, currency), low=None, high=None)
        for month, minor in series.items()
    ]

    def money(value: float) -> Money:
        return Money.of(round(value * 10**digits), currency)

    if isinstance(found, str):
        return RevenueForecast(
            name=DEFINITION.name,
            definition=DEFINITION.text,
            definition_version=DEFINITION.version,
            currency=currency,
            method=None,
            probability=probability,
            error=None,
            error_percent=None,
            error_percent_reason=found,
            other_error=None,
            compared=0,
            reason=found,
            known=known,
            expected=[],
        )
    other = next(error for method, error in found.errors.items() if method is not found.method)
    start = months_later(max(series), 1)
    return RevenueForecast(
        name=DEFINITION.name,
        definition=DEFINITION.text,
        definition_version=DEFINITION.version,
        currency=currency,
        method=found.method,
        probability=probability,
        error=money(found.errors[found.method]),
        error_percent=None if found.share is None else 100 * found.share,
        error_percent_reason=NEXT_TO_NOTHING if found.share is None else None,
        other_error=money(other),
        compared=found.compared,
        reason=None,
        known=known,
        expected=[
            ForecastMonth(
                month=months_later(start, ahead),
                revenue=money(one.value),
                low=money(one.low),
                high=money(one.high),
            )
            for ahead, one in enumerate(found.months)
        ],
    )


async def _series(asked: Question, currency: str) -> dict[date, int]:
    """First day of each whole month up to the window's end → revenue in minor units; without gaps."""
    end = month_of(min(asked.window.end, asked.today))
    begin = months_later(end, -LONGEST)
    if begin >= end:
        return {}
    whole = replace(asked, window=Window(begin, end - timedelta(days=1)))
    sums: dict[date, int] = {}
    for month, one in await sums_of(whole, Grouping(Dimension.PERIOD, Period.MONTH)):
        if one.currency == currency:
            sums[month_of(month)] = sums.get(month_of(month), 0) + one.minor
    if not sums:
        return {}
    first = min(sums)
    return {
        month: sums.get(month, 0)
        for month in (months_later(first, ahead) for ahead in range(months_between(first, end)))
    }
