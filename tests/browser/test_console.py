"""The console as a person uses it: opened in a browser that reaches nothing but this server."""

import json

import pytest

from crm_framework.testing.client import CrmClient
from tests.browser.chromium import Page
from tests.browser.conftest import Serve

SHOWN = "document.querySelector('.result-window .CodeMirror')?.CodeMirror.getValue()"
EDITOR = "document.querySelector('.graphiql-query-editor .CodeMirror').CodeMirror"
RUN = "document.querySelector('.graphiql-execute-button')"
STATUS = "document.getElementById('status').textContent"


@pytest.fixture
async def address(client: CrmClient, serve: Serve) -> str:
    return f"{serve(client.service)}/graphql"


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
