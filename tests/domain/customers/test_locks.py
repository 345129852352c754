"""Who waits for whom. On SQLite, where one change is made at a time, nobody does."""

import asyncio
from typing import TYPE_CHECKING

import pytest

from crm_framework.domain.customers.changes import CustomerChange, update_customer
from crm_framework.domain.customers.locks import Hold, hold_customers
from crm_framework.domain.customers.tags import tag_customers
from crm_framework.domain.privacy.erasure import erase_customer
from crm_framework.domain.privacy.merge import merge_customers
from crm_framework.security.scopes import NOT_CONFIDENTIAL, own_customers
from crm_framework.storage.database import Database
from crm_framework.storage.unit_of_work import UnitOfWork
from crm_framework.testing import waiting

if TYPE_CHECKING:
    from tests.domain.conftest import Records

COLUMNS = ("id", "merged_into_id")
postgres = pytest.mark.parametrize("database_kind", ["postgres"], indirect=True)


async def test_a_key_leads_to_the_customer_that_it_stands_for(database: Database, records: "Records") -> None:
    winner = await records.customer()
    loser = await records.customer(merged_into_id=winner)
    earlier, other = await records.customer(merged_into_id=loser), await records.customer()
    for keys in ([earlier], [winner], [earlier, loser, other, winner]):
        async with database.unit_of_work() as tx:
            held = await hold_customers(tx, [*keys, "no key"], Hold.CHANGE, COLUMNS)
        assert {key: row["id"] for key, row in held.items()} == {
            key: other if key == other else winner for key in keys
        }


async def test_a_customer_that_nobody_holds_takes_one_statement(
    database: Database, records: "Records"
) -> None:
    key = await records.customer()
    loser = await records.customer(merged_into_id=key)
    async with database.unit_of_work() as tx:
        with database.counting() as statements:
            await hold_customers(tx, [key], Hold.ADD, COLUMNS)
        assert len(statements) == 1
        held = await hold_customers(tx, [loser], Hold.CHANGE, COLUMNS)
    assert held[loser]["id"] == key


async def test_rows_that_are_held_tell_who_is_within_reach(database: Database, records: "Records") -> None:
    mine, of_others = await records.staff(), await records.staff()
    open_, secret = await records.customer(), await records.customer(confidential=True)
    owned, foreign = await records.customer(owner_id=mine), await records.customer(owner_id=of_others)
    every = [open_, secret, owned, foreign]
    for reach, within in ((NOT_CONFIDENTIAL, [open_, owned, foreign]), (own_customers(mine), [owned])):
        async with database.unit_of_work(reach=reach) as tx:
            with database.counting() as statements:
                held = await hold_customers(tx, within, Hold.CHANGE, COLUMNS)
                held |= await hold_customers(tx, within[:1], Hold.CHANGE, COLUMNS)
            assert (set(held), len(statements)) == (set(within), 2)
        async with database.unit_of_work(reach=reach) as tx:
            assert set(await hold_customers(tx, every, Hold.ADD, COLUMNS)) == set(within)
            assert tx.admitted == set(within)


@postgres
async def test_what_follows_is_undone_if_it_needs_more_customers(
    database: Database, records: "Records"
) -> None:
    one, other = await records.customer(), await records.customer()
    missing = [other]

    async with database.unit_of_work() as tx:

        async def then() -> list[str]:
            await tx.execute("UPDATE crm_customer SET version = version + 1 WHERE id = ?", [one])
            return [missing.pop()] if missing else []

        held = await hold_customers(tx, [one], Hold.CHANGE, COLUMNS, then=then)
    assert set(held) == {one, other}
    assert (await records.row("crm_customer", one))["version"] == 2


@postgres
@pytest.mark.parametrize("several", [False, True])
async def test_a_loser_is_not_kept_while_the_winner_is_waited_for(
    database: Database, records: "Records", several: bool
) -> None:
    winner = await records.customer()
    loser = await records.customer(merged_into_id=winner)

    another = await records.customer()

    async def change(tx: UnitOfWork) -> None:
        if several:
            await tag_customers(tx, [loser, another], add=["a"])
        else:
            await update_customer(tx, loser, CustomerChange(name="Augusta"))

    async with database.unit_of_work() as tx:
        await tx.lock("crm_customer", [winner])
        task = await waiting(database, change)
        async with asyncio.timeout(5):
            await tx.lock("crm_customer", [loser])
    await task
    assert (await records.row("crm_customer", winner))["version"] == 2


@postgres
@pytest.mark.parametrize("what", ["merge", "erasure"])
async def test_who_cannot_have_the_losers_gives_the_winner_back(
    database: Database, records: "Records", what: str
) -> None:
    """A change that came for both before they were merged has one of them, and comes for the other."""
    winner = await records.customer()
    loser = await records.customer(merged_into_id=winner)
    new = await records.customer()

    async def change(tx: UnitOfWork) -> None:
        if what == "merge":
            await merge_customers(tx, new, [winner])
        else:
            await erase_customer(tx, winner)

    async with database.unit_of_work() as tx:
        await tx.lock("crm_customer", [loser])
        task = await waiting(database, change)
        async with asyncio.timeout(5):
            await tx.lock("crm_customer", [winner])
    await task
    row = await records.row("crm_customer", loser)
    assert row["merged_into_id"] == (new if what == "merge" else winner)
    assert (row["erased_at"] is None) == (what == "merge")
