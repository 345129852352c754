"""What plugins open to customers, and what they do not, with tokens over HTTP; and to partners."""

from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import pytest

from crm_framework.engine.ids import decode_key
from crm_framework.security.actors import Actor, ActorKind
from crm_framework.security.permissions import Permissions
from crm_framework.security.tokens import create_token
from crm_framework.testing import CrmClient, deliver_events

Open = Callable[..., Awaitable[CrmClient]]
FIXTURES = Path(__file__).parents[1] / "fixture_plugins"


async def change(client: CrmClient, name: str, input: dict[str, Any], select: str) -> dict[str, Any]:
    schema = client.service.schema.graphql
    kind = schema.type_map["Mutation"].fields[name].args["input"].type  # type: ignore[attr-defined]  # an object type
    text = f"mutation($i: {kind}) {{ {name}(input: $i) {{ {select} errors {{ code message }} }} }}"
    found: dict[str, Any] = (await client.data(text, i=input))[name]
    return found


async def acting(client: CrmClient, permissions: tuple[str, ...] = (), **arguments: Any) -> CrmClient:
    service = client.service
    async with service.database.unit_of_work(Actor.system()) as tx:
        issued = await create_token(
            tx, Permissions.of(service.host.declarations), name="T", grants=permissions, **arguments
        )
    return CrmClient(client.app, client.http, issued.secret)


async def two(client: CrmClient) -> tuple[str, str, CrmClient]:
    """Ids of Ann and Bea, and a client with Ann's own token."""
    ids = []
    for name in ("Ann", "Bea"):
        made = await change(client, "createCustomer", {"name": name}, "customer { id }")
        ids.append(made["customer"]["id"])
    own = await acting(client, kind=ActorKind.CUSTOMER, customer_id=decode_key(ids[0], "Customer"))
    return ids[0], ids[1], own


async def buys(client: CrmClient, customer: str, *skus: str) -> None:
    lines = [
        {"sku": sku, "name": sku, "quantity": 1, "unitPrice": {"amount": "5", "currency": "EUR"}}
        for sku in skus
    ]
    made = await change(
        client, "recordPurchase", {"customer": customer, "lines": lines}, "interaction { id }"
    )
    assert made["errors"] == []


async def test_a_plugin_opens_rows_and_a_change(open_client: Open, temporary_plugin: Any) -> None:
    temporary_plugin("with_self_service", (FIXTURES / "with_self_service.py").read_text(encoding="utf-8"))
    client = await open_client("with_self_service")
    ann, bea, own = await two(client)
    await buys(client, ann, "tea", "secret")
    await buys(client, bea, "gin")
    lines = "{ boughtLines { nodes { sku } totalCount } }"
    assert (await client.data(lines))["boughtLines"]["totalCount"] == 3
    assert await own.data(lines) == {"boughtLines": {"nodes": [{"sku": "tea"}], "totalCount": 1}}
    [error] = await own.errors("{ boughtLines { nodes { category } } }")
    assert error["extensions"]["code"] == "FORBIDDEN"
    assert (await change(own, "praise", {"customer": ann, "text": "\u2067Good\u2069"}, "noted"))["noted"]
    text = "mutation($i: PraiseInput!) { praise(input: $i) { noted } }"
    for input in ({"customer": bea, "text": "Bad"}, {"customer": ann, "text": "x", "staffOnly": "y"}):
        [error] = await own.errors(text, i=input)
        assert error["extensions"]["code"] == "FORBIDDEN"
    found = await client.data('{ interactions(filter: {kind: {eq: "message"}}) { nodes { body } } }')
    assert found["interactions"]["nodes"] == [{"body": "Good"}]
    partner = await acting(
        client, ("with_self_service.read", "customers.read"), kind=ActorKind.PARTNER, tag="vip"
    )
    assert (await partner.data(lines))["boughtLines"]["totalCount"] == 0
    await change(client, "tagCustomers", {"customers": [bea], "add": ["vip"]}, "changed")
    assert (await partner.data(lines))["boughtLines"]["nodes"] == [{"sku": "gin"}]


async def test_a_type_must_say_whose_its_rows_are(open_client: Open, temporary_plugin: Any) -> None:
    text = (FIXTURES / "with_self_service.py").read_text(encoding="utf-8")
    text = text.replace('    owner=Through("interaction_id", "crm_interaction"),\n', "")
    temporary_plugin("with_self_service", text)
    client = await open_client("with_self_service")
    plugins = (await client.data("{ plugins { name status reason } }"))["plugins"]
    [loaded] = [plugin for plugin in plugins if plugin["name"] == "with_self_service"]
    assert loaded["status"] == "REFUSED"
    assert "BoughtLine: it does not say which customer a row belongs to" in loaded["reason"]


