"""The same question to the report of tickets, to the figures, and to customers one by one: one number."""

from datetime import timedelta
from typing import Any

import pytest
from crm_analytics.asking import risk

from crm_framework import CrmError, ErrorCode, decode_key, encode_id, now, segment_members
from crm_framework.testing import CrmClient, deliver_events, frozen, run_jobs

from .shop import Shop


@pytest.fixture
def crm_plugins() -> tuple[str, ...]:
    return ("analytics", "ticketing")


async def change(client: CrmClient, mutation: str, selected: str = "", /, **given: Any) -> Any:
    kind = mutation[0].upper() + mutation[1:] + "Input"
    query = (
        f"mutation ($input: {kind}!) {{ {mutation}(input: $input) {{ {selected} errors {{ message }} }} }}"
    )
    answer = (await client.data(query, input=given))[mutation]
    assert answer["errors"] == []
    return answer


async def opened(client: CrmClient, customer: str, **more: Any) -> str:
    given = {"customer": encode_id("Customer", customer), "subject": "Lid", "body": "No lid.", **more}
    return str((await change(client, "openTicket", "ticket { id }", **given))["ticket"]["id"])


async def rated(client: CrmClient, customer: str, rating: int) -> None:
    ticket = await opened(client, customer)
    await change(client, "changeTicketStatus", ticket=ticket, status="RESOLVED")
    await change(client, "rateTicket", ticket=ticket, rating=rating)


