"""Figures counted anew: what was there before, beside other changes, after a death, in another zone."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import timedelta
from typing import Any

import pytest
from crm_analytics.rollups import quintiles, rebuild, summing
from crm_analytics.rollups.state import state

from crm_framework import UnitOfWork, now
from crm_framework.testing import CrmClient, deliver_events, run_jobs

from .random_company import REBUILD, Company, differences, owed, tables


async def forget(client: CrmClient) -> None:
    """As a new plugin is, where there were interactions before it came."""
    async with client.service.database.unit_of_work() as tx:
        for table in (
            *("daily", "month", "activity", "product", "customer", "revenue", "sales", "goods", "cohort"),
            *("answer", "quintile"),
        ):
            await tx.execute(f"DELETE FROM analytics_{table}")
        await tx.execute("UPDATE analytics_state SET counted_at = NULL WHERE name = 'rollups'")


async def test_the_worker_counts_what_was_there_before(
    client: CrmClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    company = Company(client, 11)
    for _ in range(50):
        await company.step()
    for _ in range(8):
        await company.answer()
        await company.tag()
    await company.freeze()
    kept = await tables(client)
    assert all(kept)
    await forget(client)
    monkeypatch.setattr(rebuild, "CHUNK", 1)
    later = now() + timedelta(minutes=2)
    ran = await run_jobs(client, at=later, since=later - timedelta(seconds=90))
    assert ran.count("analytics.rebuild") > 2
    assert await tables(client) == kept
    assert await differences(client) == []


async def test_whoever_is_counted_during_a_rebuild_counts_once(client: CrmClient) -> None:
    """Between the look at customers and the writing, at them and at the sums; and two rebuilds at once."""
    company, database = Company(client, 6), client.service.database
    for _ in range(6):
        await company.join()
        await company.buy()
    run = Outside(database)
    for first in (True, False):
        if first:
            await forget(client)
        else:
            async with database.unit_of_work() as tx:
                await tx.execute("UPDATE analytics_daily SET purchases = purchases + 1")
        async with database.unit_of_work() as tx:
            await rebuild.begin(tx, "UTC")
        found = await rebuild.look(None, database)
        for _ in range(12):  # among them the first counting of some, and merges and erasures of others
            await company.step()
        await deliver_events(client)
        other = await rebuild.look(None, database)
        await rebuild.write_all(run, found)
        seen, lacking = await state(database), await summing.lacking("UTC", database)
        await company.buy()
        await rebuild.write_all(run, other)
        await deliver_events(client)
        bounds = await quintiles.look(database)
        settled = await rebuild.settle(run, seen, lacking, bounds)
        assert settled is (not any(other.pieces()))
        await rebuild.finish(run)
        assert await owed(client) == 0
        assert await differences(client) == []


class Outside:
    """As a command counts; one that dies in the transaction after so many."""

    def __init__(self, database: Any, lives: int = 1000) -> None:
        self.reader, self.lives = database, lives

    @asynccontextmanager
    async def unit_of_work(self) -> AsyncIterator[UnitOfWork]:
        async with self.reader.unit_of_work() as tx:
            yield tx
            self.lives -= 1
            if self.lives < 0:
                raise Died


class Died(Exception):
    pass


async def test_a_rebuild_that_died_anywhere_is_made_up_for(
    client: CrmClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(rebuild, "CHUNK", 2)
    monkeypatch.setattr(rebuild, "ROWS", 10)
    company, database = Company(client, 9), client.service.database
    for _ in range(3):
        await company.join()
        await company.buy()
    lives, ended = 0, False
    while not ended:
        await forget(client)
        async with database.unit_of_work() as tx:
            await rebuild.begin(tx, "UTC")
        run = Outside(database, lives)
        try:
            async for _ in rebuild.batches(run):
                pass
            await rebuild.finish(run)
            ended = True
        except Died:
            assert not (await state(database)).complete
            await company.buy()
            await deliver_events(client)
            await client.data(REBUILD)
        assert await differences(client) == []
        lives += 1
    assert lives > 4  # batches, and parts of the sums


async def test_a_rebuild_that_changes_nothing_holds_nobody(client: CrmClient) -> None:
    company, database = Company(client, 8), client.service.database
    for _ in range(4):
        await company.join()
        await company.buy()
    await client.data(REBUILD)
    found = await rebuild.look(None, database)
    assert (len(found.standing), list(found.pieces())) == (4, [])


async def test_another_zone_is_counted_anew(open_client: Any) -> None:
    client = await open_client("analytics", analytics={"time_zone": "Asia/Kolkata"})
    company = Company(client, 4)
    for _ in range(4):
        await company.join()
        await company.buy()
    for _ in range(30):
        await company.step()
    before = await tables(client)
    assert before[0]
    assert await owed(client) == 0
    assert await differences(client) == []
    later = now() + timedelta(minutes=2)
    await run_jobs(client, at=later, since=later - timedelta(seconds=90))
    [row] = await client.service.database.fetch("SELECT zone, next_zone FROM analytics_state")
    assert (row["zone"], row["next_zone"]) == ("Asia/Kolkata", None)
    after = await tables(client)
    assert after[0] != before[0]
    assert await differences(client) == []
    for _ in range(30):
        await company.step()
    assert await differences(client) == []
    kept = await tables(client)
    await client.data(REBUILD)
    assert await tables(client) == kept
