"""Events as clients get them: on every node, in order, across failures of nodes and of PostgreSQL."""

import asyncio
import signal
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path
from typing import Any

import httpx2

from crm_framework.storage.database import Database
from crm_framework.testing.fixtures import CORE_APPS
from tests.server.socket_client import Client, Node, opened, serving

EVENTS = """subscription ($after: String, $customer: ID) {
    events(after: $after, customer: $customer, types: ["customer.created", "customer.updated"]) {
        position type customer { name } } }"""
CREATE = """mutation ($name: String!) {
    createCustomer(input: {name: $name, kind: PERSON}) { customer { id } errors { message } } }"""
UPDATE = """mutation ($id: ID!, $name: String!) {
    updateCustomer(input: {id: $id, name: $name}) { errors { message } } }"""
MERGE = """mutation ($winner: ID!, $losers: [ID!]!) {
    mergeCustomers(input: {winner: $winner, losers: $losers}) { errors { message } } }"""
TOKEN = """mutation {
    createToken(input: {name: "t", permissions: ["customers.read"]}) { token { id } secret } }"""
REVOKE = "mutation ($id: ID!) { revokeToken(input: {id: $id}) { errors { message } } }"


async def create(client: Client, name: str) -> str:
    made = (await client.ask(CREATE, name=name))["createCustomer"]
    assert not made["errors"]
    key: str = made["customer"]["id"]
    return key


def positions(events: list[dict[str, Any]]) -> list[str]:
    return [event["position"] for event in events]


async def test_every_client_of_every_process_gets_every_event(
    tmp_path: Path, empty_database_url: str
) -> None:
    async with AsyncExitStack() as stack:
        nodes: list[Node] = []
        for _ in range(2):
            nodes.append(await stack.enter_async_context(serving(tmp_path, empty_database_url)))
        clients = [await stack.enter_async_context(opened(node)) for node in nodes * 2]
        keys = [await client.subscribe(EVENTS, after="") for client in clients]
        writers = [await stack.enter_async_context(opened(node)) for node in nodes]
        await asyncio.gather(
            *(_create_many(writer, f"{number}.", 20) for number, writer in enumerate(writers))
        )
        seen = [await client.events(key, 40) for client, key in zip(clients, keys, strict=True)]
        assert len(set(positions(seen[0]))) == 40
        for other in seen[1:]:
            assert positions(other) == positions(seen[0])
        names = [event["customer"]["name"] for event in seen[0]]
        for number in range(2):
            mine = [name for name in names if name.startswith(f"{number}.")]
            assert mine == [f"{number}.{each}" for each in range(20)]

        # a node is lost, and its client goes on at the other where it was
        nodes[0].process.send_signal(signal.SIGKILL)
        await clients[0].closed()
        for number in range(5):
            await create(writers[1], f"later {number}")
        again = await stack.enter_async_context(opened(nodes[1]))
        middle = await again.subscribe(EVENTS, after=seen[0][24]["position"])
        caught_up = await again.events(middle, 20)
        assert positions(caught_up[:15]) == positions(seen[0][25:])
        assert [event["customer"]["name"] for event in caught_up[15:]] == [f"later {n}" for n in range(5)]
        await create(writers[1], "and live")
        assert (await again.events(middle, 1))[0]["customer"]["name"] == "and live"


async def _create_many(client: Client, prefix: str, number: int) -> None:
    for each in range(number):
        await create(client, f"{prefix}{each}")


async def test_one_customer_and_what_happens_from_now_on(tmp_path: Path, empty_database_url: str) -> None:
    async with (
        serving(tmp_path, empty_database_url) as node,
        opened(node) as writer,
        opened(node) as client,
    ):
        ada, grace = await create(writer, "Ada"), await create(writer, "Grace")
        one = await client.subscribe(EVENTS, customer=ada, after="")
        (first,) = await client.events(one, 1)
        assert first["type"] == "customer.created"
        now = await client.subscribe(EVENTS)
        async with asyncio.timeout(60):  # until it has begun
            while not client.read.get(now):
                await writer.ask(UPDATE, id=grace, name="Grace H")
                await client.send(type="ping")
                await client.next("pong")
                await writer.ask(UPDATE, id=grace, name="Grace")
        assert client.read[now][0]["payload"]["data"]["events"]["type"] == "customer.updated"
        await writer.ask(UPDATE, id=ada, name="Ada L")
        (second,) = await client.events(one, 1)
        assert second == {
            "position": second["position"],
            "type": "customer.updated",
            "customer": {"name": "Ada L"},
        }


async def test_one_customer_under_all_the_keys_that_merges_give(
    tmp_path: Path, empty_database_url: str
) -> None:
    async with (
        serving(tmp_path, empty_database_url) as node,
        opened(node) as writer,
        opened(node) as client,
    ):
        ada, twin, other = [await create(writer, name) for name in ("Ada", "Twin", "Other")]
        followed = {key: await client.subscribe(EVENTS, customer=key, after="") for key in (ada, twin)}
        for key in followed.values():  # each is alone as yet
            assert [event["type"] for event in await client.events(key, 1)] == ["customer.created"]
        merged = await writer.ask(MERGE, winner=ada, losers=[twin])
        assert not merged["mergeCustomers"]["errors"]
        await writer.ask(UPDATE, id=other, name="Nobody asks")
        await writer.ask(UPDATE, id=ada, name="Ada L")
        for key in followed.values():
            (seen,) = await client.events(key, 1)
            assert (seen["type"], seen["customer"]["name"]) == ("customer.updated", "Ada L")
        for asked in (ada, twin):  # from the beginning, and whoever of them is named
            again = await client.subscribe(EVENTS, customer=asked, after="")
            types = [event["type"] for event in await client.events(again, 3)]
            assert types == ["customer.created", "customer.created", "customer.updated"]


