import asyncio
from typing import Any

import pytest
from crm_ticketing.timeline import entries

from crm_framework import NewCustomer, create_customer, encode_id
from crm_framework.testing import CrmClient

OPEN = """mutation ($input: OpenTicketInput!) { openTicket(input: $input) {
  ticket { id number status category priority subject assignee { name }
    messages(first: 5) { nodes { author body } } }
  errors { code path message } } }"""
REPLY = """mutation ($input: ReplyToTicketInput!) { replyToTicket(input: $input) {
  ticket { status messages(first: 5) { nodes { author body } } } errors { code path message } } }"""
CHANGE = """mutation ($input: ChangeTicketStatusInput!) { changeTicketStatus(input: $input) {
  ticket { version status resolvedAt } errors { code path message } } }"""


async def customer(client: CrmClient, **more: Any) -> str:
    async with client.service.database.unit_of_work() as tx:
        return (await create_customer(tx, NewCustomer(name="Ada", **more))).id


async def open_ticket(client: CrmClient, customer_id: str, **more: Any) -> Any:
    given = {"customer": encode_id("Customer", customer_id), "subject": "Lid", "body": "No lid.", **more}
    return (await client.data(OPEN, input=given))["openTicket"]


async def reply(client: CrmClient, ticket_id: str, author: str, body: str = "Well.") -> Any:
    given = {"ticket": ticket_id, "author": author, "body": body}
    return (await client.data(REPLY, input=given))["replyToTicket"]


async def change(client: CrmClient, ticket_id: str, status: str, **more: Any) -> Any:
    given = {"ticket": ticket_id, "status": status, **more}
    return (await client.data(CHANGE, input=given))["changeTicketStatus"]


async def count(client: CrmClient, table: str) -> int:
    [row] = await client.service.database.fetch(f"SELECT COUNT(*) AS number FROM {table}")
    return int(row["number"])


@pytest.mark.parametrize("name", ["subject", "body"])
async def test_text_that_cannot_be_kept_is_refused(client: CrmClient, name: str) -> None:
    key = await customer(client)
    answer = await open_ticket(client, key, **{name: "a\0b"})
    assert answer["ticket"] is None
    assert answer["errors"] == [
        {
            "code": "BAD_INPUT",
            "path": [name],
            "message": f"The {name} holds the control character U+0000.",
        }
    ]
    assert await count(client, "ticketing_ticket") == 0


async def test_opening_a_ticket(client: CrmClient) -> None:
    staff = await client.data('mutation { createStaff(input: {name: "Grace"}) { staff { id } } }')
    owner = staff["createStaff"]["staff"]["id"]
    made = await client.data(
        'mutation ($owner: ID) { createCustomer(input: {name: "Ada", owner: $owner}) { customer { id } } }',
        owner=owner,
    )
    given = {"customer": made["createCustomer"]["customer"]["id"], "subject": " Lid ", "body": "No lid."}
    answer = (await client.data(OPEN, input={**given, "category": "complaint", "priority": "HIGH"}))[
        "openTicket"
    ]
    ticket_id = answer["ticket"].pop("id")
    assert answer == {
        "ticket": {
            "number": 1,
            "status": "NEW",
            "category": "complaint",
            "priority": "HIGH",
            "subject": "Lid",
            "assignee": {"name": "Grace"},
            "messages": {"nodes": [{"author": "CUSTOMER", "body": "No lid."}]},
        },
        "errors": [],
    }
    found = await client.data(
        "query ($id: ID!) { ticket(id: $id) { number customer { name } } }", id=ticket_id
    )
    assert found == {"ticket": {"number": 1, "customer": {"name": "Ada"}}}
    rows = await client.service.database.fetch("SELECT kind, direction, subject FROM crm_interaction")
    assert rows == [{"kind": "support", "direction": "INBOUND", "subject": "Lid"}]
    types = await client.service.database.fetch("SELECT type FROM crm_event WHERE type LIKE 'ticketing.%'")
    assert sorted(row["type"] for row in types) == ["ticketing.message_added", "ticketing.ticket_opened"]


async def test_numbers_follow_each_other(client: CrmClient) -> None:
    ada = await customer(client)
    numbers = [(await open_ticket(client, ada))["ticket"]["number"] for _ in range(3)]
    assert numbers == [1, 2, 3]


@pytest.mark.parametrize(
    ("more", "path"),
    [
        ({"subject": " "}, ["subject"]),
        ({"body": ""}, ["body"]),
        ({"category": "weather"}, ["category"]),
        ({"customer": "nonsense"}, ["customer"]),
        ({"customer": encode_id("Ticket", "01890000-0000-7000-8000-000000000000")}, ["customer"]),
    ],
)
async def test_a_ticket_that_does_not_fit_is_refused(
    client: CrmClient, more: dict[str, str], path: list[str]
) -> None:
    answer = await open_ticket(client, await customer(client), **more)
    assert answer["ticket"] is None
    assert [(error["code"], error["path"]) for error in answer["errors"]] == [("BAD_INPUT", path)]
    assert await count(client, "ticketing_ticket") == 0
    assert await count(client, "crm_interaction") == 0


