"""When members of segments bought is kept beside the memberships, whoever was first."""

import asyncio
from collections.abc import Callable, Coroutine
from datetime import date
from functools import partial
from typing import Any

import pytest
from crm_analytics.rollups import kept as figures
from crm_analytics.rollups import membership
from crm_analytics.rollups.recount import held, recount
from crm_analytics.segments import freezing

from crm_framework import Fragment, NewPurchase, UnitOfWork, decode_key, encode_id, record_purchase
from crm_framework.testing import CrmClient, deliver_events, waiting

from .random_company import ERASE, MERGE, differences
from .shop import Shop, at

DAY = date(2024, 2, 1)
BEFORE, FROM = 2024 * 12, 2024 * 12 + 1
Change = Callable[[UnitOfWork], Coroutine[Any, Any, None]]


def test_months_are_told_apart_at_the_boundary() -> None:
    months = [date(2023, 11, 1), date(2024, 1, 1), date(2024, 2, 1), date(2024, 5, 1)]
    assert membership.boundary(DAY) == membership.boundary(date(2024, 1, 15)) == DAY
    assert membership.numbers(months, DAY) == membership.numbers(months, date(2024, 1, 15)) == (BEFORE, FROM)
    assert membership.numbers(months, date(2024, 2, 2)) == (FROM, FROM + 3)
    assert membership.numbers([], DAY) == (None, None)


async def kept(client: CrmClient) -> list[tuple[int | None, int | None]]:
    rows = await client.service.database.fetch(
        "SELECT last_before, first_from FROM analytics_membership ORDER BY customer_id"
    )
    return [(row["last_before"], row["first_from"]) for row in rows]


async def saved(client: CrmClient, name: str = "All") -> str:
    made = await client.data(
        'mutation ($name: String!) { createSegment(input: {name: $name, filter: {name: {startsWith: "a"}}}) {'
        " segment { id } } }",
        name=name,
    )
    return decode_key(made["createSegment"]["segment"]["id"], "Segment")


async def as_the_job(segment: str, customer: str, tx: UnitOfWork) -> None:
    await freezing.freeze_some([segment], [customer], DAY, tx)


async def as_the_mutation(segment: str, customer: str, tx: UnitOfWork) -> None:
    where = Fragment("t.id = ? AND t.merged_into_id IS NULL", (customer,))
    await freezing.freeze({segment: where}, DAY, tx)


FREEZING = (as_the_job, as_the_mutation)


async def test_a_purchase_in_another_month_is_followed(shop: Shop) -> None:
    """By one statement, and by none where it is in no other; merges and erasures are, too."""
    client, database = shop.client, shop.client.service.database
    ada, ben = await shop.customer(), await shop.customer()
    segment = await saved(client)
    for freeze, customer in zip(FREEZING, (ada, ben), strict=True):
        async with database.unit_of_work() as tx:
            await freeze(segment, customer, tx)
            await freezing.freeze_some([segment], [ada, ben], DAY, tx)
    async with database.unit_of_work() as tx:
        await as_the_job(segment, ada, tx)  # whom the mutation left out
    assert await kept(client) == [(None, None)] * 2

    async def statements(day: str) -> int:
        with database.counting() as found:
            await shop.buy(ada, day)
        return sum("analytics_membership" in one for one in found)

    assert [await statements(day) for day in ("2024-02-20", "2024-02-21", "2024-01-31")] == [1, 0, 1]
    await shop.buy(ben, "2023-12-31")
    await shop.buy(ben, "2024-05-01")
    assert sorted(await kept(client), key=str) == [(BEFORE - 1, FROM + 3), (BEFORE, FROM)]
    given = {"winner": encode_id("Customer", ben), "losers": [encode_id("Customer", ada)]}
    assert (await client.data(MERGE, input=given))["mergeCustomers"]["errors"] == []
    assert await kept(client) == [(BEFORE, FROM)]
    assert await differences(client) == []
    await client.data(ERASE, input={"id": encode_id("Customer", ben)})
    assert await kept(client) == []


async def begun(database: Any, work: Coroutine[Any, Any, None], *, of: int) -> "asyncio.Task[None]":
    """As a task that is done by now, or the last of so many that wait for locks."""
    task = asyncio.create_task(work)
    waits = (
        "SELECT 1 FROM pg_stat_activity WHERE wait_event_type = 'Lock' AND datname = current_database()"
        f" HAVING COUNT(*) >= {of}"
    )
    async with asyncio.timeout(60):
        while not await database.fetch(waits):
            if task.done():
                break
            await asyncio.sleep(0.01)
    return task


