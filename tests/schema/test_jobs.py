"""Jobs and schedules over the API: read with one permission, run again with another, audited."""

from datetime import UTC, datetime
from typing import Any

import pytest

from crm_framework.engine.ids import encode_id
from crm_framework.security.actors import Actor, ActorKind
from crm_framework.storage.ids import new_id
from crm_framework.storage.jobs import JobStatus

from .conftest import Api

LISTED = """{ jobs(filter: {status: {eq: FAILED}}) {
    totalCount nodes { name key payload status attempts error } } }"""
RETRY = "mutation ($id: ID!) { retryJob(input: {id: $id}) { job { status attempts } errors { code } } }"
AT = datetime(2025, 1, 1, tzinfo=UTC)


def actor(*permissions: str) -> Actor:
    return Actor(kind=ActorKind.INTEGRATION, id="ops", name="ops", permissions=frozenset(permissions))


async def job(api: Api, status: JobStatus, key: str | None = None) -> str:
    id = new_id()
    async with api.database.unit_of_work() as tx:
        await tx.execute(
            "INSERT INTO crm_job (id, name, key_text, payload, status, run_at, attempts, error, created_at) "
            "VALUES (?, 't.a', ?, ?, ?, ?, 5, 'no', ?)",
            (id, key, '{"n": 1}', status, AT, AT),
        )
    return encode_id("Job", id)


async def test_jobs_are_listed(api: Api) -> None:
    await job(api, JobStatus.DONE)
    await job(api, JobStatus.FAILED, "k")
    node = {"name": "t.a", "key": "k", "payload": {"n": 1}, "status": "FAILED", "attempts": 5, "error": "no"}
    assert await api.data(LISTED) == {"jobs": {"totalCount": 1, "nodes": [node]}}


async def test_schedules_are_listed(api: Api) -> None:
    async with api.database.unit_of_work() as tx:
        await tx.execute(
            "INSERT INTO crm_schedule (id, name, cron, time_zone, next_at) "
            "VALUES (?, 't.a', '0 0 * * *', 'UTC', ?)",
            (new_id(), AT),
        )
    answer = await api.data("{ schedules { nodes { name cron nextAt lastAt } } }")
    node = {"name": "t.a", "cron": "0 0 * * *", "nextAt": "2025-01-01T00:00:00Z", "lastAt": None}
    assert answer == {"schedules": {"nodes": [node]}}


async def test_a_failed_one_runs_again_and_the_audit_log_says_who_had_it(api: Api) -> None:
    id = await job(api, JobStatus.FAILED)
    answer = await api.data(RETRY, id=id)
    assert answer == {"retryJob": {"job": {"status": "WAITING", "attempts": 0}, "errors": []}}
    rows = await api.database.fetch("SELECT subject_type, changes FROM crm_audit")
    assert [(row["subject_type"], row["changes"].replace(" ", "")) for row in rows] == [
        ("Job", '{"status":["FAILED","WAITING"]}')
    ]


@pytest.mark.parametrize("status", [JobStatus.WAITING, JobStatus.RUNNING, JobStatus.DONE])
async def test_others_are_left_as_they_are(api: Api, status: JobStatus) -> None:
    id = await job(api, status)
    answer: dict[str, Any] = await api.data(RETRY, id=id)
    assert answer["retryJob"]["job"] is None
    assert [error["code"] for error in answer["retryJob"]["errors"]] == ["CONFLICT"]
    rows = await api.database.fetch("SELECT status, attempts FROM crm_job")
    assert rows == [{"status": status.value, "attempts": 5}]


async def test_one_whose_key_waits_is_left_as_it_is(api: Api) -> None:
    id = await job(api, JobStatus.FAILED, "k")
    await job(api, JobStatus.WAITING, "k")
    answer: dict[str, Any] = await api.data(RETRY, id=id)
    assert [error["code"] for error in answer["retryJob"]["errors"]] == ["CONFLICT"]
    assert await api.database.fetch("SELECT 1 FROM crm_audit") == []


async def test_each_takes_its_permission(api: Api) -> None:
    id = await job(api, JobStatus.FAILED)
    for text in (LISTED, "{ schedules { totalCount } }"):
        code, _ = await api.refused(text, actor=actor("jobs.manage"))
        assert code == "FORBIDDEN"
    code, _ = await api.refused(RETRY, actor=actor("jobs.read"), id=id)
    assert code == "FORBIDDEN"
    assert await api.database.fetch("SELECT status FROM crm_job") == [{"status": "FAILED"}]
