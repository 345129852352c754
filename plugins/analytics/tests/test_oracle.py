"""An oracle that shares nothing with the plugin: plain Python over the raw rows of the core."""

import itertools
from collections import defaultdict
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import date, datetime
from statistics import median
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from crm_analytics.metrics.gaps import gaps
from crm_analytics.metrics.nps import nps
from crm_analytics.metrics.retention import Inactivity, kept_of
from crm_analytics.metrics.rfm import bounds
from crm_analytics.rollups import quintiles
from crm_analytics.rollups.counted import Sale, currencies_of, days_of, months_of, together
from crm_analytics.rollups.kept import as_day
from hypothesis import given, settings
from hypothesis import strategies as st

from crm_framework import decode_key, parse_time
from crm_framework.testing import CrmClient, deliver_events

from .random_company import Company

ZONES = ("UTC", "Asia/Kolkata", "America/New_York")
DAYS = st.dates(date(2023, 1, 1), date(2024, 12, 31))


@dataclass(frozen=True)
class Raw:
    customer: str
    day: date
    minor: int
    currency: str
    refund: bool
    channel: str | None


async def raw_of(client: CrmClient, zone: str, *, erased_too: bool = False) -> list[Raw]:
    """All purchases and refunds, of customers who are not erased."""
    fetch = client.service.database.fetch
    rows = await fetch(
        "SELECT id, customer_id, kind, occurred_at, total_minor, currency, channel, refund_of_id"
        " FROM crm_interaction"
    )
    erased = {
        str(row["id"]) for row in await fetch("SELECT id FROM crm_customer WHERE erased_at IS NOT NULL")
    }
    channels = {str(row["id"]): row["channel"] for row in rows}
    return [
        Raw(
            str(row["customer_id"]),
            parse_time(row["occurred_at"]).astimezone(ZoneInfo(zone)).date(),
            int(row["total_minor"]),
            row["currency"],
            row["kind"] == "refund",
            row["channel"] or channels.get(str(row["refund_of_id"])),
        )
        for row in rows
        if row["kind"] in ("purchase", "refund") and (erased_too or str(row["customer_id"]) not in erased)
    ]


ASK = """query ($window: WindowInput!, $all: CustomerFilter, $zone: String) {
  analytics(window: $window, filter: $all, timeZone: $zone) {
  timeZone coversFrom
  months: revenue(groupBy: {by: PERIOD, period: MONTH}) { unit value n groups { label value n } }
  days: revenue(groupBy: {by: PERIOD, period: DAY}) { unit groups { label value } }
  channels: revenue(groupBy: {by: CHANNEL}) { unit groups { label value } }
  retention(inactivity: {days: 2}) { numerator denominator }
  churn(inactivity: {days: 2}) { numerator denominator }
  gaps: retention(inactivity: {gaps: 1.5}) { numerator denominator }
  repeatPurchaseRate { numerator denominator }
  cohorts(periods: 1) { rows { month size periods { numerator } unbounded { numerator } } }
  rfm { currency customers cells { recency frequency monetary customers } }
} }"""

BY_TAG = """query ($all: CustomerFilter) {
  analytics(window: {first: "2024-03-01", last: "2024-03-31"}, filter: $all) {
    retention(inactivity: {months: 1}, groupBy: {by: TAG}) {
      numerator denominator groups { label numerator denominator } } } }"""


BY_SEGMENT = """query ($window: WindowInput!, $all: CustomerFilter, $segments: [ID!]!) {
  analytics(window: $window, filter: $all) {
    retentionBySegment(inactivity: {months: 1}, segments: $segments) {
      numerator denominator groups { label numerator denominator } } } }"""


