"""The report of the plugin analytics in a browser that reaches nothing at all."""

import asyncio
import hashlib
import random
from collections.abc import AsyncIterator
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import pytest
from crm_analytics.report.page import VENDOR, Figure, Picture, Table
from crm_analytics.report.page import page as page_of

from crm_framework import NewCustomer, NewLine, NewPurchase, create_customer, record_purchase
from crm_framework.testing import deliver_events
from crm_framework.testing.apps import OpenClient
from tests.browser.chromium import Page, browser_page, find_browser

PLACES = "document.querySelectorAll('.picture').length"
DRAWN = "document.querySelectorAll('.picture svg.marks').length"
FAILED = "document.querySelectorAll('[data-failed]').length"


@pytest.fixture
def database_kind() -> str:
    """One kind is enough: the page does not know of databases."""
    return "sqlite"


@pytest.fixture
async def page(tmp_path: Path) -> AsyncIterator[Page]:
    program = find_browser()
    assert program, "There is no Chromium on this machine: install one, or name it in CRM_TEST_CHROMIUM."
    async with browser_page(program, tmp_path / "profile") as opened:
        yield opened


async def test_all_pictures_are_drawn_without_a_network(
    page: Page, open_client: OpenClient, tmp_path: Path
) -> None:
    """From purchases to what a person sees: `crm analytics fit`, `baskets` and `report`, then the browser."""
    client = await open_client("analytics")
    chance = random.Random(1)
    async with client.service.database.unit_of_work() as tx:
        for number in range(60):
            key = (await create_customer(tx, NewCustomer(name=f"Customer {number}"))).id
            day = date(2024, 1, 1) + timedelta(days=chance.randrange(200))
            for _ in range(chance.randrange(1, 8)):
                new = NewPurchase(
                    customer_id=key,
                    currency="EUR",
                    lines=tuple(NewLine(sku=sku, amount_minor=chance.randrange(100, 900)) for sku in "ab"),
                    occurred_at=datetime(day.year, day.month, day.day, 12, tzinfo=UTC),
                )
                await record_purchase(tx, new)
                day += timedelta(days=chance.randrange(1, 60))
    await deliver_events(client)
    file = tmp_path / "report.html"
    await client.command("analytics", "fit", "--through", "2025-06-30")
    await client.command("analytics", "baskets")
    await client.command("analytics", "report", "--html", str(file), "--title", "Tea & <Co>")

    await page.open(file.as_uri())
    await page.until(f"document.readyState === 'complete' && {PLACES} > 0 && {DRAWN} === {PLACES}")
    assert await page.value(f"{FAILED} + 0") == 0
    assert await page.value("document.querySelector('h1').textContent") == "Tea & <Co>"
    titles = await page.value("[...document.querySelectorAll('h2')].map(each => each.textContent)")
    assert "Back-test of the predictions, EUR" in titles
    assert "Who still buys, EUR" in titles
    assert page.problems == []
    assert [url for url in page.requests if not url.startswith(("file:", "data:"))] == []


async def test_what_is_written_on_it_cannot_run(page: Page, tmp_path: Path) -> None:
    evil = '</script><script>document.title = "taken"</script><img src=x onerror="document.title=1">'
    spec = {
        "$schema": "https://vega.github.io/schema/vega-lite/v5.json",
        "data": {"values": [{"label": evil, "value": 1}]},
        "mark": "bar",
        "encoding": {"y": {"field": "label"}, "x": {"field": "value", "type": "quantitative"}},
    }
    text = page_of(
        evil,
        datetime(2024, 1, 1, tzinfo=UTC),
        [Figure(evil, evil, evil)],
        [Picture(evil, evil, spec), Picture(evil, evil, None), Table(evil, evil, [evil], [[evil]])],
    )
    file = tmp_path / "evil.html"
    await asyncio.to_thread(file.write_text, text)
    await page.open(file.as_uri())
    await page.until(f"document.readyState === 'complete' && {DRAWN} === 1")
    assert await page.value("document.title") == evil
    assert await page.value("document.querySelectorAll('img').length") == 0


def test_the_vendored_files_are_those_that_were_published() -> None:
    for line in (VENDOR / "SHA256SUMS").read_text().splitlines():
        expected, name = line.split()
        assert hashlib.sha256((VENDOR / name).read_bytes()).hexdigest() == expected, name
