"""`crm webhooks`, with a receiver that really answers."""

import asyncio
import json
import threading
from collections.abc import Iterator

import pytest

from crm_framework.engine.ids import encode_id
from crm_framework.outgoing.signatures import new_secret
from tests.outgoing.receiver import Receiver, receiving

from .conftest import Crm
from .office import made, rows


@pytest.fixture
def receiver(monkeypatch: pytest.MonkeyPatch) -> Iterator[Receiver]:
    """On a loop in a thread of its own: the command has one of its own."""
    monkeypatch.setenv("CRM_WEBHOOK_ALLOW_HTTP", "true")
    monkeypatch.setenv("CRM_WEBHOOK_ALLOW_PRIVATE", "127.0.0.1")
    loop = asyncio.new_event_loop()
    thread = threading.Thread(target=loop.run_forever)
    thread.start()
    context = receiving()
    try:
        yield asyncio.run_coroutine_threadsafe(context.__aenter__(), loop).result()
    finally:
        asyncio.run_coroutine_threadsafe(context.__aexit__(None, None, None), loop).result()
        loop.call_soon_threadsafe(loop.stop)
        thread.join()
        loop.close()


def webhook(url: str, receiver: Receiver, **more: object) -> str:
    columns = {"url": receiver.url, "types": "[]", "status": "ACTIVE", "secret": new_secret(), "begins": ""}
    return made(url, "crm_webhook", **{**columns, **more})


def test_it_is_listed_shown_paused_and_resumed(
    crm_command: Crm, database_url: str, receiver: Receiver
) -> None:
    assert crm_command("webhooks", "list").output.startswith("There is no webhook.")
    types = json.dumps(["customer.*"])
    key = webhook(database_url, receiver, types=types, description="For the shop.")
    (secret,) = rows(database_url, "SELECT secret FROM crm_webhook")
    listed = crm_command("webhooks", "list").output
    assert listed.splitlines()[1].split() == [key, receiver.url, "customer.*", "active", "0", "0"]
    assert crm_command("webhooks", "pause", key, "--reason", "moving house").output == "Paused.\n"
    assert crm_command("webhooks", "pause", key).output == "It was paused before.\n"
    shown = crm_command("webhooks", "show", encode_id("Webhook", key)).output.splitlines()
    assert shown[:3] == [receiver.url, "For the shop.", "events: customer.*"]
    assert shown[4].startswith("paused: ")
    assert shown[4].endswith(", moving house")
    assert crm_command("webhooks", "resume", key).output == "Resumed.\n"
    assert crm_command("webhooks", "resume", key).output == "It was active before.\n"
    assert "status: active" in crm_command("webhooks", "show", key).output
    assert secret["secret"] not in listed + crm_command("webhooks", "show", key).output


def test_a_test_is_sent_and_its_answer_shown(crm_command: Crm, database_url: str, receiver: Receiver) -> None:
    key = webhook(database_url, receiver)
    assert crm_command("webhooks", "test", key).output.startswith("It arrived: 200 in ")
    receiver.answer(500)
    failed = crm_command("webhooks", "test", key)
    assert (failed.code, failed.output) == (1, "")
    assert "It did not arrive: the receiver answered 500." in failed.errors
    assert [json.loads(one.body)["type"] for one in receiver.received] == ["webhook.test", "webhook.test"]
    noted = rows(database_url, "SELECT status, response_status FROM crm_webhook_delivery ORDER BY position")
    assert [(row["status"], row["response_status"]) for row in noted] == [("DELIVERED", 200), ("FAILED", 500)]
    shown = crm_command("webhooks", "show", key).output
    assert shown.index("failed") < shown.index("delivered")


def test_past_events_are_counted_then_sent(crm_command: Crm, database_url: str, receiver: Receiver) -> None:
    key = webhook(database_url, receiver)
    for name in ("one", "two"):
        assert crm_command("token", "create", name, "--admin").code == 0
    owed = "SELECT count(*) AS n FROM crm_webhook_delivery"
    replay = ("webhooks", "replay", key, "--type", "setting.changed", "--since", "2020-01-01")
    would = "The webhook would get 2 event(s) again. Add --yes to do it.\n"
    assert crm_command(*replay).output == would
    assert rows(database_url, owed) == [{"n": 0}]
    assert crm_command(*replay).output == would  # counting leaves no event of its own
    sent = crm_command(*replay, "--yes").output
    assert sent == "2 event(s) are due to the webhook now; a worker sends them.\n"
    assert rows(database_url, owed) == [{"n": 2}]
    assert " 2 " in crm_command("webhooks", "list").output.splitlines()[1]
    assert crm_command("worker", "--once").code == 0
    arrived = [json.loads(one.body)["data"]["kind"] for one in receiver.received]
    assert arrived[:2] == ["token", "token"]


def test_it_is_deleted_when_asked_twice(crm_command: Crm, database_url: str, receiver: Receiver) -> None:
    key = webhook(database_url, receiver)
    told = crm_command("webhooks", "delete", key).output
    assert told == f"{receiver.url} is owed 0 event(s). Add --yes to delete it.\n"
    assert len(rows(database_url, "SELECT id FROM crm_webhook")) == 1
    assert crm_command("webhooks", "delete", key, "--yes").output == f"{receiver.url} is deleted.\n"
    assert rows(database_url, "SELECT id FROM crm_webhook") == []


def test_a_wrong_call_says_what_to_do(crm_command: Crm, database_url: str, receiver: Receiver) -> None:
    key = webhook(database_url, receiver)
    for arguments, fault in (
        (("show", "nonsense"), "There is no webhook 'nonsense' (at id)."),
        (("test", "nonsense"), "There is no webhook 'nonsense' (at id)."),
        (("resume", encode_id("Customer", key)), "There is no webhook"),
        (("replay", key), "No events are chosen."),
        (("replay", key, "--since", "soon"), "--since 'soon' is no time."),
    ):
        ran = crm_command("webhooks", *arguments)
        assert (ran.code, ran.output) == (1, ""), arguments
        assert fault in ran.errors
    assert receiver.received == []
