"""What is owed is sent until it arrives, or is given up; one receiver does not hold up the others."""

import asyncio
from datetime import datetime, timedelta

import pytest
from standardwebhooks.webhooks import Webhook, WebhookVerificationError

from crm_framework.domain.webhooks import sending
from crm_framework.domain.webhooks.changes import LEASE, OLD_SECRET_HOLDS
from crm_framework.domain.webhooks.sending import DEAD_AFTER, MAX_ATTEMPTS, RETRIES, rest
from crm_framework.outgoing.client import Answer
from crm_framework.storage.clock import frozen, now, parse_time
from tests.outgoing.receiver import receiving

from .conftest import Office


async def due(office: Office) -> datetime:
    (row,) = await office.rows()
    return parse_time(row["next_at"])


async def test_a_failure_is_tried_again_later_and_later_under_the_same_id(office: Office) -> None:
    await office.webhook()
    await office.customer()
    # shorter than it takes for the receiver to be given up
    office.receiver.answer(500, 404, 302, 200)
    await office.work()
    at = now()
    waits = []
    for _ in range(3):
        (row,) = await office.rows()
        assert row["status"] == "PENDING"
        waits.append(await due(office) - parse_time(row["tried_at"]))
        await office.work(at)  # not yet
        at = await due(office) + timedelta(seconds=1)
        await office.work(at)
    (row,) = await office.rows()
    assert (row["status"], row["attempts"], row["response_status"]) == ("DELIVERED", 4, 200)
    assert len(set(office.receiver.ids)) == 1
    assert len(office.receiver.ids) == 4
    for wait, retry in zip(waits, RETRIES, strict=False):
        assert retry * 0.89 < wait < retry * 1.11 + timedelta(seconds=5)
    stored = await office.stored()
    assert (stored["failures"], stored["failing_since"]) == (0, None)


async def test_a_dead_receiver_is_paused_and_others_are_told(office: Office) -> None:
    await office.webhook()
    async with receiving() as other:
        await office.webhook(url=other.url, types=["webhook.*"])
        await office.customer()
        office.receiver.answer(503)
        at = now()
        for _ in range(MAX_ATTEMPTS):
            await office.work(at)
            rows = await office.rows()
            at = parse_time(rows[0]["next_at"]) + timedelta(seconds=1)
        await office.work(at)
        (row,) = [row for row in await office.rows() if row["type"] == "customer.created"]
        assert (row["status"], row["attempts"]) == ("FAILED", MAX_ATTEMPTS)
        assert row["error"] == "the receiver answered 503"
        assert len(other.received) == 1
        assert b"webhook.paused" in other.received[0].body
    (paused,) = await office.database.fetch("SELECT * FROM crm_webhook WHERE status = 'PAUSED'")
    assert paused["pause_reason"].startswith("nothing has arrived since ")
    assert len(office.receiver.received) == MAX_ATTEMPTS


async def test_one_that_succeeds_now_and_then_is_not_dead(office: Office) -> None:
    await office.webhook()
    await office.customer()
    office.receiver.answer(503)
    await office.work()
    office.receiver.answer(200)
    await office.customer()
    await office.work()
    office.receiver.answer(503)
    at = now() + DEAD_AFTER * 2
    await office.work(at)
    stored = await office.stored()
    assert (stored["status"], stored["failures"]) == ("ACTIVE", 1)


async def test_gone_is_paused_at_once_and_resumed_it_is_sent(office: Office) -> None:
    id = await office.webhook()
    await office.customer()
    office.receiver.answer(410)
    await office.work()
    stored = await office.stored()
    assert (stored["status"], stored["pause_reason"]) == ("PAUSED", "the receiver answered 410 Gone")
    await office.work(now() + timedelta(days=2))
    assert len(office.receiver.received) == 1
    office.receiver.answer(200)
    with frozen(now() + LEASE * 2):
        await office.do("resumeWebhook", id=id)
        await office.work()
    assert [row["status"] for row in await office.rows()] == ["DELIVERED"]
    assert len(set(office.receiver.ids)) == 1


async def test_killed_between_sending_and_noting_it_is_sent_again_under_its_id(
    office: Office, monkeypatch: pytest.MonkeyPatch
) -> None:
    await office.webhook()
    await office.customer()

    async def killed(*_: object) -> None:
        raise ConnectionError("killed")

    with monkeypatch.context() as patched:
        patched.setattr(sending, "note", killed)
        with pytest.raises(ConnectionError):
            await office.work()
    (row,) = await office.rows()
    assert (row["status"], row["attempts"], row["error"]) == ("PENDING", 1, sending.UNFINISHED)
    await office.work(now() + LEASE / 2)  # it may be under way still
    assert len(office.receiver.received) == 1
    await office.work(now() + LEASE + timedelta(seconds=1))
    assert len(office.receiver.received) == 2
    assert len(set(office.receiver.ids)) == 1
    assert [(row["status"], row["attempts"]) for row in await office.rows()] == [("DELIVERED", 2)]


