"""Policies, calendars and teams over the API, and what they make of tickets."""

import asyncio
from datetime import timedelta
from typing import Any

import pytest
from crm_ticketing.calendars.rules import CalendarRules
from crm_ticketing.calendars.store import update_calendar

from crm_framework import decode_key
from crm_framework.testing import CrmClient, run_jobs

from .support import (
    MONDAY,
    OFFICE,
    at,
    calendar,
    change,
    clocks,
    customer,
    open_ticket,
    policy,
    refused,
    reply,
    staff,
    status,
    text,
)  # fmt: skip

POLICY = "query ($id: ID!) { ticket(id: $id) { policy { number policy { name } } } }"


async def test_a_calendar_shows_its_next_openings(client: CrmClient) -> None:
    moved = {"date": "2026-03-03", "name": "Move"}
    rules = {**OFFICE, "country": "DE", "subdivision": "BE", "holidays": [moved]}
    await calendar(client, rules=rules)
    query = """query ($from: DateTime) { businessCalendars { nodes { name latest { number timeZone alwaysOpen
      country intervals { day from to } holidays { date name everyYear } publicHolidays { date name }
      openings(first: 3, from: $from) { from to } } } } }"""
    [found] = (await client.data(query, **{"from": text(MONDAY)}))["businessCalendars"]["nodes"]
    latest = found["latest"]
    assert {"date": "2026-03-08", "name": "Women's Day"} in latest["publicHolidays"]
    assert latest["openings"] == [
        {"from": "2026-03-02T08:00:00Z", "to": "2026-03-02T17:00:00Z"},
        {"from": "2026-03-04T08:00:00Z", "to": "2026-03-04T17:00:00Z"},
        {"from": "2026-03-05T08:00:00Z", "to": "2026-03-05T17:00:00Z"},
    ]
    assert latest["intervals"][0] == {"day": "MONDAY", "from": "09:00", "to": "18:00"}


def intervals(*pairs: tuple[str, str]) -> dict[str, object]:
    """Rules with these times on Mondays."""
    given = [{"days": ["MONDAY"], "from": start, "to": end} for start, end in pairs]
    return {"timeZone": "UTC", "intervals": given}


@pytest.mark.parametrize(
    ("rules", "words"),
    [
        ({"timeZone": "Europe/Berlin"}, "no working time"),
        ({"timeZone": "Mars/Base", "alwaysOpen": True}, "no time zone"),
        ({"timeZone": "localtime", "alwaysOpen": True}, "no time zone"),
        ({"timeZone": "UTC", "alwaysOpen": True, "country": "QQ"}, "not known"),
        ({"timeZone": "UTC", "alwaysOpen": True, "country": "DE", "subdivision": "ZZ"}, "no subdivision"),
        (intervals(("09:00", "09:00")), "no interval"),
        (intervals(("9:00", "17:00")), "time of day"),
        (intervals(("09:00", "12:00"), ("11:00", "15:00")), "overlap"),
        (
            {
                "timeZone": "UTC",
                "alwaysOpen": True,
                "closures": [{"from": "2020-01-01T00:00:00Z", "to": "2150-01-01T00:00:00Z"}],
            },
            "no working time",
        ),
    ],
)
async def test_what_is_no_calendar_is_refused(
    client: CrmClient, rules: dict[str, object], words: str
) -> None:
    [error] = await refused(client, "createBusinessCalendar", {"name": "Office", "rules": rules})
    assert error["code"] == "BAD_INPUT"
    assert words in error["message"]
    rows = await client.service.database.fetch("SELECT COUNT(*) AS number FROM ticketing_calendar")
    assert rows[0]["number"] == 0


