from collections.abc import Mapping
from typing import ClassVar

from crm_framework.testing import PluginConformance


class TestConformance(PluginConformance):
    module = "crm_ticketing"
    values: ClassVar[Mapping[str, object]] = {"ticketing_ticket.category": "question"}