async def test_categories_come_from_the_settings(open_client: Any) -> None:
    client = await open_client("ticketing", ticketing={"categories": ["weather"]})
    assert (await open_ticket(client, await customer(client)))["ticket"]["category"] == "weather"


async def test_answers_move_a_ticket(client: CrmClient) -> None:
    opened = (await open_ticket(client, await customer(client)))["ticket"]["id"]
    answered = await reply(client, opened, "STAFF")
    assert answered["ticket"]["status"] == "OPEN"
    await change(client, opened, "WAITING_ON_CUSTOMER")
    assert (await reply(client, opened, "STAFF"))["ticket"]["status"] == "WAITING_ON_CUSTOMER"
    assert (await reply(client, opened, "CUSTOMER"))["ticket"]["status"] == "OPEN"
    resolved = await change(client, opened, "RESOLVED")
    assert resolved["ticket"]["resolvedAt"] is not None
    assert (await reply(client, opened, "CUSTOMER"))["ticket"]["status"] == "OPEN"
    rows = await client.service.database.fetch("SELECT direction FROM crm_interaction ORDER BY id")
    assert [row["direction"] for row in rows] == ["INBOUND", "OUTBOUND", "OUTBOUND", "INBOUND", "INBOUND"]


async def test_a_closed_ticket_takes_no_message(client: CrmClient) -> None:
    opened = (await open_ticket(client, await customer(client)))["ticket"]["id"]
    await change(client, opened, "CLOSED")
    answer = await reply(client, opened, "CUSTOMER")
    assert answer == {
        "ticket": None,
        "errors": [{"code": "REFUSED", "path": ["ticket"], "message": "Ticket 1 is closed."}],
    }
    assert await count(client, "ticketing_message") == 1


async def test_a_stale_change_is_refused(client: CrmClient) -> None:
    opened = (await open_ticket(client, await customer(client)))["ticket"]["id"]
    assert (await change(client, opened, "OPEN", expectedVersion=1))["ticket"]["version"] == 2
    stale = await change(client, opened, "RESOLVED", expectedVersion=1)
    assert [(error["code"], error["path"]) for error in stale["errors"]] == [
        ("CONFLICT", ["expectedVersion"])
    ]
    same = await change(client, opened, "OPEN", expectedVersion=2)
    assert (same["ticket"]["version"], same["errors"]) == (2, [])
    assert await count(client, "ticketing_history WHERE kind = 'STATUS'") == 1


async def test_lists_are_filtered(client: CrmClient) -> None:
    ada = await customer(client)
    first, _ = (await open_ticket(client, ada))["ticket"]["id"], await open_ticket(client, ada)
    await change(client, first, "RESOLVED")
    query = """query ($filter: TicketFilter) { tickets(filter: $filter) { nodes { number } }
      customers(first: 1) { nodes { tickets(filter: $filter) { nodes { number } totalCount } } } }"""
    answer = await client.data(query, filter={"status": {"in": ["RESOLVED", "CLOSED"]}})
    assert answer["tickets"]["nodes"] == [{"number": 1}]
    assert answer["customers"]["nodes"] == [{"tickets": {"nodes": [{"number": 1}], "totalCount": 1}}]


