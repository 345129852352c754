"""The processes that are measured: product, limit and ceiling, each on a port of its own."""

import os
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import orjson

from crm_framework.testing.postgres import free_port

ROOT = Path(__file__).resolve().parent.parent
START_SECONDS = 60
GRANTS = ("customers.read", "customers.write", "interactions.read", "interactions.write")
PLUGINS = ("loyalty", "ticketing", "analytics")


def environment(url: str, *, plugins: bool = False) -> dict[str, str]:
    """Of all processes: without settings of the one who measures, and with all plugins or none."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith("CRM_")}
    enabled = {"CRM_PLUGINS": ",".join(PLUGINS)} if plugins else {}
    # the client of the benchmarks asks for more in a minute than any token may by default
    return {
        **kept,
        **enabled,
        "CRM_DATABASE_URL": url,
        "CRM_RATE_LIMIT_PER_MINUTE": "0",
        "PYTHONPATH": str(ROOT),
    }


def crm(url: str, *arguments: str, plugins: bool = False) -> str:
    """What a command of the product says."""
    return _python(url, "crm_framework.cli", *arguments, plugins=plugins)


def _python(url: str, module: str, *arguments: str, plugins: bool = False) -> str:
    with tempfile.TemporaryDirectory(prefix="crm-bench-") as folder:
        done = subprocess.run(
            [sys.executable, "-m", module, *arguments],
            env=environment(url, plugins=plugins),
            cwd=folder,  # where no crm.toml is
            capture_output=True,
            text=True,
            check=False,
        )
    if done.returncode:
        raise RuntimeError(f"{module} {' '.join(arguments)}: {done.stderr or done.stdout}")
    return done.stdout.strip()


def make_token(url: str, *, plugins: bool = False) -> str:
    """A token that may do what the workloads do, and no more."""
    reads = tuple(f"{plugin}.read" for plugin in PLUGINS) if plugins else ()
    grants = [part for grant in (*GRANTS, *reads) for part in ("--permission", grant)]
    return crm(url, "token", "create", "bench", "--quiet", *grants, plugins=plugins)


def statements(url: str) -> dict[str, list[str]]:
    """The SQL that the product runs for one page without and one with a field of each plugin."""
    said: dict[str, list[str]] = orjson.loads(_python(url, "benchmarks.statements", plugins=True))
    return said


@dataclass(frozen=True)
class Server:
    """A process that takes requests."""

    port: int
    pid: int


@contextmanager
def product(url: str, *, plugins: bool = False, profile: Path | None = None) -> Iterator[Server]:
    """`crm serve`, as it is; with `profile`, under cProfile, which writes there."""
    program = ["-m", "benchmarks.profiled", str(profile)] if profile else ["-m", "crm_framework.cli"]
    with running([*program, "serve", "--log-level", "warning", "--port"], url, plugins=plugins) as server:
        yield server


@contextmanager
def limit(url: str) -> Iterator[Server]:
    with running(["-m", "benchmarks.limit"], url) as server:
        yield server


@contextmanager
def ceiling() -> Iterator[Server]:
    with running(["-m", "benchmarks.ceiling"], "") as server:
        yield server


@contextmanager
def running(
    arguments: Sequence[str],
    url: str,
    *,
    program: str = sys.executable,
    plugins: bool = False,
    variables: Mapping[str, str] | None = None,
) -> Iterator[Server]:
    """A server whose last argument is its port."""
    port = free_port()
    with tempfile.TemporaryFile() as said, tempfile.TemporaryDirectory(prefix="crm-bench-") as folder:
        process = subprocess.Popen(
            [program, *arguments, str(port)],
            env={**environment(url, plugins=plugins), **(variables or {})},
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
