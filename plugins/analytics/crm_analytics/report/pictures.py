"""What is on the page: the pictures that a manager asks for, from the kept figures."""

import json
from collections.abc import Sequence
from datetime import date, datetime
from typing import Any

from crm_analytics import charts
from crm_analytics.asking.members import filter_members
from crm_analytics.asking.money import digits_of
from crm_analytics.forecast.revenue import Method, forecast
from crm_analytics.metrics.nps import nps
from crm_analytics.metrics.products import labels
from crm_analytics.predictions import charts as models
from crm_analytics.predictions import store
from crm_analytics.rollups.kept import as_day
from crm_analytics.settings import AnalyticsSettings
from crm_analytics.windows import month_of, months_between, months_later
from crm_framework import Money, Reader

from .page import Figure, Picture, Table, page

BACK = 36
"""Months that are shown."""
AHEAD = 6
PROBABILITY = 0.8
COHORTS = 12

Months = dict[date, int]


async def report(reader: Reader, settings: AnalyticsSettings, at: datetime, title: str) -> str:
    """The page, of the figures as they are."""
    this_month = month_of(at.date())
    begin = months_later(this_month, -BACK)
    currencies = await _revenue(reader, begin)
    figures: list[Figure] = []
    parts: list[Picture | Table] = []
    for currency, sums in currencies.items():
        figures.append(_last_year(currency, sums, this_month))
        parts.append(_revenue_picture(currency, sums, this_month))
    figures.append(await _customers(reader))
    by_month = await _answers(reader, begin)
    figures.append(_nps_figure(by_month, months_later(this_month, -12)))
    parts += [
        await _cohorts(reader, months_later(this_month, -COHORTS)),
        await _segments(reader, settings),
        _nps_picture(by_month),
        await _products(reader, months_later(this_month, -12)),
        *await _models(reader),
        await _rules(reader),
    ]
    return page(title, at, figures, parts)


async def _revenue(reader: Reader, begin: date) -> dict[str, Months]:
    """Currency → month → revenue in minor units; the currency of most revenue first."""
    rows = await reader.fetch(
        "SELECT day, currency, SUM(revenue_minor) AS minor FROM analytics_sales WHERE day >= ?"
        " GROUP BY day, currency",
        [begin],
    )
    found: dict[str, Months] = {}
    for row in rows:
        sums = found.setdefault(row["currency"], {})
        month = month_of(as_day(row["day"]))
        sums[month] = sums.get(month, 0) + int(row["minor"])
    return dict(sorted(found.items(), key=lambda each: (-sum(each[1].values()), each[0])))


def _last_year(currency: str, sums: Months, this_month: date) -> Figure:
    year, before = months_later(this_month, -12), months_later(this_month, -24)
    now = sum(minor for month, minor in sums.items() if year <= month < this_month)
    then = sum(minor for month, minor in sums.items() if before <= month < year)
    change = f"{100 * (now - then) / then:+.1f} % against the year before" if then > 0 else ""
    return Figure("Revenue of the last 12 whole months", f"{_shown(now, currency)}", change)


def _shown(minor: int, currency: str) -> str:
    return f"{Money.of(minor, currency).amount:,} {currency}"


def _revenue_picture(currency: str, sums: Months, this_month: date) -> Picture:
    title = f"Revenue by month, {currency}"
    first = min(sums)
    whole = [months_later(first, ahead) for ahead in range(months_between(first, this_month))]
    unit = 10 ** digits_of(currency)
    series = [sums.get(month, 0) / unit for month in whole]
    rows: list[dict[str, Any]] = [
        {"month": month.isoformat(), "what": "known", "revenue": value}
        for month, value in zip(whole, series, strict=True)
    ]
    found = forecast(series, AHEAD, PROBABILITY)
    if isinstance(found, str):
        return Picture(title, f"Purchases less refunds. No forecast: {found}", _bars(rows, [], currency))
    band = []
    for ahead, one in enumerate(found.months):
        month = months_later(this_month, ahead).isoformat()
        rows.append({"month": month, "what": "expected", "revenue": round(one.value, 2)})
        band.append({"month": month, "low": round(one.low, 2), "high": round(one.high, 2)})
    method = "Holt-Winters" if found.method is Method.HOLT_WINTERS else "seasonal naive"
    share = f" ({100 * found.share:.0f} % of a month)" if found.share is not None else ""
    note = (
        f"Purchases less refunds. Expected by the {method} method, between the marks with a probability of"
        f" {PROBABILITY:.0%}; its mean error in the back-test is"
        f" {found.errors[found.method]:,.0f} {currency}{share}."
    )
    return Picture(title, note, _bars(rows, band, currency))


