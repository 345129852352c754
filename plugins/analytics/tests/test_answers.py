"""What `analytics { … }` answers, against cases worked by hand; the oracle is beside, in test_oracle.py."""

from collections.abc import Awaitable, Callable
from datetime import timedelta

import pytest

from crm_framework import (
    NewInteraction,
    NewPurchase,
    encode_id,
    log_interaction,
    now,
    record_purchase,
)
from crm_framework.testing import CrmClient, deliver_events, frozen

from .shop import PARTS, Shop, at, people


async def test_nps_and_csat_follow_answers_and_corrections(shop: Shop) -> None:
    ada, ben = await shop.customer(), await shop.customer("Ben")
    for customer, outcome, channel in (
        (ada, "nps 10", "email"),
        (ada, "nps 9", "email"),
        (ben, "nps 8", "phone"),
        (ben, "nps 3", "phone"),
        (ben, "csat 4", "phone"),
        (ben, "csat 2", "phone"),
    ):
        await shop.touch(customer, "survey", "2024-01-10", outcome=outcome, channel=channel)
    late = await shop.touch(ada, "survey", "2024-02-01", outcome="nps 0")
    found = await shop.ask(
        f"nps(groupBy: {{by: CHANNEL}}) {{ {PARTS} unit groups {{ label {PARTS} }} previous {{ value"
        f" reason }} }}"
        f" csat {{ {PARTS} unit }}"
    )
    assert found["nps"] == {
        "value": 25.0, "numerator": 1.0, "denominator": 4.0, "n": 4, "reason": None, "unit": "points",
        "groups": [
            {"label": "email", "value": 100.0, "numerator": 2.0, "denominator": 2.0, "n": 2, "reason": None},
            {"label": "phone", "value": -50.0, "numerator": -1.0, "denominator": 2.0, "n": 2, "reason": None},
        ],
        "previous": {"value": None, "reason": "no answers in the window"},
    }  # fmt: skip
    assert found["csat"] == {
        "value": 50.0, "numerator": 1.0, "denominator": 2.0, "n": 2, "reason": None, "unit": "%",
    }  # fmt: skip
    await shop.client.data(
        'mutation ($id: ID!) { updateInteraction(input: {id: $id, occurredAt: "2024-01-20T00:00:00Z"}) {'
        " errors { message } } }",
        id=encode_id("Interaction", late),
    )
    assert (await shop.ask("nps { value n }"))["nps"] == {"value": 0.0, "n": 5}


async def test_nothing_is_null_with_a_reason_and_never_0(shop: Shop) -> None:
    found = await shop.ask(
        f"nps {{ {PARTS} }} retention {{ {PARTS} }} churn {{ {PARTS} }} repeatPurchaseRate {{ {PARTS} }}"
        f" revenue {{ unit {PARTS} }} conversion {{ rate {{ {PARTS} }} }} clvHistoric {{ unit {PARTS} }}"
        " rfm { currency customers reason } cohorts { rows { size } reason } products { rows { sku } reason }"
        " purchasePattern { medianGap { value reason } } atRisk { rows { customer { id } } } complete"
        " coversFrom"
    )
    for name in ("nps", "retention", "churn", "repeatPurchaseRate"):
        assert found[name]["value"] is None
        assert found[name]["reason"]
    assert found["conversion"]["rate"]["reason"] == "no prospect was recorded in the window"
    nothing = {"unit": "money", "value": None, "numerator": None, "denominator": None, "n": 0}
    nobody = "none of the customers asked about has bought"
    assert found["revenue"] == [{**nothing, "reason": "nothing was bought or given back"}]
    assert found["clvHistoric"] == [{**nothing, "reason": nobody}]
    assert found["rfm"] == [{"currency": None, "customers": 0, "reason": nobody}]
    assert found["cohorts"] == {
        "rows": [], "reason": "none of the customers asked about came in these months",
    }  # fmt: skip
    assert found["purchasePattern"]["medianGap"] == {
        "value": None, "reason": "no customer has bought on two days",
    }  # fmt: skip
    assert found["complete"] is True
    assert found["coversFrom"] is None


