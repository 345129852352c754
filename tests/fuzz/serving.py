"""A real `crm serve` over the company of the differential tests, and what must hold of it whatever it was sent."""

import http.client
import json
import os
import re
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psutil

from tests.differential.company import PLUGIN_DIR, PLUGINS

CRM = [sys.executable, "-c", "from crm_framework.cli import main; main()"]
LOG_LINE = re.compile(
    r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d[+-]\d{4} (DEBUG|INFO|WARNING) [\w.]+ \[[A-Za-z0-9._:-]+\] "
)
"""How each line of the log begins. A traceback, an error or a line that a client made up does not."""
PATIENCE_S = 30


@dataclass(frozen=True)
class FuzzServer:
    port: int
    token: str
    log: Path
    process: "subprocess.Popen[str]"

    def post(self, body: bytes, *, accept: str = "application/json") -> tuple[int, bytes]:
        """The answer to a well-formed POST with this body."""
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=PATIENCE_S)
        try:
            headers = {
                "Authorization": f"Bearer {self.token}",
                "Content-Type": "application/json",
                "Accept": accept,
            }
            connection.request("POST", "/graphql", body, headers)
            answer = connection.getresponse()
            return answer.status, answer.read()
        finally:
            connection.close()

    def ask(self, query: str, variables: dict[str, Any] | None = None) -> Any:
        status, body = self.post(json.dumps({"query": query, "variables": variables}).encode())
        assert status == 200, (status, body)
        return json.loads(body)

    def connections(self) -> list[str]:
        """Of clients, at this moment."""
        found = psutil.Process(self.process.pid).net_connections("tcp")
        return [
            f"{each.raddr} {each.status}"
            for each in found
            if each.laddr.port == self.port and each.status != psutil.CONN_LISTEN
        ]

    def check(self) -> None:
        """It serves as before, has let go of everything, and logged no error and nothing of a client's making."""
        assert self.process.poll() is None, f"the server ended: {self.log.read_text()[-3000:]}"
        answer = self.ask(
            "{ me { name } customers(first: 2) { totalCount nodes { id name } } plugins { reason } }"
        )
        assert "errors" not in answer, answer
        assert not any(plugin["reason"] for plugin in answer["data"]["plugins"]), answer
        until = time.monotonic() + PATIENCE_S
        while self.connections() and time.monotonic() < until:
            time.sleep(0.1)
        assert self.connections() == []
        odd = [
            line
            for line in self.log.read_text(errors="replace").split("\n")
            if line and not LOG_LINE.match(line)
        ]
        assert odd == [], "\n".join(odd[:60])
        raw = self.log.read_bytes()
        assert not re.search(rb"[\x00-\x08\x0b-\x1f\x7f]", raw), "control characters in the log"


@contextmanager
def serving(url: str, **settings: str) -> Iterator[FuzzServer]:
    """A server with all plugins. What it says at its end must be in order, too."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith("CRM_")}
    environment = {
        **kept,
        "CRM_DATABASE_URL": url,
        "CRM_PLUGINS": ",".join(PLUGINS),
        "CRM_PLUGIN_DIR": PLUGIN_DIR,
        "CRM_PAGE_SIZE": "5",
        "CRM_MAX_PAGE_SIZE": "20",
        "CRM_RATE_LIMIT_PER_MINUTE": "0",
        "CRM_WRONG_TOKENS_PER_MINUTE": "1000000",
        "PYTHONUNBUFFERED": "1",
        **settings,
    }
    with tempfile.TemporaryDirectory(prefix="crm-fuzz-") as temporary:
        folder = Path(temporary)
        log = folder / "log"
        with log.open("w") as said:
            process = subprocess.Popen(
                [*CRM, "serve", "--port", "0", "--token-file", "administrator.token"],
                cwd=folder,
                env=environment,
                stdout=subprocess.PIPE,
                stderr=said,
                text=True,
            )
        try:
            yield FuzzServer(
                _port(process, log), (folder / "administrator.token").read_text().strip(), log, process
            )
        finally:
            process.kill()
            process.communicate()


def _port(process: "subprocess.Popen[str]", log: Path) -> int:
    assert process.stdout is not None
    printed = ""
    while "Stop it" not in printed:
        line = process.stdout.readline()
        assert line, f"crm serve ended: {log.read_text()}"
        printed += line
    found = re.search(r"http://\S+:(\d+)", printed)
    assert found, printed
    return int(found[1])
