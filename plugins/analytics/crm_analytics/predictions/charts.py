"""Pictures of the models, as Vega-Lite specifications with their data."""

from collections.abc import Mapping, Sequence
from typing import Any

from crm_analytics.charts import SCHEMA, days

ACTUAL, EXPECTED = "bought", "expected by the model"


def curve(points: Sequence[Mapping[str, Any]], calibration_end: str) -> dict[str, Any]:
    """Repeat purchases altogether, week by week; the line tells where the back-test's second half begins."""
    values = [
        {"day": point["day"], "what": what, "purchases": round(float(point[key]), 1)}
        for point in points
        for key, what in (("actual", ACTUAL), ("expected", EXPECTED))
    ]
    return {
        "$schema": SCHEMA,
        "width": "container",
        "height": 260,
        "layer": [
            {
                "data": {"values": values},
                "mark": {"type": "line", "tooltip": True},
                "encoding": {
                    "x": days("day"),
                    "y": {
                        "field": "purchases",
                        "type": "quantitative",
                        "title": "repeat purchases altogether",
                    },
                    "color": {"field": "what", "type": "nominal", "title": None, "sort": [ACTUAL, EXPECTED]},
                },
            },
            {
                "data": {"values": [{"day": calibration_end}]},
                "mark": {"type": "rule", "strokeDash": [4, 4], "color": "#888"},
                "encoding": {"x": days("day")},
            },
        ],
    }


def frequencies(found: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """How many customers bought again so many times, beside what the model expects."""
    last = max((each["repeats"] for each in found), default=0)
    values = [
        {
            "repeats": f"{each['repeats']}+" if each["repeats"] == last else str(each["repeats"]),
            "what": what,
            "customers": round(float(each[key]), 1),
        }
        for each in found
        for key, what in (("actual", ACTUAL), ("expected", EXPECTED))
    ]
    return {
        "$schema": SCHEMA,
        "width": "container",
        "height": 260,
        "data": {"values": values},
        "mark": {"type": "bar", "tooltip": True},
        "encoding": {
            "x": {"field": "repeats", "type": "nominal", "title": "repeat purchases", "sort": None},
            "xOffset": {"field": "what", "sort": [ACTUAL, EXPECTED]},
            "y": {"field": "customers", "type": "quantitative"},
            "color": {"field": "what", "type": "nominal", "title": None, "sort": [ACTUAL, EXPECTED]},
        },
    }


def alive(counted: Sequence[tuple[float, int]]) -> dict[str, Any]:
    """How many customers are there with which probability: (lower end of a tenth, customers)."""
    return {
        "$schema": SCHEMA,
        "width": "container",
        "height": 260,
        "data": {"values": [{"from": start, "to": start + 0.1, "customers": n} for start, n in counted]},
        "mark": {"type": "bar", "tooltip": True},
        "encoding": {
            "x": {
                "field": "from",
                "bin": {"binned": True, "step": 0.1},
                "title": "probability that the customer still buys",
            },
            "x2": {"field": "to"},
            "y": {"field": "customers", "type": "quantitative"},
        },
    }
