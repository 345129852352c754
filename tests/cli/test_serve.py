"""`crm serve` as a process: starts on nothing, ends in order, says in one line why it cannot start."""

import os
import re
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx2

from crm_framework.cli.serve import _listening
from crm_framework.settings import Settings

CRM = [sys.executable, "-c", "from crm_framework.cli import main; main()"]


def environment(folder: Path) -> dict[str, str]:
    kept = {name: value for name, value in os.environ.items() if not name.startswith("CRM_")}
    return {**kept, "CRM_DATABASE_URL": f"sqlite://{folder}/crm.sqlite3", "PYTHONUNBUFFERED": "1"}


@contextmanager
def serving(folder: Path) -> Iterator[tuple["subprocess.Popen[str]", str, str]]:
    """A server on a free port: its process, its address and the token that it printed."""
    process = subprocess.Popen(
        [*CRM, "serve", "--port", "0", "--token-file", "administrator.token"],
        cwd=folder,
        env=environment(folder),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    assert process.stdout is not None
    printed = ""
    try:
        while "Stop it" not in printed:
            line = process.stdout.readline()
            assert line, process.communicate()[1]
            printed += line
        address = re.search(r"http://\S+:\d+", printed)
        token = re.search(r"crm_\S+", printed)
        assert address
        assert token
        yield process, address[0], token[0]
    finally:
        process.kill()
        process.communicate()


def ask(address: str, token: str) -> httpx2.Response:
    with httpx2.Client(trust_env=False, base_url=address) as http:
        return http.post(
            "/graphql", json={"query": "{ __typename }"}, headers={"Authorization": f"Bearer {token}"}
        )


def test_it_starts_on_nothing_and_its_token_stays(tmp_path: Path) -> None:
    with serving(tmp_path) as (process, address, first):
        assert ask(address, first).json() == {"data": {"__typename": "Query"}}
        assert ask(address, "crm_wrong").status_code == 401
        process.send_signal(signal.SIGINT)
        _, log = process.communicate(timeout=30)
        assert process.returncode == 0
        assert "Traceback" not in log
        assert first not in log
        assert "actor=Administrator" in log
    with serving(tmp_path) as (process, address, second):
        assert second == first
        assert ask(address, second).status_code == 200
        process.send_signal(signal.SIGTERM)
        _, log = process.communicate(timeout=30)
        assert process.returncode in (0, -signal.SIGTERM)
        assert "Traceback" not in log


def test_answers_do_not_wait_for_acknowledgements() -> None:
    with (
        _listening(Settings(host="127.0.0.1", port=0)) as listener,
        socket.create_connection(listener.getsockname()),
    ):
        connection, _ = listener.accept()
        with connection:
            assert connection.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY) != 0


def test_a_port_in_use_is_one_line(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        ended = subprocess.run(
            [*CRM, "serve", "--port", str(port)],
            cwd=tmp_path,
            env=environment(tmp_path),
            capture_output=True,
            text=True,
            check=False,
        )
    assert (ended.returncode, ended.stdout) == (1, "")
    assert ended.stderr == (
        f"crm: Another program listens at 127.0.0.1:{port} already. "
        "Stop it, or choose another port: --port, CRM_PORT, or PORT= with make run.\n"
    )
    assert list(tmp_path.iterdir()) == []


def test_a_database_out_of_reach_is_one_line(tmp_path: Path) -> None:
    away = {**environment(tmp_path), "CRM_DATABASE_URL": "postgres://me:secret@127.0.0.1:1/crm"}
    ended = subprocess.run(
        [*CRM, "serve", "--port", "0"], cwd=tmp_path, env=away, capture_output=True, text=True, check=False
    )
    assert (ended.returncode, ended.stdout) == (1, "")
    assert ended.stderr.count("\n") == 1
    assert ended.stderr.startswith("crm: postgres://me@127.0.0.1:1/crm cannot be reached.")
