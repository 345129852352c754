"""Messages, notes, attachments, and how they are found."""

import asyncio
from typing import Any

import pytest

from crm_framework.testing import CrmClient

from .desk import change, customer, opened, own, rows

MESSAGES = (
    "ticket { id status messages { nodes { author internal body attachments { name size sha256 url } } } }"
)
FILE = {"name": "lid.png", "mediaType": "Image/PNG", "size": 7, "url": "s3://files/1", "sha256": "A" * 64}


async def test_a_note_is_for_staff_alone(client: CrmClient) -> None:
    ada = await customer(client)
    ticket = await opened(client, ada)
    noted = await change(
        client, "addTicketNote", MESSAGES, ticket=ticket, body="Difficult.", attachments=[FILE]
    )
    assert noted["errors"] == []
    assert noted["ticket"]["status"] == "NEW"
    assert [(one["internal"], one["body"]) for one in noted["ticket"]["messages"]["nodes"]] == [
        (False, "No lid."),
        (True, "Difficult."),
    ]
    kinds = await rows(client, "SELECT kind, direction FROM crm_interaction ORDER BY id")
    assert kinds == [{"kind": "support", "direction": "INBOUND"}, {"kind": "note", "direction": None}]
    hers = await own(client, ada)
    seen = await hers.data(
        """query ($search: String) {
        tickets { nodes { messages { nodes { body attachments { name } } totalCount } } }
        found: tickets(search: $search) { totalCount } interactions { nodes { kind } } }""",
        search="difficult",
    )
    assert seen["tickets"]["nodes"] == [
        {"messages": {"nodes": [{"body": "No lid.", "attachments": []}], "totalCount": 1}}
    ]
    assert seen["found"]["totalCount"] == 0
    assert seen["interactions"]["nodes"] == [{"kind": "support"}]
    query = """mutation ($input: ReplyToTicketInput!) {
        replyToTicket(input: $input) { ticket { messages { nodes { author } } } errors { code } } }"""
    for author in ("STAFF", "AUTOMATIC"):
        given = {"ticket": ticket, "body": "It is yours.", "author": author}
        [error] = await hers.errors(query, input=given)
        assert error["extensions"]["code"] == "FORBIDDEN"
    assert len(await rows(client, "SELECT id FROM ticketing_message")) == 2
    for given in ({}, {"author": "CUSTOMER"}):
        answer = await hers.data(query, input={"ticket": ticket, "body": "Well?", **given})
        assert answer["replyToTicket"]["errors"] == []
    authors = answer["replyToTicket"]["ticket"]["messages"]["nodes"]
    assert [one["author"] for one in authors] == ["CUSTOMER"] * 3


async def test_notes_stop_no_clock_and_automatic_messages_neither(client: CrmClient) -> None:
    ticket = await opened(client, await customer(client))
    await change(client, "addTicketNote", ticket=ticket, body="Later.")
    said = await change(
        client, "replyToTicket", MESSAGES, ticket=ticket, body="We have it.", author="AUTOMATIC"
    )
    assert said["ticket"]["status"] == "NEW"
    kinds = await rows(
        client, "SELECT kind, after FROM ticketing_history WHERE kind IN ('MESSAGE', 'NOTE') ORDER BY id"
    )
    assert [(one["kind"], one["after"]) for one in kinds] == [
        ("MESSAGE", "CUSTOMER"),
        ("NOTE", "STAFF"),
        ("MESSAGE", "AUTOMATIC"),
    ]


async def test_attachments_by_reference(client: CrmClient) -> None:
    ticket = await opened(client, await customer(client), attachments=[FILE])
    found = await client.data(
        "query ($id: ID!) { ticket(id: $id) { messages { nodes {"
        " attachments { name mediaType size sha256 url kept } } } } }",
        id=ticket,
    )
    assert found["ticket"]["messages"]["nodes"][0]["attachments"] == [
        {
            "name": "lid.png",
            "mediaType": "image/png",
            "size": 7,
            "sha256": "a" * 64,
            "url": "s3://files/1",
            "kept": False,
        }
    ]


