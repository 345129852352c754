"""A client of the API for tests: the whole application, without a socket."""

from collections.abc import AsyncIterator
from contextlib import AbstractContextManager, asynccontextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import httpx2
from starlette.applications import Starlette

from crm_framework.engine.result import Result
from crm_framework.security.actors import Actor
from crm_framework.security.permissions import Permissions
from crm_framework.security.tokens import create_token
from crm_framework.server.operations import Operation
from crm_framework.server.service import Service

if TYPE_CHECKING:
    from .commands import CommandResult


@dataclass(frozen=True)
class CrmClient:
    """Asks the application `app` in the name of one token. `http` is there for what is not GraphQL."""

    app: Starlette
    http: httpx2.AsyncClient
    token: str

    @property
    def service(self) -> Service:
        """What the application serves: its database, plugins, schema and settings."""
        service: Service = self.app.state.service
        return service

    async def execute(
        self, query: str, variables: dict[str, Any] | None = None, *, operation_name: str | None = None
    ) -> dict[str, Any]:
        """The whole answer: `data`, `errors`, `extensions`."""
        body = {"query": query, "variables": variables, "operationName": operation_name}
        response = await self.http.post(
            "/graphql", json=body, headers={"Authorization": f"Bearer {self.token}"}
        )
        answer: dict[str, Any] = response.json()
        return answer

    async def data(self, query: str, **variables: Any) -> dict[str, Any]:
        """The data of an operation that must succeed."""
        answer = await self.execute(query, variables)
        assert "errors" not in answer, answer["errors"]
        data: dict[str, Any] = answer["data"]
        return data

    async def errors(self, query: str, **variables: Any) -> list[dict[str, Any]]:
        """The top-level errors of an operation that must fail."""
        answer = await self.execute(query, variables)
        assert "errors" in answer, f"it succeeded: {answer}"
        errors: list[dict[str, Any]] = answer["errors"]
        return errors

    @asynccontextmanager
    async def subscription(
        self, query: str, **variables: Any
    ) -> AsyncIterator[AsyncIterator[dict[str, Any]]]:
        """The answers of a subscription, one after the other.

        async with client.subscription("subscription { events { type } }") as answers:
            first = await anext(answers)
        """
        operation = Operation(query, variables, None, read_only=False)
        actor = await self.service.verifier.verify(self.token)
        outcome = await self.service.subscribe(operation, self.service.context(actor, "test"))
        assert not isinstance(outcome, Result), outcome.errors
        try:
            yield (result.response async for result in outcome)
        finally:
            await outcome.aclose()  # type: ignore[attr-defined]  # it is a generator

    async def request(self, method: str, path: str, *, token: bool = True, **options: Any) -> httpx2.Response:
        """The answer to any other request, such as for a plugin's route, in the name of the token.

        `token=False` sends none. `options` are those of httpx2: `json`, `content`, `headers`, `params` …
        """
        headers = dict(options.pop("headers", None) or {})
        if token:
            headers.setdefault("Authorization", f"Bearer {self.token}")
        return await self.http.request(method, path, headers=headers, **options)

    async def command(self, *arguments: str, typed: str | None = None) -> "CommandResult":
        """How `crm` ends with these arguments, on the application's database, plugins and settings.

        `typed` is what a person would type in while it runs. A fault of the program is raised.
        """
        from .commands import run_crm

        return await run_crm(self.service.settings, arguments, typed)

    async def acting_with(self, *permissions: str) -> "CrmClient":
        """The same application, asked with a new token that grants these permissions only."""
        return CrmClient(self.app, self.http, await issue_token(self.service, *permissions))

    def statements(self) -> "AbstractContextManager[list[str]]":
        """Collects the SQL of the block, without the look at the token that every request takes.

        with client.statements() as sql:
            await client.data("{ customers { nodes { name } } }")
        assert len(sql) == 1
        """
        return _Counted(self.service)


class _Counted(AbstractContextManager[list[str]]):
    def __init__(self, service: Service) -> None:
        self._counting = service.database.counting()
        self._statements: list[str] = []

    def __enter__(self) -> list[str]:
        self._statements = self._counting.__enter__()
        return self._statements

    def __exit__(self, *raised: Any) -> None:
        self._statements[:] = [sql for sql in self._statements if "crm_token" not in sql]
        self._counting.__exit__(*raised)


async def issue_token(service: Service, *permissions: str) -> str:
    """The secret of a new token with these permissions."""
    async with service.database.unit_of_work(Actor.system("tests")) as tx:
        issued = await create_token(
            tx, Permissions.of(service.host.declarations), name="Test", grants=permissions
        )
    return issued.secret
