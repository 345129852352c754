"""When members of segments bought is kept beside the memberships, whoever was first."""

from collections.abc import Callable, Coroutine
from datetime import date
from functools import partial
from typing import Any

import pytest
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


async def saved(client: CrmClient) -> str:
    made = await client.data(
        'mutation { createSegment(input: {name: "All", filter: {name: {startsWith: "a"}}}) {'
        " segment { id } } }"
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
