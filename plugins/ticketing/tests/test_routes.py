"""The plugin's addresses: raw e-mail, signed requests, attachments, the page of a survey."""

import asyncio
import hmac
import json
from base64 import b64encode
from pathlib import Path
from typing import Any

from crm_framework import encode_id, now
from crm_framework.testing import CrmClient

from .desk import change, customer, opened, own, rows

SAMPLES = Path(__file__).parent / "mail" / "samples"
RAW = {path.stem: path.read_bytes() for path in SAMPLES.glob("*.eml")}
KEY = b"0123456789abcdef0123456789abcdef"


def bearer(client: CrmClient) -> dict[str, str]:
    return {"Authorization": f"Bearer {client.token}"}


async def post_mail(client: CrmClient, name: str) -> Any:
    return await client.http.post("/plugins/ticketing/mail", content=RAW[name], headers=bearer(client))


async def test_a_raw_message_opens_a_ticket_and_its_file_is_given_back(client: CrmClient) -> None:
    made = await post_mail(client, "alternative_with_picture")
    assert (made.status_code, made.json()["outcome"], made.json()["ticket"]) == (201, "OPENED", 1)
    again = await post_mail(client, "alternative_with_picture")
    assert (again.status_code, again.json()["again"], again.json()["ticket"]) == (200, True, 1)
    found = await client.data("{ tickets { nodes { messages { nodes { attachments { id kept } } } } } }")
    [file] = found["tickets"]["nodes"][0]["messages"]["nodes"][0]["attachments"]
    given = await client.http.get(f"/plugins/ticketing/attachments/{file['id']}", headers=bearer(client))
    assert given.status_code == 200
    assert given.content == bytes(range(256)) * 4
    assert given.headers["content-type"] == "application/octet-stream"
    assert given.headers["content-disposition"] == "attachment; filename*=UTF-8''lid%20%C3%B6.png"
    path = f"/plugins/ticketing/attachments/{file['id']}"
    bob = await own(client, await customer(client, "Bob"))
    [row] = await rows(client, "SELECT customer_id FROM ticketing_ticket")
    ada = str(row["customer_id"])
    hers = await own(client, ada)
    vip: dict[str, Any] = {"customers": [encode_id("Customer", ada)], "add": ["vip"]}
    await change(client, "tagCustomers", "customers { id }", **vip)
    partners = []
    for tag in ("vip", "other"):
        token = {"kind": "PARTNER", "tag": tag, "permissions": ["ticketing.read", "customers.read"]}
        made = await change(client, "createToken", "secret", name=tag, **token)
        partners.append(CrmClient(client.app, client.http, made["secret"]))
    for other, status in ((hers, 200), (bob, 404), (partners[0], 200), (partners[1], 404)):
        answer = await client.http.get(path, headers=bearer(other))
        assert answer.status_code == status
    async with client.service.database.unit_of_work() as tx:
        await tx.execute("UPDATE ticketing_attachment SET internal = ?", [True])
    for other, status in ((hers, 404), (partners[0], 200)):
        assert (await client.http.get(path, headers=bearer(other))).status_code == status
    unknown = encode_id("TicketAttachment", "018f0000-0000-7000-8000-000000000001")
    none = await client.http.get(f"/plugins/ticketing/attachments/{unknown}", headers=bearer(client))
    assert none.status_code == 404


async def test_handing_over_mail_needs_its_permission(client: CrmClient) -> None:
    for other in (await client.acting_with("ticketing.write"), await own(client, await customer(client))):
        assert (await post_mail(other, "plain")).status_code == 403
    nobody = await client.http.post("/plugins/ticketing/mail", content=RAW["plain"])
    assert nobody.status_code == 401
    assert await rows(client, "SELECT id FROM ticketing_ticket") == []
    allowed = await client.acting_with("ticketing.intake")
    assert (await post_mail(allowed, "plain")).status_code == 201


async def hooked(open_client: Any) -> CrmClient:
    secret = "whsec_" + b64encode(KEY).decode()
    client: CrmClient = await open_client("ticketing", ticketing={"webhook_secrets": [secret]})
    return client


async def hook(client: CrmClient, id_: str, key: bytes = KEY, **wanted: Any) -> Any:
    body = json.dumps(
        {"body": "No lid.", "customer": {"email": "Ada@Example.com", "name": "Ada"}, **wanted}
    ).encode()
    stamp = str(int(now().timestamp()))
    mac = hmac.digest(key, f"{id_}.{stamp}.".encode() + body, "sha256")
    headers = {
        "webhook-id": id_,
        "webhook-timestamp": stamp,
        "webhook-signature": f"v1,{b64encode(mac).decode()}",
    }
    return await client.http.post("/plugins/ticketing/hook", content=body, headers=headers)


