"""A new SQLite database is for its owner's eyes only, with the files that SQLite makes beside it."""

import stat
from pathlib import Path

from crm_framework.storage.database import Database
from crm_framework.storage.migration.migrator import CORE, migrate
from crm_framework.testing.fixtures import CORE_APPS


def rights(folder: Path) -> dict[str, int]:
    return {file.name: stat.S_IMODE(file.stat().st_mode) for file in folder.iterdir()}


async def test_a_new_file_and_those_beside_it(tmp_path: Path) -> None:
    url = f"sqlite://{tmp_path}/crm.sqlite3"
    await migrate(url, [CORE])
    assert rights(tmp_path)["crm.sqlite3"] == 0o600
    async with await Database.open(url, apps=CORE_APPS) as database:
        async with database.unit_of_work() as tx:
            await tx.execute("DELETE FROM crm_customer_tag")
        assert rights(tmp_path) == dict.fromkeys(("crm.sqlite3", "crm.sqlite3-wal", "crm.sqlite3-shm"), 0o600)


async def test_one_that_is_opened_without_having_been_made(tmp_path: Path) -> None:
    async with await Database.open(f"sqlite://{tmp_path}/new.sqlite3", apps=CORE_APPS):
        assert set(rights(tmp_path).values()) == {0o600}


async def test_one_that_is_there_keeps_its_rights(tmp_path: Path) -> None:
    file = tmp_path / "crm.sqlite3"
    file.touch()
    file.chmod(0o640)
    await migrate(f"sqlite://{file}", [CORE])
    assert rights(tmp_path)["crm.sqlite3"] == 0o640