def _bars(rows: list[dict[str, Any]], band: list[dict[str, Any]], currency: str) -> dict[str, Any]:
    time = charts.days("month", "month")
    return {
        "$schema": charts.SCHEMA,
        "width": "container",
        "height": 260,
        "layer": [
            {
                "data": {"values": rows},
                "mark": {"type": "bar", "tooltip": True},
                "encoding": {
                    "x": time,
                    "y": {"field": "revenue", "type": "quantitative", "title": currency},
                    "color": {
                        "field": "what",
                        "type": "nominal",
                        "title": None,
                        "sort": ["known", "expected"],
                    },
                },
            },
            {
                "data": {"values": band},
                "mark": {"type": "rule", "strokeWidth": 2, "color": "#333"},
                "encoding": {
                    "x": time,
                    "y": {"field": "low", "type": "quantitative"},
                    "y2": {"field": "high"},
                },
            },
        ],
    }


async def _customers(reader: Reader) -> Figure:
    [row] = await reader.fetch(
        "SELECT COUNT(*) AS n, SUM(CASE WHEN purchase_days > 1 THEN 1 ELSE 0 END) AS again"
        " FROM analytics_customer WHERE purchases > 0"
    )
    share = f"{100 * int(row['again'] or 0) / row['n']:.1f} % on more than one day" if row["n"] else ""
    return Figure("Customers who bought", f"{row['n']:,}", share)


async def _answers(reader: Reader, begin: date) -> dict[date, list[tuple[int, int]]]:
    """Month (UTC) → (score, how many such answers) to the question on recommending."""
    month = {
        "sqlite": "SUBSTR(answered_at, 1, 7)",
        "postgres": "TO_CHAR(answered_at AT TIME ZONE 'UTC', 'YYYY-MM')",
    }[reader.dialect]
    rows = await reader.fetch(
        f"SELECT {month} AS month, score, COUNT(*) AS n FROM analytics_answer WHERE question = 'nps'"
        " GROUP BY 1, 2 ORDER BY 1, 2"
    )
    found: dict[date, list[tuple[int, int]]] = {}
    for row in rows:
        day = date.fromisoformat(f"{row['month']}-01")
        if day >= begin:
            found.setdefault(day, []).append((row["score"], row["n"]))
    return found


def _nps_figure(by_month: dict[date, list[tuple[int, int]]], since: date) -> Figure:
    measured = nps([one for month, answers in by_month.items() if month >= since for one in answers])
    value = "–" if measured.value is None else f"{measured.value:.0f}"
    return Figure("NPS since a year", value, f"{measured.n:,} answers")


def _nps_picture(by_month: dict[date, list[tuple[int, int]]]) -> Picture:
    rows = [{"label": month.isoformat(), "value": nps(answers).value} for month, answers in by_month.items()]
    note = "100 times promoters (9, 10) less detractors (0 to 6), of all answers of the month."
    if not rows:
        return Picture("NPS by month", "Nobody has answered the question on recommending.", None)
    return Picture("NPS by month", note, _wide(charts.line("", rows, "points")))


async def _cohorts(reader: Reader, begin: date) -> Picture:
    rows = await reader.fetch(
        "SELECT cohort, month, SUM(customers) AS n FROM analytics_cohort WHERE basis = 'purchase'"
        " AND cohort >= ? GROUP BY cohort, month ORDER BY cohort, month",
        [begin],
    )
    counted = {(as_day(row["cohort"]), as_day(row["month"])): int(row["n"]) for row in rows}
    cells = [
        {
            "cohort": cohort.isoformat()[:7],
            "month": months_between(cohort, month),
            "value": round(100 * n / counted[cohort, cohort], 1),
        }
        for (cohort, month), n in counted.items()
        if counted.get((cohort, cohort)) and month > cohort
    ]
    if not cells:
        return Picture("Cohorts", "Nobody has bought again in a later month.", None)
    note = "Of the customers whose first purchase was in a month, how many bought n months later, in percent."
    return Picture("Cohorts", note, _wide(charts.matrix("", cells, "%", x="month", y="cohort")))


