"""Every mutation, cancelled at every one of its awaits: done in whole or not at all, and nothing is held."""

import asyncio
import hashlib
import os
import sys
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass, field, replace

import pytest

from crm_framework.app import open_service
from crm_framework.runtime import open_database
from crm_framework.storage.database import Database
from crm_framework.testing.apps import settings_with
from crm_framework.testing.templates import Kind, TestDatabases
from tests.storage.cancelling import CancelledAt

from . import office
from .mutations import INPUTS
from .mutations.desk import Desk, Input

TORTURE = "TORTURE_CANCEL" in os.environ
IN_ONE_STEP = ("createCustomer", "logInteraction")
"""Without a key, all that they write goes to the database together."""
LIMIT_SECONDS = 120
"""Only a hang takes so long."""

State = dict[str, tuple[int, str]]
"""Table → number of rows, and a digest of them."""
Change = dict[str, int]
"""Table that changed → how many rows more it has."""


OpenDesk = Callable[[], AbstractAsyncContextManager[Desk]]


@pytest.fixture
async def open_desk(test_databases: TestDatabases, database_kind: Kind) -> AsyncIterator[OpenDesk]:
    """Desks, each on a new database, with a single connection for changes and one for reads: a leak of either
    shows at once."""
    url = test_databases.copy(database_kind, "office", office.prepare)
    settings = settings_with(office.settings(url), database_pool_size=1, database_read_pool_size=1)
    async with open_service(settings) as service:

        @asynccontextmanager
        async def opened() -> AsyncIterator[Desk]:
            own = test_databases.copy(database_kind, "office", office.prepare)
            async with await open_database(
                settings_with(settings, database_url=own), service.host
            ) as database:
                yield Desk(replace(service, database=database))
            test_databases.drop(own)

        yield opened
    test_databases.drop(url)


async def state(database: Database) -> State:
    """What every table holds."""
    if database.dialect == "postgres":
        return await postgres_state(database)
    tables = await database.fetch(
        "SELECT name FROM pragma_table_list WHERE schema = 'main' AND type = 'table'"
        " AND name NOT LIKE 'sqlite_%'"
    )
    found: State = {}
    for table in (row["name"] for row in tables):
        rows = sorted(map(str, await database.rows(f'SELECT * FROM "{table}"', bounded=True)))
        found[table] = len(rows), hashlib.sha256("".join(rows).encode()).hexdigest()
    return found


async def postgres_state(database: Database) -> State:
    """In one statement, as each takes its way to the server."""
    tables = await database.fetch("SELECT tablename AS name FROM pg_tables WHERE schemaname = 'public'")
    each = (
        f"SELECT '{row['name']}' AS name, count(*) AS n,"
        " md5(string_agg(t::text, '' ORDER BY t::text)) AS digest"
        f' FROM "{row["name"]}" t'
        for row in tables
    )
    rows = await database.fetch(" UNION ALL ".join(each))
    return {row["name"]: (row["n"], row["digest"] or "") for row in rows}


def change(before: State, after: State) -> Change:
    return {table: after[table][0] - before[table][0] for table in before if before[table] != after[table]}


async def nothing_is_held(database: Database) -> None:
    async with asyncio.timeout(LIMIT_SECONDS):
        async with database.unit_of_work() as tx:
            await tx.execute("UPDATE crm_staff SET version = version WHERE 1 = 0")
        if database.dialect == "postgres":
            idle = "SELECT 1 FROM pg_stat_activity WHERE state LIKE 'idle in transaction%'"
            assert await database.fetch(f"{idle} AND datname = current_database()") == []


@dataclass
class Seen:
    cancelled: int = 0
    undone: int = 0
    done: int = 0
    """Cancelled after the commit had begun: it was carried through."""
    faults: list[str] = field(default_factory=list)


async def cancel_everywhere(
    desk: Desk, name: str, *, keyed: bool, late: tuple[bool, bool], seen: Seen
) -> None:
    """One mutation, cancelled at its first await, at its second, and so on until it ends before."""
    database = desk.service.database
    make, selection = INPUTS[name]

    async def fresh() -> Input:
        input_ = await make(desk)
        return input_ | {"idempotencyKey": desk.new("key")} if keyed else input_

    await desk.run(name, await fresh(), selection)  # so that plans and statements are ready
    input_ = await fresh()
    before = await state(database)
    await desk.run(name, input_, selection)
    whole = change(before, await state(database))
    number = 0
    while True:
        number += 1
        where = (
            f"{name}, await {number}{', with a key' if keyed else ''}{', late' if late[number % 2] else ''}"
        )
        input_ = await fresh()
        before = await state(database)
        attempt = CancelledAt(desk.run(name, input_, selection), number, late=late[number % 2])
        async with asyncio.timeout(LIMIT_SECONDS):
            (outcome,) = await asyncio.gather(attempt, return_exceptions=True)
        await nothing_is_held(database)
        made = change(before, await state(database))
        if attempt.awaits < number:
            assert not isinstance(outcome, BaseException), (where, outcome)
            assert made == whole, where
            return
        seen.cancelled += 1
        acknowledged = not isinstance(outcome, BaseException)
        if not acknowledged and not isinstance(outcome, asyncio.CancelledError):
            seen.faults.append(f"{where}: {outcome!r}")
        if made != whole and (made or acknowledged):
            seen.faults.append(f"{where}: {made} instead of {whole} or nothing")
        seen.done += made == whole
        seen.undone += not made
        if keyed:  # the one who was cancelled asks again
            await desk.run(name, input_, selection)
            again = change(before, await state(database))
            if again != whole:
                seen.faults.append(f"{where}, asked again: {again} instead of {whole}")


def passes(desk: Desk, name: str) -> list[tuple[bool, tuple[bool, bool]]]:
    """Whether the mutation is sent with a key, and whether its even and its odd awaits are cancelled late.

    All combinations for a torture; else each await once.
    """
    keys = [False, True] if desk.takes_key(name) else [False]
    if TORTURE:
        return [(keyed, (late, late)) for keyed in keys for late in (False, True)]
    if name not in IN_ONE_STEP:
        keys = keys[-1:]
    return [(keyed, (False, True)) for keyed in keys]


async def test_there_is_an_input_for_every_mutation(open_desk: OpenDesk) -> None:
    async with open_desk() as desk:
        mutation = desk.service.schema.graphql.mutation_type
        assert mutation is not None
        assert set(INPUTS) == set(mutation.fields)


async def test_every_mutation_cancelled_at_every_await(open_desk: OpenDesk) -> None:
    seen = Seen()
    for name in INPUTS:
        async with open_desk() as desk:
            for keyed, late in passes(desk, name):
                await cancel_everywhere(desk, name, keyed=keyed, late=late, seen=seen)
            kept = await state(desk.service.database)
            async with await Database.open(desk.service.database.url, apps={}, read_pool_size=1) as again:
                assert await state(again) == kept
    sys.stderr.write(
        f"\n{seen.cancelled} awaits cancelled: {seen.undone} undone, {seen.done} carried through\n"
    )
    assert seen.faults == []
    assert seen.undone > len(INPUTS)
    assert seen.done > 0
