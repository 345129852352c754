"""Messages are a person's data: they move, are exported, and are emptied."""

from datetime import timedelta
from typing import Any

from crm_framework.domain.messages.privacy import empty_messages
from crm_framework.domain.privacy.erasure import erase_customer
from crm_framework.domain.privacy.export import export_customer
from crm_framework.domain.privacy.merge import merge_customers
from crm_framework.domain.upkeep import UPKEEP
from crm_framework.hooks.dispatch import PluginHost
from crm_framework.storage.clock import frozen, now
from crm_framework.worker.jobs import Jobs
from crm_framework.worker.loop import Worker
from tests.outgoing.mail import Mail

from .conftest import Office


async def test_they_move_with_a_merge(office: Office) -> None:
    ann, twin = await office.customer(), await office.customer("Anne")
    await office.queue(customer_id=twin)
    async with office.database.unit_of_work() as tx:
        report = await merge_customers(tx, ann, [twin])
    assert report.moved["core"]["crm_message"] == 1
    await office.work()
    assert (await office.row())["customer_id"] == ann
    assert await office.told() == [("message.queued", twin), ("message.sent", ann)]


async def test_they_are_part_of_an_export(office: Office) -> None:
    ann = await office.customer()
    await office.queue(customer_id=ann, headers={"X-A": "1"})
    await office.queue(to="Ann@Example.com")
    await office.queue(to="eve@example.com")
    async with office.database.unit_of_work() as tx:
        messages = (await export_customer(tx, ann))["messages"]
    assert [(one["recipient"], one["headers"]) for one in messages] == [
        ("ann@example.com", {"X-A": "1"}),
        ("Ann@Example.com", {}),
    ]


async def test_an_erasure_empties_them_and_sends_nothing_more(office: Office) -> None:
    ann = await office.customer()
    await office.queue(customer_id=ann, key="tests.1")
    await office.work()
    office.server.on_data = "451 ann@example.com: later"
    await office.queue(
        customer_id=ann, key="ann@example.com", reply_to="ann@example.com", headers={"X-A": "Ann"}
    )
    await office.work()
    await office.queue(to="Ann@Example.com")
    await office.queue(to="eve@example.com", text="Dear Eve")
    async with office.database.unit_of_work() as tx:
        report = await erase_customer(tx, ann)
    assert report.counts["core"]["crm_message"] == 3
    *emptied, kept = await office.rows()
    for row in emptied:
        assert (row["recipient"], row["text"], row["subject"]) == ("", "", None)
        assert (row["headers"], row["reply_to"], row["key_text"], row["error"]) == ("{}", None, None, None)
        assert row["finished_at"] is not None
    assert [row["state"] for row in emptied] == ["SENT", "FAILED", "FAILED"]
    assert kept["text"] == "Dear Eve"
    office.server.on_data = "250 taken"
    await office.again()
    assert [mail.recipients for mail in office.server.taken] == [["ann@example.com"], ["eve@example.com"]]
    assert set(await office.jobs()) == {"DONE"}


async def test_one_erased_while_it_is_sent_stays_empty(office: Office) -> None:
    ann = await office.customer()
    await office.queue(customer_id=ann)

    async def erase(mail: Mail) -> None:
        async with office.database.unit_of_work() as tx:
            await erase_customer(tx, ann)

    office.server.after = erase
    await office.work()
    row = await office.row()
    assert (row["state"], row["recipient"], row["text"]) == ("SENT", "", "")
    assert await office.jobs() == ["DONE"]


async def test_one_erased_while_it_is_refused_keeps_no_word(office: Office) -> None:
    ann = await office.customer()
    await office.queue(customer_id=ann)
    handle = office.server.handle_DATA

    async def erase(*arguments: Any) -> str:
        async with office.database.unit_of_work() as tx:
            await erase_customer(tx, ann)
        return "554 ann@example.com is gone"

    office.server.handle_DATA = erase  # type: ignore[method-assign,assignment]  # for this once
    await office.work()
    office.server.handle_DATA = handle  # type: ignore[method-assign]  # as it was
    row = await office.row()
    assert (row["state"], row["recipient"], row["error"]) == ("FAILED", "", None)
    assert "ann@example.com" not in str(await office.database.fetch("SELECT * FROM crm_job"))


async def test_emptying_counts_each_once(office: Office) -> None:
    ann = await office.customer()
    await office.queue(customer_id=ann)
    async with office.database.unit_of_work() as tx:
        assert await empty_messages(tx, [ann]) == 1


async def test_they_are_removed_in_time(office: Office) -> None:
    await office.queue(key="sent")
    await office.work()
    office.server.on_rcpt = "550 no"
    await office.queue(key="failed")
    await office.work()
    office.server.on_rcpt = "450 later"
    await office.queue(key="queued")

    async def tidy(after: timedelta) -> list[str]:
        jobs = Jobs(office.database, UPKEEP, PluginHost())
        with frozen(now() + after):
            async with office.database.unit_of_work() as tx:
                tx.defer("crm.remove_messages", {})
            await Worker([jobs.chore(1)]).drain()
        return [row["key_text"] for row in await office.rows()]

    assert await tidy(timedelta(days=29)) == ["sent", "failed", "queued"]
    assert await tidy(timedelta(days=31)) == ["failed", "queued"]
    assert await tidy(timedelta(days=91)) == ["queued"]
