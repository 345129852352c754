"""The protocol graphql-transport-ws, spoken with a real server over real sockets."""

import asyncio
import json
import signal
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from websockets import ConnectionClosed

from tests.server.socket_client import PROTOCOL, Node, opened, raw, serving

LIMITS = {
    "socket_init_timeout_s": 1,
    "max_sockets": 12,
    "max_sockets_per_token": 4,
    "max_socket_operations": 3,
    "max_message_bytes": 20_000,
    "request_timeout_s": 5,
}
EVENTS = """subscription ($types: [String!], $after: String) {
    events(types: $types, after: $after) { type position } }"""
CREATE = """mutation ($name: String!) {
    createCustomer(input: {name: $name, kind: PERSON}) { customer { id } } }"""
TOKEN = """mutation ($permissions: [String!]!) {
    createToken(input: {name: "t", permissions: $permissions}) { token { id } secret } }"""
ENDING = """mutation ($until: DateTime!) {
    createToken(input: {name: "t", permissions: ["customers.read"], expiresAt: $until}) { secret } }"""
REVOKE = "mutation ($id: ID!) { revokeToken(input: {id: $id}) { errors { message } } }"


@pytest.fixture
async def node(tmp_path: Path) -> AsyncIterator[Node]:
    async with serving(tmp_path, f"sqlite://{tmp_path}/crm.sqlite3", **LIMITS) as node:
        yield node


async def test_queries_mutations_and_subscriptions_on_one_socket(node: Node) -> None:
    async with opened(node) as client:
        key = await client.subscribe(EVENTS, types=["customer.created"], after="")
        await client.ask(CREATE, name="Ada")
        (event,) = await client.events(key, 1)
        assert event["type"] == "customer.created"
        assert await client.ask("{ me { name } }") == {"me": {"name": "Administrator"}}
        await client.send(type="ping", payload={"any": "thing"})
        assert await client.next("pong") == {"type": "pong"}
        await client.send(type="pong")
        await client.send(type="complete", id=key)
        await client.send(type="complete", id="never begun")
        await client.ask(CREATE, name="Grace")
        assert not client.read.get(key)


async def test_what_cannot_run_is_an_error_and_the_socket_goes_on(node: Node) -> None:
    async with opened(node) as client:
        for query in ("{ nope }", "subscription { nope }", "{"):
            message = await client.next(await client.subscribe(query))
            assert message["type"] == "error"
            assert message["payload"][0]["extensions"]["code"] == "BAD_INPUT"
        await client.send(type="subscribe", id="x", payload={"query": 7})
        assert (await client.next("x"))["payload"][0]["extensions"]["code"] == "BAD_INPUT"
        for after in ("7", "0-9-00000000"):
            key = await client.subscribe(EVENTS, after=after)
            message = await client.next(key)
            assert message["payload"]["errors"][0]["extensions"]["code"] == "BAD_INPUT"
            assert (await client.next(key))["type"] == "complete"
        assert await client.ask("{ me { name } }") == {"me": {"name": "Administrator"}}


async def closing(node: Node, *messages: object, protocol: str = PROTOCOL) -> int | None:
    """The code with which the server closes a socket that sends these, token included where it is to be."""
    async with raw(node, protocol) as client:
        for message in messages:
            await client.socket.send(message if isinstance(message, str | bytes) else json.dumps(message))
        return (await client.closed())[0]


async def unanswered(node: Node, *messages: object) -> int | None:
    """The code with which the server closes a socket to which it says nothing at all."""
    async with raw(node) as client:
        with pytest.raises(ConnectionClosed):
            for message in messages:
                await client.socket.send(json.dumps(message))
            await client.receive()
        return client.socket.close_code


