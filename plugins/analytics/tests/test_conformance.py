from collections.abc import Mapping
from typing import ClassVar

from crm_framework.testing import PluginConformance


class TestConformance(PluginConformance):
    module = "crm_analytics"
    values: ClassVar[Mapping[str, object]] = {
        "analytics_daily.currency": "EUR",
        "analytics_revenue.currency": "EUR",
    }
    arguments: ClassVar[Mapping[str, str]] = {"Query.dailyRevenue": 'first: "2024-01-01", last: "2024-12-31"'}
