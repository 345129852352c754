"""E-mails into tickets."""

from pathlib import Path
from typing import Any

import pytest
from crm_ticketing.mail.content import Mail, read_mail
from crm_ticketing.mail.intake import Taken, take_in
from crm_ticketing.settings import TicketingSettings

from crm_framework.testing import CrmClient

from .desk import change, customer, opened, rows

FOLDER = Path(__file__).parent / "mail" / "samples"
SETTINGS = TicketingSettings(mail_address="help@shop.example", mail_most_attachment_bytes=1_500)


async def take(client: CrmClient, mail: Mail | str) -> Taken:
    if isinstance(mail, str):
        mail = read_mail((FOLDER / f"{mail}.eml").read_bytes())
    async with client.service.database.unit_of_work() as tx:
        return await take_in(tx, mail, SETTINGS)


def mail(id_: str, **more: Any) -> Mail:
    return Mail(**{"message_id": id_, "sender": "ada@example.com", "text": "Well.", "subject": "Lid", **more})


async def sent(client: CrmClient, ticket_number: int, id_: str) -> None:
    """A message of ours about a ticket, known by its id."""
    async with client.service.database.unit_of_work() as tx:
        await tx.execute(
            "INSERT INTO ticketing_mail (id, message_id, ticket_id, outcome, at)"
            " SELECT ?, ?, t.id, 'SENT', ? FROM ticketing_ticket AS t WHERE t.number = ?",
            ["018f0000-0000-7000-8000-000000000001", id_, tx.now, ticket_number],
        )


async def test_an_unknown_sender_becomes_a_prospect_with_a_ticket(client: CrmClient) -> None:
    taken = await take(client, "alternative_with_picture")
    assert (taken.outcome, taken.again) == ("OPENED", False)
    found = await client.data(
        """{ customers { nodes { name email stage } } tickets { nodes { subject status channel
        messages { nodes { author body channel sender
        attachments { name mediaType size kept sha256 } } } } } }"""
    )
    assert found["customers"]["nodes"] == [{"name": "Ada", "email": "ada@example.com", "stage": "PROSPECT"}]
    [ticket] = found["tickets"]["nodes"]
    assert (ticket["subject"], ticket["status"], ticket["channel"]) == ("Broken lid", "NEW", "email")
    [message] = ticket["messages"]["nodes"]
    [file] = message.pop("attachments")
    assert message == {
        "author": "CUSTOMER",
        "body": "The lid, see the picture.",
        "channel": "email",
        "sender": "ada@example.com",
    }
    assert (file["name"], file["size"], file["kept"], len(file["sha256"])) == ("lid ö.png", 1024, True, 64)
    [kept] = await rows(client, "SELECT content FROM ticketing_attachment_content")
    assert bytes(kept["content"]) == bytes(range(256)) * 4


async def test_the_same_message_twice_is_one(client: CrmClient) -> None:
    first, second = await take(client, "plain"), await take(client, "plain")
    assert (first.ticket_id, second.again) == (second.ticket_id, True)
    assert len(await rows(client, "SELECT id FROM ticketing_message")) == 1
    assert len(await rows(client, "SELECT id FROM crm_customer")) == 1


async def test_a_known_sender_is_the_customer(client: CrmClient) -> None:
    ada = await customer(client, "Lady Lovelace", email="ada@example.com")
    await take(client, "plain")
    found = await rows(client, "SELECT customer_id FROM ticketing_ticket")
    assert [str(row["customer_id"]) for row in found] == [ada]
    assert len(await rows(client, "SELECT id FROM crm_customer")) == 1


async def test_answers_find_their_ticket_by_the_ids_they_name(client: CrmClient) -> None:
    ticket = await opened(client, await customer(client, email="ada@example.com"))
    await sent(client, 1, "sent-2@shop.example")
    await change(client, "changeTicketStatus", ticket=ticket, status="WAITING_ON_CUSTOMER")
    taken = await take(client, "answer_to_a_message")
    assert taken.outcome == "ADDED"
    found = await client.data("{ tickets { nodes { status messages { nodes { body rest } } } } }")
    [one] = found["tickets"]["nodes"]
    assert one["status"] == "OPEN"
    assert [message["body"] for message in one["messages"]["nodes"]] == ["No lid.", "It is red."]
    assert "What colour?" in one["messages"]["nodes"][1]["rest"]
    further = await take(
        client, mail("further@x", references=("answer@mail.example.com",), sender="eve@example.com")
    )
    assert (further.outcome, further.ticket_id) == ("ADDED", taken.ticket_id)


async def test_a_number_in_the_subject_counts_for_the_customer_alone(client: CrmClient) -> None:
    await opened(client, await customer(client, email="ada@example.com"))
    assert (await take(client, mail("1@x", subject="Re: [#1] Lid"))).outcome == "ADDED"
    assert (
        await take(client, mail("2@x", subject="Re: [#1] Lid", sender="eve@example.com"))
    ).outcome == "OPENED"
    assert (await take(client, mail("3@x", subject="[#77] Lid"))).outcome == "OPENED"


async def test_an_answer_to_a_merged_ticket_goes_to_the_one_that_goes_on(client: CrmClient) -> None:
    ada = await customer(client, email="ada@example.com")
    first, second = await opened(client, ada), await opened(client, ada)
    await change(client, "mergeTickets", winner=first, losers=[second])
    assert (await take(client, mail("1@x", subject="[#2] Lid"))).outcome == "ADDED"
    found = await client.data("{ tickets(orderBy: [{field: NUMBER}]) { nodes { messages { totalCount } } } }")
    assert [one["messages"]["totalCount"] for one in found["tickets"]["nodes"]] == [3, 0]