@pytest.mark.parametrize(
    ("wrong", "member"),
    [
        ({"name": " "}, "name"),
        ({"mediaType": "picture"}, "mediaType"),
        ({"size": -1}, "size"),
        ({"sha256": "xyz"}, "sha256"),
        ({"url": "javascript:alert(1)"}, "url"),
    ],
)
async def test_an_attachment_that_does_not_fit_is_refused(
    client: CrmClient, wrong: dict[str, Any], member: str
) -> None:
    ticket = await opened(client, await customer(client))
    said = await change(client, "replyToTicket", ticket=ticket, body="See.", attachments=[{**FILE, **wrong}])
    assert [(one["code"], one["path"]) for one in said["errors"]] == [
        ("BAD_INPUT", ["attachments", "0", member])
    ]
    assert len(await rows(client, "SELECT id FROM ticketing_message")) == 1
    assert await rows(client, "SELECT id FROM ticketing_attachment") == []


async def test_a_message_of_another_system_comes_once(client: CrmClient) -> None:
    ticket = await opened(client, await customer(client))
    given = {"ticket": ticket, "body": "Red.", "source": "chat", "reference": "7"}
    answers = await asyncio.gather(*(change(client, "receiveTicketMessage", **given) for _ in range(4)))
    assert [answer["errors"] for answer in answers] == [[], [], [], []]
    other = await opened(client, await customer(client, "Bob"), body="Two.")
    elsewhere = await change(client, "receiveTicketMessage", **{**given, "ticket": other})
    assert [(one["code"], one["path"]) for one in elsewhere["errors"]] == [("CONFLICT", ["reference"])]
    fresh = {**given, "body": "Two.", "reference": "8"}
    answers = await asyncio.gather(
        *(change(client, "receiveTicketMessage", **{**fresh, "ticket": one}) for one in (ticket, other))
    )
    codes = [error["code"] for answer in answers for error in answer["errors"]]
    assert codes == ["CONFLICT"]
    found = await rows(client, "SELECT author, body FROM ticketing_message WHERE body <> 'Two.' ORDER BY id")
    assert found == [{"author": "CUSTOMER", "body": "No lid."}, {"author": "CUSTOMER", "body": "Red."}]


async def test_search_finds_words_of_subjects_and_messages(client: CrmClient) -> None:
    ada = await customer(client)
    first = await opened(client, ada, subject="Deckel für Töpfe", body="Kaputt.")
    second = await opened(client, ada, subject="Invoice", body="Wrong amount.")
    await change(client, "replyToTicket", ticket=second, body="Which Café was it?")
    await change(client, "addTicketNote", ticket=first, body="Secretive person")

    async def found(search: str) -> list[int]:
        data = await client.data(
            "query ($search: String) { tickets(search: $search, orderBy: [{field: NUMBER}])"
            " { nodes { number } } }",
            search=search,
        )
        return [one["number"] for one in data["tickets"]["nodes"]]

    assert await found("topfe") == [1]
    assert await found("DECK kap") == [1]
    assert await found("cafe invoice") == [2]
    assert await found("deckel invoice") == []
    assert await found("secret") == [1]
    assert await found("' & | ! *") == []
    assert await found("ada") == await found("1 topfe") + await found("#2") == [1, 2]
    assert await found("ada cafe") == [2]
    assert await found("99999999999999999999") == []
    for other in (await client.acting_with("ticketing.read"), await own(client, ada)):
        data = await other.data('{ tickets(search: "ada") { nodes { number } } }')
        assert data["tickets"]["nodes"] == []
    assert await found("") == [1, 2]


async def test_lists_of_messages_take_a_fixed_number_of_statements(client: CrmClient) -> None:
    ada = await customer(client)
    query = """query ($first: Int) { tickets(first: $first) { nodes { tags attributes rating
      links { kind other { number } } followers { staff { name } } surveys { rating } suggestedNotes { name }
      messages(first: 5) { nodes { staffName attachments { name } } } } } }"""
    for _ in range(6):
        await opened(client, ada, attachments=[FILE], tags=["a"])

    async def statements(first: int) -> int:
        with client.statements() as counted:
            await client.data(query, first=first)
        return len(counted)

    assert await statements(6) == await statements(1)
