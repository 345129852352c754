"""The processes that are measured: product, limit and ceiling, each on a port of its own."""

import os
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from crm_framework.testing.postgres import free_port

ROOT = Path(__file__).resolve().parent.parent
START_SECONDS = 60
GRANTS = ("customers.read", "customers.write", "interactions.read", "interactions.write")


def environment(url: str) -> dict[str, str]:
    """Of all processes: the core alone, without plugins or settings of the one who measures."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith("CRM_")}
    return {**kept, "CRM_DATABASE_URL": url, "PYTHONPATH": str(ROOT)}


def make_token(url: str) -> str:
    """A token that may do what the workloads do, and no more."""
    grants = [part for grant in GRANTS for part in ("--permission", grant)]
    with tempfile.TemporaryDirectory(prefix="crm-bench-") as folder:
        made = subprocess.run(
            [sys.executable, "-m", "crm_framework.cli", "token", "create", "bench", "--quiet", *grants],
            env=environment(url),
            cwd=folder,
            capture_output=True,
            text=True,
            check=False,
        )
    if made.returncode:
        raise RuntimeError(f"crm token create: {made.stderr}")
    return made.stdout.strip()


@dataclass(frozen=True)
class Server:
    """A process that takes requests."""

    port: int
    pid: int


@contextmanager
def product(url: str, *, profile: Path | None = None) -> Iterator[Server]:
    """`crm serve`, as it is; with `profile`, under cProfile, which writes there."""
    program = ["-m", "benchmarks.profiled", str(profile)] if profile else ["-m", "crm_framework.cli"]
    with _server([*program, "serve", "--log-level", "warning", "--port"], url) as server:
        yield server


@contextmanager
def limit(url: str) -> Iterator[Server]:
    with _server(["-m", "benchmarks.limit"], url) as server:
        yield server


@contextmanager
def ceiling() -> Iterator[Server]:
    with _server(["-m", "benchmarks.ceiling"], "") as server:
        yield server


@contextmanager
def _server(arguments: Sequence[str], url: str) -> Iterator[Server]:
    port = free_port()
    with tempfile.TemporaryFile() as said, tempfile.TemporaryDirectory(prefix="crm-bench-") as folder:
        process = subprocess.Popen(
            [sys.executable, *arguments, str(port)],
            env=environment(url),
            cwd=folder,  # where no crm.toml is
            stdin=subprocess.DEVNULL,
            stdout=said,
            stderr=subprocess.STDOUT,
        )
        try:
            _wait(process, port)
            yield Server(port, process.pid)
        except BaseException as error:
            said.seek(0)
            error.add_note(f"{' '.join(arguments)} said: {said.read().decode(errors='replace')[-3000:]}")
            raise
        finally:
            process.terminate()
            try:
                process.wait(20)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()


def _wait(process: "subprocess.Popen[bytes]", port: int) -> None:
    """Until it takes connections."""
    until = time.monotonic() + START_SECONDS
    while process.poll() is None and time.monotonic() < until:
        with socket.socket() as probe:
            if probe.connect_ex(("127.0.0.1", port)) == 0:
                return
        time.sleep(0.05)
    raise RuntimeError("the server did not start")
