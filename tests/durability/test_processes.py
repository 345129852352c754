"""Several processes do the same to one database at once: each thing happens once, and no update is lost."""

import asyncio
import sys
from asyncio.subprocess import PIPE
from collections import Counter
from collections.abc import Iterator

import orjson
import pytest

from crm_framework.storage.database import Database
from crm_framework.testing.templates import Kind, TestDatabases

from . import books, crowd, office

PROCESSES = 3


@pytest.fixture
def url(test_databases: TestDatabases, database_kind: Kind) -> Iterator[str]:
    made = test_databases.copy(database_kind, "office", office.prepare)
    yield made
    test_databases.drop(made)


async def test_processes_at_once(url: str) -> None:
    processes = [
        await asyncio.create_subprocess_exec(
            sys.executable,
            "-m",
            crowd.__name__,
            url,
            f"process {number}",
            stdin=PIPE,
            stdout=PIPE,
            stderr=PIPE,
        )
        for number in range(PROCESSES)
    ]
    for process in processes:
        assert process.stdout is not None
        assert await process.stdout.readline() == b"ready\n"
    outputs = await asyncio.gather(*(process.communicate(b"go\n") for process in processes))
    for process, (_, errors) in zip(processes, outputs, strict=True):
        assert process.returncode == 0, errors.decode()
    answers = [orjson.loads(output) for output, _ in outputs]
    counted: Counter[str] = Counter()
    for answer in answers:
        counted.update(answer["counted"])
        assert answer["said"] == answers[0]["said"]  # a key or reference leads everybody to the same record
    assert len(set(answers[0]["said"].values())) == crowd.KEYS + crowd.PURCHASES
    # A loser that another process merged is none any more for the next one
    assert counted["merges"] == crowd.MERGES
    assert counted["segments"] == crowd.SEGMENTS
    assert counted["refusals"] == (PROCESSES - 1) * crowd.SEGMENTS

    async with await Database.open(url, apps={}) as database:
        (row,) = await database.fetch("SELECT name, version FROM crm_customer WHERE reference = '0'")
        assert (row["name"], row["version"]) == (
            str(PROCESSES * crowd.UPDATES),
            PROCESSES * crowd.UPDATES + 1,
        )
        tags = await database.fetch(
            "SELECT tag FROM crm_customer_tag t JOIN crm_customer c ON c.id = t.customer_id"
            " WHERE c.reference = 'tagged' ORDER BY tag"
        )
        wanted = {f"process {n} {i}" for n in range(PROCESSES) for i in range(crowd.TAGS)}
        assert [row["tag"] for row in tags] == sorted(wanted | {f"all {i}" for i in range(crowd.TAGS)})
        for table, where, number in (
            ("crm_customer", "name LIKE 'Keyed %'", crowd.KEYS),
            ("crm_interaction", "kind = 'purchase'", crowd.PURCHASES),
            ("crm_customer", "merged_into_id IS NOT NULL", crowd.MERGES),
            ("crm_segment", "1 = 1", crowd.SEGMENTS),
        ):
            (row,) = await database.fetch(f"SELECT count(*) AS n FROM {table} WHERE {where}")
            assert row["n"] == number, table
        assert await books.faults(database, []) == []
