"""Groups that are filters: whom they select, and what is counted of them."""

from itertools import combinations
from typing import Any

from crm_analytics.asking.members import beside_figures, customers, filter_members
from crm_analytics.rollups import quintiles
from crm_analytics.settings import AnalyticsSettings

from crm_framework import Fragment

from .shop import Shop, people

FILTERS: dict[str, dict[str, Any]] = {
    "none": {"purchases": {"gt": 99}},
    "many": {"purchases": {"gte": 3}},
    "late": {"lastPurchaseOn": {"gte": "2024-01-09"}},
    "euro": {"mainCurrency": {"eq": "EUR"}},
    "rich": {"clvMinor": {"gte": 2000}},
    "slow": {"purchaseGapDays": {"gt": "50"}},
    "soon": {"nextPurchaseExpected": {"lt": "2024-06-01"}},
    "seen": {"lastUnhappyAt": {"isNull": True}},
    "fresh": {"rfmRecency": {"gte": 3}},
    "often": {"rfmFrequency": {"lte": 2}},
    "spent": {"rfmMonetary": {"in": [1, 5]}},
    "best": {"rfmSegment": {"in": ["champion", "loyal", "potential loyalist"]}},
    "unscored": {"rfmSegment": {"isNull": True}},
    "weaker": {"not": {"rfmSegment": {"startsWith": "c"}}},
    "rest": {"or": [{"purchases": {"isNull": True}}, {"not": {"purchases": {"gte": 1}}}]},
}


async def company(shop: Shop) -> dict[str, str]:
    """Ada to Eve, and Flo, in whose currency nobody is scored yet."""
    keys = await people(shop)
    async with shop.client.service.database.unit_of_work() as tx:
        await quintiles.refresh(tx)
    keys["Flo"] = await shop.customer("Flo")
    for day in ("2023-12-24", "2024-01-02"):
        await shop.buy(keys["Flo"], day, currency="USD")
    await shop.tag(keys["Ada"], "vip")
    await shop.tag(keys["Flo"], "vip")
    return keys


async def test_figures_that_are_joined_are_those_that_are_looked_up(shop: Shop) -> None:
    await company(shop)
    database = shop.client.service.database
    settings = AnalyticsSettings(cost_currency="EUR", acquisition_cost_minor=100, ticket_cost_minor=10)
    different = set()
    for member in filter_members(settings):
        if member.sql is None:
            continue
        alone = Fragment(member.sql)
        beside = beside_figures(alone, settings)
        assert "SELECT" not in beside.sql
        found, joined = [
            {
                str(row["id"]): row["value"]
                for row in await database.fetch(f"SELECT t.id, {one.sql} AS value FROM {rows}")
            }
            for rows, one in (("crm_customer AS t", alone), (customers([beside]), beside))
        ]
        assert joined == found, member.name
        assert len(found) == 6
        different.add(tuple(found.values()))
    assert len(different) > 8


async def test_retention_of_overlapping_filters_is_that_of_the_customers_whom_they_select(shop: Shop) -> None:
    """Of months from a row a customer, of days from the days; however many filters, as many statements."""
    keys = await company(shop)
    filters = {**FILTERS, "vip": {"tags": {"any": ["vip"]}}, "same": {"name": {"in": ["Ada", "Ben"]}}}
    groups = [{"name": name, "filter": given} for name, given in filters.items()]
    listed = await shop.client.data(
        "query (" + ", ".join(f"${name}: CustomerFilter" for name in filters) + ") {"
        + " ".join(f"{name}: customers(filter: ${name}) {{ nodes {{ name }} }}" for name in filters) + "}",
        **filters,
    )  # fmt: skip
    members = {name: {node["name"] for node in listed[name]["nodes"]} for name in filters}
    overlapping = [one for one, other in combinations(members.values(), 2) if one & other and one - other]
    assert len(overlapping) > 5
    starting, kept = {"Ada", "Ben", "Flo"}, {"Ada", "Flo"}  # see `people`; Cy had lapsed
    ask = """query ($window: WindowInput!, $groups: [NamedFilterInput!], $all: CustomerFilter) {
      analytics(window: $window, filter: $all) {
        retention(groupBy: {by: FILTER, filters: $groups}) {
          numerator denominator groups { label numerator denominator } } } }"""
    for last in ("2024-01-31", "2024-01-30"):
        for everyone in (set(keys), {"Ada", "Cy", "Flo"}):
            given = {
                "window": {"first": "2024-01-01", "last": last},
                "all": {"name": {"in": sorted(everyone)}},
            }
            with shop.client.statements() as one:
                await shop.client.data(ask, groups=groups[:1], **given)
            with shop.client.statements() as all_:
                answer = await shop.client.data(ask, groups=groups, **given)
            assert len(all_) == len(one)
            found = answer["analytics"]["retention"]
            assert (found["numerator"], found["denominator"]) == (
                len(kept & everyone),
                len(starting & everyone),
            )
            assert {one["label"]: (one["numerator"], one["denominator"]) for one in found["groups"]} == {
                name: (len(kept & everyone & one), len(starting & everyone & one))
                for name, one in members.items()
            }