async def test_a_revocation_on_another_node_ends_the_socket(tmp_path: Path, empty_database_url: str) -> None:
    async with (
        serving(tmp_path, empty_database_url) as one,
        serving(tmp_path, empty_database_url) as other,
        opened(one) as admin,
    ):
        made = (await admin.ask(TOKEN))["createToken"]
        async with opened(other, made["secret"]) as client:
            await client.subscribe(EVENTS, after="")
            await create(admin, "Ada")
            await client.receive()
            await admin.ask(REVOKE, id=made["token"]["id"])
            assert (await client.closed())[0] == 4401


async def test_server_sent_events_tell_the_same(tmp_path: Path, empty_database_url: str) -> None:
    async with serving(tmp_path, empty_database_url) as node, opened(node) as admin:
        made = (await admin.ask(TOKEN))["createToken"]
        async with (
            httpx2.AsyncClient(trust_env=False, base_url=f"http://{node.address}", timeout=60) as http,
            streamed(http, made["secret"], EVENTS, after="") as lines,
        ):
            await create(admin, "Ada")
            assert await anext(lines) == "event: next"
            assert '"name":"Ada"' in await anext(lines)
            await admin.ask(REVOKE, id=made["token"]["id"])
            assert await anext(lines) == "event: next"
            assert '"code":"UNAUTHENTICATED"' in await anext(lines)
            assert [line async for line in lines] == ["event: complete", "data: "]
        async with httpx2.AsyncClient(trust_env=False, base_url=f"http://{node.address}", timeout=60) as http:
            async with streamed(http, node.token, "{ me { name } }") as lines:
                told = [line async for line in lines]
            assert told == [
                "event: next",
                'data: {"data":{"me":{"name":"Administrator"}}}',
                "event: complete",
                "data: ",
            ]
            headers = {"Accept": "text/event-stream", "Authorization": "Bearer crm_wrong"}
            refused = await http.post("/graphql", headers=headers, json={"query": EVENTS})
            assert refused.status_code == 401


async def test_a_server_that_stops_ends_its_event_streams(tmp_path: Path) -> None:
    """At once, not after the time that requests may still take."""
    async with (
        serving(tmp_path, f"sqlite://{tmp_path}/crm.sqlite3") as node,
        httpx2.AsyncClient(trust_env=False, base_url=f"http://{node.address}", timeout=60) as http,
        streamed(http, node.token, EVENTS, after="") as lines,
    ):
        node.process.send_signal(signal.SIGTERM)
        assert await anext(lines) == "event: next"
        assert '"code":"UNAVAILABLE"' in await anext(lines)
        assert [line async for line in lines] == ["event: complete", "data: "]
        async with asyncio.timeout(30):
            assert await node.process.wait() == 0
    log = (tmp_path / "server.log").read_text()
    assert "Traceback" not in log
    assert "timeout graceful shutdown exceeded" not in log


@asynccontextmanager
async def streamed(
    http: httpx2.AsyncClient, token: str, query: str, **variables: object
) -> AsyncIterator[AsyncIterator[str]]:
    """The lines of an answer, without those that only keep the connection alive."""
    headers = {"Accept": "text/event-stream", "Authorization": f"Bearer {token}"}
    body = {"query": query, "variables": variables}
    async with http.stream("POST", "/graphql", headers=headers, json=body) as response:
        assert response.status_code == 200
        assert response.headers["content-type"] == "text/event-stream"
        yield (line async for line in response.aiter_lines() if line not in ("", ":"))


async def test_subscriptions_outlast_lost_connections_to_postgresql(
    tmp_path: Path, test_databases: Any
) -> None:
    """All connections are cut at once, as they are when PostgreSQL is restarted."""
    url = test_databases.empty("postgres")
    async with serving(tmp_path, url) as node, opened(node) as client, opened(node) as writer:
        key = await client.subscribe(EVENTS, after="")
        for number in range(3):
            await create(writer, f"Before {number}")
            await client.events(key, 1)
            async with await Database.open(url, apps=CORE_APPS) as database:
                await database.fetch(
                    "SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity"
                    " WHERE datname = current_database() AND pid <> pg_backend_pid()"
                )
            await create_at_last(writer, f"After {number}")
            (event,) = await client.events(key, 1)
            assert event["customer"]["name"] == f"After {number}"
    test_databases.drop(url)


async def create_at_last(client: Client, name: str) -> None:
    """Creates a customer as soon as the database answers again."""
    async with asyncio.timeout(60):
        while True:
            key = await client.subscribe(CREATE, name=name)
            message = await client.next(key)
            if message["type"] == "next":
                assert (await client.next(key))["type"] == "complete"
                if (
                    message["payload"].get("data")
                    and not message["payload"]["data"]["createCustomer"]["errors"]
                ):
                    return