async def test_a_signed_request_opens_a_ticket_once_and_another_adds_to_it(open_client: Any) -> None:
    client = await hooked(open_client)
    first = await hook(client, "msg_1", subject="Lid", category="complaint")
    assert (first.status_code, first.json()) == (201, {"ticket": 1})
    again = await hook(client, "msg_1", subject="Lid", category="complaint")
    assert (again.status_code, again.json()) == (200, {"ticket": 1})
    more = await hook(client, "msg_2", ticket=1, body="Red.", channel="chat")
    assert (more.status_code, more.json()) == (200, {"ticket": 1})
    unknown = await hook(client, "msg_3", ticket=1, channel="x" * 100)
    assert unknown.status_code == 400
    assert unknown.json()["errors"][0]["extensions"]["path"] == ["channel"]
    found = await client.data(
        "{ tickets { nodes { subject category channel customer { name email }"
        " messages { nodes { body channel } } } } }"
    )
    assert found["tickets"]["nodes"] == [
        {
            "subject": "Lid",
            "category": "complaint",
            "channel": "webhook",
            "customer": {"name": "Ada", "email": "ada@example.com"},
            "messages": {
                "nodes": [{"body": "No lid.", "channel": "webhook"}, {"body": "Red.", "channel": "chat"}]
            },
        }
    ]


async def test_a_body_gives_the_subject_whatever_it_holds(open_client: Any) -> None:
    client = await hooked(open_client)
    for id_, body in (("msg_1", "Lid:\tnone\nRed."), ("msg_2", "\u202e\nLid: none")):
        assert (await hook(client, id_, body=body)).status_code == 201
    found = await rows(client, "SELECT subject FROM ticketing_ticket")
    assert [row["subject"] for row in found] == ["Lid: none"] * 2


async def test_requests_that_are_not_right_change_nothing(open_client: Any) -> None:
    client = await hooked(open_client)
    await opened(client, await customer(client, "Bob"))
    assert (await hook(client, "msg_1", key=KEY[::-1])).status_code == 401
    assert (await hook(client, "msg_2", ticket=1)).status_code == 404
    for wrong, path in (
        ({"more": 1}, None),
        ({"body": " "}, ["body"]),
        ({"customer": {"email": "nonsense"}}, ["customer", "email"]),
        ({"customer": {"email": "ada@example.com", "name": "A\nda"}}, ["customer", "name"]),
        ({"customer": {"source": "shop", "reference": ""}}, ["customer"]),
        ({"channel": "x" * 100}, ["channel"]),
        ({"customer": {"source": "x" * 101, "reference": "7"}}, ["customer", "source"]),
    ):
        answer = await hook(client, "msg_3", **wrong)
        assert answer.status_code == 400
        assert answer.json()["errors"][0]["extensions"].get("path") == path
    assert len(await rows(client, "SELECT id FROM ticketing_message")) == 1
    assert len(await rows(client, "SELECT id FROM crm_customer")) == 1


async def test_a_request_that_comes_twice_at_once_opens_one_ticket(open_client: Any) -> None:
    client = await hooked(open_client)
    answers = await asyncio.gather(*(hook(client, "msg_1", subject="Lid") for _ in range(4)))
    assert sorted(answer.status_code for answer in answers) == [200, 200, 200, 201]
    assert [answer.json() for answer in answers] == [{"ticket": 1}] * 4
    assert len(await rows(client, "SELECT id FROM ticketing_message")) == 1


async def test_a_request_for_a_merged_ticket_reaches_the_one_that_has_its_messages(open_client: Any) -> None:
    client = await hooked(open_client)
    await hook(client, "msg_1", subject="Lid")
    await hook(client, "msg_2", subject="Lid again")
    found = await client.data("{ tickets(orderBy: [{field: NUMBER}]) { nodes { id } } }")
    first, second = [one["id"] for one in found["tickets"]["nodes"]]
    assert (await change(client, "mergeTickets", winner=first, losers=[second]))["errors"] == []
    more = await hook(client, "msg_3", ticket=2, body="Red.")
    assert (more.status_code, more.json()) == (200, {"ticket": 1})
