"""A browser, and the application on a port of this machine for it."""

import asyncio
import socket
from collections.abc import AsyncIterator, Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
import uvicorn

from crm_framework.app import create_app
from tests.browser.chromium import Page, browser_page, find_browser

Serve = Callable[[Any], str]


@pytest.fixture
def database_kind() -> str:
    """One kind is enough: the pages do not know of databases."""
    return "sqlite"


@pytest.fixture
async def page(tmp_path: Path) -> AsyncIterator[Page]:
    program = find_browser()
    assert program, "There is no Chromium on this machine: install one, or name it in CRM_TEST_CHROMIUM."
    async with browser_page(program, tmp_path / "profile") as opened:
        yield opened


@pytest.fixture
async def serve() -> AsyncIterator[Serve]:
    """Serves the application of a client's service; gives where."""
    running: list[tuple[uvicorn.Server, asyncio.Task[None], socket.socket]] = []

    def begin(service: Any) -> str:
        listener = socket.create_server(("127.0.0.1", 0))
        server = uvicorn.Server(uvicorn.Config(create_app(service=service), log_config=None, lifespan="off"))
        running.append((server, asyncio.create_task(server.serve(sockets=[listener])), listener))
        return f"http://127.0.0.1:{listener.getsockname()[1]}"

    yield begin
    for server, task, listener in running:
        server.should_exit = True
        with suppress(asyncio.CancelledError):
            await task
        listener.close()