async def test_lists_go_by_what_tickets_are_about_and_by_what_is_urgent(client: CrmClient) -> None:
    ada = await customer(client)
    opened = [
        (await open_ticket(client, ada, subject=subject, priority=priority, channel=channel))["ticket"]["id"]
        for subject, priority, channel in (
            ("Détour  of a parcel", "LOW", "email"),
            ("Lid", "URGENT", None),
            ("Another detour", "NORMAL", "chat"),
            ("Late", "URGENT", "chat"),
        )
    ]
    await reply(client, opened[0], "STAFF")
    await client.data(
        'mutation ($id: ID!) { addTicketNote(input: {ticket: $id, body: "Odd."}) { errors { code } } }',
        id=opened[1],
    )

    async def found(orders: Any = None, **filter: Any) -> list[int]:
        """The numbers, page by page."""
        query = """query ($filter: TicketFilter, $orders: [TicketOrder!], $after: String) {
            tickets(first: 3, after: $after, filter: $filter, orderBy: $orders) {
            nodes { number } pageInfo { endCursor hasNextPage } } }"""
        numbers: list[int] = []
        after, more = None, True
        while more:
            with client.statements() as sql:
                page = (await client.data(query, filter=filter, orders=orders, after=after))["tickets"]
            numbers += [one["number"] for one in page["nodes"]]
            after, more = page["pageInfo"]["endCursor"], page["pageInfo"]["hasNextPage"]
            if not filter:
                await read_in_order(client, sql[-1])
        return numbers

    oldest = [{"field": "NUMBER"}]
    assert await found(oldest, subject={"startsWith": "detour OF"}) == [1]
    assert await found(oldest, subject={"contains": "Detour"}) == [1, 3]
    assert await found(oldest, channel={"eq": "chat"}) == [3, 4]
    assert await found(oldest, channel={"isNull": True}) == [2]
    assert await found(oldest, resolvedAt={"isNull": False}) == []
    assert await found([{"field": "UPDATED_AT", "direction": "DESC"}]) == [2, 1, 4, 3]
    assert await found([{"field": "PRIORITY", "direction": "DESC"}]) == [4, 2, 3, 1]
    urgent = [{"field": "PRIORITY", "direction": "DESC"}, {"field": "DUE_AT"}]
    assert await found(urgent) == [2, 4, 3, 1]
    await change(client, opened[3], "RESOLVED")
    last = (await client.data("{ tickets(first: 1) { nodes { updatedAt } } }"))["tickets"]["nodes"][0]
    assert await found(oldest, updatedAt={"gte": last["updatedAt"]}) == [4]
    assert await found(oldest, resolvedAt={"gte": last["updatedAt"]}) == [4]


async def read_in_order(client: CrmClient, sql: str) -> None:
    """Asserts that a page is read along an index, and not put in order."""
    async with client.service.database.unit_of_work() as tx:
        if tx.dialect == "sqlite":
            plan = await tx.fetch(f"EXPLAIN QUERY PLAN {sql}", [None] * sql.count("?"))
            assert "TEMP B-TREE" not in str(plan), plan
        elif "$" not in sql:  # a first page; what goes on after it is read along the same index
            await tx.execute("SET LOCAL enable_seqscan = off")
            plan = await tx.fetch(f"EXPLAIN {sql}")
            assert "Sort" not in str(plan), plan


async def test_changes_of_status_are_in_the_timeline(client: CrmClient) -> None:
    ada = await customer(client)
    opened = (await open_ticket(client, ada))["ticket"]["id"]
    for status in ("OPEN", "ON_HOLD", "RESOLVED"):
        await change(client, opened, status)
    reader = client.service.database
    newest = await entries([ada], None, 2, None, reader)
    assert [(entry.title, entry.kind) for entry in newest] == [
        ("Ticket 1 is resolved: Lid", "ticket_status"),
        ("Ticket 1 is on hold: Lid", "ticket_status"),
    ]
    older = await entries([ada], newest[-1].at, 10, ["ticket_status"], reader)
    assert [entry.title for entry in older] == ["Ticket 1 is on hold: Lid", "Ticket 1 is open: Lid"]
    assert await entries([ada], None, 10, ["call"], reader) == []


async def test_a_timeline_shows_tickets_to_those_who_may_see_them(client: CrmClient) -> None:
    opened = (await open_ticket(client, await customer(client)))["ticket"]["id"]
    await change(client, opened, "OPEN")
    query = "{ customers { nodes { timeline { nodes { title plugin } missing { plugin } } } } }"

    async def titles(*permissions: str) -> list[str]:
        data = await (await client.acting_with(*permissions)).data(query)
        [found] = data["customers"]["nodes"]
        assert found["timeline"]["missing"] == []
        return [entry["title"] for entry in found["timeline"]["nodes"] if entry["plugin"]]

    assert await titles("customers.read", "interactions.read") == []
    assert await titles("customers.read", "interactions.read", "ticketing.read") == ["Ticket 1 is open: Lid"]


async def test_erasing_blanks_words_and_keeps_moments(client: CrmClient) -> None:
    ada = await customer(client)
    await open_ticket(client, ada)
    async with client.service.database.unit_of_work() as tx:
        counts = await client.service.host.erase_customer(ada, tx)
    touched = {table: number for table, number in counts["ticketing"].items() if number}
    assert touched == {"ticketing_ticket": 1, "ticketing_message": 1, "ticketing_words": 2}
    rows = await client.service.database.fetch(
        "SELECT t.subject, m.body FROM ticketing_ticket t JOIN ticketing_message m ON m.ticket_id = t.id"
    )
    assert rows == [{"subject": "", "body": ""}]


async def test_tickets_opened_at_the_same_moment_have_numbers_of_their_own(client: CrmClient) -> None:
    ada = await customer(client)
    opened = await asyncio.gather(*(open_ticket(client, ada) for _ in range(8)))
    assert sorted(answer["ticket"]["number"] for answer in opened) == list(range(1, 9))
