"""The console as a person uses it: opened in a browser that reaches nothing but this server."""

import asyncio
import json
import socket
from collections.abc import AsyncIterator
from contextlib import suppress
from pathlib import Path

import pytest
import uvicorn

from crm_framework.app import create_app
from crm_framework.testing.client import CrmClient
from tests.browser.chromium import Page, browser_page, find_browser

SHOWN = "document.querySelector('.result-window .CodeMirror')?.CodeMirror.getValue()"
EDITOR = "document.querySelector('.graphiql-query-editor .CodeMirror').CodeMirror"
RUN = "document.querySelector('.graphiql-execute-button')"
STATUS = "document.getElementById('status').textContent"


@pytest.fixture
def database_kind() -> str:
    """One kind is enough: the page does not know of databases."""
    return "sqlite"


@pytest.fixture
async def address(client: CrmClient) -> AsyncIterator[str]:
    """The application on a port of this machine."""
    listener = socket.create_server(("127.0.0.1", 0))
    config = uvicorn.Config(create_app(service=client.service), log_config=None, lifespan="off")
    server = uvicorn.Server(config)
    running = asyncio.create_task(server.serve(sockets=[listener]))
    yield f"http://127.0.0.1:{listener.getsockname()[1]}/graphql"
    server.should_exit = True
    with suppress(asyncio.CancelledError):
        await running
    listener.close()


@pytest.fixture
async def page(tmp_path: Path) -> AsyncIterator[Page]:
    program = find_browser()
    assert program, "There is no Chromium on this machine: install one, or name it in CRM_TEST_CHROMIUM."
    async with browser_page(program, tmp_path / "profile") as opened:
        yield opened


async def enter(page: Page, token: str) -> None:
    await page.value("document.getElementById('token').focus()")
    await page.type(token)
    await page.press_enter()


async def test_a_query_is_run_with_the_network_shut(page: Page, address: str, client: CrmClient) -> None:
    await page.open(address)
    await page.until(f"{RUN} !== null")
    assert await page.value(STATUS) == "Enter a token to begin."

    await enter(page, client.token)
    await page.until(f"sessionStorage.getItem('crm.token') === '{client.token}'")
    await page.value("document.querySelector('[aria-label=\"Show Documentation Explorer\"]').click()")
    await page.until("document.querySelector('.graphiql-doc-explorer').textContent.includes('Query')")
    await page.until(f"{RUN} && !{RUN}.disabled")
    await page.value(f"{EDITOR}.setValue('{{ __typename }}')")
    await page.value(f"{RUN}.click()")
    shown = await page.until(SHOWN)

    assert json.loads(shown) == {"data": {"__typename": "Query"}}
    assert await page.value("document.getElementById('token').value") == ""
    assert await page.value("Object.values(localStorage).join().includes('crm_')") is False
    elsewhere = [url for url in page.requests if not url.startswith((f"{address}", "data:"))]
    assert elsewhere == []
    assert page.problems == []


async def test_a_token_that_does_not_open_is_said_to_be_so(page: Page, address: str) -> None:
    await page.open(address)
    await page.until(f"{RUN} !== null")
    await enter(page, "crm_wrong")
    await page.until(f"{STATUS}.startsWith('This token is unknown, expired or revoked.')")
