"""Webhooks over the API: what is refused, who may, and that a secret is shown once and nowhere else."""

import logging
from typing import Any

import pytest
from standardwebhooks.webhooks import Webhook

from crm_framework.domain.webhooks import changes
from crm_framework.security.actors import ActorKind
from crm_framework.security.permissions import Permissions
from crm_framework.security.tokens import create_token
from crm_framework.testing.apps import OpenClient
from crm_framework.testing.client import CrmClient

from .conftest import MADE, Office

LIST = "{ webhooks { totalCount nodes { id url types filter status pauseReason failures version } } }"
DELIVERIES = """query($filter: WebhookDeliveryFilter) { webhookDeliveries(filter: $filter) { totalCount
    nodes { messageId type status attempts responseStatus responseText durationMs error
    webhook { url } event { type } customer { name } } } }"""


async def test_webhooks_are_listed_changed_and_deleted(office: Office) -> None:
    id = await office.webhook(description="For the shop")
    listed = await office.client.data(LIST)
    assert listed["webhooks"]["nodes"] == [
        {
            "id": id,
            "url": office.receiver.url,
            "types": ["customer.*"],
            "filter": None,
            "status": "ACTIVE",
            "pauseReason": None,
            "failures": 0,
            "version": 1,
        }
    ]
    changed = await office.do(
        "updateWebhook",
        "webhook { types filter version description }",
        id=id,
        types=["purchase.recorded"],
        filter={"stage": {"eq": "CUSTOMER"}},
        description=None,
    )
    assert changed["webhook"] == {
        "types": ["purchase.recorded"],
        "filter": {"stage": {"eq": "CUSTOMER"}},
        "version": 2,
        "description": None,
    }
    stale = await office.client.data(
        """mutation($id: ID!) { updateWebhook(input: {id: $id, types: [], expectedVersion: 1}) {
            errors { code path } } }""",
        id=id,
    )
    assert stale["updateWebhook"]["errors"] == [{"code": "CONFLICT", "path": ["expectedVersion"]}]
    await office.customer()
    await office.do("updateWebhook", id=id, types=[], filter=None)
    await office.customer()
    await office.work()
    await office.do("deleteWebhook", id=id)
    assert (await office.client.data(LIST))["webhooks"]["totalCount"] == 0
    assert await office.rows() == []


@pytest.mark.parametrize(
    ("more", "path"),
    [
        ({"url": "https://user:pw@example.com/"}, ["url"]),
        ({"url": "http://10.0.0.1/"}, ["url"]),
        ({"url": "https://169.254.169.254/"}, ["url"]),
        ({"url": "https://0x7f000001/"}, ["url"]),
        ({"types": ["customer.creatd"]}, ["types", "0"]),
        ({"types": ["customer.created", "nothing.*"]}, ["types", "1"]),
        ({"types": ["*"]}, ["types", "0"]),
        ({"types": ["customer.created"] * 101}, ["types"]),
        ({"description": "x" * 1001}, ["description"]),
    ],
)
async def test_what_does_not_fit_is_refused(office: Office, more: dict[str, Any], path: list[str]) -> None:
    payload = await office.made(**more)
    (error,) = payload["errors"]
    assert (error["code"], error["path"]) == ("BAD_INPUT", path)
    assert error["hint"]
    assert payload["secret"] is None
    assert await office.database.fetch("SELECT * FROM crm_webhook") == []


async def test_without_the_setting_only_https_to_the_public(open_client: OpenClient) -> None:
    client = await open_client()
    for url in ("http://example.com/", "https://127.0.0.1/", "https://[::1]/"):
        made = (await client.data(MADE, input={"url": url}))["createWebhook"]
        assert [error["path"] for error in made["errors"]] == [["url"]]
    made = (await client.data(MADE, input={"url": "https://example.com/"}))["createWebhook"]
    assert made["errors"] == []


