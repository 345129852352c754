"""What plugins tell each other by their hooks `figures`, `signals` and `signalled`, and about whom."""

from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from crm_framework import (
    Window,
    new_id,
)
from crm_framework.schema.webhook_filters import webhook_api
from crm_framework.security.actors import Actor, ActorKind, Grant
from crm_framework.security.scopes import NOBODY, Reach, own_customers, where
from crm_framework.testing import CrmClient, run_jobs
from crm_framework.testing.apps import OpenClient

FOLDER = Path(__file__).resolve().parents[1] / "fixture_plugins"


@pytest.fixture
def plugin_dir() -> Path:
    return FOLDER


TOUCH = "mutation ($input: LogInteractionInput!) { logInteraction(input: $input) { errors { message } } }"
SHARES = """query ($to: DateTime!) { shares(start: "2024-01-01T00:00:00Z", end: $to, groupBy: "channel") }"""
WARNINGS = "{ customers { nodes { name warnings } } }"


async def with_touches(open_client: OpenClient, *plugins: str) -> CrmClient:
    """Ada was called by phone and wrote, annoyed, on two days; Ben and Cem have nothing."""
    client = await open_client("with_answers", *plugins)
    create = "mutation ($name: String!) { createCustomer(input: {name: $name}) { customer { id } } }"
    made = [await client.data(create, name=name) for name in ("Ada", "Ben", "Cem")]
    ada = made[0]["createCustomer"]["customer"]["id"]
    for direction, channel, sentiment, day in (
        ("OUTBOUND", "phone", None, 1),
        ("INBOUND", "email", "NEGATIVE", 2),
        ("INBOUND", "phone", "NEGATIVE", 3),
    ):
        at = f"2024-01-0{day}T00:00:00Z"
        told = {"customer": ada, "kind": "call", "subject": "Call", "direction": direction}
        told |= {"channel": channel, "sentiment": sentiment, "occurredAt": at}
        assert await client.data(TOUCH, input=told) == {"logInteraction": {"errors": []}}
    return client


async def test_hook_figures_reach_a_plugin_that_knows_nothing_of_them(open_client: OpenClient) -> None:
    client = await with_touches(open_client, "with_figures", "with_signals")
    with client.statements() as statements:
        answer = await client.data(SHARES, to="2024-01-03T00:00:00Z")
    assert answer["shares"] == [
        "with_figures outbound all 1/2",
        "with_figures outbound email 0/1",
        "with_figures outbound phone 1/1",
    ]
    assert len(statements) == 1
    [error] = await client.errors(SHARES, to="2023-01-03T00:00:00Z")
    assert error["message"] == "end is not after start (at window.end). end itself is not part of the window."


async def test_hook_figures_are_for_those_who_may_read_the_plugin(open_client: OpenClient) -> None:
    client = await with_touches(open_client, "with_figures")
    reader = await client.acting_with("customers.read", "with_figures.read")
    assert len((await reader.data(SHARES, to="2024-01-03T00:00:00Z"))["shares"]) == 3
    other = await client.acting_with("customers.read")
    assert await other.data(SHARES, to="2024-01-03T00:00:00Z") == {"shares": []}


async def test_hook_signals_come_once_for_a_level(open_client: OpenClient) -> None:
    client = await with_touches(open_client, "with_figures", "with_signals")
    with client.statements() as statements:
        answer = await client.data(WARNINGS)
    assert [(node["name"], node["warnings"]) for node in answer["customers"]["nodes"]] == [
        ("Ada", ["with_signals annoyed Call", "with_signals annoyed Call"]),
        ("Ben", []),
        ("Cem", []),
    ]
    assert len(statements) == 2


async def test_hook_signals_are_for_those_who_may_read_the_plugin(open_client: OpenClient) -> None:
    client = await with_touches(open_client, "with_signals")
    for permissions, count in ((("with_signals.read",), 2), ((), 0)):
        asking = await client.acting_with("customers.read", *permissions)
        answer = await asking.data(WARNINGS)
        assert [len(node["warnings"]) for node in answer["customers"]["nodes"]] == [count, 0, 0]


async def test_hook_signals_tell_nothing_of_customers_out_of_reach(open_client: OpenClient) -> None:
    client = await with_touches(open_client, "with_signals")
    service = client.service
    rows = await service.database.fetch("SELECT id FROM crm_customer ORDER BY name")
    keys = [row["id"] for row in rows]
    granted = frozenset({"customers.read", "with_signals.read"})
    for actor, count in (
        (Actor.system(), 2),
        (scoped(granted, own_customers(new_id())), 0),
        (scoped(granted, where("t.name = ?", ["Ada"])), 2),
        (scoped(frozenset({"with_signals.read"}), NOBODY), 0),
        (owner(keys[0], granted), 0),
    ):
        told = await service.context(actor, "test").signals([*keys, keys[0]])
        assert list(told.by_customer) == keys
        assert [len(signals) for signals in told.by_customer.values()] == [count, 0, 0], actor
        assert told.failures == {}


