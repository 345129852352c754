"""Messages over the API, and what tests of plugins see of them."""

from typing import Any

import pytest

from crm_framework import OutgoingMessage, encode_id, send_message
from crm_framework.security.actors import Actor, ActorKind, Grant
from crm_framework.security.scopes import own_customers
from crm_framework.storage.ids import new_id
from crm_framework.testing import CrmClient, queued_messages, run_jobs
from crm_framework.testing.apps import OpenClient

LIST = """query ($filter: MessageFilter) { messages(filter: $filter) { totalCount nodes {
  channel recipient subject text headers replyTo messageId key state attempts sentBy error
  customer { name } createdAt finishedAt } } }"""
CREATE = "mutation ($input: CreateCustomerInput!) { createCustomer(input: $input) { customer { id } } }"


async def create(client: CrmClient, name: str) -> str:
    points = [{"channel": "email", "value": f"{name.lower()}@example.com"}]
    made = await client.data(CREATE, input={"name": name, "contactPoints": points})
    return str(made["createCustomer"]["customer"]["id"])


async def queue(client: CrmClient, **more: Any) -> None:
    usual = {"channel": "email", "to": "eve@example.com", "text": "Hello"}
    async with client.service.database.unit_of_work() as tx:
        await send_message(tx, OutgoingMessage(**{**usual, **more}))


async def test_messages_are_listed(client: CrmClient) -> None:
    ann = await create(client, "Ann")
    (row,) = await client.service.database.fetch("SELECT id FROM crm_customer")
    await queue(client)
    await queue(
        client,
        to="ann@example.com",
        customer_id=row["id"],
        subject="Hi",
        headers={"X-A": "1"},
        reply_to="b@example.com",
        key="k",
    )
    with client.statements() as statements:
        found = (await client.data(LIST))["messages"]
    assert len(statements) == 3
    assert [node["recipient"] for node in found["nodes"]] == ["ann@example.com", "eve@example.com"]
    first = found["nodes"][0]
    assert first.pop("messageId").endswith("@crm.invalid>")
    assert first.pop("createdAt")
    assert first == {
        "channel": "email",
        "recipient": "ann@example.com",
        "subject": "Hi",
        "text": "Hello",
        "headers": {"X-A": "1"},
        "replyTo": "b@example.com",
        "key": "k",
        "state": "QUEUED",
        "attempts": 0,
        "sentBy": None,
        "error": None,
        "customer": {"name": "Ann"},
        "finishedAt": None,
    }
    for chosen, count in (
        ({"customer": {"eq": ann}}, 1),
        ({"state": {"eq": "QUEUED"}}, 2),
        ({"state": {"eq": "SENT"}}, 0),
        ({"recipient": {"eq": "eve@example.com"}}, 1),
        ({"key": {"eq": "k"}}, 1),
        ({"channel": {"eq": "sms"}}, 0),
    ):
        assert (await client.data(LIST, filter=chosen))["messages"]["totalCount"] == count, chosen


async def test_who_may_see_them(client: CrmClient) -> None:
    await create(client, "Ann")
    (row,) = await client.service.database.fetch("SELECT id FROM crm_customer")
    await queue(client, customer_id=row["id"], to="ann@example.com")
    await queue(client)
    other = await client.acting_with("customers.read")
    [error] = await other.errors("{ messages { totalCount } }")
    assert error["extensions"]["code"] == "FORBIDDEN"
    allowed = await client.acting_with("messages.read", "customers.read")
    assert await allowed.data("{ messages { totalCount } }") == {"messages": {"totalCount": 2}}
    every = frozenset({"messages.read", "customers.read"})
    scoped = Actor(
        kind=ActorKind.STAFF,
        id=new_id(),
        name="Some",
        permissions=every,
        scoped=(Grant(every, own_customers(new_id())),),
    )
    context = client.service.context(scoped, "test")
    source = context.subjects["Message"]
    restriction = context.restrict(source)
    assert restriction is not None
    seen = await client.service.database.fetch(
        f"SELECT t.id FROM crm_message AS t WHERE {restriction.sql}", restriction.args
    )
    assert seen == []


async def test_a_message_is_a_node(client: CrmClient) -> None:
    await queue(client)
    (message,) = await queued_messages(client)
    found = await client.data(
        "query ($id: ID!) { node(id: $id) { ... on Message { text } } }", id=encode_id("Message", message.id)
    )
    assert found == {"node": {"text": "Hello"}}


@pytest.fixture
def crm_plugins() -> tuple[str, ...]:
    return ()


async def test_in_tests_nothing_leaves_unless_asked_for(open_client: OpenClient) -> None:
    client = await open_client()
    await queue(client, key="k")
    assert await run_jobs(client) == []
    (message,) = await queued_messages(client)
    assert (message.to, message.text, message.key) == ("eve@example.com", "Hello", "k")
    assert await run_jobs(client, sending=True, failing=True) == ["crm.send_message"]
    assert await queued_messages(client) == []