@pytest.fixture
async def tickets(open_client: Open) -> CrmClient:
    return await open_client("ticketing", "loyalty", "analytics")


async def test_customers_open_and_answer_their_own_tickets(tickets: CrmClient) -> None:
    ann, bea, own = await two(tickets)
    wanted = {"customer": ann, "subject": "Late", "body": "Where is it?"}
    made = await change(own, "openTicket", wanted, "ticket { id messages { nodes { author body } } }")
    assert made["errors"] == []
    ticket = made["ticket"]["id"]
    other = await change(tickets, "openTicket", {**wanted, "customer": bea}, "ticket { id }")
    answered = await change(
        own, "replyToTicket", {"ticket": ticket, "body": "Well?"}, "ticket { messages { nodes { author } } }"
    )
    assert answered["ticket"]["messages"]["nodes"] == [{"author": "CUSTOMER"}, {"author": "CUSTOMER"}]
    everything = "{ tickets { nodes { number customer { name } messages { totalCount } } totalCount } }"
    assert (await own.data(everything))["tickets"] == {
        "nodes": [{"number": 1, "customer": {"name": "Ann"}, "messages": {"totalCount": 2}}],
        "totalCount": 1,
    }
    there = "query($id: ID!) { ticket(id: $id) { number } node(id: $id) { id } }"
    assert await own.data(there, id=other["ticket"]["id"]) == {"ticket": None, "node": None}
    for name, input in (
        ("openTicket", {**wanted, "customer": bea}),
        ("openTicket", {**wanted, "priority": "URGENT"}),
        ("replyToTicket", {"ticket": other["ticket"]["id"], "body": "x"}),
        ("replyToTicket", {"ticket": ticket, "body": "x", "author": "STAFF"}),
        ("changeTicketStatus", {"ticket": ticket, "status": "CLOSED"}),
    ):
        with pytest.raises(AssertionError, match="FORBIDDEN"):
            await change(own, name, input, "ticket { id }")
    assert (await tickets.data("{ tickets { totalCount } }"))["tickets"]["totalCount"] == 2


async def test_partners_touch_no_ticket_out_of_reach(tickets: CrmClient) -> None:
    ann, bea, _ = await two(tickets)
    await change(tickets, "tagCustomers", {"customers": [ann], "add": ["vip"]}, "changed")
    ids = []
    for customer in (ann, bea):
        made = await change(
            tickets, "openTicket", {"customer": customer, "subject": "S", "body": "B"}, "ticket { id }"
        )
        ids.append(made["ticket"]["id"])
    granted = ("customers.read", "ticketing.read", "ticketing.write", "analytics.read")
    partner = await acting(tickets, granted, kind=ActorKind.PARTNER, tag="vip")
    mine = await change(partner, "replyToTicket", {"ticket": ids[0], "body": "x"}, "ticket { number }")
    assert mine["errors"] == []
    for name, input in (
        ("replyToTicket", {"ticket": ids[1], "body": "x"}),
        ("changeTicketStatus", {"ticket": ids[1], "status": "CLOSED"}),
        ("openTicket", {"customer": bea, "subject": "S", "body": "B"}),
    ):
        refused = await change(partner, name, input, "ticket { id }")
        assert (refused["ticket"], refused["errors"][0]["code"]) == (None, "NOT_FOUND")
    assert (await partner.data("{ tickets { totalCount } }"))["tickets"]["totalCount"] == 1
    metrics = await partner.data("{ customers { nodes { name metrics { ticketsOpened } } } }")
    assert [node["name"] for node in metrics["customers"]["nodes"]] == ["Ann"]
    [error] = await partner.errors('{ dailyRevenue(first: "2024-01-01", last: "2024-01-02") { currency } }')
    assert error["message"].endswith("Query.dailyRevenue (analytics.read on all customers)")


