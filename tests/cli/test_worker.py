"""`crm worker` as a process: does what is due, and ends when it is told to."""

import asyncio
import json
import re
import signal
import subprocess
from pathlib import Path

import httpx2
import pytest

from crm_framework.cli import worker
from crm_framework.events import SettingChanged
from crm_framework.security.audit import sealing
from crm_framework.settings import Settings
from crm_framework.storage.database import Database
from crm_framework.storage.ids import new_id
from crm_framework.testing.apps import settings_with
from tests.cli.test_serve import CRM, ask, environment, serving


def migrated(folder: Path) -> None:
    subprocess.run([*CRM, "migrate"], cwd=folder, env=environment(folder), check=True, capture_output=True)


def test_once_ends_by_itself(tmp_path: Path) -> None:
    migrated(tmp_path)
    done = subprocess.run(
        [*CRM, "worker", "--once"], cwd=tmp_path, env=environment(tmp_path), capture_output=True, text=True
    )
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.startswith("Pieces of work done: ")


@pytest.mark.parametrize(("sent", "watched"), [(signal.SIGTERM, True), (signal.SIGINT, False)])
def test_it_goes_on_until_it_is_told_to_stop(tmp_path: Path, sent: signal.Signals, watched: bool) -> None:
    migrated(tmp_path)
    process = subprocess.Popen(
        [*CRM, "worker", *(("--metrics-port", "0") if watched else ())],
        cwd=tmp_path,
        env=environment(tmp_path),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    assert process.stdout is not None
    try:
        if watched:
            told = re.fullmatch(
                r"It tells how it does at (http://127\.0\.0\.1:\d+)/readyz and /metrics\.\n",
                process.stdout.readline(),
            )
            assert told is not None
            ready = httpx2.get(f"{told[1]}/readyz", trust_env=False)
            assert (ready.status_code, ready.json()["migrations"]) == (200, "applied")
        assert "The worker does: " in process.stdout.readline()
        process.send_signal(sent)
        printed, log = process.communicate(timeout=60)
        assert (process.returncode, printed, log) == (0, "The worker stops.\n", "")
    finally:
        process.kill()


def test_its_log_can_be_json(tmp_path: Path) -> None:
    done = subprocess.run(
        [*CRM, "worker", "--once"],
        cwd=tmp_path,
        env={**environment(tmp_path), "CRM_LOG_FORMAT": "json"},
        capture_output=True,
        text=True,
    )
    (line,) = done.stderr.splitlines()
    assert done.returncode == 1
    assert "Run `crm migrate`." in json.loads(line)["message"]


def test_it_wants_a_migrated_database(tmp_path: Path) -> None:
    done = subprocess.run(
        [*CRM, "worker", "--once"], cwd=tmp_path, env=environment(tmp_path), capture_output=True, text=True
    )
    assert done.returncode == 1
    assert "Run `crm migrate`." in done.stderr


def test_the_server_works_beside_its_requests_and_ends_in_order(tmp_path: Path) -> None:
    with serving(tmp_path) as (process, address, token):
        assert ask(address, token).status_code == 200
        process.send_signal(signal.SIGTERM)
        _, log = process.communicate(timeout=60)
        assert process.returncode == 0
        assert "Traceback" not in log


async def leave_unsealed(database: Database) -> None:
    """As a process that is killed right after its commit."""
    async with database.unit_of_work() as tx:
        tx.emit(SettingChanged(customer_id=None, kind="segment", record_id=new_id()))


async def sealed(database: Database) -> int:
    return len(await database.fetch("SELECT entry_id FROM crm_audit_chain"))


@pytest.mark.parametrize("once", [True, False])
async def test_it_seals_what_a_killed_process_left_unsealed(
    database: Database, monkeypatch: pytest.MonkeyPatch, *, once: bool
) -> None:
    monkeypatch.setattr(sealing, "YOUNG_SECONDS", -10)
    await leave_unsealed(database)
    assert await sealed(database) == 0
    settings = settings_with(Settings(), database_url=database.url)
    if once:
        await worker._drain(settings)
    else:
        working = asyncio.create_task(worker._work(settings))
        async with asyncio.timeout(60):
            while await sealed(database) == 0:  # noqa: ASYNC110  # another connection does it
                await asyncio.sleep(0.05)
        working.cancel()
        await asyncio.wait([working])
    entries = await database.fetch("SELECT id FROM crm_audit")
    assert await sealed(database) == len(entries) > 0