async def test_filters_and_segments_narrow_every_metric(shop: Shop) -> None:
    keys = await people(shop)
    await shop.tag(keys["Ada"], "vip")
    made = await shop.client.data(
        'mutation { createSegment(input: {name: "VIP", filter: {tags: {any: ["vip"]}}}) { segment { id } } }'
    )
    segment = made["createSegment"]["segment"]["id"]
    for more in (f', filter: {{segment: "{segment}"}}', ', filter: {name: {eq: "Ada"}}'):
        found = await shop.ask(
            "revenue { value n } retention { value n } products { rows { sku buyers } }", more=more
        )
        assert found == {
            "revenue": [{"value": 20.0, "n": 2}],
            "retention": {"value": 100.0, "n": 1},
            "products": {"rows": [{"sku": "A", "buyers": 1}]},
        }
    grouped = await shop.ask(
        f'revenue(groupBy: {{by: SEGMENT, segments: ["{segment}"]}}) {{ value groups {{ value }} }}'
        ' named: revenue(groupBy: {by: FILTER, filters: [{name: "new", filter: {name: {eq: "Dee"}}}]}) {'
        " groups { label value } }"
    )
    assert grouped["revenue"] == [{"value": 40.0, "groups": [{"value": 20.0}]}]
    assert grouped["named"] == [{"groups": [{"label": "new", "value": 10.0}]}]


async def test_gaps_between_purchases_by_group(shop: Shop) -> None:
    for name, tag, days in (("Ada", "vip", (1, 3, 13)), ("Ben", "vip", (1, 5)), ("Cy", "new", (1, 2))):
        key = await shop.customer(name)
        await shop.tag(key, tag)
        for day in days:
            await shop.buy(key, f"2024-01-{day:02}")
    groups = "value n groups { label value n reason }"
    found = await shop.ask(
        f"purchasePattern(groupBy: {{by: TAG}}) {{ medianGap {{ {groups} }} meanGap {{ {groups} }} }}"
    )
    # Ada's are 2 and 10 days
    new = {"label": "new", "value": 1.0, "n": 1, "reason": None}
    vip = {"label": "vip", "value": 5.0, "n": 2, "reason": None}
    assert found["purchasePattern"] == {
        "medianGap": {"value": 4.0, "n": 3, "groups": [new, vip]},
        "meanGap": {"value": pytest.approx(11 / 3), "n": 3, "groups": [new, vip]},
    }
    [error] = await shop.client.errors(
        '{ analytics(window: {first: "2024-01-01", last: "2024-01-31"}) {'
        " purchasePattern(groupBy: {by: CHANNEL}) { meanGap { value } } } }"
    )
    assert "cannot be broken down by CHANNEL" in error["message"]


async def test_a_zone_must_be_one(shop: Shop) -> None:
    assert await shop.ask("timeZone", more=', timeZone: "asia/tokyo"') == {"timeZone": "Asia/Tokyo"}
    [error] = await shop.client.errors(
        '{ analytics(window: {first: "2024-01-01", last: "2024-01-31"}, timeZone: "Asia/Tokio") {'
        " timeZone } }"
    )
    assert error["extensions"]["code"] == "BAD_INPUT"
    assert error["message"].startswith(
        "'Asia/Tokio' is no time zone (at timeZone). Did you mean 'Asia/Tokyo'?"
    )


async def test_figures_say_how_far_they_reach_before_the_worker_has_counted(client: CrmClient) -> None:
    plain = CrmClient(client.app, client.http, client.token)
    shop = Shop(client)
    ada = await shop.customer()
    await shop.buy(ada, "2024-01-05", 1000)
    ask = '{ analytics(window: {first: "2024-01-01", last: "2024-01-31"}) { dataThrough revenue { value } } }'
    verify = "mutation { verifyFigures { owed differences } }"
    bought = now()
    async with client.service.database.unit_of_work() as tx:
        new = NewPurchase(customer_id=ada, currency="EUR", total_minor=500, occurred_at=at("2024-01-06"))
        await record_purchase(tx, new)
    told = (await plain.data(ask))["analytics"]
    assert [one["value"] for one in told["revenue"]] == [10.0]
    assert bought <= at(told["dataThrough"]) <= now()
    then = told["dataThrough"]
    assert (await plain.data(ask))["analytics"]["dataThrough"] == then
    assert (await plain.data(verify))["verifyFigures"] == {"owed": 1, "differences": []}
    assert await deliver_events(client) == 1
    told = (await plain.data(ask))["analytics"]
    assert [one["value"] for one in told["revenue"]] == [15.0]
    assert told["dataThrough"] > then
    assert (await plain.data(verify))["verifyFigures"] == {"owed": 0, "differences": []}


