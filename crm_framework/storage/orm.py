"""Tortoise's models on a unit of work: every statement of theirs goes through it.

Tortoise's own clients and transactions are not used: cancelled at the wrong moment they leave a lock or a
connection behind. Its contexts and its cache of statements are internals; tests/storage/test_orm.py holds
what is relied on.
"""

from collections.abc import Mapping, Sequence
from contextlib import AbstractAsyncContextManager
from contextvars import ContextVar, Token
from dataclasses import dataclass
from types import TracebackType
from typing import Any, Protocol

from tortoise.backends.asyncpg.client import AsyncpgDBClient
from tortoise.backends.base.client import BaseDBAsyncClient, TransactionContext
from tortoise.backends.base.executor import EXECUTOR_CACHE
from tortoise.backends.sqlite.client import SqliteClient
from tortoise.context import TortoiseContext, _current_context
from tortoise.models import Model

from crm_framework.errors import CrmError, ErrorCode

from .sql import Dialect
from .transaction import Transaction

ALIAS = "default"

_ENGINES: dict[Dialect, tuple[str, type[BaseDBAsyncClient]]] = {
    "sqlite": ("tortoise.backends.sqlite", SqliteClient),
    "postgres": ("tortoise.backends.asyncpg", AsyncpgDBClient),
}


class Work(Protocol):
    """The part of a unit of work that the ORM needs."""

    @property
    def transaction(self) -> Transaction: ...

    def savepoint(self) -> AbstractAsyncContextManager[object]: ...


current: ContextVar[Work | None] = ContextVar("crm_unit_of_work", default=None)
"""The unit of work in whose block the current task is, or that of the task which started it."""


class Models:
    """The model classes, bound to one database.

    Tortoise keeps the dialect in the classes: units of work of two dialects cannot be open at once.
    """

    _bound: "Models | None" = None

    def __init__(self, dialect: Dialect, context: TortoiseContext) -> None:
        self.dialect = dialect
        self._context = context
        client = _SqliteClient(ALIAS) if dialect == "sqlite" else _PostgresClient(ALIAS)
        clients: dict[str, BaseDBAsyncClient] = {ALIAS: client}  # the same for every task
        context.connections._storage_var = ContextVar("crm_clients", default=clients)

    @classmethod
    async def load(cls, dialect: Dialect, apps: Mapping[str, str]) -> "Models":
        """Loads the modules of `apps` (label -> module) and their relations; without any, nothing.

        Raises CrmError CONFIGURATION, or Tortoise's ConfigurationError, for models that do not fit together.
        """
        context = TortoiseContext()
        if not apps:
            return cls(dialect, context)
        engine = {"engine": _ENGINES[dialect][0], "credentials": {}}
        await context.init(
            config={
                "connections": {ALIAS: engine},
                "apps": {
                    label: {"models": [module], "default_connection": ALIAS} for label, module in apps.items()
                },
            },
            init_connections=False,
        )
        _check_relations(context)
        return cls(dialect, context)

    def enter(self, work: Work) -> "Entered":
        """Makes the models of the current task use `work`, until `leave`."""
        entered = Entered(current.set(work), _current_context.set(self._context))
        self._bind()
        return entered

    def _bind(self) -> None:
        if Models._bound is self:
            return
        before, Models._bound = Models._bound, self
        if before is not None and before._binds() == self._binds():
            return  # another database of the same kind, with the same models
        EXECUTOR_CACHE.clear()
        if self._context.apps is not None:
            self._context.apps._build_initial_querysets()

    def _binds(self) -> tuple[Dialect, list[type[Model]]]:
        """What the classes are given by binding depends on this alone."""
        apps = self._context.apps
        return self.dialect, [model for app in apps.values() for model in app.values()] if apps else []


def _check_relations(context: TortoiseContext) -> None:
    """Tortoise looks at the relations of a model once per process: what it refused then, it passes later."""
    for app in context.apps.apps.values() if context.apps is not None else ():
        for model in app.values():
            for name in model._meta.fk_fields | model._meta.o2o_fields:
                field = model._meta.fields_map[name]
                if getattr(field, "to_field_instance", None) is None:
                    raise CrmError(
                        ErrorCode.CONFIGURATION,
                        f"{model.__name__}.{name} refers to {getattr(field, 'model_name', None)}, "
                        "which is no model.",
                        hint="Name it as `label.Model`, and enable the plugin that it belongs to.",
                    )


@dataclass(slots=True)
class Entered:
    _work: Token[Work | None]
    _context: Token[TortoiseContext | None]

    def leave(self) -> None:
        try:
            _current_context.reset(self._context)
            current.reset(self._work)
        except ValueError:
            pass  # left in another context than entered, which is gone by now


class _Client(BaseDBAsyncClient):
    """What Tortoise takes for a database connection: in each task, the unit of work in which it is."""

    @property
    def _work(self) -> Work:
        work = current.get()
        assert work is not None  # who is in no unit of work finds no client either
        return work

    async def execute_insert(self, query: str, values: list[Any]) -> Any:
        return await self._work.transaction.run_insert(query, values)

    async def execute_query(
        self, query: str, values: list[Any] | None = None
    ) -> tuple[int, Sequence[dict[str, Any]]]:
        return await self._work.transaction.run(query, values or ())

    async def execute_query_dict(self, query: str, values: list[Any] | None = None) -> list[dict[str, Any]]:
        return (await self._work.transaction.run(query, values or ()))[1]

    async def execute_many(self, query: str, values: list[list[Any]]) -> None:
        await self._work.transaction.run_many(query, values)

    async def execute_script(self, query: str) -> None:
        await self._work.transaction.run_script(query)

    def _in_transaction(self) -> "TransactionContext":
        return _Savepoint(self)

    def savepoint(self) -> AbstractAsyncContextManager[object]:
        return self._work.savepoint()


class _SqliteClient(_Client):
    query_class = SqliteClient.query_class
    executor_class = SqliteClient.executor_class
    schema_generator = SqliteClient.schema_generator
    capabilities = SqliteClient.capabilities


class _PostgresClient(_Client):
    query_class = AsyncpgDBClient.query_class
    executor_class = AsyncpgDBClient.executor_class
    schema_generator = AsyncpgDBClient.schema_generator
    capabilities = AsyncpgDBClient.capabilities


class _Savepoint(TransactionContext):
    """Tortoise's `in_transaction()`, which it opens for bulk_create and the like."""

    def __init__(self, client: _Client) -> None:
        self._client = client
        self._savepoint = client.savepoint()

    async def __aenter__(self) -> Any:
        await self._savepoint.__aenter__()
        return self._client

    async def __aexit__(
        self, exc_type: type[BaseException] | None, exc: BaseException | None, tb: TracebackType | None
    ) -> None:
        await self._savepoint.__aexit__(exc_type, exc, tb)
