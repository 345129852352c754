"""What the worst documents and variables cost that the limits let through."""

import time
from collections.abc import AsyncIterator, Callable, Coroutine, Generator
from contextlib import suppress
from dataclasses import dataclass
from functools import partial
from typing import Any

import pytest
from graphql import get_introspection_query, parse

from crm_framework.app import open_service
from crm_framework.cli.demo import load_demo
from crm_framework.engine import documents
from crm_framework.engine.errors import InvalidDocument
from crm_framework.engine.prepare import prepared
from crm_framework.runtime import load_host, migrations_of
from crm_framework.security.actors import Actor
from crm_framework.server.operations import Operation
from crm_framework.server.service import Service
from crm_framework.settings import Settings
from crm_framework.storage.migration.migrator import migrate
from crm_framework.testing.apps import COMPOSITIONS
from crm_framework.testing.templates import Kind, TestDatabases

pytestmark = pytest.mark.alone

PLUGINS = ("analytics", "hello", "loyalty", "ticketing")


async def prepare(url: str) -> None:
    """Puts the demo's data into the empty database, with the tables of all plugins."""
    settings = Settings(database_url=url, plugins=PLUGINS)
    await migrate(url, migrations_of(await load_host(settings)))
    async with open_service(settings) as service:
        await load_demo(service.database, service.host)


@pytest.fixture
async def plugged(test_databases: TestDatabases, database_kind: Kind) -> AsyncIterator[Service]:
    """With the demo's data and all plugins: their fields and conditions cost, too."""
    url = test_databases.copy(database_kind, "demo, all plugins", prepare)
    settings = Settings(database_url=url, plugins=PLUGINS)
    async with open_service(settings, compose=COMPOSITIONS) as service:
        yield service
    test_databases.drop(url)


LEAVES = (
    "id version kind stage name email phone company city country tags attributes locale createdAt mergedIds"
)
WORST = {
    "wide": "{ customers { nodes { "
    + LEAVES
    + " owner { name } interactions(first: 20) { nodes { id kind subject"
    " body occurredAt customer { " + LEAVES + " } lines { sku } } } } } }",
    "the same list twenty times": "{ customers { nodes { "
    + "interactions(first: 20) { nodes { customer { name email } } } " * 20
    + "} } }",
    "interfaces": "{ "
    + " ".join(
        f'a{n}: node(id: "x") {{ id ... on Customer {{ name }} ... on Interaction {{ subject }} }}'
        for n in range(40)
    )
    + " }",
    "computed for each": "{ customers(first: 100) { nodes { "
    + " ".join(
        f'a{n}: canContact(channel: "email", at: "2026-01-{n + 1:02d}T00:00:00Z") {{ allowed }}'
        for n in range(28)
    )
    + " } } }",
    "conditions": "{ customers(filter: {or: ["
    + ", ".join('{tags: {any: ["a"]}}' for _ in range(80))
    + "]}) { totalCount nodes { name } } }",
    "a long text": '{ customers(search: "' + "\\n" * 20_000 + '") { totalCount } }',
    "unknown fields": "{ customers { nodes { " + " ".join(f"naem{n}" for n in range(480)) + " } } }",
    "unknown changes": "mutation { " + " ".join(f"createLoyaltyProgram{n}" for n in range(480)) + " }",
    "unknown types": "{ me { "
    + " ".join(f"... on LoyaltyEarningRuleInputConn{n} {{ a{n}: name }}" for n in range(80))
    + " } }",
    "unknown members": "{ customers(filter: {"
    + " ".join(f"n{'m' * 140}{n}: 1" for n in range(326))
    + "}) { totalCount } }",
    "unknown members of what is created": "mutation { createCustomer(input: {"
    + " ".join(f"convertedA{n}: 1" for n in range(326))
    + "}) { errors { code } } }",
    "unknown members on each level": "{ customers(filter: "
    + "{zz: 1 not: " * 90
    + "{nam: 1}"
    + "}" * 90
    + ") { totalCount } }",
    "unknown members of many values": "query ("
    + " ".join(
        f"$v{n}: CustomerFilter = {{{' '.join(f'convertedA{m}: 1' for m in range(14))}}}" for n in range(20)
    )
    + ") { me { name } }",
    "missing members of many rows": "mutation { importCustomers(input: {rows: ["
    + "{} " * 480
    + "]}) { errors { code } } }",
    "unused variables": "query ("
    + " ".join(f"$v{n}: CustomerFilter" for n in range(200))
    + ") { me { name } }",
    "unknown directives": "{ me { name " + " ".join(f"@skipp{n}" for n in range(490)) + " } }",
    "a directive at each field": "{ customers { nodes { "
    + " ".join(f"a{n}: name @skip(if: false)" for n in range(99))
    + " } } }",
    "introspection": get_introspection_query(input_value_deprecation=True),
}


