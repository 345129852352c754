"""`crm serve` as a process: starts on nothing, ends in order, says in one line why it cannot start."""

import asyncio
import os
import re
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx2
import uvicorn

from crm_framework.cli.serve import Server, ended_in_order
from crm_framework.server.limits.connections import guarded
from crm_framework.server.listening import listening
from crm_framework.server.loops import new_event_loop

CRM = [sys.executable, "-c", "from crm_framework.cli import main; main()"]


def environment(folder: Path) -> dict[str, str]:
    kept = {name: value for name, value in os.environ.items() if not name.startswith("CRM_")}
    return {**kept, "CRM_DATABASE_URL": f"sqlite://{folder}/crm.sqlite3", "PYTHONUNBUFFERED": "1"}


@contextmanager
def serving(folder: Path, **settings: str) -> Iterator[tuple["subprocess.Popen[str]", str, str]]:
    """A server on a free port: its process, its address and the token that it keeps."""
    process = subprocess.Popen(
        [*CRM, "serve", "--port", "0", "--token-file", "administrator.token"],
        cwd=folder,
        env={**environment(folder), **settings},
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
        assert address
        file = folder / "administrator.token"
        assert f"The administrator's token is in {file}\n" in printed
        token = file.read_text().strip()
        assert token not in printed
        yield process, address[0], token
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


def begun(address: str, token: str, body: bytes, length: int) -> socket.socket:
    """A connection on which the head of a request and `body` of its `length` bytes were sent."""
    port = int(address.rpartition(":")[2])
    connection = socket.create_connection(("127.0.0.1", port), timeout=20)
    head = (
        f"POST /graphql HTTP/1.1\r\nHost: crm\r\nAuthorization: Bearer {token}\r\n"
        f"Content-Type: application/json\r\nContent-Length: {length}\r\n\r\n"
    )
    connection.sendall(head.encode() + body)
    return connection


def to_the_end(connection: socket.socket) -> bytes:
    received = b""
    while chunk := connection.recv(65536):
        received += chunk
    return received


def test_a_body_that_does_not_come_is_not_waited_for(tmp_path: Path) -> None:
    with (
        serving(tmp_path, CRM_REQUEST_TIMEOUT_S="0.3") as (process, address, token),
        begun(address, token, b'{"query"', 100) as stalled,
    ):
        assert ask(address, token).status_code == 200
        assert to_the_end(stalled).startswith(b"HTTP/1.1 408 ")
        process.send_signal(signal.SIGTERM)
        _, log = process.communicate(timeout=30)
        assert "POST /graphql 408" in log
        assert "Traceback" not in log


def test_what_is_under_way_is_answered_before_it_stops(tmp_path: Path) -> None:
    body = b'{"query": "{ __typename }"}'
    with (
        serving(tmp_path) as (process, address, token),
        begun(address, token, body[:10], len(body)) as connection,
    ):
        assert ask(address, token).status_code == 200  # so that the other was begun
        process.send_signal(signal.SIGTERM)
        until = time.monotonic() + 20
        while time.monotonic() < until:  # until it takes no more connections
            try:
                socket.create_connection(connection.getpeername(), timeout=1).close()
            except OSError:
                break
        connection.sendall(body[10:])
        answer = to_the_end(connection)
        assert answer.startswith(b"HTTP/1.1 200 ")
        assert answer.endswith(b'{"data":{"__typename":"Query"}}')
        _, log = process.communicate(timeout=30)
        assert process.returncode in (0, -signal.SIGTERM)
        assert "Traceback" not in log


async def app(scope: Any, receive: Any, send: Any) -> None:
    await send({"type": "http.response.start", "status": 204, "headers": []})
    await send({"type": "http.response.body"})


def test_who_has_connected_before_it_stops_is_answered() -> None:
    """Also where the loop did not come to accept the connection."""

    async def run() -> bytes:
        listener = listening("127.0.0.1", 0, "")
        config = uvicorn.Config(app, http=guarded(10), lifespan="off", log_config=None)
        server = Server(config, lambda: None, None, lambda: None)
        config.load()
        server.lifespan = config.lifespan_class(config)
        await server.startup([listener])
        with socket.create_connection(listener.getsockname()) as client:  # the system makes it, not the loop
            client.sendall(b"GET / HTTP/1.1\r\nHost: crm\r\n\r\n")
            await server.shutdown([listener])
            client.settimeout(20)
            return await asyncio.to_thread(client.recv, 1000)

    with asyncio.Runner(loop_factory=new_event_loop) as runner:
        answer = runner.run(run())
    assert answer.startswith(b"HTTP/1.1 204 ")
    assert b"connection: close" in answer.lower()


def test_answers_do_not_wait_for_acknowledgements() -> None:
    with (
        listening("127.0.0.1", 0, "Choose another.") as listener,
        socket.create_connection(listener.getsockname()),
    ):
        connection, _ = listener.accept()
        with connection:
            assert connection.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY) != 0


async def test_sigterm_is_as_it_was_when_the_server_has_ended() -> None:
    before = signal.getsignal(signal.SIGTERM)
    async with ended_in_order():
        assert signal.getsignal(signal.SIGTERM) is not before
    assert signal.getsignal(signal.SIGTERM) is before


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