async def test_exactly_one_policy_that_is_on_takes_every_ticket(client: CrmClient) -> None:
    office = await calendar(client)
    targets = {"FIRST_RESPONSE": "PT4H"}
    special = await policy(
        client, office, targets, name="Special", on=False, conditions={"priorities": ["URGENT"]}
    )
    [error] = await refused(client, "switchSlaPolicies", {"on": [special]})
    assert "no other fits" in error["message"]
    first = await policy(client, office, targets, name="First")
    second = await policy(client, office, targets, name="Second", on=False)
    [error] = await refused(client, "switchSlaPolicies", {"on": [second]})
    assert "First, Second" in error["message"]
    await change(client, "switchSlaPolicies", {"on": [second, special], "off": [first]}, "changed")
    query = "{ slaPolicies { nodes { name active { number } latest { targets { clock target } } } } }"
    found = (await client.data(query))["slaPolicies"]["nodes"]
    assert [(one["name"], one["active"] is not None) for one in found] == [
        ("Special", True), ("First", False), ("Second", True),
    ]  # fmt: skip
    assert found[0]["latest"]["targets"] == [{"clock": "FIRST_RESPONSE", "target": "PT4H"}]


async def test_the_first_policy_that_fits_applies(client: CrmClient) -> None:
    office = await calendar(client)
    ada, bea = await customer(client), await customer(client, "Bea")
    await change(client, "tagCustomers", {"customers": [bea], "add": ["vip"]}, "changed")
    segment = await change(
        client, "createSegment", {"name": "Bees", "filter": {"name": {"contains": "Bea"}}}, "segment { id }"
    )
    usual = await policy(client, office, {"FIRST_RESPONSE": "PT8H"})
    made = [usual]
    for name, conditions in (
        ("Urgent", {"priorities": ["URGENT"]}),
        ("Complaint", {"categories": ["complaint"], "priorities": ["HIGH"]}),
        ("Bees", {"segments": [segment["segment"]["id"]], "channels": ["chat"]}),
        ("Vip", {"tags": ["VIP ", "gold"]}),
    ):
        made.append(
            await policy(client, office, {"FIRST_RESPONSE": "PT1H"}, name=name, conditions=conditions)
        )
    await change(client, "reorderSlaPolicies", {"policies": [*made[1:], usual]}, "changed")

    async def applies(customer_id: str, **more: str) -> str:
        ticket = await open_ticket(client, customer_id, **more)
        found = (await client.data(POLICY, id=ticket))["ticket"]["policy"]["policy"]["name"]
        return str(found)

    assert await applies(ada) == "Usual"
    assert await applies(ada, priority="URGENT") == "Urgent"
    assert await applies(ada, category="complaint") == "Usual"
    assert await applies(ada, category="complaint", priority="HIGH") == "Complaint"
    assert await applies(bea) == "Vip"
    assert await applies(bea, channel="chat") == "Bees"
    assert await applies(ada, channel="chat") == "Usual"
    tagged = await open_ticket(client, ada, tags=["vip"])
    assert (await client.data(POLICY, id=tagged))["ticket"]["policy"]["policy"]["name"] == "Vip"
    tagged = await open_ticket(client, ada)
    await change(client, "tagTicket", {"ticket": tagged, "add": ["gold"]}, "ticket { id }")
    await change(client, "recalculateTickets", {"tickets": [tagged]}, "changed")
    assert (await client.data(POLICY, id=tagged))["ticket"]["policy"]["policy"]["name"] == "Vip"


async def test_a_ticket_keeps_its_version_until_it_is_recalculated(client: CrmClient) -> None:
    with at(hours=0):
        office = await calendar(client)
        usual = await policy(client, office, {"FIRST_RESPONSE": "PT8H"})
        ticket = await open_ticket(client, await customer(client))
        rules = {"targets": [{"clock": "FIRST_RESPONSE", "target": "PT1H"}]}
        await change(client, "updateSlaPolicy", {"id": usual, "rules": rules}, "policy { id }")
        await change(client, "switchSlaPolicies", {"on": [usual]}, "changed")
    with at(minutes=30):
        assert (await clocks(client, ticket))["FIRST_RESPONSE"]["dueAt"] == text(MONDAY + timedelta(hours=8))
        await change(client, "changeTicketPriority", {"ticket": ticket, "priority": "HIGH"}, "ticket { id }")
        assert (await client.data(POLICY, id=ticket))["ticket"]["policy"]["number"] == 1
    with at(hours=2):
        assert (await change(client, "recalculateTickets", {"tickets": [ticket]}, "changed"))["changed"] == 1
        assert (await client.data(POLICY, id=ticket))["ticket"]["policy"]["number"] == 2
    with at(hours=2, minutes=1):
        found = (await clocks(client, ticket))["FIRST_RESPONSE"]
        # it could not be breached by a promise that was not made yet
        assert (found["state"], found["breachedAt"]) == ("BREACHED", text(MONDAY + timedelta(hours=2)))
        past = (await clocks(client, ticket, MONDAY + timedelta(hours=1, minutes=59)))["FIRST_RESPONSE"]
        assert (past["state"], past["target"]) == ("PENDING", "PT8H")


