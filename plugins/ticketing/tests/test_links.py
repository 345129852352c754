"""Links, merges, followers, tags, attributes, bulk changes, templates."""

import asyncio
from typing import Any

import msgspec
import pytest
from crm_ticketing.attributes.rules import AttributeDefinition

from crm_framework import encode_id
from crm_framework.testing import CrmClient

from .desk import change, customer, opened, own, rows, staff


async def test_merging_moves_what_was_said_and_cancels_the_clocks(client: CrmClient) -> None:
    ada = await customer(client)
    first, second, third = [await opened(client, ada, body=body) for body in ("One.", "Two.", "Three.")]
    await change(client, "tagTicket", ticket=second, add=["lid"])
    done = await change(
        client,
        "mergeTickets",
        "ticket { number tags messages { nodes { body } } linkedFrom { kind ticket { number } } }",
        winner=first,
        losers=[second, third],
    )
    assert done["errors"] == []
    assert [one["body"] for one in done["ticket"]["messages"]["nodes"]] == ["One.", "Two.", "Three."]
    assert done["ticket"]["tags"] == ["lid"]
    assert sorted(one["ticket"]["number"] for one in done["ticket"]["linkedFrom"]) == [2, 3]
    found = await client.data(
        "query ($id: ID!) { ticket(id: $id) { status mergedInto { number } messages { totalCount } } }",
        id=second,
    )
    assert found["ticket"] == {"status": "CLOSED", "mergedInto": {"number": 1}, "messages": {"totalCount": 0}}
    kinds = await rows(
        client, "SELECT kind FROM ticketing_history WHERE kind IN ('MERGED', 'ABSORBED') ORDER BY kind"
    )
    assert [one["kind"] for one in kinds] == ["ABSORBED", "ABSORBED", "MERGED", "MERGED"]
    entries = await client.data(
        "query ($id: ID!) { ticket(id: $id) { history { nodes { kind before after } } } }", id=second
    )
    merged = {"kind": "MERGED", "before": None, "after": first}
    assert merged in entries["ticket"]["history"]["nodes"]
    again = await change(client, "replyToTicket", ticket=second, body="Hello?")
    assert [(one["code"], one["message"]) for one in again["errors"]] == [
        ("REFUSED", "Ticket 2 was merged into another one.")
    ]
    opens = await change(client, "changeTicketStatus", ticket=second, status="OPEN")
    assert [one["code"] for one in opens["errors"]] == ["REFUSED"]


async def test_merges_that_do_not_fit_change_nothing(client: CrmClient) -> None:
    ada, bob = await customer(client), await customer(client, "Bob")
    hers, his, other = await opened(client, ada), await opened(client, bob), await opened(client, ada)
    for winner, losers, code, path in (
        (hers, [his], "REFUSED", ["losers", "0"]),
        (hers, [hers], "BAD_INPUT", ["losers", "0"]),
        (hers, [], "BAD_INPUT", ["losers"]),
    ):
        answer = await change(client, "mergeTickets", winner=winner, losers=losers)
        assert [(one["code"], one["path"]) for one in answer["errors"]] == [(code, path)]
    assert (await change(client, "mergeTickets", winner=hers, losers=[other]))["errors"] == []
    back = await change(client, "mergeTickets", winner=other, losers=[hers])
    assert [(one["code"], one["path"]) for one in back["errors"]] == [("REFUSED", ["winner"])]
    assert len(await rows(client, "SELECT id FROM ticketing_ticket WHERE merged_into_id IS NOT NULL")) == 1


async def test_two_merges_at_once_make_no_circle(client: CrmClient) -> None:
    ada = await customer(client)
    first, second = await opened(client, ada), await opened(client, ada)
    answers = await asyncio.gather(
        change(client, "mergeTickets", winner=first, losers=[second]),
        change(client, "mergeTickets", winner=second, losers=[first]),
    )
    assert sorted(len(answer["errors"]) for answer in answers) == [0, 1]
    assert len(await rows(client, "SELECT id FROM ticketing_ticket WHERE merged_into_id IS NOT NULL")) == 1


