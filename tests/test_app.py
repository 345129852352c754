import asyncio
import logging
import socket
import sqlite3
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from pathlib import Path

import asyncpg
import httpx2
import pytest
import uvicorn

from crm_framework.app import create_app, open_service
from crm_framework.errors import CrmError, ErrorCode
from crm_framework.settings import Settings
from crm_framework.storage.migration.migrator import CORE, migrate
from crm_framework.testing.apps import OpenClient, TemporaryPlugin
from crm_framework.testing.client import CrmClient

GREETER = """
    from crm_framework import PUBLIC, Plugin, SchemaParts, hookimpl, root
    from strawberry import Info

    plugin = Plugin(name="greeter", requires_api="1.0", summary="Greets.")

    @root(permission=PUBLIC)
    async def greeting(info: Info) -> str:
        "A greeting."
        return "Hello"

    @hookimpl
    def schema(settings):
        return SchemaParts(query=[greeting])
"""

FUTURE = """
    from crm_framework import Plugin

    plugin = Plugin(name="future", requires_api="9.0", summary="Of a later time.")
"""


async def test_the_whole_way_of_a_request(client: CrmClient) -> None:
    assert await client.data("{ __typename }") == {"__typename": "Query"}


async def test_client_shows_top_level_errors(client: CrmClient) -> None:
    (error,) = await client.errors("{ nothing }")
    assert error["extensions"]["code"] == "BAD_INPUT"


async def test_statements_are_counted_without_the_look_at_the_token(client: CrmClient) -> None:
    with client.statements() as sql:
        await client.data("{ __typename }")
    assert sql == []


async def test_introspection_needs_its_permission(client: CrmClient) -> None:
    introspection = "{ __schema { queryType { name } } }"
    assert await client.data(introspection) == {"__schema": {"queryType": {"name": "Query"}}}
    nobody = await client.acting_with()
    (error,) = await nobody.errors(introspection)
    assert error["extensions"]["code"] == "FORBIDDEN"
    assert await nobody.data("{ __typename }") == {"__typename": "Query"}


async def test_nobody_is_let_in_without_a_token(client: CrmClient) -> None:
    response = await client.http.post("/graphql", json={"query": "{ __typename }"})
    assert response.status_code == 401


async def test_health(client: CrmClient) -> None:
    assert (await client.http.get("/healthz")).text == "ok\n"
    await client.service.sealer.seal_waiting()
    response = await client.http.get("/readyz")
    assert response.status_code == 200
    said = response.json()
    # Other plugins may be installed where the tests run, and are off.
    assert {plugin["status"] for plugin in said.pop("plugins")} <= {"DISABLED"}
    assert said == {
        "status": "ready",
        "database": "ok",
        "migrations": "applied",
        "audit": {"unsealed": 0, "oldest_unsealed_s": 0.0},
        "owed": {
            "deliveries": 0,
            "deliveries_parked": 0,
            "oldest_delivery_s": 0.0,
            "jobs_due": 0,
            "jobs_failed": 0,
        },
    }


async def test_readyz_names_what_is_broken(
    open_client: OpenClient, temporary_plugin: TemporaryPlugin
) -> None:
    temporary_plugin("broken", "import nothing_of_this_name")
    temporary_plugin("future", FUTURE)
    temporary_plugin("unused", "")
    client = await open_client("broken", "future", "missing")
    response = await client.http.get("/readyz")
    assert response.status_code == 200
    plugins = {plugin["name"]: plugin for plugin in response.json()["plugins"]}
    wanted = ("broken", "future", "missing", "unused")
    assert {name: plugins[name]["status"] for name in wanted} == {
        "broken": "BROKEN",
        "future": "INCOMPATIBLE",
        "missing": "MISSING",
        "unused": "DISABLED",
    }
    assert plugins["broken"]["reason"] == "It cannot be imported, or does not keep to the contract."
    assert "nothing_of_this_name" not in response.text
    assert plugins["unused"]["reason"] is None
    told = await client.data("{ plugins { name reason } }")
    (reason,) = [plugin["reason"] for plugin in told["plugins"] if plugin["name"] == "broken"]
    assert "nothing_of_this_name" in reason
    assert await client.data("{ __typename }") == {"__typename": "Query"}


async def test_readyz_says_when_the_database_is_away(client: CrmClient) -> None:
    await client.service.database.close()
    response = await client.http.get("/readyz")
    assert (response.status_code, response.json()["database"]) == (503, "unavailable")
    assert (await client.http.get("/healthz")).status_code == 200
    asked = await client.http.post(
        "/graphql",
        json={"query": "{ __typename }"},
        headers={"Authorization": f"Bearer {client.token}"},
    )
    assert asked.status_code == 503


