"""The composed schema of the core over a database of the test's own, and ways to ask it."""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import pytest

from crm_framework.engine.execute import execute
from crm_framework.engine.result import Result
from crm_framework.events import CORE_EVENTS
from crm_framework.hooks.dispatch import PluginHost
from crm_framework.schema.compose import ComposedSchema, compose
from crm_framework.schema.context import RequestContext
from crm_framework.schema.core import CORE_PARTS
from crm_framework.security.actors import Actor, ActorKind
from crm_framework.settings import Settings
from crm_framework.storage.database import Database
from crm_framework.storage.events import EventTypes

ADMIN = Actor(kind=ActorKind.INTEGRATION, id="tests", name="tests", permissions=frozenset({"*"}))


INTERNALS = re.compile(r"@\w+[:)]|[0-9a-f]{8}-[0-9a-f]{4}-")
"""How needs and keys are written inside; clients know permissions and global ids."""


def tells_no_internals(text: str) -> None:
    assert INTERNALS.search(text) is None, text


@dataclass
class Api:
    """Asks a schema as a server does."""

    schema: ComposedSchema
    database: Database
    host: PluginHost
    actor: Actor = ADMIN
    statements: list[str] = field(default_factory=list)

    def context(self, actor: Actor | None = None) -> RequestContext:
        return RequestContext(
            reader=self.database,
            introspection_permission="schema.introspect",
            actor=actor or self.actor,
            database=self.database,
            host=self.host,
            settings=Settings(),
        )

    async def ask(self, text: str, actor: Actor | None = None, **variables: Any) -> Result:
        with self.database.counting() as self.statements:
            return await execute(self.schema.schema, text, variables, None, self.context(actor))

    async def data(self, text: str, actor: Actor | None = None, **variables: Any) -> Any:
        """The answer's data; there must be no errors."""
        result = await self.ask(text, actor, **variables)
        assert result.errors == []
        return result.data

    async def refused(self, text: str, actor: Actor | None = None, **variables: Any) -> tuple[str, str]:
        """Code and message of the one top-level error."""
        result = await self.ask(text, actor, **variables)
        assert len(result.errors) == 1
        tells_no_internals(result.errors[0]["message"])
        return result.errors[0]["extensions"]["code"], result.errors[0]["message"]

    async def change(self, name: str, input: Mapping[str, Any], select: str) -> Any:
        """What a mutation selects; its `errors` must be empty."""
        answer = await self._mutate(name, input, select)
        assert answer["errors"] == []
        return answer

    async def errors(self, name: str, input: Mapping[str, Any]) -> list[dict[str, Any]]:
        """A mutation's errors."""
        answer = await self._mutate(name, input, "")
        errors: list[dict[str, Any]] = answer["errors"]
        for error in errors:
            tells_no_internals(f"{error['message']} {error['hint']}")
        return errors

    async def _mutate(self, name: str, input: Mapping[str, Any], select: str) -> Any:
        field = self.schema.graphql.type_map["Mutation"].fields[name]  # type: ignore[attr-defined]  # an object type
        text = (
            f"mutation($input: {field.args['input'].type}) {{ {name}(input: $input) {{"
            f" {select} errors {{ code message path hint }} }} }}"
        )
        return (await self.data(text, input=input))[name]

    async def count(self, table: str) -> int:
        rows = await self.database.fetch(f"SELECT COUNT(*) AS n FROM {table}")
        found: int = rows[0]["n"]
        return found


@pytest.fixture(scope="session")
def core_schema() -> ComposedSchema:
    return compose(CORE_PARTS, PluginHost())


@pytest.fixture
def api(core_schema: ComposedSchema, database: Database) -> Api:
    database.event_types = EventTypes(CORE_EVENTS)
    return Api(core_schema, database, PluginHost())


async def names(api: Api, **variables: Any) -> list[str]:
    """Names of the customers of a list, in order."""
    data = await api.data(
        """query($filter: CustomerFilter, $search: String, $orderBy: [CustomerOrder!], $first: Int) {
          customers(filter: $filter, search: $search, orderBy: $orderBy, first: $first)
              { nodes { name } } }""",
        **variables,
    )
    return [node["name"] for node in data["customers"]["nodes"]]


async def create(api: Api, name: str, **more: Any) -> str:
    """Id of a new customer."""
    made = await api.change("createCustomer", {"name": name, **more}, "customer { id }")
    found: str = made["customer"]["id"]
    return found
