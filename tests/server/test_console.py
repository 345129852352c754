"""The console's page needs nothing but files of this package. A browser proves that too: tests/browser."""

import hashlib
import re
from collections.abc import AsyncIterator
from html.parser import HTMLParser

import httpx2
import pytest
from starlette.applications import Starlette

from crm_framework.server.console import FILES
from crm_framework.server.routes import middleware, routes

VENDOR = FILES / "vendor"


@pytest.fixture
async def http() -> AsyncIterator[httpx2.AsyncClient]:
    transport = httpx2.ASGITransport(app=Starlette(routes=routes(), middleware=middleware()))
    async with httpx2.AsyncClient(transport=transport, base_url="http://crm") as client:
        yield client


class References(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.found: list[str] = []
        self.inline: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.found += [value or "" for name, value in attrs if name in ("src", "href")]
        self.inline += [name for name, _ in attrs if name.startswith("on") or name == "style"]
        if tag == "style" or (tag == "script" and "src" not in dict(attrs)):
            self.inline.append(tag)


def references() -> References:
    parser = References()
    parser.feed((FILES / "console.html").read_text())
    return parser


async def test_a_browser_gets_the_page_without_a_token(http: httpx2.AsyncClient) -> None:
    response = await http.get("/graphql", headers={"Accept": "text/html,*/*;q=0.8"})
    assert response.status_code == 200
    assert response.headers["content-type"] == "text/html; charset=utf-8"
    assert response.headers["x-content-type-options"] == "nosniff"
    policy = response.headers["content-security-policy"].split("; ")
    assert "default-src 'none'" in policy
    assert "script-src 'self'" in policy
    assert "connect-src 'self'" in policy
    assert "frame-ancestors 'none'" in policy


async def test_all_that_the_page_refers_to_is_served(http: httpx2.AsyncClient) -> None:
    found = [reference for reference in references().found if reference != "data:,"]
    assert len(found) == 6
    for reference in found:
        response = await http.get(f"/{reference}")
        assert response.status_code == 200
        assert response.headers["content-type"].split(";")[0] in ("text/css", "text/javascript")


def test_the_page_has_no_inline_script_and_no_address_of_others() -> None:
    assert references().inline == []
    assert all(reference.startswith("graphql/static/") for reference in references().found[1:])


def test_no_file_loads_anything_from_elsewhere() -> None:
    for file in sorted(VENDOR.glob("*.js")):
        text = file.read_text()
        assert "importScripts" not in text
        assert re.search(r"\bnew (Shared)?Worker\(", text) is None
        assert re.search(r"""\bimport\(\s*["'`]https?:""", text) is None
        assert re.search(r"""\b(fetch|open)\(\s*["'`]https?:""", text) is None
    for file in (VENDOR / "graphiql.min.css", FILES / "console.css"):
        text = file.read_text()
        assert re.findall(r"url\((?![\"']?data:)", text) == []
        assert "@import" not in text


def test_vendored_files_are_as_they_were_published() -> None:
    lines = (VENDOR / "SHA256SUMS").read_text().splitlines()
    sums = {name: digest for digest, _, name in (line.partition("  ") for line in lines)}
    present = {file.name for file in VENDOR.iterdir()}
    assert present == {*sums, "SHA256SUMS", "LICENSES.txt"}
    for name, digest in sums.items():
        assert hashlib.sha256((VENDOR / name).read_bytes()).hexdigest() == digest


def test_vendored_files_come_with_their_licences() -> None:
    text = (VENDOR / "LICENSES.txt").read_text()
    for name in ("graphiql 4.1.2", "graphql 16.11.0", "react 18.3.1", "react-dom 18.3.1", "codemirror 5."):
        assert name in text
    assert text.count("MIT License") > 5


@pytest.mark.parametrize("path", ["console.py", "../console.py", "vendor/../../console.py", "vendor/"])
async def test_only_the_pages_files_are_served(http: httpx2.AsyncClient, path: str) -> None:
    assert (await http.get(f"/graphql/static/{path}")).status_code == 404