async def test_changes_at_the_same_moment_each_answer_with_their_own_version(client: CrmClient) -> None:
    usual = await policy(client, await calendar(client), {"FIRST_RESPONSE": "PT8H"}, on=False)
    targets = ("PT1H", "PT2H", "PT3H")

    async def update(target: str) -> Any:
        rules = {"targets": [{"clock": "FIRST_RESPONSE", "target": target}]}
        seen = "version { number targets { target } }"
        return (await change(client, "updateSlaPolicy", {"id": usual, "rules": rules}, seen))["version"]

    for conditions, path in (
        ({"channels": ["fax"]}, ["channels", "0"]),
        ({"tags": ["x"] * 101}, ["tags"]),
        ({"tags": [" "]}, ["tags"]),
    ):
        rules = {"targets": [{"clock": "FIRST_RESPONSE", "target": "PT1H"}], "conditions": conditions}
        [error] = await refused(client, "updateSlaPolicy", {"id": usual, "rules": rules})
        assert (error["code"], error["path"]) == ("BAD_INPUT", ["rules", "conditions", *path])
    versions = await asyncio.gather(*(update(target) for target in targets))
    assert [one["targets"] for one in versions] == [[{"target": target}] for target in targets]
    assert sorted(one["number"] for one in versions) == [2, 3, 4]
    renamed = await change(client, "updateSlaPolicy", {"id": usual, "name": "Ours"}, "version { number }")
    assert renamed["version"] == {"number": 4}


async def test_a_change_of_a_calendar_is_for_tickets_to_come(client: CrmClient) -> None:
    with at(hours=0):
        office = await calendar(client)
        await policy(client, office, {"FIRST_RESPONSE": "PT2H"})
        ada = await customer(client)
        before = await open_ticket(client, ada)
        rules = {**OFFICE, "closures": [{"from": "2026-03-02T08:00:00Z", "to": "2026-03-02T12:00:00Z"}]}
        await change(client, "updateBusinessCalendar", {"id": office, "rules": rules}, "calendar { id }")
        after = await open_ticket(client, ada)
        assert (await clocks(client, before))["FIRST_RESPONSE"]["dueAt"] == text(MONDAY + timedelta(hours=2))
        assert (await clocks(client, after))["FIRST_RESPONSE"]["dueAt"] == text(MONDAY + timedelta(hours=6))
        await change(client, "recalculateTickets", {"allOpen": True}, "changed")
    assert "ticketing.recalculate" in await run_jobs(client, at=MONDAY + timedelta(minutes=1))
    found = (await clocks(client, before, MONDAY + timedelta(minutes=2)))["FIRST_RESPONSE"]
    assert found["dueAt"] == text(MONDAY + timedelta(hours=6))


