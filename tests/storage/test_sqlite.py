"""SQLite only: how the file is opened, and what a user reads when it cannot be."""

import asyncio
import os
import sqlite3
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest
from tortoise.exceptions import IntegrityError

from crm_framework.errors import CrmError, ErrorCode
from crm_framework.storage.database import Database
from crm_framework.storage.ids import new_id
from crm_framework.storage.unit_of_work import UnitOfWork
from crm_framework.testing.fixtures import CORE_APPS

pytestmark = pytest.mark.parametrize("database_kind", ["sqlite"], indirect=True)

SEGMENT = "INSERT INTO crm_segment (id, name, condition, created_at, updated_at) VALUES (?, ?, ?, ?, ?)"


async def add(tx: UnitOfWork, name: str) -> None:
    await tx.execute(SEGMENT, [new_id(), name, "{}", tx.now, tx.now])


async def names(database: Database) -> list[str]:
    return [row["name"] for row in await database.fetch("SELECT name FROM crm_segment ORDER BY name")]


def file_of(url: str) -> Path:
    return Path(url.removeprefix("sqlite://"))


def written(file: Path, text: str) -> Path:
    file.write_text(text)
    return file


def contents(folder: Path) -> dict[Path, str]:
    return {file: file.read_text() for file in folder.iterdir()}


async def refused(url: str, code: ErrorCode, **settings: float) -> str:
    with pytest.raises(CrmError) as caught:
        await Database.open(url, apps={}, **settings)  # type: ignore[arg-type]  # numbers of both sorts
    assert caught.value.code == code
    assert caught.value.hint
    return str(caught.value)


async def test_writes_are_flushed_and_foreign_keys_hold(database: Database) -> None:
    async with database.unit_of_work() as tx:
        assert await tx.fetch("PRAGMA journal_mode") == [{"journal_mode": "wal"}]
        assert await tx.fetch("PRAGMA synchronous") == [{"synchronous": 2}]
        assert await tx.fetch("PRAGMA foreign_keys") == [{"foreign_keys": 1}]
        assert await tx.fetch("PRAGMA busy_timeout") == [{"timeout": 10_000}]
    with pytest.raises(IntegrityError, match="FOREIGN KEY"):
        async with database.unit_of_work() as tx:
            await tx.execute(
                "INSERT INTO crm_customer_tag (id, customer_id, tag) VALUES (?, ?, ?)",
                [new_id(), new_id(), "x"],
            )


async def test_readers_do_not_wait_for_the_writer(database: Database) -> None:
    async with database.unit_of_work() as tx:
        await add(tx, "first")
    async with asyncio.timeout(60), database.unit_of_work() as tx:
        await add(tx, "second")
        seen = await asyncio.gather(*(asyncio.create_task(names(database)) for _ in range(20)))
        assert seen == [["first"]] * 20
    assert await names(database) == ["first", "second"]


