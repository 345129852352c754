"""The pytest plugin of crm_framework: installed with it, so that a plugin's tests need no conftest.

Nothing but pytest is imported before a fixture is used: every test run on the machine loads this module.
"""

import tempfile
from collections.abc import AsyncIterator, Iterator
from contextlib import AsyncExitStack, ExitStack
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

pytest.register_assert_rewrite("crm_framework.testing.conformance", "crm_framework.testing.selections")

if TYPE_CHECKING:
    from starlette.applications import Starlette

    from crm_framework.storage.database import Database
    from crm_framework.testing.apps import OpenClient, TemporaryPlugin
    from crm_framework.testing.client import CrmClient
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


@pytest.fixture(scope="module", params=["sqlite", "postgres"])
def database_kind(request: pytest.FixtureRequest) -> "Kind":
    """Runs the test once per kind of database. All of a module on one of them come before those on the other:
    models are bound to a kind of database, which takes as long as a small test."""
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


@pytest.fixture
def plugin_dir(tmp_path: Path) -> Path:
    """The folder of single-file plugins of this test's applications."""
    folder = tmp_path / "plugins"
    folder.mkdir()
    return folder


@pytest.fixture
def temporary_plugin(plugin_dir: Path) -> "Iterator[TemporaryPlugin]":
    """`temporary_plugin(name, source)` makes a plugin in a single file; `open_client(name)` enables it."""
    from crm_framework.testing.apps import TemporaryPlugin

    maker = TemporaryPlugin(plugin_dir)
    yield maker
    maker.forget()


@pytest.fixture
async def open_client(
    test_databases: "TestDatabases", database_kind: "Kind", plugin_dir: Path
) -> "AsyncIterator[OpenClient]":
    """`await open_client(*plugins, **settings)`: a client of a new application on a new database."""
    from crm_framework.testing.apps import OpenClient

    async with AsyncExitStack() as resources:
        yield OpenClient(test_databases, database_kind, plugin_dir, resources)


@pytest.fixture
def crm_plugins() -> tuple[str, ...]:
    """The plugins of `app` and `client`; a plugin's tests override this fixture with its name."""
    return ()


@pytest.fixture
async def client(open_client: "OpenClient", crm_plugins: tuple[str, ...]) -> "CrmClient":
    """A client with every permission, of an application with the plugins of `crm_plugins`."""
    return await open_client(*crm_plugins)


@pytest.fixture
def app(client: "CrmClient") -> "Starlette":
    """The application of `client`."""
    return client.app


async def make_core_tables(url: str) -> None:
    from crm_framework.storage.migration.migrator import CORE, migrate

    await migrate(url, [CORE])