async def test_hook_signalled_finds_those_of_whom_signals_tell(open_client: OpenClient) -> None:
    client = await with_touches(open_client, "with_signals")
    with client.statements() as statements:
        assert await client.data("{ warned }") == {"warned": ["Ada"]}
    assert len(statements) == 1
    text = "query ($is: Boolean!) { customers(filter: {warned: $is}) { nodes { name } } }"
    with client.statements() as statements:
        found = (await client.data(text, **{"is": True}))["customers"]["nodes"]
    assert ([node["name"] for node in found], len(statements)) == (["Ada"], 1)
    found = (await client.data(text, **{"is": False}))["customers"]["nodes"]
    assert [node["name"] for node in found] == ["Ben", "Cem"]
    service = client.service
    [row] = await service.database.fetch("SELECT id FROM crm_customer WHERE name = 'Ada'")
    granted = frozenset({"customers.read", "with_signals.read"})
    for actor, names in (
        (scoped(granted, where("t.name = ?", ["Ada"])), ["Ada"]),
        (scoped(granted, own_customers(new_id())), []),
        (scoped(frozenset({"with_signals.read"}), NOBODY), []),
        (scoped(frozenset({"customers.read"}), where("t.name = ?", ["Ada"])), None),
        (owner(row["id"], granted), None),
    ):
        told = await service.context(actor, "test").signalled()
        assert told.failures == {}
        assert bool(told.conditions) == (names is not None), actor
        for one in told.conditions.values():
            found = await service.database.fetch(
                f"SELECT t.name FROM crm_customer AS t WHERE {one.sql}", one.args
            )
            assert [each["name"] for each in found] == names, actor


async def test_filters_of_many_segments_and_webhooks_are_looked_up_together(
    open_client: OpenClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    client = await with_touches(open_client, "with_signals")
    create = """mutation ($name: String!, $filter: CustomerFilter!) {
        createSegment(input: {name: $name, filter: $filter}) { segment { id } errors { message } } }"""
    for name, filter in (("A", {"warned": True}), ("B", {"warned": False}), ("C", {"name": {"eq": "Ada"}})):
        made = await client.data(create, name=name, filter=filter)
        assert made["createSegment"]["errors"] == []
    signalled, asked = client.service.host.signalled, []

    async def counted(*given: Any, **more: Any) -> Any:
        asked.append(given)
        return await signalled(*given, **more)

    monkeypatch.setattr(client.service.host, "signalled", counted)
    found = await client.data("{ segments { nodes { name previewCount } } }")
    assert [(one["name"], one["previewCount"]) for one in found["segments"]["nodes"]] == [
        ("A", 1),
        ("B", 2),
        ("C", 1),
    ]
    assert len(asked) == 1
    asked.clear()
    database = client.service.database
    keys = {row["name"]: row["id"] for row in await database.fetch("SELECT id, name FROM crm_customer")}
    api = webhook_api(database, client.service.schema.schema, client.service.host)
    conditions: dict[str, dict[str, Any]] = {
        "warned": {"warned": True},
        "calm": {"not": {"warned": True}},
        "odd": {"colour": {"eq": "red"}},
    }
    matches = await api.matching(conditions, keys.values())
    problem = matches["odd"]
    assert isinstance(problem, str)
    assert "filter.colour: there is no such member" in problem
    assert matches == {
        "warned": frozenset({keys["Ada"]}),
        "calm": frozenset({keys["Ben"], keys["Cem"]}),
        "odd": problem,
    }
    assert len(asked) == 1


async def test_hook_figures_tell_nothing_to_those_who_see_some_customers(open_client: OpenClient) -> None:
    client = await with_touches(open_client, "with_figures")
    window = Window(datetime(2024, 1, 1, tzinfo=UTC), datetime(2024, 1, 3, tzinfo=UTC))
    granted = frozenset({"customers.read", "with_figures.read"})
    for actor, count in (
        (Actor.system(), 1),
        (scoped(granted, where("t.name = ?", ["Ada"])), 0),
        (owner(new_id(), granted), 0),
    ):
        told = await client.service.context(actor, "test").figures(window)
        assert (len(told.found), told.failures) == (count, {}), actor


async def test_hooks_figures_and_signals_serve_jobs(open_client: OpenClient) -> None:
    client = await with_touches(open_client, "with_figures", "with_signals")
    for at, tagged in (
        (datetime(2024, 1, 9, tzinfo=UTC), []),
        (datetime(2024, 1, 3, 12, tzinfo=UTC), ["Ada"]),
    ):
        async with client.service.database.unit_of_work() as tx:
            tx.defer("with_answers.mark", {}, at=at)
        assert await run_jobs(client, at=at) == ["with_answers.mark"]
        found = await client.data('{ customers(filter: {tags: {any: ["look_after"]}}) { nodes { name } } }')
        assert [node["name"] for node in found["customers"]["nodes"]] == tagged


def scoped(permissions: frozenset[str], reach: Reach) -> Actor:
    return Actor(
        kind=ActorKind.STAFF,
        id=new_id(),
        name="Some",
        permissions=permissions,
        scoped=(Grant(permissions, reach),),
    )


def owner(customer_id: str, permissions: frozenset[str]) -> Actor:
    return Actor(
        kind=ActorKind.CUSTOMER,
        id=customer_id,
        name="Ada",
        permissions=permissions,
        customer_id=customer_id,
    )
