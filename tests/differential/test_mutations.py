"""Changes, made in one order on two copies of the company: equal answers, and equal tables afterwards."""

import base64
import json
import secrets
from collections.abc import Collection, Iterator, Mapping
from contextlib import AsyncExitStack
from dataclasses import replace
from datetime import timedelta
from itertools import count, islice
from random import Random
from typing import Any

import pytest

from crm_framework.app import open_service
from crm_framework.engine.execute import execute, reference_execute
from crm_framework.engine.result import Result
from crm_framework.security.actors import Actor, ActorKind
from crm_framework.server.service import Service
from crm_framework.storage import ids
from crm_framework.storage.clock import frozen
from crm_framework.testing.templates import Kind, TestDatabases

from . import company
from .company_pools import pools_of
from .comparing import difference
from .conftest import ADMIN
from .duel import pretty
from .operations import Shape, generate
from .trials import Case, Trials
from .values import Pools

STEPS = 300
"""So many documents change one pair of copies; then there are new ones."""
COMPARED_EVERY = 10
"""After so many documents the tables are compared."""
RARE = (
    "eraseCustomer",
    "mergeCustomers",
    "deactivateStaff",
    "removeAttribute",
    "deleteSegment",
    "revokeToken",
)
"""Changes that would leave little to change, if they were as frequent as the others."""


class Fixed:
    """Keys and secrets that are equal on both copies: they count from the beginning of each step."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.numbers: Iterator[int] = count()
        monkeypatch.setattr(ids, "uuid7", self._key)
        monkeypatch.setattr(secrets, "token_urlsafe", lambda size: f"{next(self.numbers):032d}")
        monkeypatch.setattr(secrets, "choice", lambda letters: Random(next(self.numbers)).choice(letters))

    def begin(self, step: int) -> None:
        self.numbers = count(step * 100_000)

    def _key(self) -> str:
        number = next(self.numbers)
        return f"f0000000-0000-7000-8000-{number:012d}"


async def test_changes_on_two_copies(
    test_databases: TestDatabases, database_kind: Kind, monkeypatch: pytest.MonkeyPatch
) -> None:
    trials = Trials(f"changes on {database_kind}", 0.03)
    fixed = Fixed(monkeypatch)
    changed = 0
    cases = trials.cases()
    while trials.ran < trials.wanted:
        urls = [test_databases.copy(database_kind, "differential company", company.prepare) for _ in "ab"]
        async with AsyncExitStack() as opened:
            mine, other = [
                await opened.enter_async_context(open_service(company.settings(url))) for url in urls
            ]
            changed += await _story(mine, other, fixed, trials, list(islice(cases, STEPS)))
        for url in urls:
            test_databases.drop(url)
    trials.end()
    assert changed > trials.ran // 5, "too few of the changes succeed to show anything"


async def _story(mine: Service, other: Service, fixed: Fixed, trials: Trials, cases: list[Case]) -> int:
    """Makes the changes one after the other, on both; how many succeeded. A difference ends it."""
    pools = replace(await pools_of(mine), optional=0.25)
    changed = 0
    for step, case in enumerate(cases[: trials.wanted - trials.ran], 1):
        rng = case.rng("changes")
        rare = {f"Mutation.{name}" for name in RARE if rng.random() < 0.8}
        shape = Shape(kind="mutation", left_out=frozenset(rare), fields=25)
        operation = generate(mine.schema.graphql, rng, pools, shape)
        name, variables = operation.request(rng)
        actor = ADMIN if rng.random() < 0.95 else _reader(rng)
        results: list[Result] = []
        for service, run in ((mine, execute), (other, reference_execute)):
            fixed.begin(step)
            with frozen(company.NOW + timedelta(minutes=step)):
                context = service.context(actor, "request")
                results.append(
                    await run(service.schema.schema, operation.text, dict(variables), name, context)
                )
        trials.ran += 1
        changed += _succeeded(results[0])
        _keep_ids(results[0], pools)
        found = difference(*results)
        if found is None and step % COMPARED_EVERY == 0:
            found = _unlike(await _tables(mine), await _tables(other))
        if found:
            shown = f"{found}\nvariables: {json.dumps(variables, ensure_ascii=False)}, operation: {name}"
            begun = f"the story begins at case {cases[0].number}"
            trials.failed(case, f"{shown}, step {step}, {begun}\n{pretty(operation.text)}")
            return changed
    found = _unlike(await _tables(mine), await _tables(other))
    if found:
        trials.failed(cases[-1], found)
    return changed


def _reader(rng: Random) -> Actor:
    permissions = frozenset(rng.sample(("customers.read", "customers.write", "interactions.write"), 2))
    return Actor(kind=ActorKind.INTEGRATION, id="few", name="few", permissions=permissions)


def _succeeded(result: Result) -> int:
    """Whether something was answered, and nothing refused, as far as the answer tells."""
    text = result.encoded().decode()
    return int(not result.errors and '"code":' not in text)


def _keep_ids(result: Result, pools: Pools) -> None:
    """Makes the ids in an answer known, so that what is new is changed too."""

    def visit(value: Any) -> None:
        if isinstance(value, dict):
            for inner in value.values():
                visit(inner)
        elif isinstance(value, list):
            for inner in value:
                visit(inner)
        elif isinstance(value, str) and len(value) > 40 and (kind := _kind(value)) in pools.ids:
            pools.ids[kind] = [*pools.ids[kind][-80:], value]

    visit(result.data)


def _kind(text: str) -> str:
    try:
        return base64.b64decode(text, validate=True).decode().partition(":")[0]
    except ValueError:
        return ""


BY_CHANCE = frozenset(
    {"position", "horizon", "salt", "digest", "erased_digest", "reason_salt", "reason_digest"}
)
"""Columns that the database numbers, or that are random and what follows from that."""
FILLED = frozenset({"analytics_sales", "analytics_goods", "analytics_cohort", "analytics_membership"})
"""Tables that are filled out of others in one statement, in which the database makes the keys by chance."""
SEALED_LATER = "crm_audit_chain"


async def _tables(service: Service) -> dict[str, list[str]]:
    """Every table's rows, as text."""
    database = service.database
    if database.dialect == "sqlite":
        names = "SELECT name FROM sqlite_master WHERE type = 'table' ORDER BY name"
    else:
        names = "SELECT tablename AS name FROM pg_tables WHERE schemaname = 'public' ORDER BY tablename"
    found: dict[str, list[str]] = {}
    for row in await database.fetch(names):
        if row["name"] != SEALED_LATER:
            rows = await database.fetch(f'SELECT * FROM "{row["name"]}"')
            left_out = BY_CHANCE | {"id"} if row["name"] in FILLED else BY_CHANCE
            found[row["name"]] = sorted(_shown(one, left_out) for one in rows)
    return found


def _shown(row: Mapping[str, Any], left_out: Collection[str]) -> str:
    return str(sorted((name, value) for name, value in row.items() if name not in left_out))


def _unlike(mine: dict[str, list[str]], other: dict[str, list[str]]) -> str | None:
    assert set(mine) == set(other)
    for table, rows in mine.items():
        if rows != other[table]:
            only = [row for row in rows if row not in other[table]][:3]
            missing = [row for row in other[table] if row not in rows][:3]
            return f"table {table}: {only} instead of {missing}"
    return None