async def test_readyz_says_when_the_database_is_newer(client: CrmClient) -> None:
    async with client.service.database.unit_of_work() as tx:
        await tx.execute(
            "INSERT INTO crm_migration (app, name, applied_at) VALUES ('crm', '9999_later', ?)", (tx.now,)
        )
    response = await client.http.get("/readyz")
    assert response.status_code == 503
    assert response.json()["migrations"].startswith("The database is newer than this program")


async def test_an_empty_database_is_not_served(empty_database_url: str) -> None:
    with pytest.raises(CrmError, match="lacks 1 migration") as refused:
        async with open_service(Settings(database_url=empty_database_url)):
            pytest.fail("it was opened")
    assert refused.value.code is ErrorCode.CONFIGURATION
    assert refused.value.hint == "Run `crm migrate`."


async def test_a_newer_database_is_not_served(database_url: str) -> None:
    statement = "INSERT INTO crm_migration (app, name, applied_at) VALUES ('crm', '9999_later', '2030-01-01')"
    if database_url.startswith("sqlite://"):
        connection = sqlite3.connect(database_url.removeprefix("sqlite://"))
        connection.execute(statement)
        connection.commit()
        connection.close()
    else:
        connected = await asyncpg.connect(database_url)
        await connected.execute(statement)
        await connected.close()
    with pytest.raises(CrmError, match="newer than this program"):
        async with open_service(Settings(database_url=database_url)):
            pytest.fail("it was opened")


async def test_a_database_out_of_reach_is_one_line() -> None:
    with pytest.raises(CrmError) as refused:
        async with open_service(Settings(database_url="postgres://me:secret@127.0.0.1:1/crm")):
            pytest.fail("it was opened")
    assert refused.value.code is ErrorCode.UNAVAILABLE
    assert "secret" not in str(refused.value)
    assert "\n" not in str(refused.value)


@asynccontextmanager
async def served(settings: Settings) -> AsyncIterator[tuple[uvicorn.Server, str]]:
    """uvicorn on a free port, which opens the application by itself."""
    listener = socket.create_server(("127.0.0.1", 0))
    config = uvicorn.Config(create_app(settings), log_config=None, lifespan="on")
    server = uvicorn.Server(config)

    async def run() -> None:
        with suppress(SystemExit):  # how uvicorn ends when the application does not start
            await server.serve(sockets=[listener])

    running = asyncio.create_task(run())
    try:
        while not server.started and not running.done():  # noqa: ASYNC110  # uvicorn has no event to wait for
            await asyncio.sleep(0.01)
        yield server, f"http://127.0.0.1:{listener.getsockname()[1]}"
    finally:
        server.should_exit = True
        await running
        listener.close()


async def test_a_server_opens_and_closes_it(database_url: str) -> None:
    async with (
        served(Settings(database_url=database_url)) as (_, address),
        httpx2.AsyncClient(trust_env=False) as http,
    ):
        assert (await http.get(f"{address}/readyz")).status_code == 200


async def test_a_server_says_in_one_line_why_it_cannot_start(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    settings = Settings(database_url=f"sqlite://{tmp_path}/new.sqlite3")
    with caplog.at_level(logging.ERROR, logger="uvicorn.error"):
        async with served(settings) as (server, _):
            assert server.started is False
    assert caplog.messages[0].startswith("The database lacks ")
    assert "Traceback" not in caplog.text
    assert not (tmp_path / "new.sqlite3").exists()


async def test_other_failures_to_start_are_raised(monkeypatch: pytest.MonkeyPatch) -> None:
    async def receive() -> dict[str, str]:
        return {"type": "lifespan.startup"}

    sent: list[dict[str, str]] = []

    async def send(message: dict[str, str]) -> None:
        sent.append(message)

    monkeypatch.setattr("crm_framework.app.load_settings", lambda: 1 / 0)
    with pytest.raises(ZeroDivisionError):
        await create_app()({"type": "lifespan", "state": {}}, receive, send)  # type: ignore[arg-type]  # plain dicts
    assert sent == [{"type": "lifespan.startup.failed", "message": "ZeroDivisionError: division by zero"}]


async def test_the_schema_is_of_the_enabled_plugins(
    open_client: OpenClient, temporary_plugin: TemporaryPlugin
) -> None:
    temporary_plugin("greeter", GREETER)
    with_it = await open_client("greeter")
    assert await with_it.data("{ greeting }") == {"greeting": "Hello"}
    without = await open_client()
    (error,) = await without.errors("{ greeting }")
    assert error["extensions"]["code"] == "BAD_INPUT"


async def test_sections_and_settings_of_a_client(open_client: OpenClient) -> None:
    client = await open_client(page_size=7, greeter={"greeting": "Hi"})
    assert client.service.settings.page_size == 7
    assert client.service.settings.sections == {"greeter": {"greeting": "Hi"}}


async def test_migrated_by_hand(empty_database_url: str, open_client: OpenClient) -> None:
    await migrate(empty_database_url, [CORE])
    client = await open_client(database_url=empty_database_url)
    assert await client.data("{ __typename }") == {"__typename": "Query"}