async def test_an_answer_to_a_closed_ticket_opens_another(client: CrmClient) -> None:
    ticket = await opened(client, await customer(client, email="ada@example.com"))
    await change(client, "changeTicketStatus", ticket=ticket, status="CLOSED")
    assert (await take(client, mail("1@x", subject="[#1] Lid"))).outcome == "OPENED"


async def test_what_a_member_of_staff_writes_is_a_note(client: CrmClient) -> None:
    await opened(client, await customer(client, email="ada@example.com"))
    await sent(client, 1, "sent-2@shop.example")
    await client.data(
        'mutation { createStaff(input: {name: "Grace", email: "grace@shop.example"}) { staff { id } } }'
    )
    taken = await take(client, mail("1@x", sender="grace@shop.example", references=("sent-2@shop.example",)))
    assert taken.outcome == "NOTED"
    found = await rows(client, "SELECT internal, body FROM ticketing_message ORDER BY id")
    assert [bool(row["internal"]) for row in found] == [False, True]


@pytest.mark.parametrize(
    "name", ["absence_note", "bulk", "newsletter", "loop", "x_loop", "no_sender", "bounce"]
)
async def test_what_no_person_wrote_is_ignored(client: CrmClient, name: str) -> None:
    taken = await take(client, name)
    assert (taken.outcome, taken.ticket_id) == ("IGNORED", None)
    assert taken.reason
    for table in ("ticketing_ticket", "ticketing_message", "crm_customer", "crm_interaction"):
        assert await rows(client, f"SELECT id FROM {table}") == []


async def test_a_bounce_of_ours_is_noted(client: CrmClient) -> None:
    await opened(client, await customer(client, email="ada@example.com"))
    await sent(client, 1, "sent-2@shop.example")
    assert (await take(client, "bounce")).outcome == "NOTED"
    [note] = await rows(
        client, "SELECT author, internal, body FROM ticketing_message ORDER BY id DESC LIMIT 1"
    )
    assert (note["author"], bool(note["internal"])) == ("AUTOMATIC", True)
    assert "ada@example.com" in note["body"]


async def test_our_own_message_that_comes_back_is_a_loop(client: CrmClient) -> None:
    await opened(client, await customer(client))
    await sent(client, 1, "plain@mail.example.com")
    taken = await take(client, "plain")
    assert (taken.outcome, taken.again) == ("IGNORED", True)
    assert len(await rows(client, "SELECT id FROM ticketing_message")) == 1


async def test_of_large_files_all_but_the_bytes_is_kept(client: CrmClient) -> None:
    await take(client, "alternative_with_picture")
    await take(client, "forwarded_as_file")
    found = await rows(client, "SELECT size, kept FROM ticketing_attachment ORDER BY size")
    assert [(row["size"], bool(row["kept"])) for row in found] == [(260, True), (1024, True)]


SAMPLES = sorted(path.stem for path in FOLDER.glob("*.eml"))


async def test_every_sample_can_be_taken_in(client: CrmClient) -> None:
    taken = [await take(client, name) for name in SAMPLES]
    assert {one.outcome for one in taken} == {"OPENED", "IGNORED"}
    assert [one.again for one in taken].count(True) == 1  # two samples have one Message-ID
    tickets = await rows(client, "SELECT id FROM ticketing_ticket")
    assert {str(row["id"]) for row in tickets} == {one.ticket_id for one in taken if one.ticket_id}


async def test_letters_that_cannot_be_kept_are_left_out(client: CrmClient) -> None:
    raw = (
        b"From: =?utf-8?q?A=E2=80=AEda=00?= <ada@example.com>\nSubject: =?utf-8?q?L=E2=80=A8id=E2=80=AE?=\n"
        b'Content-Type: x-very/strange+type-of-file; name="a"\n\nNo lid.\n'
    )
    assert (await take(client, read_mail(raw))).outcome == "OPENED"
    [ticket] = await rows(client, "SELECT subject FROM ticketing_ticket")
    assert ticket["subject"] == "L id"


async def test_runs_of_marks_are_cut_wherever_they_are(client: CrmClient) -> None:
    """Who writes so is heard, and the time that it takes does not grow with the square of what he wrote."""
    marks = "\u0301" * 100 + "\u0316" * 100
    raw = (
        f"From: A{marks}da <ada{marks[:35]}@example.com>\nSubject: Li{marks}d\n"
        f"Content-Type: text/plain; charset=utf-8\n\nNo l{marks}id.\n"
    ).encode()
    mail = read_mail(raw)
    cut = "\u0301" * 30
    assert (mail.sender_name, mail.sender) == (f"A{cut}da", f"ada{cut}@example.com")
    assert (mail.subject, mail.text) == (f"Li{cut}d", f"No l{cut}id.")
    assert (await take(client, mail)).outcome == "OPENED"
    [message] = await rows(client, "SELECT body FROM ticketing_message")
    assert message["body"] == f"No l{cut}id."


async def test_an_erasure_leaves_no_word(client: CrmClient) -> None:
    await take(client, "alternative_with_picture")
    [row] = await rows(client, "SELECT id FROM crm_customer")
    async with client.service.database.unit_of_work() as tx:
        await client.service.host.erase_customer(str(row["id"]), tx)
    for table in ("attachment", "attachment_content", "words", "mail"):
        assert await rows(client, f"SELECT id FROM ticketing_{table}") == []
    [message] = await rows(client, "SELECT body, sender, rest FROM ticketing_message")
    assert (message["body"], message["sender"], message["rest"]) == ("", None, None)
