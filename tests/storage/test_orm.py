"""What is borrowed from Tortoise's inside, so that an upgrade that changes it fails here first."""

import inspect
from contextvars import ContextVar

from tortoise.backends.base.client import BaseDBAsyncClient
from tortoise.backends.base.executor import EXECUTOR_CACHE
from tortoise.connection import ConnectionHandler
from tortoise.context import TortoiseContext, _current_context, get_current_context

from crm_framework.domain.models import Staff
from crm_framework.storage.database import Database
from crm_framework.storage.orm import _Client
from crm_framework.testing.fixtures import CORE_APPS, make_core_tables
from crm_framework.testing.templates import TestDatabases


def test_the_current_context_and_connection_live_in_context_variables() -> None:
    assert isinstance(_current_context, ContextVar)
    assert isinstance(ConnectionHandler()._storage_var, ContextVar)
    assert isinstance(TortoiseContext().connections, ConnectionHandler)
    assert isinstance(EXECUTOR_CACHE, dict)


def test_every_way_to_send_a_statement_is_taken_over() -> None:
    ways = {
        name
        for name, member in inspect.getmembers(BaseDBAsyncClient, inspect.isfunction)
        if name.startswith("execute") or name in ("_in_transaction", "acquire_connection")
    }
    assert ways == {
        "_in_transaction",
        "acquire_connection",
        "execute_insert",
        "execute_many",
        "execute_query",
        "execute_query_dict",
        "execute_query_dict_with_affected",
        "execute_script",
    }
    own = set(vars(_Client))
    # the first asks `execute_query`; the second is of the drivers, whose connections the ORM never sees
    assert ways - own == {"execute_query_dict_with_affected", "acquire_connection"}


async def test_models_serve_two_databases_in_turn(test_databases: TestDatabases) -> None:
    """Their classes hold one dialect; each unit of work makes them speak its own."""
    first = await Database.open(test_databases.copy("sqlite", "core", make_core_tables), apps=CORE_APPS)
    second = await Database.open(test_databases.copy("postgres", "core", make_core_tables), apps=CORE_APPS)
    for number in range(3):
        for database in (first, second):
            async with database.unit_of_work() as tx:
                await Staff.create(name=f"{number}", created_at=tx.now, updated_at=tx.now)
                assert await Staff.filter(name__icontains=f"{number}").order_by("name").limit(5).count() == 1
                await Staff.bulk_create([Staff(name="bulk", created_at=tx.now, updated_at=tx.now)])
            assert get_current_context() is None
    for database in (first, second):
        assert await database.fetch("SELECT count(*) AS n FROM crm_staff") == [{"n": 6}]
        await database.close()