async def test_what_changes_no_figure_is_left_alone(shop: Shop) -> None:
    """A change that the plugin has nothing to do with takes as many statements as without it."""
    ada = await shop.customer()
    database = shop.client.service.database
    counts = []
    for handlers in (database.handlers, ()):
        database.handlers = handlers
        with database.counting() as log:
            async with database.unit_of_work() as tx:
                new = NewInteraction(customer_id=ada, kind="note", occurred_at=at("2024-01-01"))
                await log_interaction(tx, new)
        counts.append(len(log))
    assert counts[0] == counts[1]
    assert await database.fetch("SELECT id FROM crm_delivery") == []


async def test_conversion_and_its_funnel(shop: Shop) -> None:
    days = {"first": "2020-01-01", "last": "2029-12-31"}
    ada, ben, cy, dee = [await shop.customer(name) for name in ("Ada", "Ben", "Cy", "Dee")]
    for customer, direction in ((ada, "OUTBOUND"), (ben, "OUTBOUND"), (ada, "INBOUND"), (cy, "INBOUND")):
        await shop.touch(customer, "email", "2024-01-01", direction=direction)
    await shop.buy(ada, "2024-01-02")
    await shop.buy(dee, "2024-01-02")
    found = (
        await shop.ask(f"conversion {{ rate {{ {PARTS} }} funnel {{ name count dropped }} csv }}", **days)
    )["conversion"]
    assert found["rate"] == {"value": 50.0, "numerator": 2.0, "denominator": 4.0, "n": 4, "reason": None}
    assert [(step["name"], step["count"], step["dropped"]) for step in found["funnel"]] == [
        ("recorded", 4, 0),
        ("reached", 2, 2),
        ("answered", 1, 1),
        ("converted", 1, 0),
    ]


async def test_purchase_gaps_and_risk_of_a_customer(shop: Shop) -> None:
    ada = await shop.customer()
    for day in ("2024-01-01", "2024-01-11", "2024-01-21"):
        await shop.buy(ada, day)
    await shop.touch(ada, "call", "2024-01-22", sentiment="NEGATIVE")
    found = await shop.client.data(
        "{ customers { nodes { metrics { purchaseGap { medianDays meanDays } nextPurchaseExpected"
        " atRisk { kind } prospectScore { value } } } } }"
    )
    assert found["customers"]["nodes"][0]["metrics"] == {
        "purchaseGap": {"medianDays": 10.0, "meanDays": 10.0},
        "nextPurchaseExpected": "2024-01-31",
        "atRisk": [],  # years later it is no risk any more
        "prospectScore": None,
    }


async def test_customers_are_filtered_by_what_puts_them_at_risk(shop: Shop) -> None:
    ada, ben, cy = [await shop.customer(name) for name in ("Ada", "Ben", "Cy")]
    for days in (60, 50, 40, 30):  # every 10 days, and none for 30
        await shop.buy(ada, (now() - timedelta(days=days)).isoformat())
    await shop.buy(cy, (now() - timedelta(days=1)).isoformat())
    await shop.touch(ben, "call", now().isoformat(), sentiment="NEGATIVE")
    query = (
        "query ($risk: Boolean) { customers(filter: {atRisk: $risk}) {"
        " nodes { name metrics { atRisk { kind } } } } }"
    )
    found = (await shop.client.data(query, risk=True))["customers"]["nodes"]
    assert [(one["name"], one["metrics"]["atRisk"]) for one in found] == [
        ("Ada", [{"kind": "gap"}]),
        ("Ben", [{"kind": "mood"}]),
    ]
    found = (await shop.client.data(query, risk=False))["customers"]["nodes"]
    assert [(one["name"], one["metrics"]["atRisk"]) for one in found] == [("Cy", [])]
    for some in ("analytics.read", "interactions.read"):  # as the field, filter and table need both
        blind = await shop.client.acting_with("customers.read", some)
        table = '{ analytics(window: {first: "2024-01-01", last: "2024-01-31"}) { atRisk { total } } }'
        for text in ("{ customers(filter: {not: {atRisk: false}}) { nodes { name } } }", table):
            [error] = await blind.errors(text)
            assert error["extensions"]["code"] == "FORBIDDEN"
    ordered = await shop.client.data(
        "{ customers(filter: {purchases: {gte: 0}}, orderBy: [{field: CLV, direction: DESC}]) {"
        " nodes { name } } }"
    )
    assert [one["name"] for one in ordered["customers"]["nodes"]] == ["Ada", "Cy", "Ben"]
    rows = (await shop.ask("atRisk { rows { customer { name } reasons { kind } } }"))["atRisk"]["rows"]
    assert [one["customer"]["name"] for one in rows] == ["Ada", "Ben"]