async def test_customers_see_their_own_points(tickets: CrmClient) -> None:
    ann, bea, own = await two(tickets)
    await change(tickets, "createLoyaltyProgram", {"name": "Club", "currency": "EUR"}, "program { id }")
    for customer in (ann, bea):
        await buys(tickets, customer, "tea")
    text = "{ customers { nodes { name loyalty { balance program { name } entries { totalCount } } } } }"
    assert await own.data(text) == {
        "customers": {
            "nodes": [
                {
                    "name": "Ann",
                    "loyalty": {"balance": 5, "program": {"name": "Club"}, "entries": {"totalCount": 1}},
                }
            ]
        }
    }
    accounts = await tickets.data("{ customers { nodes { loyalty { id entries { nodes { id } } } } } }")
    ids = [node["loyalty"]["id"] for node in accounts["customers"]["nodes"]]
    ids += [node["loyalty"]["entries"]["nodes"][0]["id"] for node in accounts["customers"]["nodes"]]
    found = await own.data("query($ids: [ID!]!) { nodes(ids: $ids) { id } }", ids=ids)
    assert found == {"nodes": [{"id": ids[0]}, None, {"id": ids[2]}, None]}


async def test_figures_of_a_plugin_need_its_permission_on_as_many_customers(tickets: CrmClient) -> None:
    ann, _, _ = await two(tickets)
    await change(tickets, "createLoyaltyProgram", {"name": "Club", "currency": "EUR"}, "program { id }")
    await buys(tickets, ann, "tea")
    await deliver_events(tickets)
    text = "{ customers { nodes { metrics { points } } } }"
    seeing = await acting(tickets, ("customers.read", "analytics.read", "loyalty.read"))
    assert [node["metrics"]["points"] for node in (await seeing.data(text))["customers"]["nodes"]] == [
        5,
        None,
    ]
    made = await change(tickets, "createStaff", {"name": "Sam"}, "staff { id }")
    sam = made["staff"]["id"]
    roles = []
    for name, scope, permissions in (
        ("All", "EVERYTHING", ["customers.read", "analytics.read"]),
        ("Own", "OWN", ["loyalty.read"]),
    ):
        input = {"name": name, "scope": scope, "permissions": permissions}
        roles.append((await change(tickets, "createRole", input, "role { id }"))["role"]["id"])
    await change(tickets, "setStaffRoles", {"staff": sam, "roles": roles}, "staff { id }")
    scoped = await acting(tickets, kind=ActorKind.STAFF, staff_id=decode_key(sam, "Staff"))
    [error] = await scoped.errors(text)
    assert error["message"].endswith(
        "CustomerMetrics.points (loyalty.read on as many customers as customers.read)"
    )


async def test_customers_see_who_wrote_to_them_by_name_and_nothing_else_of_staff(tickets: CrmClient) -> None:
    ann, _, own = await two(tickets)
    made = await change(
        tickets, "createStaff", {"name": "Sam Smith", "email": "sam@example.com"}, "staff { id }"
    )
    sam = made["staff"]["id"]
    for more in ({"staff": sam, "body": "Hello"}, {"body": "By a program"}):
        touch = {"customer": ann, "kind": "message", "direction": "OUTBOUND", **more}
        assert (await change(tickets, "logInteraction", touch, "interaction { id }"))["errors"] == []
    await change(
        tickets, "logInteraction", {"customer": ann, "kind": "note", "staff": sam}, "interaction { id }"
    )
    [opened] = [
        (await change(tickets, "openTicket", {"customer": ann, "subject": "S", "body": "B"}, "ticket { id }"))
    ]
    clerk = await acting(
        tickets, ("ticketing.*", "customers.read"), kind=ActorKind.STAFF, staff_id=decode_key(sam, "Staff")
    )
    await change(clerk, "replyToTicket", {"ticket": opened["ticket"]["id"], "body": "On it"}, "ticket { id }")
    found = await own.data(
        '{ interactions(filter: {kind: {eq: "message"}}) { nodes { body staffName } }'
        " tickets { nodes { messages { nodes { body staffName } } } } }"
    )
    names = {node["body"]: node["staffName"] for node in found["interactions"]["nodes"]}
    assert names["Hello"] == "Sam Smith"
    assert names["By a program"] is None
    [ticket] = found["tickets"]["nodes"]
    assert {node["body"]: node["staffName"] for node in ticket["messages"]["nodes"]} == {
        "B": None,
        "On it": "Sam Smith",
    }
    for text in ("{ interactions { nodes { staff { name } } } }", "{ staff { nodes { name } } }"):
        [error] = await own.errors(text)
        assert error["extensions"]["code"] == "FORBIDDEN"