async def test_duplicates_form_no_circle(client: CrmClient) -> None:
    ada = await customer(client)
    one, two, three = [await opened(client, ada) for _ in range(3)]
    for ticket, other in ((one, two), (two, three)):
        linked = await change(client, "linkTickets", ticket=ticket, other=other, kind="DUPLICATE")
        assert linked["errors"] == []
    back = await change(client, "linkTickets", ticket=three, other=one, kind="DUPLICATE")
    assert [(error["code"], error["path"]) for error in back["errors"]] == [("REFUSED", ["other"])]
    for _ in range(2):
        related = await change(
            client, "linkTickets", "ticket { links { kind other { number } } }", ticket=three, other=one
        )
    assert related["ticket"]["links"] == [{"kind": "RELATED", "other": {"number": 1}}]
    gone = await change(client, "unlinkTickets", "ticket { linkedFrom { kind } }", ticket=one, other=three)
    assert gone["ticket"]["linkedFrom"] == []


async def test_followers_and_tags_are_filtered_by(client: CrmClient) -> None:
    ada = await customer(client)
    grace = await staff(client)
    await opened(client, ada, tags=["lid", "red"])
    second = await opened(client, ada)
    await change(client, "followTicket", ticket=second, add=[grace])
    await change(client, "tagTicket", ticket=second, add=[" red ", "blue"], remove=["green"])

    async def found(**filter: Any) -> list[int]:
        data = await client.data(
            "query ($filter: TicketFilter) { tickets(filter: $filter, orderBy: [{field: NUMBER}])"
            " { nodes { number } } }",
            filter=filter,
        )
        return [one["number"] for one in data["tickets"]["nodes"]]

    for mutation, given in (("tagTicket", ["Red"]), ("followTicket", [grace])):
        both = await change(client, mutation, ticket=second, add=given, remove=given)
        assert [(one["code"], one["path"]) for one in both["errors"]] == [("BAD_INPUT", ["remove", "0"])]
    assert await found(tags={"any": [" LID", "blue"]}) == [1, 2]
    assert await found(tags={"all": ["red", "blue"]}) == [2]
    assert await found(tags={"none": ["blue"]}) == [1]
    assert await found(follower=grace) == [2]
    hers = await own(client, ada)
    [error] = await hers.errors("{ tickets { nodes { tags } } }")
    assert error["extensions"]["code"] == "FORBIDDEN"


async def test_attributes_are_typed(open_client: Any) -> None:
    wanted = [
        {"name": "order", "type": "text"},
        {"name": "bought", "type": "date"},
        {"name": "reasons", "type": "choices", "choices": ["lid", "size"]},
        {"name": "parts", "type": "number"},
        {"name": "colour", "type": "choice", "choices": ["red", "blue"]},
    ]
    client = await open_client("ticketing", ticketing={"attributes": wanted})
    ada = await customer(client)
    ticket = await opened(client, ada, attributes={"order": "A7", "colour": "red"})
    await opened(client, ada)
    after = await change(
        client,
        "setTicketAttributes",
        "ticket { attributes }",
        ticket=ticket,
        attributes={"parts": 3, "order": None},
    )
    assert after["ticket"]["attributes"] == {"colour": "red", "parts": 3}
    for given, name in (({"colour": "green"}, "colour"), ({"size": 1}, "size"), ({"parts": "3"}, "parts")):
        refused = await change(client, "setTicketAttributes", ticket=ticket, attributes=given)
        assert [(one["code"], one["path"]) for one in refused["errors"]] == [
            ("BAD_INPUT", ["attributes", name])
        ]
    await opened(client, ada, attributes={"parts": 20, "bought": "2026-02-28", "reasons": ["lid"]})
    query = """query ($filter: TicketFilter) {
        tickets(filter: $filter, orderBy: [{field: NUMBER}]) { nodes { number } } }"""
    for attributes, numbers in (
        ([{"name": "colour", "eq": "red"}, {"name": "parts", "eq": 3}], [1]),
        ([{"name": "parts", "eq": 4}], []),
        ([{"name": "parts", "isNull": True}], [2]),
        ([{"name": "parts", "gt": 3}], [3]),
        ([{"name": "parts", "gte": 3, "lt": 21}], [1, 3]),
        ([{"name": "parts", "in": [20, 21]}], [3]),
        ([{"name": "bought", "lte": "2026-03-01"}], [3]),
        ([{"name": "reasons", "contains": "lid"}], [3]),
    ):
        data = await client.data(query, filter={"attributes": attributes})
        assert [one["number"] for one in data["tickets"]["nodes"]] == numbers
    with pytest.raises(msgspec.ValidationError, match="name"):
        msgspec.convert({"name": "their order"}, AttributeDefinition)


