import json
from collections.abc import Mapping
from typing import ClassVar

from crm_framework.testing import PluginConformance

MODEL = json.dumps(
    {
        "days": 90,
        "value_days": 365,
        "discount": 0.1,
        "chiSquare": None,
        "correlation": None,
        "frequencies": [],
        "backTest": {"reason": "none"},
    }
)
WINDOW = 'window: {first: "2024-01-01", last: "2024-12-31"}'


class TestConformance(PluginConformance):
    module = "crm_analytics"
    values: ClassVar[Mapping[str, object]] = {
        f"analytics_{table}.currency": "EUR"
        for table in ("daily", "month", "revenue", "product", "customer", "sales", "goods", "rate")
    } | {
        "analytics_customer.zone": "UTC",
        "analytics_prediction.currency": "EUR",
        "analytics_model.currency": "EUR",
        "analytics_model.complete": True,
        "analytics_model.detail": MODEL,
    }
    arguments: ClassVar[Mapping[str, str]] = {
        "Query.dailyRevenue": 'first: "2024-01-01", last: "2024-12-31"',
        "Query.analytics": WINDOW,
    }