async def _segments(reader: Reader, settings: AnalyticsSettings) -> Picture:
    segment = next(member for member in filter_members(settings) if member.name == "rfmSegment")
    rows = await reader.fetch(
        f"SELECT segment AS label, COUNT(*) AS value FROM (SELECT {segment.sql} AS segment"
        " FROM crm_customer AS t) AS s WHERE segment IS NOT NULL GROUP BY segment ORDER BY 2 DESC, 1"
    )
    if not rows:
        return Picture("Customers by RFM segment", "Nobody is scored yet.", None)
    shown = [{"label": row["label"], "value": row["value"]} for row in rows]
    note = "By quintiles of how lately, how often and for how much they buy."
    return Picture("Customers by RFM segment", note, _wide(charts.bars("", shown, "customers")))


async def _products(reader: Reader, begin: date) -> Table:
    rows = await reader.fetch(
        "SELECT s.*, (SELECT MAX(l.name) FROM crm_purchase_line AS l WHERE l.sku = s.sku) AS name FROM ("
        "SELECT g.sku, g.currency, SUM(g.quantity) AS quantity, SUM(g.amount_minor) AS minor,"
        " ROW_NUMBER() OVER (PARTITION BY g.currency ORDER BY SUM(g.amount_minor) DESC, g.sku) AS place"
        " FROM analytics_goods AS g WHERE g.month >= ? GROUP BY g.sku, g.currency) AS s"
        " ORDER BY place, currency LIMIT 10",
        [begin],
    )
    called = labels((row["sku"], row["name"]) for row in rows)
    return Table(
        "Products of the last 12 months",
        "By what their lines add to the totals in each currency, before refunds."
        if rows
        else "No purchase has lines.",
        ("Product", "Sold", "Amount"),
        [
            (
                called[row["sku"]],
                f"{int(row['quantity']):,}",
                _shown(int(row["minor"]), row["currency"]),
            )
            for row in rows
        ],
        numbers=(1, 2),
    )


async def _models(reader: Reader) -> list[Picture]:
    found: list[Picture] = []
    for currency, row in (await store.current(reader)).items():
        detail = json.loads(row["detail"])
        if row["r"] is None:
            found.append(Picture(f"Predictions, {currency}", row["reason"], None))
            continue
        test = detail["backTest"]
        if "reason" in test:
            found.append(Picture(f"Back-test of the predictions, {currency}", test["reason"], None))
        else:
            note = (
                f"A model of the purchases to {test['calibrationEnd']} expects {test['expected']:,.0f} more"
                f" of the same customers until {test['holdOutEnd']}; they made {test['actual']:,}."
            )
            spec = models.curve(test["curve"], test["calibrationEnd"])
            found.append(Picture(f"Back-test of the predictions, {currency}", note, spec))
        found.append(await _alive(reader, currency))
    return found


async def _alive(reader: Reader, currency: str) -> Picture:
    rows = await reader.fetch(
        "SELECT CASE WHEN probability_alive >= 0.9 THEN 9 ELSE FLOOR(probability_alive * 10) END AS tenth,"
        " COUNT(*) AS n FROM analytics_prediction WHERE currency = ? GROUP BY 1 ORDER BY 1"
        if reader.dialect == "postgres"
        else "SELECT MIN(9, CAST(probability_alive * 10 AS INTEGER)) AS tenth, COUNT(*) AS n"
        " FROM analytics_prediction WHERE currency = ? GROUP BY 1 ORDER BY 1",
        [currency],
    )
    counted: Sequence[tuple[float, int]] = [(int(row["tenth"]) / 10, row["n"]) for row in rows]
    note = (
        "By BG/NBD. Who bought once counts as there: in this model customers leave after a repeat purchase."
    )
    return Picture(f"Who still buys, {currency}", note, models.alive(counted))


async def _rules(reader: Reader) -> Table:
    rows = await reader.fetch(
        "SELECT * FROM analytics_rule ORDER BY lift * with_both DESC, antecedent, consequent LIMIT 10"
    )
    called = labels((row[side], row[f"{side}_name"]) for row in rows for side in ("antecedent", "consequent"))
    return Table(
        "Bought together",
        "Who has the one in the basket has the other so often; lift is against chance."
        if rows
        else "No products are bought together often enough.",
        ("Product", "With", "Of the baskets", "Lift"),
        [
            (
                called[row["antecedent"]],
                called[row["consequent"]],
                f"{100 * row['confidence']:.0f} %",
                f"{row['lift']:.1f}",
            )
            for row in rows
        ],
        numbers=(2, 3),
    )


def _wide(spec: Any) -> dict[str, Any]:
    """The same picture, as wide as its place."""
    return {**{name: value for name, value in spec.items() if name != "title"}, "width": "container"}
