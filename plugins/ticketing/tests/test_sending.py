"""What the plugin sends: invitations to surveys, and answers by e-mail."""

import json
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from crm_framework import Secret, decode_key, encode_id, now, sign_link
from crm_framework.testing import CrmClient, run_jobs

from .desk import change, customer, opened, rows

SAMPLES = Path(__file__).parent / "mail" / "samples"
RAW = {path.stem: path.read_bytes() for path in SAMPLES.glob("*.eml")}
SIGNS = "0123456789abcdef"


def bearer(client: CrmClient) -> dict[str, str]:
    return {"Authorization": f"Bearer {client.token}"}


async def post_mail(client: CrmClient, name: str) -> Any:
    return await client.http.post("/plugins/ticketing/mail", content=RAW[name], headers=bearer(client))


async def surveyed(open_client: Any, **more: Any) -> CrmClient:
    section = {
        "survey": True,
        "survey_after_hours": 1,
        "survey_url": "https://crm.example.com",
        "survey_secrets": [SIGNS],
        **more,
    }
    client: CrmClient = await open_client("ticketing", ticketing=section)
    return client


async def resolved(client: CrmClient) -> str:
    ticket = await opened(client, await customer(client, email="ada@example.com"))
    await change(client, "changeTicketStatus", ticket=ticket, status="RESOLVED")
    return ticket


async def test_a_customer_is_asked_and_answers_once(open_client: Any) -> None:
    client = await surveyed(open_client)
    ticket = await resolved(client)
    await run_jobs(client, failing=True)
    assert await rows(client, "SELECT id FROM ticketing_survey") == []
    await run_jobs(client, at=now() + timedelta(hours=2), failing=True)
    [survey] = await rows(client, "SELECT id FROM ticketing_survey")
    token = sign_link(str(survey["id"]), [Secret(SIGNS)], purpose="ticketing.survey")
    [message] = await rows(client, "SELECT recipient, text FROM crm_message")
    assert message["recipient"] == "ada@example.com"
    touches = "SELECT direction, channel, outcome FROM crm_interaction WHERE kind = 'survey'"
    [touch] = await rows(client, touches)  # the contact rules count it
    assert tuple(touch.values()) == ("OUTBOUND", "email", "asked")
    assert f"https://crm.example.com/plugins/ticketing/survey/{token}" in message["text"]
    address = f"/plugins/ticketing/survey/{token}"
    shown = await client.http.get(address)
    assert (shown.status_code, "Your case 1: Lid" in shown.text) == (200, True)
    form = {"content-type": "application/x-www-form-urlencoded"}
    empty = await client.http.post(address, content="comment=x", headers=form)
    assert empty.status_code == 400
    sent = await client.http.post(address, content="rating=2&comment=Too+%3Cslow%3E", headers=form)
    assert (sent.status_code, "Thank you" in sent.text) == (200, True)
    again = await client.http.post(address, content="rating=5", headers=form)
    assert again.status_code == 410
    found = await client.data(
        "query ($id: ID!) { ticket(id: $id) { rating surveys { rating comment } } }", id=ticket
    )
    assert found["ticket"] == {"rating": 2, "surveys": [{"rating": 2, "comment": "Too <slow>"}]}
    assert (await client.http.get("/plugins/ticketing/survey/018f.abc")).status_code == 404


async def test_one_that_is_open_again_is_not_asked_about(open_client: Any) -> None:
    client = await surveyed(open_client)
    ticket = await resolved(client)
    await change(client, "changeTicketStatus", ticket=ticket, status="OPEN")
    await run_jobs(client, at=now() + timedelta(hours=2), failing=True)
    assert await rows(client, "SELECT id FROM ticketing_survey") == []


async def test_the_contact_policy_puts_it_off(open_client: Any) -> None:
    client = await surveyed(open_client)
    await client.data(
        "mutation { createContactRule(input: {restHours: 48}) { contactRule { id } errors { message } } }"
    )
    await resolved(client)
    await run_jobs(client, at=now() + timedelta(hours=2), failing=True)
    assert await rows(client, "SELECT id FROM ticketing_survey") == []
    await run_jobs(client, at=now() + timedelta(hours=49), failing=True)
    assert len(await rows(client, "SELECT id FROM ticketing_survey")) == 1


