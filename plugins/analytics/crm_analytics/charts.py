"""Pictures of metrics, as Vega-Lite specifications with the data inline: they render as they are."""

from collections.abc import Mapping, Sequence
from typing import Any

import strawberry

SCHEMA = "https://vega.github.io/schema/vega-lite/v5.json"

JSON = strawberry.scalars.JSON
Rows = Sequence[Mapping[str, Any]]


def bars(
    title: str,
    rows: Rows,
    unit: str,
    *,
    label: str = "label",
    value: str = "value",
    panel: str | None = None,
) -> JSON:
    """A bar for each row, in the order of the rows. Each `panel`, such as a currency, has its own scale."""
    return _chart(
        title,
        rows,
        {"type": "bar", "tooltip": True},
        {
            "y": {"field": label, "type": "nominal", "sort": None, "title": None},
            "x": {"field": value, "type": "quantitative", "title": unit},
            **_panels(panel),
        },
        apart=("x", "y") if panel else (),
    )


def line(title: str, rows: Rows, unit: str, *, time: str = "label", value: str = "value") -> JSON:
    """A line over days. Where there is no value, it is broken."""
    return _chart(
        title,
        rows,
        {"type": "line", "point": True, "tooltip": True},
        {
            "x": days(time),
            "y": {"field": value, "type": "quantitative", "title": unit},
        },
    )


def lines(
    title: str, rows: Rows, unit: str, *, time: str, value: str, each: str, panel: str | None = None
) -> JSON:
    """A line over days for each `each`. Each `panel`, such as a currency, has its own scale."""
    return _chart(
        title,
        rows,
        {"type": "line", "point": True, "tooltip": True},
        {
            "x": days(time),
            "y": {"field": value, "type": "quantitative", "title": unit},
            "color": {"field": each, "type": "nominal", "title": None, "sort": None},
            **_panels(panel),
        },
        apart=("y",) if panel else (),
    )


def days(field: str, unit: str = "day") -> dict[str, Any]:
    """The encoding of days, or of months, as the company's calendar has them. A browser takes them for
    midnight in UTC, and west of there it would show the day before: of the first of a month the wrong month.
    """
    return {
        "field": field,
        "type": "temporal",
        "timeUnit": {"day": "utcyearmonthdate", "month": "utcyearmonth"}[unit],
        "scale": {"type": "utc"},
        "title": unit,
        "axis": {"title": None},
    }


def matrix(title: str, rows: Rows, unit: str, *, x: str, y: str, value: str = "value") -> JSON:
    """A cell for each row, the darker the more."""
    return _chart(
        title,
        rows,
        {"type": "rect", "tooltip": True},
        {
            "x": {"field": x, "type": "ordinal"},
            "y": {"field": y, "type": "ordinal"},
            "color": {"field": value, "type": "quantitative", "title": unit},
        },
    )


def _panels(field: str | None) -> dict[str, Any]:
    return {} if field is None else {"row": {"field": field, "type": "nominal", "title": None}}


def _chart(
    title: str,
    rows: Rows,
    mark: Mapping[str, Any],
    encoding: Mapping[str, Any],
    *,
    apart: Sequence[str] = (),
) -> JSON:
    """`apart` are the channels of which each panel has its own scale."""
    resolved = {"resolve": {"scale": dict.fromkeys(apart, "independent")}} if apart else {}
    return JSON(
        {
            "$schema": SCHEMA,
            "title": title,
            "data": {"values": [dict(row) for row in rows]},
            "mark": dict(mark),
            "encoding": dict(encoding),
            **resolved,
        }
    )