async def test_a_policy_is_tried_before_it_is_switched_on(client: CrmClient) -> None:
    with at(hours=0):
        office = await calendar(client)
        await policy(client, office, {"FIRST_RESPONSE": "PT8H"})
        ada = await customer(client)
        quick, slow = await open_ticket(client, ada), await open_ticket(client, ada)
        await open_ticket(client, ada, priority="LOW")
        strict = await policy(
            client,
            office,
            {"FIRST_RESPONSE": "PT1H", "TOTAL_RESOLUTION": "PT40H"},
            name="Strict",
            on=False,
            conditions={"priorities": ["NORMAL"]},
        )
        usual = (await client.data("{ slaPolicies { nodes { id } } }"))["slaPolicies"]["nodes"][0]["id"]
        await change(client, "reorderSlaPolicies", {"policies": [strict, usual]}, "changed")
    with at(minutes=30):
        await reply(client, quick)
    with at(hours=3):
        await reply(client, slow)
        found = await change(
            client,
            "trySlaPolicy",
            {"policy": strict},
            "lookedAt taken clocks { clock clocks breached wouldBe wouldBeBreached }",
        )
        assert (found["lookedAt"], found["taken"]) == (3, 2)
        assert found["clocks"] == [
            {"clock": "FIRST_RESPONSE", "clocks": 2, "breached": 0, "wouldBe": 2, "wouldBeBreached": 1},
            {"clock": "TOTAL_RESOLUTION", "clocks": 0, "breached": 0, "wouldBe": 2, "wouldBeBreached": 0},
        ]
        assert (await client.data(POLICY, id=quick))["ticket"]["policy"]["policy"]["name"] == "Usual"


async def test_the_policy_for_every_ticket_leaves_to_others_what_fits_them(client: CrmClient) -> None:
    office = await calendar(client)
    await policy(client, office, {"FIRST_RESPONSE": "PT8H"})  # first in order, as it was made first
    urgent = {"priorities": ["URGENT"]}
    await policy(client, office, {"FIRST_RESPONSE": "PT1H"}, name="Urgent", conditions=urgent)
    ada = await customer(client)
    for priority, name in (("URGENT", "Urgent"), ("NORMAL", "Usual")):
        ticket = await open_ticket(client, ada, priority=priority)
        assert (await client.data(POLICY, id=ticket))["ticket"]["policy"]["policy"]["name"] == name
    other = await policy(client, office, {"FIRST_RESPONSE": "PT4H"}, name="Other", on=False)
    found = await change(client, "trySlaPolicy", {"policy": other}, "lookedAt taken")
    assert (found["lookedAt"], found["taken"]) == (2, 1)


async def test_tickets_of_nobody_go_to_who_has_least_to_do(client: CrmClient) -> None:
    names = ["Grace", "Hedy", "Ida"]
    members = {await staff(client, name): name for name in names}
    await change(client, "createTicketTeam", {"name": "Desk", "members": list(members)}, "team { id }")
    await change(
        client,
        "createTicketTeam",
        {"name": "Claims", "categories": ["complaint"], "members": list(members)[:1]},
        "team { members { name } categories }",
    )
    ada = await customer(client)
    query = "query ($id: ID!) { ticket(id: $id) { assignee { name } team { name } } }"
    got = []
    for _ in range(3):
        found = (await client.data(query, id=await open_ticket(client, ada)))["ticket"]
        assert found["team"] == {"name": "Desk"}
        got.append(found["assignee"]["name"])
    assert sorted(got) == names
    claim = await open_ticket(client, ada, category="complaint")
    found = (await client.data(query, id=claim))["ticket"]
    assert found == {"assignee": {"name": "Grace"}, "team": {"name": "Claims"}}
    hedy = next(key for key, name in members.items() if name == "Hedy")
    given = {"ticket": claim, "assignee": hedy}
    answer = await change(client, "assignTicket", given, "ticket { assignee { name } team { name } }")
    assert answer["ticket"] == {"assignee": {"name": "Hedy"}, "team": None}
    [error] = await refused(client, "assignTicket", {"ticket": claim, "assignee": ada})
    assert error["path"] == ["assignee"]