async def test_the_chart_counts_the_kinds_of_signals_of_whoever_has_them(
    shop: Shop, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Also of those who are beyond the rows, and beyond those who are looked at together."""
    monkeypatch.setattr(risk, "CANDIDATES", 2)
    for name in ("Ada", "Ben", "Cy"):
        for _ in range(2):
            await opened(shop.client, await shop.customer(name), category="complaint")
    dan = await shop.customer("Dan")
    await opened(shop.client, dan, category="complaint")
    await shop.touch(dan, "call", now().isoformat(), sentiment="NEGATIVE")
    found = (await shop.ask("atRisk(first: 1) { total rows { reasons { kind } } chart }"))["atRisk"]
    assert (found["total"], len(found["rows"])) == (7, 1)
    assert found["chart"]["data"]["values"] == [
        {"label": "mood", "value": 1},
        {"label": "open_complaint", "value": 7},
    ]


SATISFACTION = """query ($from: DateTime!, $to: DateTime!, $days: WindowInput!) {
  ticketingReport(window: {from: $from, to: $to}) { groups { satisfied { value part whole } } }
  analytics(window: $days) {
    csat(groupBy: {by: PERIOD, period: YEAR}) { value numerator denominator n groups { n } }
    otherFigures { plugin name value numerator denominator n } } }"""


async def test_ratings_of_tickets_are_answers_on_satisfaction(shop: Shop) -> None:
    client, today = shop.client, now().date()
    for name, rating in (("Ada", 5), ("Ben", 2), ("Cy", 4)):
        await rated(client, await shop.customer(name), rating)
    span = {"from": f"{today}T00:00:00Z", "to": f"{today + timedelta(days=1)}T00:00:00Z"}
    found = await client.data(
        SATISFACTION, **span, days={"first": today.isoformat(), "last": today.isoformat()}
    )
    [group] = found["ticketingReport"]["groups"]
    assert group["satisfied"] == {"value": 2 / 3, "part": 2, "whole": 3}
    metric = found["analytics"]["csat"]
    assert (metric["numerator"], metric["denominator"], metric["n"]) == (2, 3, 3)
    assert metric["value"] == pytest.approx(100 * group["satisfied"]["value"])
    assert metric["groups"] == [{"n": 3}]
    [told] = [
        one
        for one in found["analytics"]["otherFigures"]
        if (one["plugin"], one["name"]) == ("ticketing", "csat")
    ]
    assert (told["numerator"], told["denominator"], told["n"]) == (2, 3, 3)


TABLE = """query ($days: WindowInput!, $filter: CustomerFilter) { analytics(window: $days, filter: $filter) {
  atRisk { total rows { customer { name } reasons { kind referenceId } } } } }"""
EACH = "{ customers { nodes { name metrics { atRisk { kind referenceId } } } } }"


async def test_whoever_tickets_put_at_risk_is_in_the_table(
    shop: Shop, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Also of a ticket that was late and is resolved, and of one from before the figures were counted."""
    client, moment = shop.client, now()
    handlers, client.service.database.handlers = client.service.database.handlers, ()
    ada, ben, cy, dan, eve = [await shop.customer(name) for name in ("Ada", "Ben", "Cy", "Dan", "Eve")]
    with frozen(moment - timedelta(days=3)):
        rules = {"timeZone": "UTC", "alwaysOpen": True}
        made = await change(client, "createBusinessCalendar", "calendar { id }", name="Always", rules=rules)
        targets = [{"clock": "TOTAL_RESOLUTION", "target": "PT24H"}]
        made = await change(
            client, "createSlaPolicy", "policy { id }", name="Day", calendar=made["calendar"]["id"],
            rules={"targets": targets},
        )  # fmt: skip
        await change(client, "switchSlaPolicies", on=[made["policy"]["id"]])
        late = await opened(client, ada)
        early = await opened(client, ben)
        await change(client, "changeTicketStatus", ticket=early, status="RESOLVED")
    with frozen(moment - timedelta(days=200)):
        old = await opened(client, dan)
    with frozen(moment - timedelta(days=150)):
        await change(client, "changeTicketStatus", ticket=old, status="RESOLVED")
    await run_jobs(client, at=moment - timedelta(days=1))
    await change(client, "changeTicketStatus", ticket=late, status="RESOLVED")
    client.service.database.handlers = handlers
    complaint = await opened(client, cy, category="complaint")
    await opened(client, eve)
    await deliver_events(client)

    today = {"first": now().date().isoformat(), "last": now().date().isoformat()}
    table = (await client.data(TABLE, days=today))["analytics"]["atRisk"]
    in_table = {row["customer"]["name"]: row["reasons"] for row in table["rows"]}
    one_by_one = {
        node["name"]: node["metrics"]["atRisk"] for node in (await client.data(EACH))["customers"]["nodes"]
    }
    assert in_table == {
        "Ada": [{"kind": "breached_ticket", "referenceId": late}],
        "Cy": [{"kind": "open_complaint", "referenceId": complaint}],
    }
    assert in_table == {name: reasons for name, reasons in one_by_one.items() if reasons}
    told = await client.service.host.signals([ada, ben, cy, dan, eve], client.service.database)
    assert {key for key, signals in told.by_customer.items() if signals} == {ada, cy}
    assert table["total"] == 2
    only = {"name": {"eq": "Ada"}}
    table = (await client.data(TABLE, days=today, filter=only))["analytics"]["atRisk"]
    assert (table["total"], [row["customer"]["name"] for row in table["rows"]]) == (1, ["Ada"])
    risky = "query ($filter: CustomerFilter) { customers(filter: $filter) { totalCount nodes { name } } }"

    async def names(who: CrmClient, filter: Any) -> list[str]:
        found = (await who.data(risky, filter=filter))["customers"]
        assert found["totalCount"] == len(found["nodes"])
        return [node["name"] for node in found["nodes"]]

    assert await names(client, {"atRisk": True}) == ["Ada", "Cy"]
    assert await names(client, {"atRisk": False}) == ["Ben", "Dan", "Eve"]
    assert await names(client, {"and": [{"not": {"atRisk": True}}, {"not": {"name": {"eq": "Eve"}}}]}) == [
        "Ben",
        "Dan",
    ]
    made = await change(
        client, "createSegment", "segment { id members { nodes { name } } memberCount: previewCount }",
        name="Risky", filter={"atRisk": True},
    )  # fmt: skip
    assert [node["name"] for node in made["segment"]["members"]["nodes"]] == ["Ada", "Cy"]
    assert made["segment"]["memberCount"] == 2
    segment = made["segment"]["id"]
    for filter, refusal in (
        ({"atRisk": None}, "filter.atRisk: null is no condition; leave it out, or use isNull."),
        (
            {"or": [{"atRisk": True}] * 101},
            "filter.or.100.atRisk: a filter may hold 100 conditions at most.",
        ),
    ):
        update = (
            "mutation ($input: UpdateSegmentInput!) { updateSegment(input: $input) { errors { message } } }"
        )
        kept = await client.data(update, input={"id": segment, "filter": filter})
        assert kept["updateSegment"]["errors"] == [{"message": refusal}]
    assert await names(client, {"segment": segment, "name": {"eq": "Cy"}}) == ["Cy"]
    key = decode_key(segment, "Segment")
    found = await segment_members(client.service.database, [key], [ada, ben, cy])
    assert found == {key: frozenset({ada, cy})}
    table = (await client.data(TABLE, days=today, filter={"segment": segment}))["analytics"]["atRisk"]
    assert table["total"] == 2
    blind = await client.acting_with("customers.read", "analytics.read", "interactions.read")
    assert await names(blind, {"atRisk": True}) == []
    assert (await blind.data(TABLE, days=today))["analytics"]["atRisk"] == {"total": 0, "rows": []}

    def fails(*_: object) -> None:
        raise RuntimeError("out of order")

    # then nobody is said to be at no risk
    monkeypatch.setattr("crm_ticketing.report.figures.signalled", fails)
    for one in ({"atRisk": False}, {"not": {"atRisk": True}}, {"segment": segment}):
        [error] = await client.errors(risky, filter=one)
        assert error["extensions"]["code"] == "TIMEOUT"  # which may be asked again
        assert "the plugin ticketing" in error["message"]
    with pytest.raises(CrmError, match="the plugin ticketing"):
        await segment_members(client.service.database, [key], [ada])
    assert (await client.data(risky, filter=only))["customers"]["totalCount"] == 1


async def test_nobody_is_frozen_while_a_plugin_cannot_tell(
    shop: Shop, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Not even the segments that do not rest on its signals: the job keeps all of a month or nothing."""
    client = shop.client
    await shop.customer("Ada")
    made = [
        await change(client, "createSegment", "segment { id }", name=name, filter=filter)
        for name, filter in (("Calm", {"not": {"atRisk": True}}), ("All", {"name": {"eq": "Ada"}}))
    ]
    segments = [one["segment"]["id"] for one in made]
    freeze = """mutation ($segments: [ID!]!) { freezeSegments(input: {segments: $segments}) {
        members errors { code message } } }"""

    async def frozen_rows() -> list[int]:
        fetch = client.service.database.fetch
        tables = ("analytics_freeze", "analytics_membership")
        return [(await fetch(f"SELECT COUNT(*) AS n FROM {table}"))[0]["n"] for table in tables]

    def fails(*_: object) -> None:
        raise RuntimeError("out of order")

    soon = now() + timedelta(hours=1)
    with monkeypatch.context() as broken:
        broken.setattr("crm_ticketing.report.figures.signalled", fails)
        with pytest.raises(CrmError, match="the plugin ticketing") as refused:
            await run_jobs(client, at=soon, since=now())
        assert refused.value.code is ErrorCode.UNAVAILABLE
        answer = await client.execute(freeze, {"segments": segments})
        assert "the plugin ticketing" in str(answer)
        assert await frozen_rows() == [0, 0]
        counts = "{ segments { nodes { name previewCount } } }"
        answer = await client.execute(counts)
        assert answer["data"]["segments"]["nodes"] == [
            {"name": "All", "previewCount": 1},
            {"name": "Calm", "previewCount": None},
        ]
        [error] = answer["errors"]
        assert (error["path"], error["extensions"]["code"]) == (
            ["segments", "nodes", 1, "previewCount"],
            "TIMEOUT",
        )
    answer = await client.data(freeze, segments=segments)
    assert answer["freezeSegments"] == {"members": 2, "errors": []}
    assert await frozen_rows() == [2, 2]


async def test_a_complaint_is_heard_while_nobody_knows_whom_a_policy_is_for(
    shop: Shop, monkeypatch: pytest.MonkeyPatch
) -> None:
    client = shop.client
    ada = await shop.customer("Ada")
    filters = (("Calm", {"not": {"atRisk": True}}), ("A", {"name": {"startsWith": "A"}}))
    segments = [
        (await change(client, "createSegment", "segment { id }", name=name, filter=filter))["segment"]["id"]
        for name, filter in filters
    ]
    rules = {"timeZone": "UTC", "alwaysOpen": True}
    hours = (await change(client, "createBusinessCalendar", "calendar { id }", name="All", rules=rules))[
        "calendar"
    ]
    targets = [{"clock": "FIRST_RESPONSE", "target": "PT1H"}]
    for name, conditions in (
        ("Usual", {}),
        ("Calm", {"segments": segments[:1]}),
        ("A", {"segments": segments[1:]}),
    ):
        given = {"targets": targets, "conditions": conditions}
        made = await change(
            client, "createSlaPolicy", "policy { id }", name=name, calendar=hours["id"], rules=given
        )
        await change(client, "switchSlaPolicies", "changed", on=[made["policy"]["id"]])
    policy = "query ($id: ID!) { ticket(id: $id) { policy { policy { name } } } }"

    async def applies(ticket: str) -> str:
        return str((await client.data(policy, id=ticket))["ticket"]["policy"]["policy"]["name"])

    before = await opened(client, ada)
    assert await applies(before) == "Calm"

    def fails(*_: object) -> None:
        raise RuntimeError("out of order")

    monkeypatch.setattr("crm_ticketing.report.figures.signalled", fails)
    assert await applies(await opened(client, ada)) == "A"
    recalculate = """mutation ($tickets: [ID!]!) { recalculateTickets(input: {tickets: $tickets}) {
        changed errors { code } } }"""
    answer = (await client.data(recalculate, tickets=[before]))["recalculateTickets"]
    assert answer == {"changed": 0, "errors": [{"code": "UNAVAILABLE"}]}
    assert await applies(before) == "Calm"


async def test_who_is_limited_to_a_segment_sees_nobody_while_a_plugin_cannot_tell(
    shop: Shop, monkeypatch: pytest.MonkeyPatch
) -> None:
    client = shop.client
    await shop.customer("Ada")
    segment = await change(
        client, "createSegment", "segment { id }", name="Calm", filter={"not": {"atRisk": True}}
    )
    given = {"permissions": ["customers.read"], "scope": "SEGMENT", "segment": segment["segment"]["id"]}
    role = await change(client, "createRole", "role { id }", name="Calm", **given)
    member = await change(client, "createStaff", "staff { id }", name="Sam")
    await change(
        client, "setStaffRoles", "staff { id }", staff=member["staff"]["id"], roles=[role["role"]["id"]]
    )
    token = await change(
        client, "createToken", "secret", name="Sam", kind="STAFF", staff=member["staff"]["id"]
    )
    sam = CrmClient(client.app, client.http, token["secret"])
    names = "{ customers { nodes { name } } }"
    assert await sam.data(names) == {"customers": {"nodes": [{"name": "Ada"}]}}

    def fails(*_: object) -> None:
        raise RuntimeError("out of order")

    monkeypatch.setattr("crm_ticketing.report.figures.signalled", fails)
    client.service.verifier.forget()
    assert await sam.data(names) == {"customers": {"nodes": []}}