async def test_who_is_at_risk_now_does_not_wait_for_what_is_still_to_be_counted(shop: Shop) -> None:
    """Neither in the table nor in its total: both go by the moment that the filter and the customer go by."""
    ada, ben = await shop.customer("Ada"), await shop.customer("Ben")
    for days in (60, 50, 40):  # every 10 days, and none for 40
        await shop.buy(ada, (now() - timedelta(days=days)).isoformat())
    with frozen(now() - timedelta(days=25)):  # when Ada had no reason yet
        async with shop.client.service.database.unit_of_work() as tx:
            await log_interaction(tx, NewInteraction(customer_id=ben, kind="call", sentiment="NEGATIVE"))
    told = await shop.client.data(
        "query ($id: ID!) { customers(filter: {atRisk: true}) { nodes { name } }"
        " customer(id: $id) { metrics { atRisk { kind } } }"
        ' analytics(window: {first: "2024-01-01", last: "2024-01-31"}) {'
        " dataThrough atRisk { total rows { customer { name } reasons { kind } } } } }",
        id=encode_id("Customer", ada),
    )
    assert at(told["analytics"]["dataThrough"]) < now() - timedelta(days=24)
    assert told["customers"]["nodes"] == [{"name": "Ada"}]
    assert told["customer"]["metrics"]["atRisk"] == [{"kind": "gap"}]
    assert told["analytics"]["atRisk"] == {
        "total": 1,
        "rows": [{"customer": {"name": "Ada"}, "reasons": [{"kind": "gap"}]}],
    }


@pytest.mark.parametrize(("zone", "begun"), [("UTC", "00:00:00"), ("Asia/Kolkata", "18:30:00")])
async def test_a_gap_tells_since_when_and_prospects_go_by_the_companys_days(
    open_client: Callable[..., Awaitable[CrmClient]], zone: str, begun: str
) -> None:
    client = await open_client("analytics", analytics={"time_zone": zone})
    await client.data("mutation { rebuildDailyFigures { customers errors { message } } }")
    shop = Shop(client)
    ada, eve = await shop.customer("Ada"), await shop.customer("Eve", stage="PROSPECT")
    for day in ("2024-01-01", "2024-01-11", "2024-01-21"):
        await shop.buy(ada, f"{day}T{begun}")  # the beginning of a day
    await shop.touch(eve, "call", "2024-02-14T20:00:00")  # of the 15th in Kolkata
    text = (
        "query ($id: ID!) { customer(id: $id) {"
        " metrics { atRisk { kind text at referenceId } prospectScore { reasons { text } } } } }"
    )
    with frozen(at("2024-02-15T12:00:00")):
        told = await client.data(text, id=encode_id("Customer", ada))
        waited = 25 if zone == "UTC" else 24
        assert told["customer"]["metrics"]["atRisk"] == [
            {
                "kind": "gap",
                "text": f"no purchase for {waited} days; the median between two is 10",
                "at": f"2024-01-21T{begun}Z",
                "referenceId": None,
            }
        ]
        told = await client.data(text, id=encode_id("Customer", eve))
        latest = "yesterday" if zone == "UTC" else "today"
        assert told["customer"]["metrics"]["prospectScore"] == {
            "reasons": [{"text": f"the latest touch was {latest}"}]
        }


