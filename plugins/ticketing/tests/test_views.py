"""Saved views and queues."""

from typing import Any

from crm_framework import decode_key
from crm_framework.testing import CrmClient

from .desk import change, customer, opened, own, staff


async def test_views_are_kept_as_clients_ask(client: CrmClient) -> None:
    wanted = {"status": {"in": ["NEW", "OPEN"]}, "not": {"priority": {"eq": "LOW"}}}
    saved = await change(
        client,
        "saveTicketView",
        "view { id name filter orderBy owner { name } }",
        name="Queue",
        filter=wanted,
        orderBy=[{"field": "NUMBER", "direction": "DESC"}],
        shared=True,
    )
    assert saved["errors"] == []
    view = saved["view"]
    assert (view["filter"], view["orderBy"], view["owner"]) == (
        wanted,
        [{"field": "NUMBER", "direction": "DESC"}],
        None,
    )
    await opened(client, await customer(client))
    listed = await client.data("{ ticketViews { name } }")
    assert listed == {"ticketViews": [{"name": "Queue"}]}
    found = await client.data(
        "query ($filter: TicketFilter, $order: [TicketOrder!]) { tickets(filter: $filter, orderBy: $order)"
        " { nodes { number } } }",
        filter=view["filter"],
        order=view["orderBy"],
    )
    assert found["tickets"]["nodes"] == [{"number": 1}]
    alone = await change(client, "saveTicketView", "view { name }", name="Mine", filter={})
    assert [one["code"] for one in alone["errors"]] == ["REFUSED"]
    gone = await change(client, "deleteTicketView", "view { name }", id=view["id"], shared=True)
    assert (gone["errors"], await client.data("{ ticketViews { name } }")) == ([], {"ticketViews": []})


BY_VIEW = """query ($view: ID, $filter: TicketFilter, $order: [TicketOrder!], $search: String) {
  tickets(view: $view, filter: $filter, orderBy: $order, search: $search) { totalCount nodes { number } } }"""


async def saved_view(client: CrmClient, **more: Any) -> str:
    made = await change(client, "saveTicketView", "view { id }", name="Queue", **more)
    assert made["errors"] == []
    return str(made["view"]["id"])


async def test_tickets_of_a_view(client: CrmClient) -> None:
    """Its filter and its order, besides what the request says; with two statements, whatever it finds."""
    ada = await customer(client)
    for subject in ("Lid", "Lid", "Cup", "Lid"):
        await opened(client, ada, subject=subject, priority="HIGH" if subject == "Lid" else "LOW")
    wanted = {
        "not": {"priority": {"in": ["LOW"]}},
        "tags": {"none": ["x"]},
        "createdAt": {"lt": "2100-01-01T00:00:00Z"},
    }
    order = [
        {"field": "DUE_AT", "direction": "DESC", "nulls": "LAST"},
        {"field": "NUMBER", "direction": "DESC"},
    ]
    view = await saved_view(client, filter=wanted, orderBy=order, shared=True)

    async def numbers(**given: Any) -> list[int]:
        page = (await client.data(BY_VIEW, view=view, **given))["tickets"]
        assert page["totalCount"] == len(page["nodes"])
        return [one["number"] for one in page["nodes"]]

    assert await numbers() == [4, 2, 1]
    assert await numbers(order=[{"field": "NUMBER", "direction": "ASC"}]) == [1, 2, 4]
    assert await numbers(filter={"number": {"lt": 4}}, search="lid") == [2, 1]
    assert await numbers(search="cup") == []
    with client.statements() as counted:
        await client.data("query ($view: ID) { tickets(view: $view) { nodes { number } } }", view=view)
    assert len(counted) == 2


async def test_a_filter_that_does_not_fit_is_not_kept(client: CrmClient) -> None:
    wrong = {"not": {"customer": {"eq": "x"}}}
    made = await change(client, "saveTicketView", "view { id }", name="Queue", filter=wrong, shared=True)
    [error] = made["errors"]
    assert (error["code"], error["path"]) == ("BAD_INPUT", ["filter"])
    assert error["message"].startswith("filter.not.customer.eq: ")
    assert await client.data("{ ticketViews { name } }") == {"ticketViews": []}


async def test_views_that_are_not_ones_own(client: CrmClient) -> None:
    ada = await customer(client)
    await opened(client, ada)
    view = await saved_view(client, filter={}, shared=True)
    someone = decode_key(await staff(client), "Staff")
    async with client.service.database.unit_of_work() as tx:
        await tx.execute("UPDATE ticketing_view SET owner_id = ?", [someone])
    [error] = await client.errors(BY_VIEW, view=view)
    assert (error["extensions"]["code"], error["message"]) == (
        "BAD_INPUT",
        "There is no such view (at view).",
    )
    [error] = await (await own(client, ada)).errors(BY_VIEW, view=view)
    assert error["extensions"]["code"] == "FORBIDDEN"
    [error] = await client.errors(BY_VIEW, view="x")
    assert error["extensions"]["code"] == "BAD_INPUT"