async def test_an_answer_that_comes_after_the_lease_changes_nothing(office: Office) -> None:
    await office.webhook()
    await office.customer()
    await office.pass_on()
    (key,) = await sending.due_webhooks(office.database)
    (slow,) = await sending.claim(office.database, {key: 5})
    with frozen(now() + LEASE + timedelta(seconds=1)):
        (quick,) = await sending.claim(office.database, {key: 5})
    assert (slow.id, slow.attempts, quick.id, quick.attempts) == (slow.id, 1, slow.id, 2)
    await sending.note(office.database, slow, Answer(status=500))
    assert (await office.rows())[0]["response_status"] is None
    await sending.note(office.database, quick, Answer(status=200))
    (row,) = await office.rows()
    assert (row["status"], row["attempts"]) == ("DELIVERED", 2)
    assert (await office.stored())["failures"] == 0


async def test_one_that_kills_its_process_is_given_up_in_the_end(office: Office) -> None:
    await office.webhook()
    await office.customer()
    await office.pass_on()
    (key,) = await sending.due_webhooks(office.database)
    at = now()
    for _ in range(MAX_ATTEMPTS):
        with frozen(at):
            assert len(await sending.claim(office.database, {key: 5})) == 1
        at += LEASE + timedelta(seconds=1)
    with frozen(at):
        assert await sending.claim(office.database, {key: 5}) == []
    assert [(row["status"], row["attempts"]) for row in await office.rows()] == [("FAILED", MAX_ATTEMPTS)]


async def test_two_workers_never_claim_the_same(office: Office) -> None:
    await office.webhook()
    for number in range(12):
        await office.customer(f"Customer {number}")
    await office.pass_on()
    (key,) = await sending.due_webhooks(office.database)
    claims = await asyncio.gather(*(sending.claim(office.database, {key: 4}) for _ in range(6)))
    taken = [one.id for some in claims for one in some]
    assert len(taken) == len(set(taken)) == 12


async def test_a_slow_receiver_does_not_hold_up_the_others(office: Office) -> None:
    over = asyncio.Event()
    async with receiving() as slow:

        async def wait(_: object) -> None:
            await over.wait()

        slow.before = wait
        await office.webhook(url=slow.url)
        await office.webhook()
        for number in range(20):
            await office.customer(f"Customer {number}")
        await office.pass_on()
        sender = office.sender()
        running: set[asyncio.Task[None]] = set()
        while [row["status"] for row in await office.rows()].count("DELIVERED") < 20:
            pieces = await sender.due(8 - len(running))
            running |= {asyncio.ensure_future(piece()) for piece in pieces}
            _, running = await asyncio.wait(running, return_when=asyncio.FIRST_COMPLETED)
        assert len(slow.received) == 4  # no more at once
        over.set()
        await asyncio.gather(*running)


async def test_both_signatures_are_sent_for_a_day_after_a_rotation(office: Office) -> None:
    made = await office.made()
    id, old = made["webhook"]["id"], made["secret"]
    new = (await office.do("rotateWebhookSecret", "secret", id=id))["secret"]
    assert new != old
    await office.customer()
    await office.work()
    (got,) = office.receiver.received
    for secret in (old, new):
        Webhook(secret).verify(got.body, got.headers)
    await office.do("replayWebhook", id=id, since="2020-01-01T00:00:00Z")
    await office.work(now() + OLD_SECRET_HOLDS + timedelta(seconds=1))
    last = office.receiver.received[-1]
    assert len(last.headers["webhook-signature"].split(" ")) == 1
    last.headers["webhook-timestamp"] = got.headers["webhook-timestamp"]
    with pytest.raises(WebhookVerificationError):
        Webhook(old).verify(last.body, last.headers)


async def test_what_waits_for_a_paused_webhook_is_given_back(office: Office) -> None:
    id = await office.webhook()
    await office.customer()
    await office.pass_on()
    pieces = await office.sender().due(5)
    await office.do("pauseWebhook", id=id)
    for piece in pieces:
        await piece()
    assert office.receiver.received == []
    assert [(row["status"], row["attempts"]) for row in await office.rows()] == [("PENDING", 0)]


def test_the_waits_are_those_of_the_convention() -> None:
    assert MAX_ATTEMPTS == 8
    assert sum(RETRIES, timedelta()) == timedelta(hours=27, minutes=35, seconds=5)
    assert timedelta(seconds=4.5) <= rest(1) <= timedelta(seconds=5.5)
    assert timedelta(hours=9) <= rest(7) <= timedelta(hours=11)
    assert rest(1, retry_after=600) == timedelta(minutes=10)
    assert rest(1, retry_after=999_999) == timedelta(hours=24)