async def test_days_are_those_of_the_companys_zone(open_client: Callable[..., Awaitable[CrmClient]]) -> None:
    client = await open_client("analytics", analytics={"time_zone": "Asia/Kolkata"})
    await client.data("mutation { rebuildDailyFigures { customers errors { message } } }")
    shop = Shop(client)
    ada = await shop.customer()
    await shop.buy(ada, "2024-01-31T18:29:59")  # 23:59:59 there
    await shop.buy(ada, "2024-01-31T18:30:00")  # the next month
    found = await shop.ask(
        "timeZone revenue(groupBy: {by: PERIOD}) { timeZone groups { label n } }", last="2024-02-29"
    )
    assert found["timeZone"] == "Asia/Kolkata"
    assert found["revenue"][0]["groups"] == [{"label": "2024-01-01", "n": 1}, {"label": "2024-02-01", "n": 1}]
    await shop.buy(ada, "2024-03-01T18:29:59.999999")  # by its days, gaps of 1 and 29: 15
    risk = "query ($id: ID!) { customers(filter: {atRisk: true}) { totalCount } customer(id: $id) {"
    risk += " metrics { atRisk { kind } } } }"
    for moment, risky in (("2024-03-31T18:29:00", 0), ("2024-03-31T18:31:00", 1)):
        with frozen(at(moment)):
            told = await client.data(risk, id=encode_id("Customer", ada))
            assert told["customers"]["totalCount"] == len(told["customer"]["metrics"]["atRisk"]) == risky
            for zone in ("Asia/Kolkata", "UTC", "Pacific/Kiritimati"):
                counted = await shop.ask(
                    "atRisk { total rows { reasons { kind } } }", more=f', timeZone: "{zone}"'
                )
                assert (counted["atRisk"]["total"], len(counted["atRisk"]["rows"])) == (risky, risky), zone
    found = await shop.ask(
        "revenue(groupBy: {by: PERIOD, period: DAY}) { groups { n } }",
        "2024-03-01", "2024-03-02", ', timeZone: "Asia/Calcutta"',
    )  # fmt: skip
    assert found["revenue"][0]["groups"] == [{"n": 1}, {"n": 0}]


async def test_charts_are_whole_specifications(shop: Shop) -> None:
    await people(shop)
    found = await shop.ask(
        "retention { chart csv } revenue(groupBy: {by: PERIOD}) { chart } cohorts { chart } rfm { chart }"
        " products { chart csv } conversion { chart } serviceRecovery { chart csv groups { label value } }"
        " atRisk { chart csv }"
    )
    for chart in (
        *(found["retention"]["chart"], found["revenue"][0]["chart"], found["cohorts"]["chart"]),
        *(found["rfm"][0]["chart"], found["products"]["chart"], found["conversion"]["chart"]),
        *(found["serviceRecovery"]["chart"], found["atRisk"]["chart"]),
    ):
        assert chart["$schema"] == "https://vega.github.io/schema/vega-lite/v5.json"
        assert isinstance(chart["data"]["values"], list)
        fields = {channel["field"] for channel in chart["encoding"].values()}
        assert all(fields <= set(row) for row in chart["data"]["values"])
    assert found["serviceRecovery"]["groups"][2] == {"label": "none", "value": pytest.approx(200 / 3)}


async def test_a_list_takes_a_fixed_number_of_statements(shop: Shop) -> None:
    for number in range(50):
        await shop.buy(await shop.customer(f"C{number:02}"), "2024-01-01")
    query = (
        "query ($first: Int) { customers(first: $first) { nodes { metrics { purchases revenue { amount }"
        " rfm { segment } clv { amount } purchaseGap { medianDays } atRisk { kind } prospectScore {"
        " value } } } } }"
    )
    counts = []
    for first in (1, 50):
        with shop.client.statements() as statements:
            await shop.client.data(query, first=first)
        counts.append(len(statements))
    # the page, the row of figures, sums, quintiles, risk, prospects; SQLite joins the row to the page
    assert counts[0] == counts[1] <= 6


async def test_a_window_of_many_years_is_refused(shop: Shop) -> None:
    [error] = await shop.client.errors(
        '{ analytics(window: {first: "1990-01-01", last: "2024-01-01"}) { complete } }'
    )
    assert error["extensions"]["code"] == "BAD_INPUT"
    [error] = await shop.client.errors(
        '{ analytics(window: {first: "2024-01-01", last: "2024-01-31"}) {'
        " retention(groupBy: {by: CHANNEL}) { value } } }"
    )
    assert "cannot be broken down by CHANNEL" in error["message"]


@pytest.mark.parametrize(("first", "last"), [("0001-01-01", "0001-01-31"), ("9999-12-01", "9999-12-31")])
async def test_a_window_at_an_end_of_the_calendar_is_refused(shop: Shop, first: str, last: str) -> None:
    """The window before it, or the time that makes customers inactive, would not be on the calendar."""
    [error] = await shop.client.errors(
        f'{{ analytics(window: {{first: "{first}", last: "{last}"}}) {{'
        " retention { value previous { value } } } }"
    )
    assert error["extensions"]["code"] == "BAD_INPUT"
    assert "1900 to 2999" in error["message"]
