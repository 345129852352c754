"""`run_jobs`, with the plugin tests/fixture_plugins/with_job.py and jobs of the core."""

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from crm_framework.domain import idempotency, upkeep
from crm_framework.hooks.loaded import PluginStatus
from crm_framework.storage.clock import now
from crm_framework.storage.ids import new_id
from crm_framework.testing import CrmClient, run_jobs
from crm_framework.testing.apps import OpenClient

FOLDER = Path(__file__).resolve().parents[1] / "fixture_plugins"
CREATE = "mutation ($name: String!) { createCustomer(input: {name: $name}) { errors { message } } }"
TAGS = "{ customers { nodes { name tags } } }"


@pytest.fixture
def plugin_dir() -> Path:
    return FOLDER


@pytest.fixture
async def client(open_client: OpenClient) -> CrmClient:
    return await open_client("with_job", with_job={"tag": "hello"})


async def tags(client: CrmClient) -> dict[str, list[str]]:
    nodes = (await client.data(TAGS))["customers"]["nodes"]
    return {node["name"]: sorted(node["tags"]) for node in nodes}


async def test_jobs_that_a_change_asked_for_run(client: CrmClient) -> None:
    assert await run_jobs(client) == []
    await client.data(CREATE, name="Ann")
    assert await tags(client) == {"Ann": []}
    assert await run_jobs(client) == ["with_job.welcome"]
    assert await run_jobs(client) == []
    assert await tags(client) == {"Ann": ["hello"]}


async def test_the_audit_log_names_the_job(client: CrmClient) -> None:
    await client.data(CREATE, name="Ann")
    await run_jobs(client)
    rows = await client.service.database.fetch(
        "SELECT actor_kind, actor_name, action FROM crm_audit ORDER BY id"
    )
    assert rows[-1] == {
        "actor_kind": "SYSTEM",
        "actor_name": "job with_job.welcome",
        "action": "customer.tagged",
    }


async def test_jobs_by_the_clock_run_in_batches(client: CrmClient) -> None:
    for name in ("Ann", "Ben", "Cem"):
        await client.data(CREATE, name=name)
    await run_jobs(client)
    night = datetime(2125, 3, 1, 1, 30, tzinfo=UTC)
    assert await run_jobs(client, at=night, since=night - timedelta(minutes=1)) == ["with_job.tidy"] * 2
    assert await tags(client) == {name: ["hello", "tidied"] for name in ("Ann", "Ben", "Cem")}


async def test_a_failure_is_raised_unless_it_is_expected(client: CrmClient) -> None:
    database = client.service.database
    for _ in range(2):
        async with database.unit_of_work() as tx:
            tx.defer("with_job.welcome", {})
        with pytest.raises(KeyError, match="customer"):
            await run_jobs(client)
    for hours in (2, 4):
        ran = await run_jobs(client, failing=True, at=now() + timedelta(hours=hours))
        assert ran.count("with_job.welcome") == 2  # beside that of every night, at some hours of the day
    rows = await database.fetch("SELECT status, attempts, error FROM crm_job WHERE name = 'with_job.welcome'")
    assert rows == [{"status": "FAILED", "attempts": 3, "error": "KeyError: 'customer'"}] * 2


async def test_jobs_of_a_plugin_that_is_switched_off_wait(client: CrmClient, open_client: OpenClient) -> None:
    await client.data(CREATE, name="Ann")
    url = client.service.settings.database_url
    off = await open_client(database_url=url)
    assert await run_jobs(off) == []
    on = await open_client("with_job", database_url=url)
    assert await run_jobs(on) == ["with_job.welcome"]
    assert await tags(on) == {"Ann": ["welcomed"]}


async def test_undeclared_jobs_are_refused(client: CrmClient) -> None:
    async with client.service.database.unit_of_work() as tx:
        with pytest.raises(Exception, match="no enabled plugin declares it"):
            tx.defer("with_job.unknown")


async def test_the_core_forgets_repeats_and_removes_finished_jobs(
    client: CrmClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(upkeep, "AT_ONCE", 2)
    database, today = client.service.database, now()
    async with database.unit_of_work() as tx:
        for number, age in enumerate((29, 31, 32)):
            await tx.execute(
                "INSERT INTO crm_idempotency "
                "(id, actor, operation, key_text, fingerprint, result, created_at) "
                "VALUES (?, 'a', 'o', ?, '', 'null', ?)",
                (new_id(), str(number), today - timedelta(days=age)),
            )
        for status, age in [
            ("DONE", 6),
            *[("DONE", 8)] * 4,
            ("CANCELLED", 8),
            ("FAILED", 89),
            ("FAILED", 91),
        ]:
            await tx.execute(
                "INSERT INTO crm_job (id, name, payload, status, run_at, attempts, created_at, finished_at) "
                "VALUES (?, 'x.y', '{}', ?, ?, 1, ?, ?)",
                (new_id(), status, today, today, today - timedelta(days=age)),
            )
        tx.defer("crm.forget_repeats")
        tx.defer("crm.remove_finished_jobs")
    ran = await run_jobs(client)
    assert sorted(ran) == [*["crm.forget_repeats"] * 2, *["crm.remove_finished_jobs"] * 4]
    kept = await database.fetch("SELECT key_text FROM crm_idempotency")
    assert [row["key_text"] for row in kept] == ["0"]
    left = await database.fetch("SELECT status FROM crm_job WHERE name = 'x.y' ORDER BY status")
    assert [row["status"] for row in left] == ["DONE", "FAILED"]
    assert timedelta(days=30) == idempotency.KEPT


async def test_the_plugin_is_in_order(client: CrmClient) -> None:
    entry = client.service.host.get("with_job")
    assert entry is not None
    assert entry.status is PluginStatus.ENABLED


async def test_the_core_removes_tokens_that_ended_long_ago(
    client: CrmClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(upkeep, "AT_ONCE", 2)
    database, today = client.service.database, now()
    (kept_already,) = await database.fetch("SELECT name FROM crm_token")

    async def token(name: str, expired: int | None, revoked: int | None) -> None:
        times = [None if days is None else today - timedelta(days=days) for days in (expired, revoked)]
        async with database.unit_of_work() as tx:
            await tx.execute(
                "INSERT INTO crm_token (id, name, digest, hint, kind, permissions, created_at, expires_at,"
                " revoked_at) VALUES (?, ?, ?, 'crm_', 'INTEGRATION', '[]', ?, ?, ?)",
                (new_id(), name, name, today - timedelta(days=400), *times),
            )

    await token("used for ever", None, None)
    for number in range(3):
        await token(f"expired long ago {number}", 91, None)
    await token("revoked long ago", -300, 91)
    await token("expired", 89, None)
    await token("revoked", None, 89)
    await token("the newest one", 91, 91)  # kept, so that there never is none
    async with database.unit_of_work() as tx:
        tx.defer("crm.remove_ended_tokens")
    assert await run_jobs(client) == ["crm.remove_ended_tokens"] * 3
    left = await database.fetch("SELECT name FROM crm_token ORDER BY id")
    assert [row["name"] for row in left] == [
        kept_already["name"],
        "used for ever",
        "expired",
        "revoked",
        "the newest one",
    ]