async def test_another_program_that_writes_too_long(database_url: str) -> None:
    other = sqlite3.connect(file_of(database_url), isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    async with await Database.open(database_url, apps=CORE_APPS, wait_seconds=0.1) as database:
        with pytest.raises(CrmError, match="is locked by another program") as caught:
            async with database.unit_of_work() as tx:
                await add(tx, "never")
        assert caught.value.code == ErrorCode.UNAVAILABLE
        assert caught.value.hint is not None
        assert await names(database) == []
        other.execute("ROLLBACK")
        async with database.unit_of_work() as tx:
            await add(tx, "now")
        assert await names(database) == ["now"]
    other.close()


async def test_a_full_disk(database: Database) -> None:
    async with database.unit_of_work() as tx:
        await add(tx, "before")
    async with database.unit_of_work() as tx:
        (pages,) = (await tx.fetch("PRAGMA page_count"))[0].values()
        await tx.fetch(f"PRAGMA max_page_count={pages + 2}")
    with pytest.raises(CrmError, match=r"The disk of .* is full") as caught:
        async with database.unit_of_work() as tx:
            await add(tx, "small")
            async with tx.savepoint():
                await add(tx, "big " * 20_000)
    assert caught.value.code == ErrorCode.UNAVAILABLE
    assert await names(database) == ["before"]
    with pytest.raises(CrmError, match=r"The disk of .* is full"):
        async with database.unit_of_work() as tx:
            with pytest.raises(CrmError):
                await add(tx, "big " * 20_000)
    async with database.unit_of_work() as tx:
        await tx.fetch(f"PRAGMA max_page_count={pages + 1000}")
        await add(tx, "big " * 20_000)
    assert len(await names(database)) == 2


async def test_a_missing_folder(database_url: str, tmp_path: Path) -> None:
    told = await refused(f"sqlite://{tmp_path}/none/crm.db", ErrorCode.CONFIGURATION)
    assert told == f"The folder {tmp_path}/none does not exist. Create it: mkdir -p {tmp_path}/none"
    assert contents(tmp_path) == {}


async def test_a_folder_in_its_place(tmp_path: Path, database_kind: str) -> None:
    assert f"{tmp_path} is a folder." in await refused(f"sqlite://{tmp_path}", ErrorCode.CONFIGURATION)


async def test_a_file_that_is_no_database(tmp_path: Path, database_kind: str) -> None:
    letter = written(tmp_path / "letter.txt", "Dear customer, " * 100)
    told = await refused(str(letter), ErrorCode.CONFIGURATION)
    assert told.startswith(f"{letter} is not an SQLite database.")
    assert contents(tmp_path) == {letter: "Dear customer, " * 100}


READ_ONLY = """
import asyncio, encodings.idna, os, sys
from crm_framework.errors import CrmError
from crm_framework.storage.database import Database

async def main():
    try:
        await Database.open(sys.argv[1], apps={})
    except CrmError as error:
        print(error.code, error)

if os.geteuid() == 0:
    os.setuid(65534)  # root may write everywhere
asyncio.run(main())
"""


@pytest.mark.parametrize("protected", ["file", "folder"])
def test_a_read_only_file_or_folder(database_url: str, protected: str) -> None:
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as name:
        folder = Path(name)
        target = folder / "crm.db"
        target.write_bytes(file_of(database_url).read_bytes())
        target.chmod(0o444 if protected == "file" else 0o666)
        folder.chmod(0o777 if protected == "file" else 0o555)
        ran = subprocess.run(
            [sys.executable, "-c", READ_ONLY, f"sqlite://{target}"],
            capture_output=True,
            text=True,
            check=False,
        )
        folder.chmod(0o777)
    assert ran.stderr == ""
    code, _, told = ran.stdout.strip().partition(" ")
    assert code == "UNAVAILABLE"
    assert told.startswith((f"{target} is read-only.", f"{target} cannot be opened."))


async def test_several_programs_open_a_new_file_at_once(tmp_path: Path, database_kind: str) -> None:
    opened = await asyncio.gather(
        *(Database.open(f"sqlite:{tmp_path}/new.db", apps={}, read_pool_size=1) for _ in range(8))
    )
    for database in opened:
        assert await database.fetch("PRAGMA journal_mode") == [{"journal_mode": "wal"}]
        await database.close()


FORGETFUL = """
import asyncio, sys
from crm_framework.storage.database import Database

async def main():
    database = await Database.open(sys.argv[1], apps={})
    await database.fetch("SELECT 1")
    async with database.unit_of_work() as tx:
        await tx.execute("UPDATE crm_segment SET name = name")

asyncio.run(main())
"""


def test_a_program_that_forgets_to_close_still_ends(database_url: str) -> None:
    ran = subprocess.run(
        [sys.executable, "-c", FORGETFUL, database_url],
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    assert (ran.returncode, ran.stderr) == (0, "")


async def test_no_descriptor_is_left_open(database_url: str) -> None:
    before = len(os.listdir("/proc/self/fd"))
    for _ in range(3):
        async with await Database.open(database_url, apps=CORE_APPS) as database:
            await names(database)
    assert len(os.listdir("/proc/self/fd")) == before