async def test_many_tickets_change_at_once_each_by_itself(client: CrmClient) -> None:
    ada = await customer(client)
    first, second, third = [await opened(client, ada) for _ in range(3)]
    await change(client, "changeTicketStatus", ticket=second, status="OPEN")
    await change(client, "mergeTickets", winner=second, losers=[third])
    done = await change(
        client,
        "changeTickets",
        "changed failures { index code }",
        tickets=[first, third, second],
        status="RESOLVED",
        addTags=["done"],
    )
    assert (done["changed"], done["failures"]) == (2, [{"index": 1, "code": "REFUSED"}])
    statuses = await rows(client, "SELECT status FROM ticketing_ticket ORDER BY number")
    assert [row["status"] for row in statuses] == ["RESOLVED", "RESOLVED", "CLOSED"]
    assert len(await rows(client, "SELECT id FROM ticketing_ticket_tag")) == 2
    wrong: tuple[tuple[dict[str, Any], list[str] | None], ...] = (
        ({"addTags": [], "status": None}, None),
        ({"status": "OPEN", "category": "nonsense"}, ["category"]),
        ({"status": "OPEN", "removeTags": ["x" * 101]}, ["removeTags", "0"]),
        ({"addTags": ["a"], "removeTags": ["A"]}, ["removeTags", "0"]),
        ({"assignee": ""}, ["assignee"]),
        ({"team": ""}, ["team"]),
    )
    for given, path in wrong:
        refused = await change(client, "changeTickets", "changed failures { hint }", tickets=[first], **given)
        assert (refused["changed"], refused["failures"]) == (0, [])
        assert [(one["code"], one["path"]) for one in refused["errors"]] == [("BAD_INPUT", path)]
    for member in ("assignee", "team"):  # nobody is null, and a blank is a mistake
        [error] = (await change(client, "assignTicket", ticket=first, **{member: ""}))["errors"]
        assert (error["code"], error["path"]) == ("BAD_INPUT", [member])


async def test_nothing_more_is_told_of_a_customer_who_was_erased(client: CrmClient) -> None:
    ada = await customer(client)
    ticket = await opened(client, ada, tags=["lid"])
    await change(client, "eraseCustomer", "__typename", id=encode_id("Customer", ada))
    for mutation, given in (
        ("replyToTicket", {"body": "Ada?"}),
        ("addTicketNote", {"body": "Ada lives there."}),
        ("tagTicket", {"add": ["ada"]}),
    ):
        answer = await change(client, mutation, ticket=ticket, **given)
        assert [(one["code"], one["path"]) for one in answer["errors"]] == [("REFUSED", ["ticket"])]
    assert await rows(client, "SELECT tag FROM ticketing_ticket_tag") == []
    closed = await change(client, "changeTicketStatus", "ticket { status }", ticket=ticket, status="CLOSED")
    assert closed["ticket"] == {"status": "CLOSED"}


async def test_templates_fill_in_variables(client: CrmClient) -> None:
    ada = await customer(client, "Ada {{ticket.number}}")
    ticket = await opened(client, ada)
    unknown = await change(
        client, "saveTicketTemplate", "template { id }", name="Hi", body="Dear {{customer.nam}}"
    )
    assert [(one["code"], one["message"]) for one in unknown["errors"]] == [
        ("BAD_INPUT", "There is no variable 'customer.nam'.")
    ]
    made = await change(
        client,
        "saveTicketTemplate",
        "template { id name }",
        name="Hi",
        body="Dear {{ customer.name }}, about {{ticket.number}} {{ticket.subject}} ({{ticket.status}}).",
    )
    rendered = await client.data(
        "query ($template: ID!, $ticket: ID!) { renderedTemplate(template: $template, ticket: $ticket) }",
        template=made["template"]["id"],
        ticket=ticket,
    )
    assert rendered["renderedTemplate"] == "Dear Ada {{ticket.number}}, about 1 Lid (new)."
    twice = await change(client, "saveTicketTemplate", "template { id }", name="Hi", body="x")
    assert [one["code"] for one in twice["errors"]] == ["CONFLICT"]


async def test_a_category_suggests_notes(client: CrmClient) -> None:
    await opened(client, await customer(client), category="complaint")
    for name, category in (("Lids", "complaint"), ("Prices", "question")):
        made = await change(
            client, "saveKnowledgeNote", "note { id }", name=name, body="Known.", category=category
        )
        assert made["errors"] == []
    found = await client.data(
        "{ tickets { nodes { suggestedNotes { name body } } } knowledgeNotes { totalCount } }"
    )
    assert found["tickets"]["nodes"] == [{"suggestedNotes": [{"name": "Lids", "body": "Known."}]}]
    assert found["knowledgeNotes"]["totalCount"] == 2
