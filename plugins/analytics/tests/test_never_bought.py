"""Who never bought has bought 0 times, whether a row of figures was made of them or not."""

from typing import Any

from crm_framework import encode_id, now

from .shop import Shop

ERASE = "mutation ($id: ID!) { eraseCustomer(input: {id: $id}) { errors { code } } }"
REBUILD = "mutation { rebuildDailyFigures { errors { message } } }"
LISTED = """query ($filter: CustomerFilter, $order: [CustomerOrder!], $first: Int, $after: String) {
  customers(filter: $filter, orderBy: $order, first: $first, after: $after) {
    nodes { name metrics { purchases refunds clv { amount } } } pageInfo { endCursor } } }"""


async def names(shop: Shop, **given: Any) -> list[str]:
    found = (await shop.client.data(LISTED, **given))["customers"]["nodes"]
    return [node["name"] for node in found]


async def paged(shop: Shop, order: dict[str, Any]) -> list[str]:
    """Page by page, one customer a page."""
    found: list[str] = []
    after = None
    while True:
        page = (await shop.client.data(LISTED, order=[order], first=1, after=after))["customers"]
        if not page["nodes"]:
            return found
        found += [node["name"] for node in page["nodes"]]
        after = page["pageInfo"]["endCursor"]


async def test_filters_and_orders_do_not_depend_on_a_row_of_figures(shop: Shop) -> None:
    client = shop.client
    ada, ben, cy = [await shop.customer(name) for name in ("Ada", "Ben", "Cy")]
    for day in ("2024-01-02", "2024-01-03"):
        await shop.buy(ada, day)
    await shop.refund(await shop.buy(cy, "2024-01-04"), "2024-01-05", 1000)
    made = await client.data(
        'mutation { createSegment(input: {name: "Never", filter: {purchases: {lt: 1}}}) { segment { id } } }'
    )
    segment = made["createSegment"]["segment"]["id"]
    counted = "SELECT CAST(customer_id AS TEXT) AS id FROM analytics_customer"
    rows = []
    for rebuilt in (False, True):
        if rebuilt:
            assert (await client.data(REBUILD))["rebuildDailyFigures"]["errors"] == []
        rows.append({row["id"] for row in await client.service.database.fetch(counted)})
        for given, expected in (
            ({"purchases": {"eq": 0}}, ["Ben"]),
            ({"purchases": {"lt": 1}}, ["Ben"]),
            ({"purchases": {"in": [0, 2]}}, ["Ada", "Ben"]),
            ({"purchases": {"gte": 0}}, ["Ada", "Ben", "Cy"]),
            ({"purchases": {"gte": 1}}, ["Ada", "Cy"]),
            ({"not": {"purchases": {"eq": 0}}}, ["Ada", "Cy"]),
            ({"purchases": {"isNull": True}}, []),
            ({"purchases": {"isNull": False}}, ["Ada", "Ben", "Cy"]),
            ({"clvMinor": {"lt": 1}}, ["Ben", "Cy"]),
            ({"clvMinor": {"isNull": True}}, []),
            ({"segment": segment}, ["Ben"]),
            ({"lastPurchaseOn": {"isNull": True}}, ["Ben"]),
        ):
            assert await names(shop, filter=given) == expected, (given, rebuilt)
        for field, rising in (("PURCHASES", ["Ben", "Cy", "Ada"]), ("CLV", ["Ben", "Cy", "Ada"])):
            assert await paged(shop, {"field": field, "direction": "ASC"}) == rising, (field, rebuilt)
            assert await paged(shop, {"field": field, "direction": "DESC"}) == rising[::-1], (field, rebuilt)
        nodes = (await client.data(LISTED))["customers"]["nodes"]
        assert [node["metrics"] for node in nodes] == [
            {"purchases": 2, "refunds": 0, "clv": {"amount": "20.00"}},
            {"purchases": 0, "refunds": 0, "clv": None},
            {"purchases": 1, "refunds": 1, "clv": {"amount": "0.00"}},
        ]
    assert rows == [{ada, cy}, {ada, ben, cy}]


async def test_groups_count_who_never_bought(shop: Shop) -> None:
    await shop.customer("Ben")
    ask = """query ($days: WindowInput!, $groups: [NamedFilterInput!]) { analytics(window: $days) {
      conversion(groupBy: {by: FILTER, filters: $groups}) { rate { groups { label denominator } } } } }"""
    today = now().date().isoformat()
    groups = [
        {"name": "never", "filter": {"purchases": {"eq": 0}}},
        {"name": "bought", "filter": {"purchases": {"gt": 0}}},
    ]
    for _ in range(2):
        found = await shop.client.data(ask, days={"first": today, "last": today}, groups=groups)
        assert found["analytics"]["conversion"]["rate"]["groups"] == [
            {"label": "never", "denominator": 1},
            {"label": "bought", "denominator": 0},
        ]
        await shop.client.data(REBUILD)


async def test_who_was_erased_has_bought_0_times_before_and_after_all_is_counted_anew(shop: Shop) -> None:
    ada = await shop.customer("Ada")
    await shop.buy(ada, "2024-01-02")
    assert await names(shop, filter={"purchases": {"eq": 0}}) == []
    await shop.client.data(ERASE, id=encode_id("Customer", ada))
    for _ in range(2):
        [node] = (await shop.client.data(LISTED, filter={"purchases": {"eq": 0}}))["customers"]["nodes"]
        assert node["metrics"] == {"purchases": 0, "refunds": 0, "clv": None}
        assert len(await names(shop, order=[{"field": "PURCHASES", "direction": "ASC"}])) == 1
        await shop.client.data(REBUILD)
