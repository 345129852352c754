from collections.abc import Mapping
from typing import ClassVar

from crm_framework.testing import PluginConformance

WINDOW = 'window: {first: "2024-01-01", last: "2024-12-31"}'


class TestConformance(PluginConformance):
    module = "crm_analytics"
    values: ClassVar[Mapping[str, object]] = {
        f"analytics_{table}.currency": "EUR"
        for table in ("daily", "month", "revenue", "product", "customer", "sales", "goods", "rate")
    } | {"analytics_customer.zone": "UTC"}
    arguments: ClassVar[Mapping[str, str]] = {
        "Query.dailyRevenue": 'first: "2024-01-01", last: "2024-12-31"',
        "Query.analytics": WINDOW,
    }
