"""Refused attempts in the audit log: by whom, how often, and never more than the disk can take."""

import asyncio
from collections.abc import AsyncIterator
from dataclasses import replace
from typing import Any

import orjson
import pytest

from crm_framework.security import refusals as module
from crm_framework.security.actors import Actor, ActorKind
from crm_framework.security.refusals import MAX_ACTORS, MAX_KINDS, MAX_UNKNOWN, Refusals
from crm_framework.storage.database import Database
from crm_framework.storage.ids import new_id

CLERK = Actor(kind=ActorKind.INTEGRATION, id="c", name="clerk", permissions=frozenset(), token_id=new_id())


@pytest.fixture
async def refusals(database: Database, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Refusals]:
    monkeypatch.setattr(module, "WRITE_SECONDS", 3600.0)
    opened = Refusals(database)
    yield opened
    await opened.close()


async def written(database: Database) -> list[dict[str, Any]]:
    rows = await database.fetch(
        "SELECT actor_name, token_id, action, subject_type, subject_id, request_id, reason, changes"
        " FROM crm_audit ORDER BY id"
    )
    return [{**row, "changes": orjson.loads(row["changes"])} for row in rows]


async def test_an_attempt_of_a_known_actor(refusals: Refusals, database: Database) -> None:
    refusals.forbidden(
        CLERK, "permission is missing for x", operation="Erase", request_id="r-1", source="192.0.2.7"
    )
    assert await written(database) == []  # not on the way of the answer
    await refusals.close()
    assert await written(database) == [
        {
            "actor_name": "clerk",
            "token_id": CLERK.token_id,
            "action": "access.refused",
            "subject_type": "Operation",
            "subject_id": "Erase",
            "request_id": "r-1",
            "reason": "permission is missing for x",
            "changes": {"count": [None, 1], "source": [None, "192.0.2.7"]},
        }
    ]


async def test_the_same_again_is_counted(refusals: Refusals, database: Database) -> None:
    for number in range(500):
        refusals.forbidden(CLERK, "no", operation=None, request_id=f"r-{number}")
        refusals.unauthenticated(why="unknown", hint=f"crm_{number:05}", source="192.0.2.7")
    assert refusals.waiting == 1000
    await refusals.close()
    assert [(row["subject_id"], row["changes"]["count"]) for row in await written(database)] == [
        ("(unnamed)", [None, 500]),
        ("crm_00000", [None, 500]),
    ]


async def test_the_first_is_told_soon_and_how_often_it_came_again_later(
    refusals: Refusals, database: Database
) -> None:
    refusals.forbidden(CLERK, "no", operation="A")
    await refusals._write(ended=False)
    for _ in range(3):
        refusals.forbidden(CLERK, "no", operation="A")
        await refusals._write(ended=False)
    assert [row["changes"]["count"][1] for row in await written(database)] == [1]
    await refusals._write(ended=True)
    await refusals._write(ended=True)
    assert [row["changes"]["count"][1] for row in await written(database)] == [1, 3]


async def test_many_sources_and_operations_share_an_entry(refusals: Refusals, database: Database) -> None:
    for number in range(10_000):
        refusals.unauthenticated(why="unknown", hint="crm_x", source=f"192.0.2.{number}")
        refusals.forbidden(CLERK, f"no {number}", operation=f"{number}")
    await refusals.close()
    rows = await written(database)
    assert len(rows) == MAX_KINDS + 1 + MAX_UNKNOWN + 1
    assert sum(row["changes"]["count"][1] for row in rows) == 20_000
    shared = [row for row in rows if row["subject_id"] == "(several)"]
    assert {row["actor_name"]: row["changes"]["count"][1] for row in shared} == {
        "clerk": 10_000 - MAX_KINDS,
        "unknown": 10_000 - MAX_UNKNOWN,
    }
    assert {row["token_id"] for row in shared} == {CLERK.token_id, None}


async def test_one_actor_does_not_hide_what_others_do(refusals: Refusals, database: Database) -> None:
    for number in range(1_000):
        refusals.forbidden(CLERK, f"no {number}", operation=f"{number}", source=f"192.0.2.{number}")
    other = replace(CLERK, id="p", name="partner", token_id=new_id())
    refusals.forbidden(other, "permission is missing", operation="Export")
    await refusals.close()
    rows = [row for row in await written(database) if row["actor_name"] == "partner"]
    assert [(row["token_id"], row["subject_id"], row["changes"]["count"]) for row in rows] == [
        (other.token_id, "Export", [None, 1])
    ]


async def test_more_actors_than_are_told_apart(refusals: Refusals, database: Database) -> None:
    for number in range(MAX_ACTORS + 30):
        actor = replace(CLERK, id=f"{number}", name=f"clerk {number}", token_id=new_id())
        for operation in "abcdefgh":
            refusals.forbidden(actor, "no", operation=operation)
    await refusals.close()
    rows = await written(database)
    assert len(rows) == MAX_ACTORS * (MAX_KINDS + 1) + 1
    assert sum(row["changes"]["count"][1] for row in rows) == (MAX_ACTORS + 30) * 8
    (several,) = [row for row in rows if row["actor_name"] == "several"]
    assert several["changes"]["count"] == [None, 30 * 8]


async def test_whose_token_it_was(refusals: Refusals, database: Database) -> None:
    refusals.unauthenticated(why="expired", hint="", holder=CLERK)
    await refusals.close()
    (row,) = await written(database)
    assert (row["actor_name"], row["subject_type"], row["subject_id"], row["reason"]) == (
        "clerk",
        "Token",
        CLERK.token_id,
        "The token is expired.",
    )


async def test_a_database_that_refuses_loses_nothing_while_it_runs(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "WRITE_SECONDS", 0.0)
    refusals = Refusals(database)
    real, failed = refusals._write, asyncio.Event()

    async def fail_once(*, ended: bool) -> None:
        if not failed.is_set():
            failed.set()
            raise OSError("full")
        await real(ended=ended)

    monkeypatch.setattr(refusals, "_write", fail_once)
    refusals.forbidden(CLERK, "no", operation="A")
    await failed.wait()
    await refusals.close()
    assert [row["changes"]["count"][1] for row in await written(database)] == [1]
    refusals.forbidden(CLERK, "no", operation="B")  # after the end: nobody waits for it
    assert len(await written(database)) == 1