async def test_each_misuse_has_its_close_code(node: Node) -> None:
    init = {"type": "connection_init", "payload": {"authorization": f"Bearer {node.token}"}}
    begin = {"type": "subscribe", "id": "1", "payload": {"query": EVENTS}}
    assert await closing(node, protocol="graphql-ws") == 4406
    assert await closing(node) == 4408  # nothing came in time
    assert await unanswered(node, begin) == 4401
    for payload in (
        {},
        {"authorization": "Bearer crm_wrong"},
        {"authorization": node.token},
        None,
        {"authorization": 7},
    ):
        assert await unanswered(node, {"type": "connection_init", "payload": payload}, begin) == 4401
    assert await closing(node, init, init) == 4429
    assert await closing(node, init, begin, begin) == 4409
    assert await closing(node, init, *({**begin, "id": str(number)} for number in range(4))) == 4429
    for wrong in (
        "{",
        "[]",
        "7",
        '{"type": 7}',
        '{"type": "start"}',
        b"bytes",
        {"type": "subscribe", "id": 7},
    ):
        assert await closing(node, init, wrong) == 4400, wrong
    assert await closing(node, init, {"type": "ping", "payload": {"x": "x" * 30_000}}) == 1009
    assert await closing(node, {**init, "more": "x" * 17_000}) == 4400
    async with opened(node) as client:
        assert await client.ask("{ me { name } }") == {"me": {"name": "Administrator"}}


async def test_a_token_in_the_header_does_too(node: Node) -> None:
    headers = {"Authorization": f"Bearer {node.token}"}
    async with raw(node, additional_headers=headers) as client:
        await client.send(type="connection_init")
        assert await client.receive() == {"type": "connection_ack"}


async def test_sockets_are_counted_per_token_and_per_process(node: Node) -> None:
    async with opened(node), opened(node), opened(node), opened(node) as last:
        made = (await last.ask(TOKEN, permissions=["customers.read"]))["createToken"]
        async with raw(node) as more:
            await more.send(type="connection_init", payload={"Authorization": f"Bearer {node.token}"})
            assert (await more.closed())[0] == 4429
        async with opened(node, made["secret"]):
            idle = [raw(node) for _ in range(7)]
            sockets = [await one.__aenter__() for one in idle]
            assert await closing(node) == 4429
            for one in idle:
                await one.__aexit__(None, None, None)
            assert len(sockets) == 7
    async with opened(node) as client:
        assert await client.ask("{ me { name } }") == {"me": {"name": "Administrator"}}


async def test_permissions_are_those_of_the_token(node: Node) -> None:
    async with opened(node) as admin:
        reader = (await admin.ask(TOKEN, permissions=["customers.read"]))["createToken"]
        every = (await admin.ask(TOKEN, permissions=["events.read"]))["createToken"]
        async with opened(node, reader["secret"]) as client, opened(node, every["secret"]) as auditor:
            seen = await client.subscribe(EVENTS, after="")
            all_ = await auditor.subscribe(EVENTS, after="")
            await admin.ask(CREATE, name="Ada")
            # tokens were made before, which is nothing for whoever reads customers
            assert [each["type"] for each in await client.events(seen, 1)] == ["customer.created"]
            told = [each["type"] for each in await auditor.events(all_, 4)]
            assert told == ["setting.changed"] * 3 + ["customer.created"]
            refused = await auditor.next(
                await auditor.subscribe("subscription { events { customer { name } } }")
            )
            assert refused["payload"][0]["extensions"]["code"] == "FORBIDDEN"


async def test_a_revoked_token_ends_its_sockets_at_once(node: Node) -> None:
    async with opened(node) as admin:
        made = (await admin.ask(TOKEN, permissions=["customers.read"]))["createToken"]
        async with opened(node, made["secret"]) as client:
            await client.subscribe(EVENTS)
            await admin.ask(REVOKE, id=made["token"]["id"])
            assert await client.closed() == (4401, "The token has expired or was revoked.")
        assert await admin.ask("{ me { name } }") == {"me": {"name": "Administrator"}}


async def test_dead_tokens_open_no_socket(node: Node) -> None:
    soon = (datetime.now(UTC) + timedelta(seconds=1)).isoformat()
    async with opened(node) as admin:
        revoked = (await admin.ask(TOKEN, permissions=["customers.read"]))["createToken"]
        await admin.ask(REVOKE, id=revoked["token"]["id"])
        expired = (await admin.ask(ENDING, until=soon))["createToken"]
        async with opened(node, expired["secret"]) as client:
            await client.closed()  # its end has come
    for token in (revoked["secret"], expired["secret"]):
        init = {"type": "connection_init", "payload": {"authorization": f"Bearer {token}"}}
        begin = {"type": "subscribe", "id": "1", "payload": {"query": EVENTS}}
        assert await unanswered(node, init, begin) == 4401


