"""Every entry gets into the chain once: of one process, of several, and of one that was killed."""

import asyncio
import signal
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

import pytest
from tortoise.exceptions import IntegrityError, OperationalError

from crm_framework.domain.customers.changes import create_customer
from crm_framework.domain.customers.draft import NewCustomer
from crm_framework.errors import CrmError
from crm_framework.events import Event
from crm_framework.security.audit import sealing as sealing_module
from crm_framework.security.audit.chain import NO_KEYS
from crm_framework.security.audit.sealing import Sealer, sealing
from crm_framework.security.audit.verifying import verify
from crm_framework.storage.audit import SYSTEM, AuditRecord, audit_row
from crm_framework.storage.database import Database
from crm_framework.storage.unit_of_work import UnitOfWork

from .conftest import ADMIN, chain, entries, fill

ROOT = Path(__file__).parents[3]

WRITER = """
import asyncio, sys
from crm_framework.domain.customers.bulk import import_customers
from crm_framework.domain.customers.changes import create_customer
from crm_framework.domain.customers.draft import NewCustomer
from crm_framework.security.audit.chain import NO_KEYS
from crm_framework.security.audit.sealing import sealing
from crm_framework.storage.database import Database

async def main(url, label, tasks, rounds):
    async with await Database.open(url, apps={"crm": "crm_framework.domain.models"}) as database:
        async with sealing(database, NO_KEYS):
            async def write(task):
                for number in range(rounds):
                    async with database.unit_of_work() as tx:
                        await create_customer(tx, NewCustomer(name=f"{label} {task} {number}"))
                    print(number, flush=True)
            await asyncio.gather(*(write(task) for task in range(tasks)))

asyncio.run(main(sys.argv[1], sys.argv[2], int(sys.argv[3]), int(sys.argv[4])))
"""


def writer(url: str, label: str, tasks: int, rounds: int) -> subprocess.Popen[str]:
    command = [sys.executable, "-c", WRITER, url, label, str(tasks), str(rounds)]
    return subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True)


async def create(database: Database, name: str = "Ada") -> None:
    async with database.unit_of_work(ADMIN) as tx:
        await create_customer(tx, NewCustomer(name=name))


async def test_entries_are_sealed_together_after_the_commit(database: Database) -> None:
    async with sealing(database, NO_KEYS) as sealer:
        with database.counting() as statements:
            for _ in range(5):
                await create(database)
            assert sealer.waiting == 5
            await sealer.seal_waiting()
        assert (sealer.waiting, sealer.lag_seconds) == (0, 0.0)
        assert not any("crm_audit_chain" in statement for statement in statements)
    assert [row["position"] for row in await chain(database)] == [1, 2, 3, 4, 5]
    assert [row["id"] for row in await entries(database)] == sorted(
        row["id"] for row in await entries(database)
    )


async def test_what_was_rolled_back_is_not_sealed(database: Database) -> None:
    async with sealing(database, NO_KEYS) as sealer:
        with pytest.raises(ZeroDivisionError):
            async with database.unit_of_work(ADMIN) as tx:
                await create_customer(tx, NewCustomer(name="Ada"))
                raise ZeroDivisionError
        assert sealer.waiting == 0
    assert await chain(database) == []


class Failing:
    """A handler that writes to the audit log and then fails."""

    name = "failing"

    async def __call__(self, events: Sequence[Event], tx: UnitOfWork) -> None:
        record = AuditRecord(who=SYSTEM, action="x", subject_type="Customer", subject_id="x", changes={})
        tx.audit([audit_row(record, at=tx.now, key=tx.database.audit_key)])
        raise ZeroDivisionError


async def test_what_a_savepoint_undid_is_not_sealed(database: Database) -> None:
    database.handlers = [Failing()]
    async with sealing(database, NO_KEYS) as sealer:
        await create(database)
        assert sealer.waiting == 1
        async with database.unit_of_work(ADMIN) as tx:
            with pytest.raises(ZeroDivisionError):
                async with tx.savepoint():
                    await Failing()([], tx)
    verdict = await verify(database, patience_seconds=-1)
    assert (verdict.fault, verdict.head.position) == (None, 1)


async def test_it_goes_on_by_itself(database: Database) -> None:
    async with sealing(database, NO_KEYS) as sealer:
        await create(database)
        assert sealer._task is not None
        await asyncio.wait_for(sealer._task, 30)
    assert (await verify(database)).head.position == 1


async def test_two_sealers_of_the_same_entries(database: Database) -> None:
    sealers = [Sealer(database, delay=3600) for _ in range(4)]
    for number in range(30):
        await create(database, f"Customer {number}")
    await asyncio.gather(*(sealer.seal_waiting() for sealer in sealers))
    for sealer in sealers:
        await sealer.close()
    verdict = await verify(database, patience_seconds=-1)
    assert (verdict.fault, verdict.head.position) == (None, 30)


