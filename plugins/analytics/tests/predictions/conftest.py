"""The CDNOW sample of Fader and Hardie (brucehardie.com): 2,357 customers, from 1997-01-01 to 1998-06-30.

The paper calibrates to 1997-09-30. Purchases of one day count as one.
"""

import csv
from array import array
from collections import defaultdict
from collections.abc import Awaitable, Callable, Sequence
from datetime import date
from pathlib import Path

import pytest
from crm_analytics.predictions.histories import History

from crm_framework.testing import CrmClient

FILE = Path(__file__).resolve().parents[4] / "tests" / "data" / "cdnow.csv"


@pytest.fixture(scope="session")
def cdnow() -> Sequence[tuple[str, date, int]]:
    """Customer, day and cents of each purchase."""
    with FILE.open() as file:
        return [
            (row["customer"], date.fromisoformat(row["date"]), round(float(row["dollars"]) * 100))
            for row in csv.DictReader(file)
        ]


@pytest.fixture(scope="session")
def histories(cdnow: Sequence[tuple[str, date, int]]) -> Sequence[History]:
    days: dict[str, dict[int, int]] = defaultdict(lambda: defaultdict(int))
    for customer, day, cents in cdnow:
        days[customer][day.toordinal()] += cents
    return [
        History(customer, array("l", sorted(values)), array("q", [values[day] for day in sorted(values)]))
        for customer, values in days.items()
    ]


@pytest.fixture
async def client(open_client: Callable[..., Awaitable[CrmClient]], crm_plugins: tuple[str, ...]) -> CrmClient:
    """Models are fitted to the purchases themselves: nothing need be counted."""
    return await open_client(*crm_plugins)