@pytest.mark.parametrize(("seed", "zone"), list(enumerate(ZONES)))
async def test_metrics_are_those_of_the_oracle(
    open_client: Callable[..., Awaitable[CrmClient]], seed: int, zone: str
) -> None:
    client = await open_client("analytics", analytics={"time_zone": zone})
    await client.data("mutation { rebuildDailyFigures { customers } }")
    company = Company(client, seed)
    for _ in range(4):
        await company.join()
        await company.buy()
        await company.tag()
    for steps in (60, 30):
        await company.freeze(date(2024, 2, 29))
        async with client.service.database.unit_of_work() as tx:
            await quintiles.refresh(tx)  # so that those of everybody move from where they were
        for _ in range(steps):
            await company.step()
    await deliver_events(client)
    raw = await raw_of(client, zone)
    assert raw
    for first, last in ((date(2024, 2, 1), date(2024, 3, 31)), (date(2024, 3, 1), date(2024, 3, 2))):
        # a filter that everybody fits leads past the sums over all customers
        window = {"first": first.isoformat(), "last": last.isoformat()}
        filtered = (await client.data(ASK, window=window, all={"name": {"startsWith": "ada"}}))["analytics"]
        check(filtered, raw, first, last)
        check_rfm(filtered["rfm"], raw)
        assert filtered["timeZone"] == zone
        whole = (await client.data(ASK, window=window, all=None))["analytics"]
        for name in ("retention", "churn", "gaps", "repeatPurchaseRate", "cohorts", "rfm"):
            assert whole[name] == filtered[name]
        check_revenue(whole, await raw_of(client, zone, erased_too=True), first, last)
    await check_tags(client, raw)
    for other in {*ZONES, "Australia/Lord_Howe"} - {zone}:
        there, everything = await raw_of(client, other), await raw_of(client, other, erased_too=True)
        assert [one.day for one in there] != [one.day for one in raw]
        own = (await client.data(ASK, window=window, all={"name": {"startsWith": "ada"}}, zone=other))[
            "analytics"
        ]
        check(own, there, first, last)
        assert (own["timeZone"], own["rfm"]) == (other, whole["rfm"])  # that is of now
        all_ = (await client.data(ASK, window=window, zone=other))["analytics"]
        check_revenue(all_, everything, first, last)
        assert all_["coversFrom"] == min(one.day for one in everything).isoformat()
        for name in ("retention", "churn", "gaps", "repeatPurchaseRate", "cohorts"):
            assert all_[name] == own[name]
    for first, last in ((date(2024, 3, 1), date(2024, 4, 30)), (date(2024, 4, 1), date(2024, 4, 30))):
        await check_segments(company, raw, first, last)


async def check_tags(client: CrmClient, raw: list[Raw]) -> None:
    """Who bought in February and again in March, by the tags that they have."""
    february, march = ({one.customer for one in raw if not one.refund and one.day.month == m} for m in (2, 3))
    tags: dict[str, set[str]] = defaultdict(set)
    for row in await client.service.database.fetch("SELECT customer_id, tag FROM crm_customer_tag"):
        tags[row["tag"]].add(str(row["customer_id"]))
    wanted = {
        tag: (len(february & march & those), len(february & those))
        for tag, those in tags.items()
        if february & those
    }
    assert wanted
    for everybody in (None, {"name": {"startsWith": "ada"}}):
        found = (await client.data(BY_TAG, all=everybody))["analytics"]["retention"]
        assert parts(found) == (len(february & march), len(february))
        assert {group["label"]: parts(group) for group in found["groups"]} == wanted


async def check_segments(company: Company, raw: list[Raw], first: date, last: date) -> None:
    """Who bought in the month before and in the window, of those who belonged to segments when it began."""
    fetch = company.client.service.database.fetch
    before = date(first.year, first.month - 1, 1)
    bought = [one for one in raw if not one.refund]
    starting = {one.customer for one in bought if before <= one.day < first}
    kept = starting & {one.customer for one in bought if first <= one.day <= last}
    days = [
        (str(row["segment_id"]), as_day(row["day"]))
        for row in await fetch("SELECT segment_id, day FROM analytics_freeze")
    ]
    members: dict[tuple[str, date], set[str]] = defaultdict(set)
    for row in await fetch("SELECT segment_id, day, customer_id FROM analytics_membership"):
        members[str(row["segment_id"]), as_day(row["day"])].add(str(row["customer_id"]))
    wanted = {}
    for segment in company.segments:
        key = decode_key(segment, "Segment")
        own = members[key, max(day for frozen, day in days if frozen == key and day <= first)]
        wanted[segment] = (len(kept & own), len(starting & own))
    for everybody in (None, {"name": {"startsWith": "ada"}}):
        window = {"first": first.isoformat(), "last": last.isoformat()}
        found = await company.client.data(BY_SEGMENT, window=window, all=everybody, segments=company.segments)
        metric = found["analytics"]["retentionBySegment"]
        assert parts(metric) == (len(kept), len(starting))
        assert {group["label"]: parts(group) for group in metric["groups"]} == wanted