async def test_the_queue_goes_by_due_time(client: CrmClient) -> None:
    with at(hours=0):
        office = await calendar(client)
        usual = await policy(client, office, {"FIRST_RESPONSE": "PT8H", "TOTAL_RESOLUTION": "PT40H"})
        urgent = await policy(
            client, office, {"FIRST_RESPONSE": "PT1H"}, name="Urgent", conditions={"priorities": ["URGENT"]}
        )
        await change(client, "reorderSlaPolicies", {"policies": [urgent, usual]}, "changed")
        ada = await customer(client)
        slow = await open_ticket(client, ada, subject="slow")
        await open_ticket(client, ada, subject="urgent", priority="URGENT")
        done = await open_ticket(client, ada, subject="done")
        waits = await open_ticket(client, ada, subject="answered")
    with at(hours=1):
        await status(client, done, "RESOLVED")
        await reply(client, waits)
    query = """query ($filter: TicketFilter, $after: String) { tickets(first: 2, after: $after,
      filter: $filter, orderBy: [{field: DUE_AT, direction: ASC}]) {
      nodes { subject dueAt } pageInfo { endCursor } } }"""
    first = (await client.data(query))["tickets"]
    rest = (await client.data(query, after=first["pageInfo"]["endCursor"]))["tickets"]
    shown = [*first["nodes"], *rest["nodes"]]
    assert [node["subject"] for node in shown] == ["urgent", "slow", "answered", "done"]
    assert shown[3]["dueAt"] is None
    late = {"dueAt": {"lt": text(MONDAY + timedelta(hours=2))}}
    found = (await client.data(query, filter=late))["tickets"]["nodes"]
    assert [node["subject"] for node in found] == ["urgent"]
    await run_jobs(client, at=MONDAY + timedelta(hours=2))
    for chosen, subjects in (
        ({"breached": {"eq": True}}, ["urgent"]),
        ({"clockState": {"in": ["MET"]}}, ["done"]),
        ({"breached": {"eq": False}, "clockState": {"eq": "PENDING"}}, ["slow", "answered"]),
    ):
        found = (await client.data(query, filter=chosen))["tickets"]["nodes"]
        assert [node["subject"] for node in found] == subjects
    assert slow


async def test_fifty_tickets_with_all_clocks_take_as_many_statements_as_one(client: CrmClient) -> None:
    with at(hours=0):
        office = await calendar(client)
        kinds = ("FIRST_RESPONSE", "NEXT_RESPONSE", "FIRST_RESOLUTION", "TOTAL_RESOLUTION")
        await policy(client, office, dict.fromkeys(kinds, "PT8H"))
        ada = await customer(client)
        for _ in range(50):
            await open_ticket(client, ada)
    query = """query ($first: Int) { tickets(first: $first) { nodes { number policy { number policy { name } }
      clocks { kind state dueAt segments { from to state reason elapsed } } history { nodes { kind at } } }
      } }"""
    numbers = []
    for first in (1, 50):
        with client.statements() as sql:
            found = (await client.data(query, first=first))["tickets"]["nodes"]
        assert len(found) == first
        assert len(found[0]["clocks"]) == 3
        numbers.append(len(sql))
    assert numbers[0] == numbers[1] <= 6


async def test_a_policy_that_is_made_while_its_calendar_changes_goes_by_the_new_rules(
    client: CrmClient,
) -> None:
    office = await calendar(client)
    async with client.service.database.unit_of_work() as tx:
        key = decode_key(office, "BusinessCalendar")
        await update_calendar(tx, key, rules=CalendarRules(time_zone="UTC", always=True))
        making = asyncio.create_task(policy(client, office, {"FIRST_RESPONSE": "PT2H"}, on=False))
        await asyncio.sleep(0.3)  # it comes as far as it can
    await making
    renamed = {"id": office, "name": "Always"}
    seen = "calendar { name } version { number }"
    assert await change(client, "updateBusinessCalendar", renamed, seen) == {
        "calendar": {"name": "Always"},
        "version": {"number": 2},
        "errors": [],
    }
    query = "{ slaPolicies { nodes { latest { calendar { number alwaysOpen } } } } }"
    [found] = (await client.data(query))["slaPolicies"]["nodes"]
    assert found["latest"]["calendar"] == {"number": 2, "alwaysOpen": True}
