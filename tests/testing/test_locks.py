"""`waiting`: a change that comes for what another one holds."""

import pytest

from crm_framework import NewCustomer, create_customer
from crm_framework.storage.database import Database
from crm_framework.storage.unit_of_work import UnitOfWork
from crm_framework.testing import waiting

postgres = pytest.mark.parametrize("database_kind", ["postgres"], indirect=True)
NAMES = "SELECT name FROM crm_customer"


async def rename(tx: UnitOfWork) -> None:
    await tx.execute("UPDATE crm_customer SET name = name || ' again'")


@postgres
async def test_a_change_waits_until_the_one_before_it_has_ended(database: Database) -> None:
    async with database.unit_of_work() as tx:
        await create_customer(tx, NewCustomer(name="Ann"))
    async with database.unit_of_work() as tx:
        await rename(tx)
        task = await waiting(database, rename)
        assert not task.done()
        assert await database.fetch(NAMES) == [{"name": "Ann"}]
    await task
    assert await database.fetch(NAMES) == [{"name": "Ann again again"}]


@postgres
async def test_a_change_that_has_nothing_to_wait_for_is_told(database: Database) -> None:
    with pytest.raises(AssertionError, match="did not wait for a lock"):
        await waiting(database, rename)


@postgres
async def test_a_change_that_fails_says_so_itself(database: Database) -> None:
    async def fail(tx: UnitOfWork) -> None:
        raise LookupError("nothing there")

    with pytest.raises(LookupError, match="nothing there"):
        await waiting(database, fail)


@pytest.mark.parametrize("database_kind", ["sqlite"], indirect=True)
async def test_on_sqlite_nothing_waits_so(database: Database) -> None:
    async with database.unit_of_work() as tx:
        await create_customer(tx, NewCustomer(name="Ann"))
    with pytest.raises(AssertionError, match="on SQLite"):
        await waiting(database, rename)
    assert await database.fetch(NAMES) == [{"name": "Ann"}]
