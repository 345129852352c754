"""The limit answers and writes what the product does; otherwise it would be the limit of something else."""

import random
import re
from collections.abc import AsyncIterator
from typing import Any

import orjson
import pytest
from rich.console import Console

from benchmarks.company import Size
from benchmarks.generate import generate
from benchmarks.limit import WRITES, Workloads, encoded, open_limit
from benchmarks.workloads import READS, WORKLOADS, Workload
from crm_framework.testing import CrmClient

SIZE = Size(customers=80, interactions=800)
KEY = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[0-9a-f]{4}-[0-9a-f]{12}")
MOMENT = re.compile(r"\d{4}-\d\d-\d\d[ T]\d\d:\d\d:\d\d\.\d+(Z|\+00:00)")
TABLES = ("crm_customer", "crm_contact_point", "crm_interaction", "crm_event", "crm_audit")
"""What the writes fill."""

OF_THE_ACTOR = ("actor_id", "actor_name", "token_id", "request_id")


@pytest.fixture
async def company(client: CrmClient) -> CrmClient:
    """A client of an application on the generated company."""
    await generate(client.service.database.url, SIZE, Console(quiet=True))
    return client


@pytest.fixture
async def limit(company: CrmClient) -> AsyncIterator[Workloads]:
    opened = await open_limit(company.service.database.url)
    yield opened
    await opened.close()


@pytest.mark.parametrize("workload", READS, ids=lambda one: one.name)
async def test_reads_answer_alike_to_the_byte(
    company: CrmClient, limit: Workloads, workload: Workload
) -> None:
    rng = random.Random(3)
    for _ in range(20):
        values = workload.variables(rng, SIZE.customers)
        answer = await encoded(getattr(limit, workload.name), values)
        assert await limit.as_json(workload.name, values) == answer
        asked = await company.http.post(
            "/graphql",
            json={"query": workload.query, "variables": values},
            headers={"Authorization": f"Bearer {company.token}"},
        )
        assert asked.content == answer


@pytest.mark.parametrize("workload", [one for one in WORKLOADS if one.writes], ids=lambda one: one.name)
async def test_writes_leave_the_same_rows(
    company: CrmClient, limit: Workloads, workload: Workload, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("benchmarks.workloads.IMPORTED", 30)
    values = workload.variables(random.Random(3), SIZE.customers)
    before = await rows(company)
    ours = await company.data(workload.query, **values)
    between = await rows(company)
    its = await getattr(limit, WRITES[workload.name])(values)
    after = await rows(company)
    assert without_ids(as_json(its)) == without_ids(ours)
    for table in TABLES:
        product = between[table][len(before[table]) :]
        assert [shape(row) for row in after[table][len(between[table]) :]] == [shape(row) for row in product]
    assert {table for table in TABLES if len(between[table]) > len(before[table])} > {
        "crm_event",
        "crm_audit",
    }


GIVEN = ("position", "horizon")
"""Columns of crm_event that the database numbers on."""


async def rows(company: CrmClient) -> dict[str, list[dict[str, Any]]]:
    """All rows of each table, the newest last."""
    database = company.service.database
    return {table: await database.fetch(f"SELECT * FROM {table} ORDER BY id") for table in TABLES}


def shape(row: dict[str, Any]) -> dict[str, Any]:
    """A row in which keys and moments, who did it, and digests do not tell; nor does the order in JSON."""
    texts = {
        name: MOMENT.sub("moment", KEY.sub("key", str(value)))
        for name, value in row.items()
        if name not in GIVEN
    }
    told = {name: orjson.loads(text) if text.startswith("{") else text for name, text in texts.items()}
    return told | {name: "actor" for name in (*OF_THE_ACTOR, "salt", "digest") if name in told}


def as_json(answer: Any) -> Any:
    return orjson.loads(orjson.dumps(answer, option=orjson.OPT_UTC_Z))


def without_ids(answer: Any) -> str:
    return re.sub(r'"id":"[^"]+"', "", orjson.dumps(answer).decode())