async def test_there_are_not_too_many(office: Office, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(changes, "MAX_WEBHOOKS", 1)
    await office.webhook()
    (error,) = (await office.made())["errors"]
    assert error["code"] == "REFUSED"


async def test_reading_and_managing_are_two_permissions(office: Office) -> None:
    id = await office.webhook()
    reader = await office.client.acting_with("webhooks.read")
    other = await office.client.acting_with("events.read", "settings.write")
    assert (await reader.data(LIST))["webhooks"]["totalCount"] == 1
    (error,) = await other.errors(LIST)
    assert error["extensions"]["code"] == "FORBIDDEN"
    for name in (*("deleteWebhook", "rotateWebhookSecret", "pauseWebhook", "resumeWebhook", "testWebhook"),):
        (error,) = await reader.errors(
            f"mutation($id: ID!) {{ {name}(input: {{id: $id}}) {{ errors {{ message }} }} }}", id=id
        )
        assert error["extensions"]["code"] == "FORBIDDEN"
    (error,) = await reader.errors(MADE, input={"url": office.receiver.url})
    assert error["extensions"]["code"] == "FORBIDDEN"
    assert office.receiver.received == []
    assert len(await office.database.fetch("SELECT * FROM crm_webhook")) == 1


async def test_what_leaves_needs_the_sight_of_every_customer(office: Office) -> None:
    """Events tell of confidential customers, too, whatever the filter of a webhook says."""
    id = await office.webhook()
    rights = ("webhooks.manage", "webhooks.read", "customers.read")
    plain = await office.client.acting_with(*rights)
    secret = {"url": office.receiver.url, "filter": {"confidential": {"eq": True}}}
    asked = {
        "createWebhook": ("CreateWebhookInput", secret),
        "updateWebhook": ("UpdateWebhookInput", {"id": id, "url": "https://example.com/"}),
        "replayWebhook": ("ReplayWebhookInput", {"id": id, "since": "2020-01-01T00:00:00Z"}),
        "resumeWebhook": ("WebhookInput", {"id": id}),
        "testWebhook": ("WebhookInput", {"id": id}),
    }
    for name, (kind, input_) in asked.items():
        query = f"mutation($input: {kind}!) {{ {name}(input: $input) {{ errors {{ message }} }} }}"
        (error,) = await plain.errors(query, input=input_)
        assert error["extensions"]["code"] == "FORBIDDEN"
        assert error["message"].endswith(f"Mutation.{name} (customers.confidential on all customers)")
    await office.client.data(
        "mutation($input: CreateCustomerInput!) { createCustomer(input: $input) { customer { id } } }",
        input={"name": "Vip", "confidential": True},
    )
    assert len(await office.database.fetch("SELECT id FROM crm_webhook")) == 1
    assert office.receiver.received == []
    stopping = "mutation($id: ID!) { pauseWebhook(input: {id: $id}) { errors { message } } }"
    assert (await plain.data(stopping, id=id))["pauseWebhook"]["errors"] == []
    whole = await office.client.acting_with(*rights, "customers.confidential")
    made = (await whole.data(MADE, input=secret))["createWebhook"]
    assert made["errors"] == []


async def test_who_sees_some_customers_only_sees_no_webhooks(office: Office) -> None:
    id = await office.webhook()
    async with office.database.unit_of_work() as tx:
        partner = await create_token(
            tx,
            Permissions.of(()),
            name="Partner",
            grants=["webhooks.read", "customers.read"],
            kind=ActorKind.PARTNER,
            tag="gold",
        )
    client = CrmClient(office.client.app, office.client.http, partner.secret)
    for query in (
        "{ webhooks { nodes { url } } }",
        f'{{ webhook(id: "{id}") {{ url }} }}',
        f'{{ node(id: "{id}") {{ ... on Webhook {{ url }} }} }}',
        "{ webhookDeliveries { nodes { webhook { url } } } }",
    ):
        (error,) = await client.errors(query)
        assert error["extensions"]["code"] == "FORBIDDEN"
        assert office.receiver.url not in str(error)
    deliveries = await client.data("{ webhookDeliveries { nodes { status } } }")
    assert deliveries["webhookDeliveries"]["nodes"] == []


async def test_the_secret_is_shown_once_and_is_nowhere_else(
    office: Office, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    made = await office.made(types=[], idempotencyKey="once")
    again = await office.made(types=[], idempotencyKey="once")
    id = made["webhook"]["id"]
    assert (again["webhook"]["id"], again["secret"]) == (id, None)
    rotated = (await office.do("rotateWebhookSecret", "secret", id=id))["secret"]
    await office.do("pauseWebhook", id=id)
    await office.do("resumeWebhook", id=id)
    office.receiver.answer(500)
    await office.customer()
    await office.work()
    await office.do("testWebhook", id=id)
    everywhere = caplog.text + "".join(one.body.decode() for one in office.receiver.received)
    for table in ("crm_event", "crm_audit", "crm_idempotency", "crm_webhook_delivery"):
        everywhere += str(await office.database.fetch(f"SELECT * FROM {table}"))
    assert len(office.receiver.received) > 2
    for secret in (made["secret"], rotated):
        assert secret.removeprefix("whsec_") not in everywhere
    audited = await office.database.fetch(
        "SELECT action, changes FROM crm_audit WHERE subject_type = 'Webhook' ORDER BY id"
    )
    assert len(audited) == 4
    assert f'"http://127.0.0.1:{office.receiver.port}"' in audited[0]["changes"]  # without the path


async def test_a_test_shows_the_answer_and_is_made_once(office: Office) -> None:
    made = await office.made()
    id = made["webhook"]["id"]
    asked = "delivery { type status attempts responseStatus responseText error event { type } }"
    tested = await office.do("testWebhook", asked, id=id)
    assert tested["delivery"] == {
        "type": "webhook.test",
        "status": "DELIVERED",
        "attempts": 1,
        "responseStatus": 200,
        "responseText": "thanks",
        "error": None,
        "event": None,
    }
    (got,) = office.receiver.received
    assert Webhook(made["secret"]).verify(got.body, got.headers)["type"] == "webhook.test"
    await office.do("pauseWebhook", id=id)
    office.receiver.answers = [(500, {}, b"out of order")]
    tested = await office.do("testWebhook", asked, id=id)
    assert tested["delivery"]["status"] == "FAILED"
    assert tested["delivery"]["responseText"] == "out of order"
    assert tested["delivery"]["error"] == "the receiver answered 500"
    await office.work()
    assert len(office.receiver.received) == 2
    assert (await office.stored())["failures"] == 0
    unknown = await office.client.data(
        'mutation { testWebhook(input: {id: "nonsense"}) { delivery { id } errors { code path } } }'
    )
    assert unknown["testWebhook"] == {"delivery": None, "errors": [{"code": "BAD_INPUT", "path": ["id"]}]}


async def test_deliveries_are_listed(office: Office) -> None:
    id = await office.webhook(types=["customer.created"])
    await office.customer("Ada")
    office.receiver.answers = [(500, {}, b"oh"), (200, {}, b"thanks")]
    await office.work()
    await office.customer("Bea")
    await office.work()
    with office.client.statements() as statements:
        listed = await office.client.data(DELIVERIES)
    assert len(statements) == 5
    assert [
        (one["status"], one["responseStatus"], one["responseText"], one["error"], one["customer"]["name"])
        for one in listed["webhookDeliveries"]["nodes"]
    ] == [
        ("DELIVERED", 200, "thanks", None, "Bea"),
        ("PENDING", 500, "oh", "the receiver answered 500", "Ada"),
    ]
    failed = await office.client.data(
        DELIVERIES,
        filter={"webhook": {"eq": id}, "status": {"eq": "PENDING"}, "responseStatus": {"gte": 400}},
    )
    (node,) = failed["webhookDeliveries"]["nodes"]
    assert node["messageId"] == office.receiver.ids[0]
    assert (node["webhook"]["url"], node["event"]["type"]) == (office.receiver.url, "customer.created")


async def test_chosen_events_are_replayed_if_they_fit(office: Office) -> None:
    await office.customer("Ada")
    await office.customer("Bea")
    id = await office.webhook(filter={"name": {"eq": "Bea"}})
    events = await office.client.data("{ events { nodes { id type } } }")
    ids = [one["id"] for one in events["events"]["nodes"]]
    count = await office.do("replayWebhook", "count", id=id, events=ids)
    assert count["count"] == 1
    await office.work()
    assert b"Bea" in office.receiver.received[0].body
    nothing = await office.client.data(
        "mutation($id: ID!) { replayWebhook(input: {id: $id}) { count errors { code message } } }", id=id
    )
    assert nothing["replayWebhook"]["errors"] == [{"code": "BAD_INPUT", "message": "No events are chosen."}]