DEPTHS = range(0, 120, 8)
"""Frames below the work. Python 3.11 keeps frames in chunks: a function that is called where one ends takes a
hundred times as long, and how deep the tests are called is no matter of the server's."""


@dataclass(frozen=True)
class Deep:
    """Awaits `work`, each step of it so many frames deeper."""

    work: Coroutine[Any, Any, Any]
    depth: int

    def __await__(self) -> Generator[Any, Any, Any]:
        while True:
            try:
                step = deeper(self.depth, self.work.send, None)
            except StopIteration as end:
                return end.value
            yield step


def deeper(depth: int, call: Callable[..., Any], *args: Any) -> Any:
    return deeper(depth - 1, call, *args) if depth else call(*args)


YARD = get_introspection_query(input_value_deprecation=True)
YARD_SECONDS = 0.0037
"""What it takes to read it four times on an undisturbed core of the machine that the limits were set on."""


def read_the_yard() -> float:
    started = time.process_time()
    for _ in range(4):
        parse(YARD)
    return time.process_time() - started


def pace() -> float:
    """How many times as long work takes here and now: cores that are shared change from second to second."""
    quickest: float = min(deeper(depth, read_the_yard) for depth in DEPTHS[:3])
    return quickest / YARD_SECONDS


@pytest.mark.parametrize("what", WORST)
async def test_what_the_worst_documents_cost(plugged: Service, what: str) -> None:
    """In processor time: 50 ms to be checked, 250 ms to be answered from the demo's data."""
    schema = prepared(plugged.schema.schema).schema
    checks, answers = [], []
    for depth in DEPTHS:
        text = f"{WORST[what]} # {depth}"
        context = plugged.context(Actor.system(), "worst")
        before = pace()
        started = time.process_time()
        with suppress(InvalidDocument):
            deeper(depth, partial(documents._read, hide_suggestions=False), schema, text, context.limits)
        checked = time.process_time() - started
        started = time.process_time()
        result = await Deep(plugged.execute(Operation(text, None, None, False), context), depth)
        size = len(result.encoded())
        answered = time.process_time() - started
        slower = (before + pace()) / 2
        checks.append(checked / slower)
        answers.append(answered / slower)
        if result.refused:
            assert len(result.errors) <= 21  # the last says that there are more
            assert size < 30_000
        if min(checks) < 0.05 and min(answers) < 0.25:
            break
    assert min(checks) < 0.05
    assert min(answers) < 0.25


FILTERED = "query ($f: CustomerFilter) { customers(filter: $f) { totalCount } }"
WORST_VARIABLES: dict[str, tuple[str, Any, int]] = {
    "unknown members": (FILTERED, {"f": {f"n{'m' * 140}{n}": 1 for n in range(1_000)}}, 5),
    "suggested members": (FILTERED, {"f": {f"convertedA{n}": 1 for n in range(1_000)}}, 5),
    "unknown members in a list": (
        FILTERED,
        {"f": {"or": [{f"nam{n}": 1 for n in range(20)} for _ in range(40)]}},
        51,
    ),
    "too many members": (FILTERED, {"f": {f"n{n}": 1 for n in range(100_000)}}, 1),
    "too many values": (FILTERED, {"f": {"or": [{"tags": {"any": ["x"] * 20_000}} for _ in range(16)]}}, 1),
}


@pytest.mark.parametrize("what", WORST_VARIABLES)
async def test_what_the_worst_variables_cost(plugged: Service, what: str) -> None:
    """In processor time, 250 ms to be refused; and few errors, none of them long."""
    text, variables, errors = WORST_VARIABLES[what]
    times = []
    for _ in range(5):
        before = pace()
        started = time.process_time()
        result = await plugged.execute(
            Operation(text, variables, None, True), plugged.context(Actor.system(), "worst")
        )
        size = len(result.encoded())
        taken = time.process_time() - started
        times.append(taken / ((before + pace()) / 2))
    assert (result.refused, len(result.errors)) == (True, errors)
    assert all(len(error["message"]) <= 1_001 for error in result.errors)
    assert size < 70_000
    assert min(times) < 0.25
