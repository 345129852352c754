"""Customers are told that points expire soon, if we may write to them."""

from collections.abc import Awaitable, Callable
from datetime import UTC, datetime, timedelta

from crm_framework.testing import CrmClient, frozen, queued_messages, run_jobs

from .shop import Shop

START = datetime(2026, 1, 2, 9, tzinfo=UTC)
SOON = datetime(2026, 12, 20, 9, tzinfo=UTC)


async def test_a_message_where_the_policy_allows_it(
    open_client: Callable[..., Awaitable[CrmClient]],
) -> None:
    client = await open_client("loyalty", loyalty={"expiring_email": True})
    shop = Shop(client)
    with frozen(START):
        program = await shop.program(pointsPerUnit=1, expiryMonths=12)
        point = {"channel": "email", "consent": "OPTED_OUT"}
        ada = await shop.customer("Ada", email="ada@example.com")
        out = await shop.customer("Out", contactPoints=[point | {"value": "out@example.com"}])
        none = await shop.customer("None")
        for customer in (ada, out, none):
            await shop.buy(customer, "12.00")
    for at in (SOON, SOON + timedelta(days=1)):
        await run_jobs(client, at=at, since=at - timedelta(days=1), failing=True)
    rows = await client.service.database.fetch("SELECT text, subject, recipient FROM crm_message")
    assert [(row["recipient"], row["subject"], row["text"]) for row in rows] == [
        (
            "ada@example.com",
            "12 points of Stars expire soon",
            "Dear Ada,\n\n12 points of Stars expire, the first on 2027-01-02.",
        )
    ]
    told = await client.service.database.fetch(
        "SELECT id FROM crm_event WHERE type = 'loyalty.points_expiring'"
    )
    assert len(told) == 3
    assert await shop.owed() == []
    assert program


async def test_nobody_is_written_to_unless_it_is_wanted(client: CrmClient) -> None:
    shop = Shop(client)
    with frozen(START):
        await shop.program(pointsPerUnit=1, expiryMonths=12)
        await shop.buy(await shop.customer("Ada", email="ada@example.com"), "12.00")
    await run_jobs(client, at=SOON, since=SOON - timedelta(days=1))
    assert await queued_messages(client) == []


RULE = "contactRule { id }"


async def test_what_quiet_hours_hold_up_is_sent_after_them(
    open_client: Callable[..., Awaitable[CrmClient]],
) -> None:
    client = await open_client("loyalty", loyalty={"expiring_email": True})
    shop = Shop(client)
    with frozen(START):
        await shop.program(pointsPerUnit=1, expiryMonths=12)
        await shop.change("createContactRule", RULE, quietFrom="20:00", quietUntil="08:00")
        ada = await shop.customer("Ada", email="ada@example.com", timeZone="Europe/Berlin")
        await shop.buy(ada, "12.00")
    night = SOON.replace(hour=4, minute=30)
    await run_jobs(client, at=night, since=night - timedelta(days=1))
    assert await queued_messages(client) == []
    await run_jobs(client, at=night.replace(hour=7, minute=1))
    assert [message.to for message in await queued_messages(client)] == ["ada@example.com"]


async def test_a_notice_is_a_touch_that_the_contact_rules_count(
    open_client: Callable[..., Awaitable[CrmClient]],
) -> None:
    client = await open_client("loyalty", loyalty={"expiring_email": True})
    shop = Shop(client)
    with frozen(START):
        for name in ("Stars", "Moons"):
            await shop.program(name=name, pointsPerUnit=1, expiryMonths=12)
        await shop.change("createContactRule", RULE, channel="email", maxTouches=1, windowHours=24 * 7)
        ada = await shop.customer("Ada", email="ada@example.com")
        await shop.buy(ada, "12.00")
    await run_jobs(client, at=SOON, since=SOON - timedelta(days=1))
    assert len(await queued_messages(client)) == 1
    touched = "query ($c: ID!) { customer(id: $c) { interactions { nodes { kind channel direction } } } }"
    nodes = (await client.data(touched, c=ada))["customer"]["interactions"]["nodes"]
    assert nodes[0] == {"kind": "email", "channel": "email", "direction": "OUTBOUND"}
    await run_jobs(client, at=SOON + timedelta(days=7, minutes=1))
    assert len(await queued_messages(client)) == 2


async def test_what_an_account_is_about_to_lose_is_said_at_once(
    open_client: Callable[..., Awaitable[CrmClient]],
) -> None:
    client = await open_client("loyalty", loyalty={"expiring_email": True})
    shop = Shop(client)
    with frozen(START):
        await shop.program(pointsPerUnit=1, expiryMonths=12)
        ada = await shop.customer("Ada", email="ada@example.com")
    for minute in range(60):
        with frozen(START + timedelta(minutes=minute)):
            await shop.buy(ada, "2.00")
    await run_jobs(client, at=SOON, since=SOON - timedelta(days=1))
    assert [message.subject for message in await queued_messages(client)] == [
        "120 points of Stars expire soon"
    ]