async def test_a_sweep_finds_what_nobody_sealed(database: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    await fill(database)
    for _ in range(3):
        await create(database)  # by a process that is killed right after
    sealer = Sealer(database)
    assert await sealer.sweep() == 0  # they are young, their process will do it
    monkeypatch.setattr(sealing_module, "YOUNG_SECONDS", -10)
    assert await sealer.sweep() == 3
    assert await sealer.sweep() == 0
    await create(database)
    monkeypatch.setattr(sealing_module, "REACH_SECONDS", -10)
    assert await sealer.sweep() == 0
    assert await sealer.sweep(everything=True) == 1
    await sealer.close()
    assert (await verify(database, patience_seconds=-1)).fault is None


async def test_while_the_database_refuses_entries_wait(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    sealer = Sealer(database, delay=3600)
    await create(database)
    insert = sealer._insert

    async def fail(*args: object) -> None:
        raise OperationalError("full")

    monkeypatch.setattr(sealer, "_insert", fail)
    with pytest.raises(OperationalError):
        await sealer.seal_waiting()
    assert sealer.waiting == 1
    assert sealer.lag_seconds > 0
    monkeypatch.setattr(sealer, "_insert", insert)
    await sealer.close()
    assert (await verify(database, patience_seconds=-1)).head.position == 1


async def test_the_tables_refuse_changes(database: Database) -> None:
    await fill(database)
    for statement in (
        "UPDATE crm_audit SET action = 'x'",
        "UPDATE crm_audit SET changes = '{}'",
        "UPDATE crm_audit SET changes = '{}', erased_by = NULL",
        "DELETE FROM crm_audit",
        "UPDATE crm_audit_chain SET position = position + 1",
        "DELETE FROM crm_audit_chain",
        *(["TRUNCATE crm_audit"] if database.dialect == "postgres" else []),
    ):
        with pytest.raises((IntegrityError, OperationalError, CrmError), match="append-only"):
            async with database.unit_of_work() as tx:
                await tx.execute(statement)
    assert (await verify(database)).fault is None


async def test_the_tables_refuse_what_would_stand_in_a_row_s_place(database: Database) -> None:
    await fill(database)
    replacing = [
        "INSERT OR REPLACE INTO crm_audit SELECT * FROM crm_audit LIMIT 1",
        "INSERT OR REPLACE INTO crm_audit_chain SELECT * FROM crm_audit_chain LIMIT 1",
        "INSERT OR REPLACE INTO crm_audit_chain SELECT position + 1000, entry_id, digest, hash, key_id"
        " FROM crm_audit_chain LIMIT 1",
    ]
    updating = [
        "INSERT INTO crm_audit SELECT * FROM crm_audit LIMIT 1 ON CONFLICT (id) DO UPDATE SET action = 'x'",
        "INSERT INTO crm_audit_chain SELECT * FROM crm_audit_chain LIMIT 1"
        " ON CONFLICT (position) DO UPDATE SET key_id = 'x'",
    ]
    for statement in replacing if database.dialect == "sqlite" else updating:
        with pytest.raises((IntegrityError, OperationalError, CrmError), match="append-only"):
            async with database.unit_of_work() as tx:
                await tx.execute(statement)
    for position in ("0", "-1", *(["'x'", "3.5"] if database.dialect == "sqlite" else [])):
        with pytest.raises((IntegrityError, OperationalError, CrmError), match="crm_audit_chain_position"):
            async with database.unit_of_work() as tx:
                await tx.execute(
                    "INSERT INTO crm_audit_chain (position, entry_id, digest, hash)"
                    f" SELECT {position}, '018f0000-0000-7000-8000-00000000000a', digest, hash"
                    " FROM crm_audit_chain LIMIT 1"
                )
    assert (await verify(database, patience_seconds=-1)).fault is None


async def test_several_processes(database: Database, database_url: str) -> None:
    writers = [writer(database_url, label, 4, 25) for label in "abc"]
    for process in writers:
        await asyncio.to_thread(process.communicate)
        assert process.returncode == 0
    verdict = await verify(database, patience_seconds=-1)
    assert (verdict.fault, verdict.head.position, verdict.unsealed) == (None, 300, 0)


async def nobody_writes(database: Database) -> None:
    """PostgreSQL finishes what a process asked for that is gone."""
    busy = (
        "SELECT 1 FROM pg_stat_activity WHERE datname = current_database()"
        " AND backend_type = 'client backend' AND pid <> pg_backend_pid() AND state <> 'idle'"
    )
    async with asyncio.timeout(30):
        while database.dialect == "postgres" and await database.fetch(busy):  # noqa: ASYNC110  # it tells nobody
            await asyncio.sleep(0.01)


async def test_processes_that_are_killed(
    database: Database, database_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    for number, lines in enumerate((1, 7, 23, 60)):
        process = writer(database_url, f"killed {number}", 4, 10_000)
        assert process.stdout is not None
        for _ in range(lines):
            assert await asyncio.to_thread(process.stdout.readline)
        process.send_signal(signal.SIGKILL)
        await asyncio.to_thread(process.communicate)
    await nobody_writes(database)
    written = (await database.fetch("SELECT COUNT(*) AS n FROM crm_audit"))[0]["n"]
    verdict = await verify(database)
    assert verdict.fault is None  # what is not sealed yet is young
    assert verdict.head.position + verdict.unsealed == written
    monkeypatch.setattr(sealing_module, "YOUNG_SECONDS", -10)
    sealer = Sealer(database)
    assert await sealer.sweep() == verdict.unsealed
    await sealer.close()
    verdict = await verify(database, patience_seconds=-1)
    assert (verdict.fault, verdict.head.position) == (None, written)


async def test_what_waits_is_bounded(database: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sealing_module, "MAX_WAITING", 2)
    sealer = Sealer(database, delay=3600)
    for _ in range(4):
        await create(database)
    assert sealer.waiting == 2
    await sealer.close()
    assert (await verify(database)).unsealed == 2