@pytest.mark.parametrize("replies", [True, False])
async def test_answers_leave_as_e_mail_and_answers_to_them_find_the_ticket(
    open_client: Any, replies: bool
) -> None:
    client = await open_client(
        "ticketing", ticketing={"mail_replies": replies, "mail_address": "help@shop.example"}
    )
    await post_mail(client, "plain")
    found = await client.data("{ tickets { nodes { id } } }")
    ticket = found["tickets"]["nodes"][0]["id"]
    await change(client, "addTicketNote", ticket=ticket, body="Hm.")
    await change(client, "replyToTicket", ticket=ticket, body="Which colour?")
    sent = await rows(client, "SELECT subject, text, headers, reply_to, message_id FROM crm_message")
    if not replies:
        assert sent == []
        return
    [message] = sent
    assert (message["subject"], message["text"], message["reply_to"]) == (
        "[#1] Broken lid",
        "Which colour?",
        "help@shop.example",
    )
    headers = json.loads(message["headers"])
    assert headers["In-Reply-To"] == "<plain@mail.example.com>"
    raw = (
        f"From: ada@example.com\nMessage-ID: <next@x>\nIn-Reply-To: {message['message_id']}\n\nRed.\n"
    ).encode()
    taken = await client.http.post("/plugins/ticketing/mail", content=raw, headers=bearer(client))
    assert taken.json()["outcome"] == "ADDED"
    back = f"From: ada@example.com\nMessage-ID: {message['message_id']}\n\nWhich colour?\n".encode()
    loop = await client.http.post("/plugins/ticketing/mail", content=back, headers=bearer(client))
    assert loop.json()["outcome"] == "IGNORED"


async def test_answers_leave_as_e_mail_too_where_one_that_came_so_was_merged(open_client: Any) -> None:
    client = await open_client("ticketing", ticketing={"mail_replies": True})
    await post_mail(client, "plain")
    found = await client.data("{ tickets { nodes { id customer { id } } } }")
    [mailed] = found["tickets"]["nodes"]
    winner = await opened(client, decode_key(mailed["customer"]["id"], "Customer"))
    await change(client, "replyToTicket", ticket=winner, body="Which colour?")
    assert await rows(client, "SELECT id FROM crm_message") == []
    assert (await change(client, "mergeTickets", winner=winner, losers=[mailed["id"]]))["errors"] == []
    await change(client, "replyToTicket", ticket=winner, body="Which size?")
    sent = await rows(client, "SELECT subject, text FROM crm_message")
    assert [(one["subject"], one["text"]) for one in sent] == [("[#2] Lid", "Which size?")]


async def test_an_answer_goes_to_the_address_that_the_customer_wrote_from(open_client: Any) -> None:
    client = await open_client("ticketing", ticketing={"mail_replies": True})
    ada = await customer(client, email="work@example.com")
    point = {"channel": "email", "value": "ada@example.com"}
    given = {"customer": encode_id("Customer", ada), "contactPoint": point}
    assert (await change(client, "addContactPoint", "customer { id }", **given))["errors"] == []
    await post_mail(client, "plain")
    [ticket] = (await client.data("{ tickets { nodes { id customer { email } } } }"))["tickets"]["nodes"]
    assert ticket["customer"] == {"email": "work@example.com"}
    await change(client, "replyToTicket", ticket=ticket["id"], body="Which colour?")
    other = b"From: eve@example.com\nMessage-ID: <e@x>\nIn-Reply-To: <plain@mail.example.com>\n\nRed.\n"
    taken = await client.http.post("/plugins/ticketing/mail", content=other, headers=bearer(client))
    assert taken.json()["outcome"] == "ADDED"  # by the id, but it is nobody's address whom we answer
    await change(client, "replyToTicket", ticket=ticket["id"], body="Which size?")
    sent = await rows(client, "SELECT recipient FROM crm_message")
    assert [one["recipient"] for one in sent] == ["ada@example.com"] * 2
