"""Old events are removed, but none that somebody waits for; who comes from before them is told."""

from datetime import datetime, timedelta

import pytest

from crm_framework import CrmError, ErrorCode
from crm_framework.domain import event_retention
from crm_framework.domain.event_retention import FORGET
from crm_framework.storage.clock import now
from crm_framework.storage.database import Database
from crm_framework.storage.stream import START, StreamedEvent, check_kept, check_position, read_after, tail
from crm_framework.testing import CrmClient
from crm_framework.testing.apps import OpenClient
from crm_framework.testing.jobs import run_jobs
from tests.outgoing.receiver import receiving
from tests.storage.owing import Careful, change, renamed, word
from tests.webhooks.conftest import Office

LATER = timedelta(days=31)


async def forget(client: CrmClient, at: datetime | None = None) -> int:
    """As the job would in 31 days; how many transactions it took."""
    async with client.service.database.unit_of_work() as tx:
        tx.defer(FORGET, {})
    return (await run_jobs(client, at=at or now() + LATER)).count(FORGET)


async def events(database: Database) -> list[StreamedEvent]:
    return (await read_after(database, START, 1_000)).events


async def told(database: Database) -> list[str]:
    types = database.event_types
    assert types is not None
    return [word(types.decode(event.type, event.payload)) for event in await events(database)]


@pytest.fixture
async def client(open_client: OpenClient, monkeypatch: pytest.MonkeyPatch) -> CrmClient:
    monkeypatch.setattr(event_retention, "AT_ONCE", 3)
    return await open_client(events_kept_days=30)


async def test_what_is_old_goes_page_by_page_and_who_comes_from_before_is_told(client: CrmClient) -> None:
    database = client.service.database
    for number in range(8):
        await change(database, renamed(None, str(number)))
    before = await events(database)
    assert await forget(client, now() + timedelta(days=29)) == 1
    assert await events(database) == before
    assert await forget(client) == -(-(len(before) + 1) // 3)
    [last] = await events(database)
    assert (last, await tail(database)) == (before[-1], before[-1].position)
    await change(database, renamed(None, "after"))
    gone = before[-2].position
    await check_position(database, gone)  # after it nothing is missing
    page = await read_after(database, gone)
    assert page.events == [last, *(await events(database))[1:]]
    assert await check_kept(database, START) == gone
    for position in (before[0].position, before[-3].position):
        with pytest.raises(CrmError, match=r"not kept any more: it is too old") as refused:
            await check_position(database, position)
        assert (refused.value.code, refused.value.path) == (ErrorCode.NOT_FOUND, ("after",))
    ask = "subscription ($after: String) { events(after: $after) { position } }"
    with pytest.raises(AssertionError, match="not kept any more"):
        async with client.subscription(ask, after=before[0].position) as answers:
            raise AssertionError(await anext(answers))


async def test_a_follower_whose_next_events_go_while_it_reads_is_told(
    client: CrmClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("crm_framework.storage.feed.PAGE", 2)
    database = client.service.database
    for number in range(6):
        await change(database, renamed(None, str(number)))
    following = database.feed.events(after=START)
    assert [(await anext(following)).position for _ in range(2)]
    await forget(client)
    with pytest.raises(CrmError, match="not kept any more"):
        await anext(following)


async def test_what_is_owed_stays(client: CrmClient) -> None:
    database = client.service.database
    careful = Careful(hard={"hard"})
    database.handlers = (careful,)
    for name in ("one", "hard", "two"):
        await change(database, renamed(None, name))
    await forget(client)
    assert "hard" in await told(database)
    assert "one" not in await told(database)
    async with database.unit_of_work() as tx:
        await tx.execute("UPDATE crm_delivery SET status = 'PARKED'")
    await forget(client)
    assert "hard" in await told(database)
    careful.hard.clear()
    async with database.unit_of_work() as tx:
        await tx.execute("DELETE FROM crm_delivery")
    await change(database, renamed(None, "last"))
    await forget(client)
    assert await told(database) == ["last"]


async def test_without_a_setting_all_stay(open_client: OpenClient) -> None:
    client = await open_client()
    for number in range(2):
        await change(client.service.database, renamed(None, str(number)))
    before = await events(client.service.database)
    await forget(client)
    assert await events(client.service.database) == before


async def test_what_webhooks_have_not_got_or_their_log_names_stays(open_client: OpenClient) -> None:
    client = await open_client(
        events_kept_days=30, webhook_allow_http=True, webhook_allow_private=("127.0.0.1",)
    )
    database = client.service.database
    async with receiving() as receiver:
        office = Office(client, receiver)
        webhook = await office.webhook(types=["customer.created"])
        await office.customer()
        await change(database, renamed(None, "after"))
        await forget(client)
        kinds = [event.type for event in await events(database)]
        assert kinds[-3:] == ["setting.changed", "customer.created", "setting.changed"]
        await office.work()  # it has come, but its log tells of it
        await forget(client)
        assert [event.type for event in await events(database)] == ["customer.created", "setting.changed"]
        await office.do("deleteWebhook", id=webhook)
        await forget(client)
        assert [event.type for event in await events(database)] == ["setting.changed"]