def check_revenue(found: Any, raw: list[Raw], first: date, last: date) -> None:
    within = [one for one in raw if first <= one.day <= last]
    revenue: dict[str, int] = defaultdict(int)
    by_month: dict[tuple[str, str], int] = defaultdict(int)
    by_day: dict[tuple[str, str], int] = defaultdict(int)
    by_channel: dict[tuple[str, str | None], int] = defaultdict(int)
    for one in within:
        revenue[one.currency] += one.minor
        by_month[one.currency, one.day.replace(day=1).isoformat()] += one.minor
        by_day[one.currency, one.day.isoformat()] += one.minor
        by_channel[one.currency, one.channel] += one.minor
    nothing = {"money": None}
    assert {one["unit"]: one["value"] for one in found["months"]} == (
        {currency: major(minor, currency) for currency, minor in revenue.items()} or nothing
    )
    for name, wanted in (("months", by_month), ("days", by_day), ("channels", by_channel)):
        got = {
            (one["unit"], group["label"]): group["value"]
            for one in found[name]
            for group in one["groups"]
            if (one["unit"], group["label"]) in wanted or group["value"]
        }
        assert got == {key: major(minor, key[0]) for key, minor in wanted.items()}


def check(found: Any, raw: list[Raw], first: date, last: date) -> None:
    check_revenue(found, raw, first, last)
    bought: dict[str, list[date]] = defaultdict(list)
    for one in raw:
        if not one.refund:
            bought[one.customer].append(one.day)
    starting = {
        customer for customer, days in bought.items() if any(0 < (first - day).days <= 2 for day in days)
    }
    kept = {customer for customer in starting if any(first <= day <= last for day in bought[customer])}
    assert parts(found["retention"]) == (len(kept), len(starting))
    assert parts(found["churn"]) == (len(starting) - len(kept), len(starting))
    buyers = {customer: sum(first <= day <= last for day in days) for customer, days in bought.items()}
    assert parts(found["repeatPurchaseRate"]) == (
        sum(number > 1 for number in buyers.values()),
        sum(number > 0 for number in buyers.values()),
    )
    active = set()
    for customer, days in bought.items():
        before = sorted({day for day in days if day < first})
        between = [(two - one).days for one, two in itertools.pairwise(before)]
        if between and (first - before[-1]).days <= 1.5 * median(between):
            active.add(customer)
    still = {customer for customer in active if any(first <= day <= last for day in bought[customer])}
    assert parts(found["gaps"]) == (len(still), len(active))
    check_cohorts(found["cohorts"]["rows"], bought, first, last)


def check_cohorts(rows: Any, bought: dict[str, list[date]], first: date, last: date) -> None:
    months = {customer: {day.replace(day=1) for day in days} for customer, days in bought.items()}
    wanted = []
    for month in sorted({min(own) for own in months.values()}):
        if not first.replace(day=1) <= month <= last:
            continue
        members = [own for own in months.values() if min(own) == month]
        after = month.replace(month=month.month + 1)
        wanted.append(
            (
                month.isoformat(),
                len(members),
                [len(members), sum(after in own for own in members)],
                [len(members), sum(max(own) >= after for own in members)],
            )
        )
    assert [
        (
            row["month"],
            row["size"],
            [cell["numerator"] for cell in row["periods"]],
            [cell["numerator"] for cell in row["unbounded"]],
        )
        for row in rows
    ] == wanted


def check_rfm(tables: Any, raw: list[Raw]) -> None:
    of: dict[str, list[Raw]] = defaultdict(list)
    for one in raw:
        of[one.customer].append(one)
    people: dict[str, list[tuple[date, int, int]]] = defaultdict(list)
    for own in of.values():
        purchases = [one for one in own if not one.refund]
        numbers: dict[str, int] = defaultdict(int)
        for one in purchases:
            numbers[one.currency] += 1
        main = min(numbers, key=lambda currency: (-numbers[currency], currency))
        people[main].append(
            (
                max(one.day for one in purchases),
                len(purchases),
                sum(one.minor for one in own if one.currency == main),
            )
        )
    for table in tables:
        everybody = people.pop(table["currency"])
        cells: dict[tuple[int, ...], int] = defaultdict(int)
        for own_numbers in everybody:
            scores = (score(own_numbers[place], [other[place] for other in everybody]) for place in range(3))
            cells[tuple(scores)] += 1
        assert {
            (cell["recency"], cell["frequency"], cell["monetary"]): cell["customers"]
            for cell in table["cells"]
        } == dict(cells)
    assert not people


