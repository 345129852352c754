"""Figures by the days of a zone that is not the company's."""

from datetime import UTC, date, datetime

import pytest
from crm_analytics.asking.zoned import offsets
from crm_analytics.rollups.rebuild import all_at_once
from crm_analytics.windows import day_in
from hypothesis import given, settings
from hypothesis import strategies as st

from crm_framework.testing import CrmClient, deliver_events

from .random_company import Company

FIRST, LAST = datetime(2009, 1, 1, tzinfo=UTC), datetime(2026, 1, 1, tzinfo=UTC)
ZONES = (
    *("America/New_York", "Asia/Kolkata", "Australia/Lord_Howe", "Europe/Berlin"),
    "Pacific/Apia",  # had no 30 December 2011
    "Africa/Casablanca",  # four times a year
)
MEASURED = "value numerator denominator n reason groups { label value n }"
SOLD = """rows { sku quantity revenue { amount currency } purchases buyers repeatBuyers repeatRate
  groups { label buyers } }"""
ASK = f"""query ($window: WindowInput!, $zone: String, $filter: CustomerFilter) {{
  analytics(window: $window, timeZone: $zone, filter: $filter) {{
    timeZone coversFrom
    months: revenue(groupBy: {{by: PERIOD, period: MONTH}}) {{ unit {MEASURED} previous {{ value }} }}
    weeks: revenue(groupBy: {{by: PERIOD, period: WEEK}}) {{ unit {MEASURED} }}
    tags: revenue(groupBy: {{by: TAG}}) {{ unit {MEASURED} }}
    retention(inactivity: {{months: 1}}, groupBy: {{by: TAG}}) {{ {MEASURED} }}
    byPeriod: retention(inactivity: {{months: 1}}, groupBy: {{by: PERIOD}}) {{ {MEASURED} }}
    churn(inactivity: {{days: 3}}) {{ {MEASURED} }}
    gaps: churn(inactivity: {{gaps: 1.5}}) {{ {MEASURED} }}
    repeatPurchaseRate(groupBy: {{by: CHANNEL}}) {{ {MEASURED} }}
    cohorts(periods: 2) {{ rows {{ month size periods {{ value n }} unbounded {{ value }} }} }}
    signUp: cohorts(basis: SIGN_UP, periods: 2) {{ rows {{ month size periods {{ n }} unbounded {{ n }} }} }}
    products {{ {SOLD} }}
    byMonth: products(groupBy: {{by: PERIOD}}) {{ {SOLD} }}
    productPattern {{ reason rows {{ sku }} }}
    rfm(asOf: "2024-03-04") {{ currency customers cells {{ recency frequency monetary customers }} }}
    clvHistoric(asOf: "2024-03-04") {{ value n }}
    purchasePattern(asOf: "2024-03-04") {{ medianGap {{ value n }} meanGap {{ value }} }}
    forecast(currency: "EUR") {{ reason }}
  }} }}"""


@settings(deadline=None)
@given(
    st.datetimes(datetime(2009, 1, 1), datetime(2025, 12, 31), timezones=st.just(UTC)), st.sampled_from(ZONES)
)
def test_clocks_are_put_as_the_zone_puts_them(moment: datetime, zone: str) -> None:
    begun, changes = offsets(zone, FIRST, LAST)
    for near in (moment, *(at for at, _ in changes if abs((at - moment).days) < 200)):
        seconds = next((seconds for at, seconds in reversed(changes) if near >= at), begun)
        assert datetime.fromtimestamp(near.timestamp() + seconds, UTC).date() == day_in(near, zone)


@pytest.mark.parametrize("zone", ["Australia/Lord_Howe", "America/New_York"])
async def test_metrics_are_those_of_a_company_in_the_zone(client: CrmClient, zone: str) -> None:
    company = Company(client, 11)
    for _ in range(60):
        await company.step()
    await deliver_events(client)
    questions = [
        {"window": {"first": first.isoformat(), "last": last.isoformat()}, "filter": filter}
        for first, last in ((date(2024, 3, 1), date(2024, 3, 31)), (date(2024, 2, 29), date(2024, 3, 2)))
        for filter in (None, {"name": {"startsWith": "ada"}})
    ]
    utc = [(await client.data(ASK, **question))["analytics"] for question in questions]
    there = [(await client.data(ASK, zone=zone, **question))["analytics"] for question in questions]
    async with client.service.database.unit_of_work() as tx:
        await all_at_once(tx, zone)
    wanted = [(await client.data(ASK, **question))["analytics"] for question in questions]
    for found, one in zip(there, wanted, strict=True):
        assert found == one
    assert there != utc
