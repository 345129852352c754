"""Events are passed on to the webhooks that want them, each exactly once."""

import asyncio

import orjson
import pytest
from standardwebhooks.webhooks import Webhook

from crm_framework.domain.webhooks.passing import pass_on, read_batch
from crm_framework.storage.database import Database

from .conftest import Office


async def types(office: Office) -> list[str]:
    return [orjson.loads(one.body)["type"] for one in office.receiver.received]


def names(office: Office) -> list[str]:
    """Of the customers that the receiver was told of."""
    return [orjson.loads(one.body)["data"]["changes"]["name"][1] for one in office.receiver.received]


async def test_an_event_arrives_signed(office: Office) -> None:
    made = await office.made()
    customer = await office.customer("Zoë")
    await office.work()
    (got,) = office.receiver.received
    sent = Webhook(made["secret"]).verify(got.body, got.headers)
    assert sent["type"] == "customer.created"
    assert sent["data"]["customer"] == customer
    assert sent["data"]["changes"]["name"] == [None, "Zoë"]
    assert set(sent) == {"type", "timestamp", "data"}
    (row,) = await office.rows()
    assert got.headers["webhook-id"] == row["id"]
    assert (row["status"], row["attempts"], row["response_status"], row["response_text"], row["error"]) == (
        *("DELIVERED", 1, 200, "thanks", None),
    )


async def test_only_what_happens_later_and_is_wanted(office: Office) -> None:
    await office.customer("Before")
    await office.webhook(types=["customer.updated", "interaction.*"])
    later = await office.customer("Later")
    await office.do("updateCustomer", id=later, name="Renamed")
    await office.work()
    assert await types(office) == ["customer.updated"]


async def test_a_webhook_without_types_gets_everything(office: Office) -> None:
    await office.webhook(types=[])
    await office.customer()
    await office.work()
    assert sorted(await types(office)) == ["customer.created", "setting.changed"]


async def test_a_filter_of_customers(office: Office) -> None:
    await office.webhook(types=[], filter={"name": {"startsWith": "A"}})
    await office.customer("Ada")
    await office.customer("Bea")
    await office.work()
    # that the webhook itself was made is of no customer
    assert [orjson.loads(one.body)["data"]["changes"]["name"][1] for one in office.receiver.received] == [
        "Ada"
    ]


async def test_a_filter_with_a_segment(office: Office) -> None:
    made = await office.client.data(
        """mutation { createSegment(input: {name: "A", filter: {name: {startsWith: "A"}}}) {
            segment { id } } }"""
    )
    segment = made["createSegment"]["segment"]["id"]
    id = await office.webhook(filter={"segment": segment})
    await office.customer("Ada")
    await office.customer("Bea")
    await office.work()
    assert len(office.receiver.received) == 1
    shown = await office.client.data("query($id: ID!) { webhook(id: $id) { filter types url } }", id=id)
    assert shown["webhook"]["filter"] == {"segment": segment}
    await office.client.data(
        "mutation($id: ID!) { deleteSegment(input: {id: $id}) { errors { message } } }", id=segment
    )
    await office.customer("Ann")
    await office.work()
    stored = await office.stored()
    assert stored["status"] == "PAUSED"
    assert stored["pause_reason"].startswith("its filter fits no more")


async def test_two_nodes_pass_each_event_on_once(office: Office) -> None:
    await office.webhook()
    await office.webhook(types=["customer.created"])
    for number in range(7):
        await office.customer(f"Customer {number}")
    batches = [await read_batch(office.database, office.api) for _ in range(2)]
    counts = []
    for batch in batches:
        assert batch is not None
        counts.append(await pass_on(office.database, batch))
    assert counts == [14, 0]
    await asyncio.gather(*(office.pass_on() for _ in range(4)))
    assert len(await office.rows()) == 14
    await asyncio.gather(*(office.work() for _ in range(3)))
    assert len(office.receiver.received) == len(set(office.receiver.ids)) == 14


async def test_killed_before_the_commit_it_is_done_again(
    office: Office, monkeypatch: pytest.MonkeyPatch
) -> None:
    await office.webhook()
    await office.customer()
    batch = await read_batch(office.database, office.api)
    assert batch is not None
    with pytest.raises(ConnectionError):
        async with office.database.unit_of_work() as tx:
            # the same statements in a transaction that is lost
            with monkeypatch.context() as patched:
                patched.setattr(Database, "unit_of_work", lambda *_: _Entered(tx))
                await pass_on(office.database, batch)
            raise ConnectionError
    assert await office.rows() == []
    await office.work()
    assert len(await office.rows()) == len(office.receiver.received) == 1


class _Entered:
    def __init__(self, tx: object) -> None:
        self.tx = tx

    async def __aenter__(self) -> object:
        return self.tx

    async def __aexit__(self, *_: object) -> None:
        pass


async def test_one_deleted_or_paused_meanwhile_gets_nothing(office: Office) -> None:
    gone, paused = await office.webhook(), await office.webhook()
    await office.customer()
    batch = await read_batch(office.database, office.api)
    assert batch is not None
    await office.do("deleteWebhook", id=gone)
    await office.do("pauseWebhook", id=paused)
    assert await pass_on(office.database, batch) == 0
    assert await office.rows() == []


async def test_after_a_pause_it_goes_on_from_there_and_replay_brings_the_rest(office: Office) -> None:
    id = await office.webhook()
    await office.do("pauseWebhook", id=id)
    await office.customer("Missed")
    await office.work()
    await office.do("resumeWebhook", id=id)
    await office.customer("Seen")
    await office.work()
    assert await types(office) == ["customer.created"]
    count = await office.do("replayWebhook", "count", id=id, since="2020-01-01T00:00:00Z")
    assert count["count"] == 2
    await office.work()
    assert names(office)[0] == "Seen"
    assert sorted(names(office)[1:]) == ["Missed", "Seen"]
    ids = office.receiver.ids
    assert len(set(ids)) == 2  # the one that is sent again has the id that it had
    assert [row["status"] for row in await office.rows()] == ["DELIVERED", "DELIVERED"]


async def test_without_webhooks_nothing_is_written(office: Office) -> None:
    await office.customer()
    assert await read_batch(office.database, office.api) is None
    assert await office.database.fetch("SELECT * FROM crm_stream_reader") == []


async def test_an_erased_person_is_not_told_of(office: Office) -> None:
    await office.webhook()
    customer = await office.customer("Ada Lovelace", email="ada@example.com")
    await office.pass_on()
    await office.do("eraseCustomer", id=customer)
    await office.work()
    sent = b"".join(one.body for one in office.receiver.received)
    assert b"customer.created" in sent
    assert b"Lovelace" not in sent
    assert b"ada@example.com" not in sent


async def test_what_a_receiver_answered_is_erased_too(office: Office) -> None:
    await office.webhook()
    customer = await office.customer("Ada")
    office.receiver.answers = [(200, {}, b"hello Ada")]
    await office.work()
    await office.do("eraseCustomer", id=customer)
    assert [row["response_text"] for row in await office.rows()] == [None]
