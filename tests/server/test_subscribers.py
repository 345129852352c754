"""Subscribers with tokens that are for some customers only, or for some time, on two nodes."""

import asyncio
import json
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import httpx2

from crm_framework.engine.ids import encode_id

from .socket_client import Client, opened, serving

EVENTS = 'subscription { events(after: "") { type subject { id } } }'
OWN = 'subscription { happened(after: "") { type subject } }'
PLUGIN = """
from collections.abc import AsyncIterator

import strawberry
from crm_framework import Permission, Plugin, SchemaParts, hookimpl, root

plugin = Plugin(
    name="following",
    requires_api="1.0",
    summary="Tells customers what happens to them.",
    permissions=[Permission("following.read", "Follow events.", self_service=True)],
)


@strawberry.type(description="Something that happened.")
class Happening:
    type: str = strawberry.field(description="What.")
    subject: str = strawberry.field(description="The key of the customer.")


@root(permission="following.read", restricted=True)
async def happened(info: strawberry.Info, after: str | None = None) -> AsyncIterator[Happening]:
    \"\"\"What happens to customers.\"\"\"
    async for told in info.context.events(types=["customer.created", "customer.updated"], after=after):
        yield Happening(type=told.event.type, subject=told.event.customer_id)


@hookimpl
def schema() -> SchemaParts:
    return SchemaParts(subscription=[happened])
"""
TOKEN = """mutation ($input: CreateTokenInput!) { createToken(input: $input) {
    secret errors { message } } }"""
CREATE = """mutation ($input: CreateCustomerInput!) { createCustomer(input: $input) {
    customer { id } errors { message } } }"""
RENAME = (
    """mutation ($input: UpdateCustomerInput!) { updateCustomer(input: $input) { errors { message } } }"""
)
ERASE = """mutation ($input: EraseCustomerInput!) { eraseCustomer(input: $input) { errors { message } } }"""
LIFETIME = timedelta(seconds=6)


async def do(client: Client, mutation: str, **input_: Any) -> dict[str, Any]:
    (payload,) = (await client.ask(mutation, input=input_)).values()
    assert payload["errors"] == []
    found: dict[str, Any] = payload
    return found


async def seen(client: Client, operation: str, last: str) -> list[tuple[str, str]]:
    """Types and subjects, up to the first event of type `last`."""
    found: list[tuple[str, str]] = []
    while not found or found[-1][0] != last:
        message = await client.next(operation)
        assert message["type"] == "next", message
        assert "errors" not in message["payload"], message
        (event,) = message["payload"]["data"].values()
        subject = event["subject"]
        key = encode_id("Customer", subject) if isinstance(subject, str) else subject["id"]
        found.append((event["type"], key))
    return found


async def test_each_sees_what_it_may_and_nothing_after_its_end(
    tmp_path: Path, empty_database_url: str
) -> None:
    (tmp_path / "following.py").write_text(
        PLUGIN
    )  # core's `events` shows all fields, and is not for customers
    plugins = {"plugins": "following", "plugin_dir": tmp_path}
    async with (
        serving(tmp_path, empty_database_url, **plugins) as one,
        serving(tmp_path, empty_database_url, **plugins) as other,
        opened(one) as admin,
    ):
        ann, bea, cid = [
            (await do(admin, CREATE, name=name, tags=tags))["customer"]["id"]
            for name, tags in (("Ann", []), ("Bea", ["vip"]), ("Cid", ["vip"]))
        ]
        customer = (await do(admin, TOKEN, name="Ann's", kind="CUSTOMER", customer=ann))["secret"]
        read = {"permissions": ["customers.read"]}
        partner = (await do(admin, TOKEN, name="Shop", kind="PARTNER", tag="vip", **read))["secret"]
        until = (datetime.now(UTC) + LIFETIME).isoformat()
        short = (await do(admin, TOKEN, name="Short", expiresAt=until, **read))["secret"]
        async with (
            opened(other, customer) as of_ann,
            opened(other, partner) as of_vips,
            opened(other, short) as passing,
            httpx2.AsyncClient(trust_env=False, base_url=f"http://{other.address}", timeout=60) as http,
        ):
            subscribers = [of_ann, of_vips, passing]
            refused = await of_ann.next(await of_ann.subscribe(EVENTS))
            assert refused["payload"][0]["extensions"]["code"] == "FORBIDDEN"
            keys = [
                await client.subscribe(query)
                for client, query in zip(subscribers, (OWN, EVENTS, EVENTS), strict=True)
            ]
            told = asyncio.create_task(streamed(http, short))
            for key in (cid, bea, ann):
                await do(admin, RENAME, id=key, name="Renamed")
            assert await seen(of_ann, keys[0], "customer.updated") == [
                ("customer.created", ann),
                ("customer.updated", ann),
            ]
            assert await seen(of_vips, keys[1], "customer.updated") == [
                *(("customer.created", key) for key in (bea, cid)),
                ("customer.updated", cid),
            ]
            assert (await passing.closed())[0] == 4401
            lines = await told
            assert lines[-2:] == ["event: complete", "data: "]
            assert json.loads(lines[-3].removeprefix("data: "))["errors"][0]["extensions"] == {
                "code": "UNAUTHENTICATED"
            }
            assert sum(line == "event: next" for line in lines) == 6 + 1
            await do(admin, ERASE, id=ann, reason="asked for")
            assert (await of_ann.closed())[0] == 4401
            assert await seen(of_vips, keys[1], "customer.updated") == [("customer.updated", bea)]
            await of_vips.send(type="ping")
            await of_vips.next("pong")
            assert of_vips.read.get(keys[1], []) == []


async def streamed(http: httpx2.AsyncClient, token: str) -> list[str]:
    """All lines until the stream ends, but for those that keep it alive."""
    headers = {"Accept": "text/event-stream", "Authorization": f"Bearer {token}"}
    async with http.stream("POST", "/graphql", headers=headers, json={"query": EVENTS}) as response:
        assert response.status_code == 200
        return [line async for line in response.aiter_lines() if line not in ("", ":")]