async def test_a_server_that_stops_says_so(node: Node) -> None:
    async with opened(node) as client:
        await client.subscribe(EVENTS)
        await client.send(type="ping")
        await client.next("pong")
        node.process.send_signal(signal.SIGTERM)
        assert (await client.closed())[0] == 1012
        async with asyncio.timeout(30):
            await node.process.wait()


async def test_a_client_that_does_not_read_is_ended_and_holds_nobody_up(tmp_path: Path) -> None:
    url = f"sqlite://{tmp_path}/crm.sqlite3"
    many = " ".join(f"c{number}: changes" for number in range(60))
    wide = f'subscription {{ events(after: "") {{ type {many} }} }}'
    import_ = """mutation ($rows: [CustomerFields!]!) {
        importCustomers(input: {rows: $rows}) { errors { message } } }"""
    rows = [{"name": f"Customer {number} {'x' * 200}", "kind": "PERSON"} for number in range(1_000)]
    async with (
        serving(tmp_path, url, socket_send_timeout_s=1, subscription_queue=50) as node,
        opened(node) as writer,
        opened(node) as reader,
        opened(node, max_queue=1) as sleeper,
    ):
        slow = await sleeper.subscribe(wide)
        quick = await reader.subscribe(EVENTS, after="", types=["customer.created"])
        for _ in range(2):
            await writer.ask(import_, rows=rows)
        events = await reader.events(quick, 2_000)
        assert len({event["position"] for event in events}) == 2_000
        await asyncio.sleep(3)  # reading nothing for longer than it is waited for
        assert (await sleeper.next(slow))["type"] == "next"  # what is on its way can still be read
        code, _ = await sleeper.closed()
        assert code in (4413, 1006)
        assert await writer.ask("{ me { name } }") == {"me": {"name": "Administrator"}}


async def test_thousands_of_sockets_dropped_in_the_middle_of_mutations(tmp_path: Path) -> None:
    """10,000, as many at once as a process of the test may well have open."""
    settings = {"max_sockets": 400, "max_sockets_per_token": 400, "rate_limit_per_minute": 0}
    async with serving(tmp_path, f"sqlite://{tmp_path}/crm.sqlite3", **settings) as node:
        host, port = node.address.split(":")
        init = json.dumps({"type": "connection_init", "payload": {"Authorization": f"Bearer {node.token}"}})
        payload = {"query": CREATE, "variables": {"name": "Dropped"}}
        mutation = json.dumps({"type": "subscribe", "id": "1", "payload": payload})
        head = (
            f"GET /graphql HTTP/1.1\r\nHost: {node.address}\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
            f"Sec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\nSec-WebSocket-Version: 13\r\n"
            f"Sec-WebSocket-Protocol: {PROTOCOL}\r\n\r\n"
        )
        messages = framed(init) + framed(mutation)

        async def drop() -> bool:
            """Whether it got in: those before may not be gone altogether."""
            reader, writer = await asyncio.open_connection(host, int(port))
            try:
                writer.write(head.encode())
                await reader.readuntil(b"\r\n\r\n")
                writer.write(messages)
                answer = await reader.read(100)
                return b"connection_ack" in answer
            finally:
                writer.transport.abort()

        dropped = 0
        async with asyncio.timeout(280):
            while dropped < 10_000:
                dropped += sum(await asyncio.gather(*(drop() for _ in range(100))))
            while not await drop():  # noqa: ASYNC110  # the last ones may not be gone altogether; nobody tells
                await asyncio.sleep(0.1)
        async with opened(node) as client:
            assert await client.ask("{ me { name } }") == {"me": {"name": "Administrator"}}
            made = await client.ask(CREATE, name="Whole")
            assert made["createCustomer"]["customer"]["id"]
        assert "Traceback" not in (tmp_path / "server.log").read_text()


def framed(text: str) -> bytes:
    """A text as a frame of a WebSocket's client, with a mask of zeros."""
    data = text.encode()
    length = bytes([len(data)]) if len(data) < 126 else b"\x7e" + len(data).to_bytes(2, "big")
    return b"\x81" + bytes([length[0] | 0x80]) + length[1:] + b"\0\0\0\0" + data
