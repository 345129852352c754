"""Servers to be killed: `crm serve`, and a PostgreSQL that can be stopped at once and started again."""

import asyncio
import os
import secrets
import shutil
import signal
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from crm_framework.testing.postgres import (
    SERVER_USER,
    find_binaries,
    free_port,
    initialise,
    lasting_folder,
    reachable,
    unprivileged_account,
    wait_until_ready,
)

from .office import PLUGINS

CRM = [sys.executable, "-c", "from crm_framework.cli import main; main()"]
TOKEN_FILE = "administrator.token"


@dataclass
class CrmServer:
    """`crm serve` with all plugins on a database; always at the same port, so that clients find it again."""

    url: str
    folder: Path
    port: int = field(default_factory=free_port)
    settings: Mapping[str, str] = field(default_factory=dict)
    worker_apart: bool = False
    """What is owed is done by `crm worker`, which is started and killed with the server."""
    starts: int = 0
    _processes: list[asyncio.subprocess.Process] = field(default_factory=list)

    @property
    def address(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    @property
    def token(self) -> str:
        return (self.folder / TOKEN_FILE).read_text().strip()

    @property
    def log(self) -> str:
        return (self.folder / "log").read_text()

    async def start(self, handler_budget_ms: int) -> None:
        """Starts it, and waits until it serves."""
        serve = ["serve", "--port", str(self.port), "--token-file", TOKEN_FILE]
        process = await self._run(serve, handler_budget_ms)
        assert process.stdout is not None
        while line := await process.stdout.readline():
            if b"Stop it" in line:
                self.starts += 1
                if self.worker_apart:
                    await self._run(["worker"], handler_budget_ms)
                return
        raise AssertionError(f"crm serve ended: {self.log}")

    async def _run(self, arguments: Sequence[str], handler_budget_ms: int) -> asyncio.subprocess.Process:
        kept = {name: value for name, value in os.environ.items() if not name.startswith("CRM_")}
        with (self.folder / "log").open("ab") as log:
            process = await asyncio.create_subprocess_exec(
                *CRM, *arguments,
                cwd=self.folder,
                env={
                    **kept, "CRM_DATABASE_URL": self.url, "CRM_PLUGINS": ",".join(PLUGINS),
                    "CRM_HANDLER_BUDGET_MS": str(handler_budget_ms), "PYTHONUNBUFFERED": "1",
                    "CRM_WORKER": str(not self.worker_apart).lower(),
                    **self.settings,
                },
                stdout=asyncio.subprocess.PIPE,
                stderr=log,
            )  # fmt: skip
        self._processes.append(process)
        return process

    async def kill(self) -> None:
        """SIGKILL: it can do nothing about it."""
        for process in self._processes:
            process.kill()
        for process in self._processes:
            await process.communicate()
        self._processes.clear()


@dataclass
class StoppablePostgres:
    """A server that flushes as a real one. It ends with this process, however that ends."""

    binaries: Path
    folder: Path
    account: str
    password: str
    port: int
    _keeper: subprocess.Popen[bytes] | None = None
    _server: int = 0

    def url(self, database: str) -> str:
        return f"postgres://{SERVER_USER}:{self.password}@127.0.0.1:{self.port}/{database}"

    def start(self) -> None:
        arguments = [
            str(self.binaries / "postgres"), "-D", str(self.folder / "data"), "-p", str(self.port),
            "-c", "listen_addresses=127.0.0.1", "-c", "unix_socket_directories=", "-c", "timezone=UTC",
        ]  # fmt: skip
        log = self.folder / "data" / "server.log"
        script = f'"$@" <&- >>{log} 2>&1 & server=$!; echo $server; cat; kill -QUIT $server; wait $server'
        self._keeper = subprocess.Popen(
            ["sh", "-c", script, "sh", *arguments],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,  # of `kill`, where the server is gone already
            start_new_session=True,
            cwd="/",
            user=self.account or None,
        )
        assert self._keeper.stdout is not None
        self._server = int(self._keeper.stdout.readline())
        wait_until_ready(self.binaries, self.folder, self.port, self._keeper)

    def stop_at_once(self) -> None:
        self.stop("immediate")

    def stop(self, how: str) -> None:
        """As `pg_ctl stop -m immediate`: without a checkpoint, so that it recovers when it starts; or `fast`:
        everybody is disconnected, and all is stored in order."""
        keeper, self._keeper = self._keeper, None
        if keeper is not None:
            os.kill(self._server, signal.SIGINT if how == "fast" else signal.SIGQUIT)
            keeper.communicate(timeout=60)
            (self.folder / "data" / "postmaster.pid").unlink(missing_ok=True)


@contextmanager
def stoppable_postgres() -> Iterator[StoppablePostgres]:
    with tempfile.TemporaryDirectory(prefix="crm-crashing-", dir=lasting_folder()) as temporary:
        folder, account = Path(temporary), unprivileged_account()
        binaries = reachable(find_binaries(), folder, account)
        password = secrets.token_urlsafe(18)
        initialise(binaries, folder, password, account)
        server = StoppablePostgres(binaries, folder, account, password, free_port())
        try:
            server.start()
            yield server
        finally:
            server.stop_at_once()
            shutil.rmtree(folder, ignore_errors=True)
            folder.mkdir(exist_ok=True)  # for whoever made it to remove
