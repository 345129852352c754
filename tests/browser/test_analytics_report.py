"""The report of the plugin analytics in a browser that reaches nothing at all."""

import asyncio
import hashlib
import random
from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

from crm_analytics.report.page import VENDOR, Figure, Picture, Table
from crm_analytics.report.page import page as page_of

from crm_framework import NewCustomer, NewLine, NewPurchase, create_customer, record_purchase
from crm_framework.testing import CrmClient, deliver_events
from crm_framework.testing.apps import OpenClient
from tests.browser.chromium import Page

PLACES = "document.querySelectorAll('.picture').length"
DRAWN = "document.querySelectorAll('.picture svg.marks').length"
FAILED = "document.querySelectorAll('[data-failed]').length"


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

    await page.send("Emulation.setTimezoneOverride", timezoneId="America/New_York")
    await page.open(file.as_uri())
    await page.until(f"document.readyState === 'complete' && {PLACES} > 0 && {DRAWN} === {PLACES}")
    assert await page.value(f"{FAILED} + 0") == 0
    assert await page.value("document.querySelector('h1').textContent") == "Tea & <Co>"
    titles = await page.value("[...document.querySelectorAll('h2')].map(each => each.textContent)")
    assert "Back-test of the predictions, EUR" in titles
    assert "Who still buys, EUR" in titles
    assert page.problems == []
    assert [url for url in page.requests if not url.startswith(("file:", "data:"))] == []

    found = [*charts(await client.data(await asked_for_charts(client)))]
    await asyncio.to_thread(
        file.write_text,
        page_of("As they are", datetime(2024, 1, 1, tzinfo=UTC), [], [Picture("", "", one) for one in found]),
    )
    await page.open(file.as_uri())
    await page.until(f"document.readyState === 'complete' && {DRAWN} + {FAILED} === {len(found)}")
    assert (await page.value(f"{FAILED} + 0"), page.problems) == (0, [])
    # a month is the company's, wherever the browser is
    shown = await page.value("[...document.querySelectorAll('[aria-label]')].map(each => each.ariaLabel)")
    assert any(label.startswith("day: Jan 01, 2024; EUR: ") for label in shown), shown
    assert not any("Dec 31, 2023" in label for label in shown)


FIELD = "name args { name } type { name kind ofType { name kind ofType { name kind ofType { name kind } } } }"
ARGS = {
    "groupBy": "groupBy: {by: PERIOD, period: MONTH}",
    "currency": 'currency: "EUR"',
    "segments": "segments: [$segment]",
}


async def asked_for_charts(client: CrmClient) -> str:
    """A query of every chart that there is under `analytics`, by periods where a metric can be."""
    created = await client.data(
        'mutation { createSegment(input: {name: "all", filter: {}}) { segment { id } errors { message } } }'
    )
    fields = await _fields(client, "Analytics")
    parts = [
        f"{one['name']}{_args(one, created['createSegment']['segment']['id'])} {selection}"
        for one in fields
        if (selection := await _selection(client, one))
    ]
    assert len(parts) > 15
    return f'{{ analytics(window: {{first: "2024-01-01", last: "2025-06-30"}}) {{ {" ".join(parts)} }} }}'


async def _fields(client: CrmClient, kind: str) -> list[dict[str, Any]]:
    found = await client.data(f'{{ __type(name: "{kind}") {{ fields {{ {FIELD} }} }} }}')
    fields: list[dict[str, Any]] = (found["__type"] or {})["fields"] or []
    return fields


async def _selection(client: CrmClient, field: dict[str, Any]) -> str:
    kind = _innermost(field)
    if kind["kind"] != "OBJECT":
        return ""
    inner = await _fields(client, kind["name"])
    own = ["chart"] if any(one["name"] == "chart" for one in inner) else []
    nested = [one["name"] for one in inner if _innermost(one)["name"] == "Metric"]
    wanted = [*own, *(f"{name} {{ chart }}" for name in nested)]
    return f"{{ {' '.join(wanted)} }}" if wanted else ""


def _innermost(field: dict[str, Any]) -> dict[str, Any]:
    kind: dict[str, Any] = field["type"]
    while kind.get("ofType"):
        kind = kind["ofType"]
    return kind


def _args(field: dict[str, Any], segment: str) -> str:
    given = [
        ARGS[arg["name"]].replace("$segment", f'"{segment}"')
        for arg in field["args"]
        if arg["name"] in ARGS and field["name"] != "otherFigures"
    ]
    return f"({', '.join(given)})" if given else ""


def charts(found: Any) -> Iterator[Any]:
    for name, value in found.items() if isinstance(found, dict) else enumerate(found):
        if name == "chart":
            yield value
        elif isinstance(value, dict | list):
            yield from charts(value)


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
