"""The pytest plugin of crm_framework: installed with it, so that a plugin's tests need no conftest."""

import tempfile
from collections.abc import AsyncIterator, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from crm_framework.storage.database import Database
    from crm_framework.testing.templates import Kind, TestDatabases

CORE_APPS = {"crm": "crm_framework.domain.models"}


@pytest.fixture(scope="session")
def test_databases() -> "Iterator[TestDatabases]":
    """Maker of databases; starts PostgreSQL when a test first wants one and stops it at the end."""
    from crm_framework.testing.postgres import fast_folder
    from crm_framework.testing.templates import TestDatabases

    with (
        tempfile.TemporaryDirectory(prefix="crm-databases-", dir=fast_folder()) as folder,
        ExitStack() as resources,
    ):
        yield TestDatabases(Path(folder), resources)


@pytest.fixture(params=["sqlite", "postgres"])
def database_kind(request: pytest.FixtureRequest) -> "Kind":
    """Runs the test once per kind of database."""
    kind: Kind = request.param
    return kind


@pytest.fixture
def empty_database_url(test_databases: "TestDatabases", database_kind: "Kind") -> Iterator[str]:
    """URL of a new database without tables."""
    url = test_databases.empty(database_kind)
    yield url
    test_databases.drop(url)


@pytest.fixture
def database_url(test_databases: "TestDatabases", database_kind: "Kind") -> Iterator[str]:
    """URL of a new database with the core's tables."""
    url = test_databases.copy(database_kind, "core", make_core_tables)
    yield url
    test_databases.drop(url)


@pytest.fixture
async def database(database_url: str) -> "AsyncIterator[Database]":
    """The open database of `database_url`."""
    from crm_framework.storage.database import Database

    opened = await Database.open(database_url, apps=CORE_APPS)
    try:
        yield opened
    finally:
        await opened.close()


async def make_core_tables(url: str) -> None:
    from crm_framework.storage.migrator import CORE, migrate

    await migrate(url, [CORE])