@pytest.mark.parametrize("database_kind", ["postgres"], indirect=True)
async def test_who_freezes_and_who_counts_wait_for_each_other(shop: Shop) -> None:
    """On two connections, whoever commits first. An erasure at the same moment leaves nothing."""
    client, database = shop.client, shop.client.service.database
    segment = await saved(client)

    async def count(customer: str, tx: UnitOfWork) -> None:
        await recount(await held([customer], tx), None, tx)

    async def erase(customer: str, tx: UnitOfWork) -> None:
        await tx.lock("crm_customer", [customer])
        await client.service.host.erase_customer(customer, tx)
        await tx.execute("UPDATE crm_customer SET erased_at = ? WHERE id = ?", [tx.now, customer])

    for freeze in FREEZING:
        for before, after, wanted in (
            (count, None, [(None, FROM)]),
            (None, count, [(None, FROM)]),
            (erase, None, []),
            (None, erase, []),
        ):
            customer = await shop.customer()
            async with database.unit_of_work() as tx:
                new = NewPurchase(
                    customer_id=customer, currency="EUR", total_minor=1, occurred_at=at("2024-02-20")
                )
                await record_purchase(tx, new)
            frozen = partial(freeze, segment, customer)
            async with database.unit_of_work() as tx:
                await (partial(before, customer) if before else frozen)(tx)
                second = await waiting(database, partial(after, customer) if after else frozen)
            await second
            assert await kept(client) == wanted
            async with database.unit_of_work() as tx:
                await tx.execute("DELETE FROM analytics_membership")
    await deliver_events(client)
    assert len(await database.fetch("SELECT id FROM analytics_customer")) == 4  # who were not erased
    assert await differences(client) == []


async def test_what_is_kept_is_asked_with_nothing_beside(shop: Shop) -> None:
    """For whole months from the boundary on: for other windows, filters, rules and zones it is as ever."""
    client, database = shop.client, shop.client.service.database
    ada = await shop.customer()
    for day in ("2024-01-31", "2024-03-31"):
        await shop.buy(ada, day)
    segment = await saved(client)
    async with database.unit_of_work() as tx:
        await as_the_job(segment, ada, tx)
        await freezing.mark([segment], DAY, tx)
    given = encode_id("Segment", segment)

    async def asked(first: str, rule: str, more: str = "") -> bool:
        select = (
            f'retentionBySegment(segments: ["{given}"], inactivity: {rule})'
            " { numerator n groups { numerator n } }"
        )
        with client.statements() as found:
            answer = (await shop.ask(select, first, "2024-03-31", more))["retentionBySegment"]
        assert answer == {"numerator": 1, "n": 1, "groups": [{"numerator": 1, "n": 1}]}
        [statement] = [one for one in found if "analytics_membership" in one]
        return "crm_customer" not in statement

    months, filter = "{months: 12}", ', filter: {name: {startsWith: "a"}}'
    assert await asked("2024-02-01", months)
    assert await asked("2024-02-01", "{days: 31}")  # which is from the first of January on
    assert not await asked("2024-02-01", "{days: 30}")
    assert not await asked("2024-02-02", months)
    assert not await asked("2024-03-01", months)
    assert not await asked("2024-02-01", months, filter)
    assert not await asked("2024-02-01", months, ', timeZone: "Asia/Kolkata"')


async def merged(client: CrmClient, winner: str, loser: str) -> None:
    given = {"winner": encode_id("Customer", winner), "losers": [encode_id("Customer", loser)]}
    assert (await client.data(MERGE, input=given))["mergeCustomers"]["errors"] == []


@pytest.mark.parametrize("database_kind", ["postgres"], indirect=True)
async def test_who_freezes_several_segments_and_who_merges_do_not_wait_for_each_other(shop: Shop) -> None:
    """Of the customers of the second segment one is waited for, and the merge has another and the first's."""
    client, database = shop.client, shop.client.service.database
    ada, ben, cem = [await shop.customer(name) for name in ("ada", "ben", "cem")]
    segments = sorted([await saved(client, "First"), await saved(client, "Second")])

    async def freeze(tx: UnitOfWork) -> None:
        live = "t.merged_into_id IS NULL AND t.id"
        first, second = Fragment(f"{live} = ?", (cem,)), Fragment(f"{live} IN (?, ?)", (ada, ben))
        await freezing.freeze(dict(zip(segments, (first, second), strict=True)), DAY, tx)

    async with database.unit_of_work() as tx:
        await tx.lock("crm_customer", [ada])
        frozen = await waiting(database, freeze)
        merging = await begun(database, merged(client, ben, cem), of=2)
    await merging
    await frozen
    rows = await database.fetch("SELECT segment_id, customer_id FROM analytics_membership")
    assert {(str(row["segment_id"]), str(row["customer_id"])) for row in rows} == {
        (segments[1], ada),
        (segments[1], ben),
    }


@pytest.mark.parametrize("database_kind", ["postgres"], indirect=True)
async def test_who_freezes_again_and_who_merges_do_not_wait_for_each_other(shop: Shop) -> None:
    """The merge gives its winner a membership that is about to be added."""
    client, database = shop.client, shop.client.service.database
    ben, amy = await shop.customer("ben"), await shop.customer("amy")
    segment = await saved(client)
    async with database.unit_of_work() as tx:
        await as_the_job(segment, amy, tx)
        await figures.hold([ben], tx)

    async def freeze() -> None:
        async with database.unit_of_work() as tx:
            await freezing.freeze({segment: Fragment("t.merged_into_id IS NULL")}, DAY, tx)

    async with database.unit_of_work() as tx:
        await figures.hold([ben], tx)
        merging = await begun(database, merged(client, ben, amy), of=1)
        frozen = await begun(database, freeze(), of=2)
    await merging
    await frozen
    rows = await database.fetch("SELECT customer_id FROM analytics_membership")
    assert [str(row["customer_id"]) for row in rows] == [ben]
