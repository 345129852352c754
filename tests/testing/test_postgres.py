import asyncio
import os
import subprocess
import sys
import time

import asyncpg
import pytest

from crm_framework.testing.postgres import running_postgres

CRASHING = """
import os, signal
from crm_framework.testing.postgres import running_postgres
with running_postgres() as server:
    print(server.url("postgres"), flush=True)
    os.kill(os.getpid(), signal.SIGKILL)
"""


async def version(url: str) -> int:
    connection = await asyncpg.connect(url)
    try:
        return int(await connection.fetchval("select current_setting('server_version_num')::int"))
    finally:
        await connection.close()


def test_a_named_server_is_used(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CRM_TEST_DATABASE_URL", "postgres://me:secret@db:5432/anything")
    with running_postgres() as server:
        assert server.url("one") == "postgres://me:secret@db:5432/one"


def test_server_ends_with_a_killed_test_process() -> None:
    environment = {name: value for name, value in os.environ.items() if name != "CRM_TEST_DATABASE_URL"}
    killed = subprocess.run(
        [sys.executable, "-c", CRASHING], stdout=subprocess.PIPE, text=True, check=False, env=environment
    )
    url = killed.stdout.strip()
    assert url.startswith("postgres://crm:")
    until = time.monotonic() + 20
    while time.monotonic() < until:
        try:
            asyncio.run(version(url))
        except OSError:
            return
        time.sleep(0.1)
    pytest.fail("the server still answers")