def score(value: Any, everybody: list[Any]) -> int:
    worse = sum(other < value for other in everybody)
    return 1 + sum(1 for fifth in range(1, 5) if 5 * worse >= fifth * len(everybody))


def parts(metric: Any) -> tuple[float, float]:
    return metric["numerator"], metric["denominator"]


def major(minor: int, currency: str) -> float:
    return minor / (1 if currency == "JPY" else 100)


@settings(max_examples=200, deadline=None)
@given(st.lists(st.integers(-20, 20), min_size=1, max_size=60))
def test_scores_are_fifths_that_are_strictly_worse(values: list[int]) -> None:
    found = bounds(values)
    assert [found.score(value) for value in values] == [score(value, values) for value in values]


@settings(max_examples=200, deadline=None)
@given(st.lists(st.lists(DAYS, max_size=8), max_size=12), DAYS, st.integers(0, 90), st.integers(1, 300))
def test_retention_by_days(people: list[list[date]], first: date, length: int, days: int) -> None:
    last = date.fromordinal(first.toordinal() + length)
    starting = [own for own in people if any(0 < (first - day).days <= days for day in own)]
    kept = [own for own in starting if any(first <= day <= last for day in own)]
    found = kept_of([sorted(own) for own in people], first, last, Inactivity(days=days))
    assert (found.starting, found.kept) == (len(starting), len(kept))


@settings(max_examples=200, deadline=None)
@given(st.lists(DAYS, max_size=20))
def test_gaps_of_any_days(days: list[date]) -> None:
    found, known = gaps(days), sorted(set(days))
    if len(known) < 2:
        assert found is None
    else:
        assert found is not None
        assert found.mean == pytest.approx((known[-1] - known[0]).days / (len(known) - 1))
        between = [(two - one).days for one, two in itertools.pairwise(known)]
        assert found.median == median(between)
        assert 0 <= (found.expected - known[-1]).days - found.median < 1


@settings(max_examples=200, deadline=None)
@given(st.lists(st.integers(0, 10), max_size=50))
def test_nps_of_any_answers(scores: list[int]) -> None:
    found = nps((one, 1) for one in scores)
    if not scores:
        assert found.value is None
    else:
        promoters, detractors = sum(one > 8 for one in scores), sum(one < 7 for one in scores)
        assert found.value == pytest.approx(100 * (promoters - detractors) / len(scores))
        assert found.n == len(scores)


MOMENTS = st.datetimes(datetime(2024, 1, 1), datetime(2024, 12, 31), timezones=st.just(ZoneInfo("UTC")))
SALES = st.lists(
    st.builds(
        lambda at, minor, currency, channel, refund: Sale(
            at, channel, currency, -minor if refund else minor, refund
        ),
        MOMENTS,
        st.integers(0, 10_000),
        st.sampled_from(["EUR", "JPY"]),
        st.sampled_from(["", "web"]),
        st.booleans(),
    ),
    max_size=30,
)


@settings(max_examples=200, deadline=None)
@given(SALES, st.sampled_from(ZONES))
def test_days_months_and_currencies_add_up(sales: list[Sale], zone: str) -> None:
    days = days_of(sales, zone)
    months, currencies = months_of(days), currencies_of(days)
    for currency in ("EUR", "JPY"):
        own = [one for one in sales if one.currency == currency]
        bought = [one for one in own if not one.refund]
        sums = currencies.get(currency)
        if not own:
            assert sums is None
            continue
        assert sums is not None
        assert sums.purchases == len(bought)
        assert sums.purchased_minor - sums.refunded_minor == sum(one.minor for one in own)
        assert sums.purchase_days == len({one.at.astimezone(ZoneInfo(zone)).date() for one in bought})
        assert sum(one.purchases for (_, _, of), one in months.items() if of == currency) == len(bought)
    whole = together(days, currencies)
    assert whole.purchases == sum(not one.refund for one in sales)
    assert whole.first_at == min((one.at for one in sales if not one.refund), default=None)
