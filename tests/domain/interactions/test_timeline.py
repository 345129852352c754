from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from crm_framework.domain.interactions.timeline import TimelineFilter, TimelinePage, timelines
from crm_framework.errors import CrmError, ErrorCode
from crm_framework.hooks.specs import TimelineEntry
from crm_framework.storage.database import Database
from crm_framework.storage.ids import new_id

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)
HOUR = timedelta(hours=1)


@dataclass(frozen=True)
class Answer:
    entries: Sequence[TimelineEntry]
    failures: Mapping[str, str] = field(default_factory=dict)


@dataclass
class Plugins:
    """A host whose plugins hold these entries; it keeps to the contract of the hook."""

    held: list[TimelineEntry]
    heeds_kinds: bool = True
    calls: int = 0

    async def timeline(
        self,
        customer_ids: Sequence[str],
        before: datetime | None,
        limit: int,
        kinds: Sequence[str] | None,
        reader: Any,
    ) -> Answer:
        self.calls += 1
        entries = []
        for customer in customer_ids:
            for plugin in sorted({entry.plugin for entry in self.held}):
                own = [
                    entry
                    for entry in self.held
                    if entry.customer_id == customer
                    and entry.plugin == plugin
                    and (before is None or entry.at <= before)
                    and (kinds is None or not self.heeds_kinds or entry.kind in kinds)
                ]
                entries += sorted(own, key=lambda entry: (entry.at, entry.id), reverse=True)[:limit]
        return Answer(entries, {"late": "The entries of the plugin late are missing: it failed."})


def entry(customer: str, at: datetime, plugin: str = "points", kind: str = "earned") -> TimelineEntry:
    return TimelineEntry(id=new_id(), customer_id=customer, at=at, kind=kind, title=plugin, plugin=plugin)


async def test_interactions_and_entries_in_one_order(database: Database, records: Any) -> None:
    customer = await records.customer()
    call = await records.interaction(customer, occurred_at=NOW - HOUR, subject="Offer", channel="phone")
    visit = await records.interaction(customer, kind="visit", occurred_at=NOW - 3 * HOUR)
    earned = entry(customer, NOW - 2 * HOUR)
    at_once = entry(customer, NOW - HOUR, plugin="tickets", kind="opened")
    answer = await timelines(database, [customer], plugins=Plugins([earned, at_once]))
    page = answer.pages[customer]
    assert [(item.id, item.plugin, item.at, item.kind, item.title, item.detail) for item in page.items] == [
        (at_once.id, "tickets", NOW - HOUR, "opened", "tickets", {}),
        (call, "", NOW - HOUR, "call", "Offer", {"channel": "phone"}),
        (earned.id, "points", NOW - 2 * HOUR, "earned", "points", {}),
        (visit, "", NOW - 3 * HOUR, "visit", "visit", {}),
    ]
    assert not page.has_next
    assert answer.failures == {"late": "The entries of the plugin late are missing: it failed."}


async def read(
    database: Database, customer: str, first: int, **options: Any
) -> tuple[list[str], list[TimelinePage]]:
    """All ids, page by page."""
    pages: list[TimelinePage] = []
    after = None
    while True:
        page = (await timelines(database, [customer], first=first, after=after, **options)).pages[customer]
        pages.append(page)
        if not page.has_next:
            return [item.id for page in pages for item in page.items], pages
        after = page.items[-1].cursor


@pytest.mark.parametrize("first", [1, 2, 3, 7, 40])
async def test_pages_join_without_a_gap_where_many_things_happened_at_one_instant(
    database: Database, records: Any, first: int
) -> None:
    customer = await records.customer()
    expected = []
    held = []
    for at in (NOW, NOW - HOUR):
        calls = [await records.interaction(customer, occurred_at=at) for _ in range(5)]
        opened = [entry(customer, at, plugin="tickets") for _ in range(4)]
        earned = [entry(customer, at, plugin="points") for _ in range(6)]
        held += opened + earned
        expected += sorted((e.id for e in opened), reverse=True)
        expected += sorted((e.id for e in earned), reverse=True)
        expected += sorted(calls, reverse=True)
    plugins = Plugins(held)
    listed, pages = await read(database, customer, first, plugins=plugins)
    assert listed == expected
    assert all(len(page.items) == first for page in pages[:-1])
    assert plugins.calls == len(pages)


async def test_filters_by_kind_channel_and_time(database: Database, records: Any) -> None:
    customer = await records.customer()
    call = await records.interaction(customer, occurred_at=NOW, channel="phone")
    mail = await records.interaction(customer, kind="email", occurred_at=NOW - HOUR, channel="email")
    old = await records.interaction(customer, kind="email", occurred_at=NOW - 9 * HOUR, channel="email")
    earned = entry(customer, NOW - 2 * HOUR)
    spent = entry(customer, NOW - 8 * HOUR, kind="spent")
    plugins = Plugins([earned, spent])

    async def ids(**filter: Any) -> list[str]:
        page = (await timelines(database, [customer], plugins=plugins, filter=TimelineFilter(**filter))).pages
        return [item.id for item in page[customer].items]

    assert await ids() == [call, mail, earned.id, spent.id, old]
    assert await ids(kinds=["email"]) == [mail, old]
    assert await ids(kinds=["earned", "call"]) == [call, earned.id]
    assert await ids(kinds=[]) == []
    assert await ids(channels=["email"]) == [mail, old]
    assert await ids(since=NOW - 8 * HOUR) == [call, mail, earned.id, spent.id]
    assert await ids(until=NOW - HOUR) == [earned.id, spent.id, old]
    assert await ids(since=NOW - 2 * HOUR, until=NOW) == [mail, earned.id]


async def test_a_plugin_that_ignores_the_kinds_cannot_hide_entries(database: Database, records: Any) -> None:
    customer = await records.customer()
    held = [entry(customer, NOW - n * HOUR, kind="spent" if n % 10 == 9 else "earned") for n in range(40)]
    expected = [e.id for e in held if e.kind == "spent"]
    plugins = Plugins(held, heeds_kinds=False)
    listed, _ = await read(database, customer, 3, plugins=plugins, filter=TimelineFilter(kinds=["spent"]))
    assert listed == expected


async def test_many_customers_take_one_statement(database: Database, records: Any) -> None:
    customers = [await records.customer(str(n)) for n in range(7)]
    expected = {}
    for n, customer in enumerate(customers):
        made = [await records.interaction(customer, occurred_at=NOW - hour * HOUR) for hour in range(n)]
        expected[customer] = made[:3]
    plugins = Plugins([])
    with database.counting() as statements:
        answer = await timelines(database, [*customers, customers[0], "nobody"], plugins=plugins, first=3)
    assert (len(statements), plugins.calls) == (1, 1)
    assert {
        customer: [item.id for item in answer.pages[customer].items] for customer in customers
    } == expected
    assert [answer.pages[customer].has_next for customer in customers] == [False] * 4 + [True] * 3
    assert answer.pages["nobody"] == TimelinePage(items=(), has_next=False)


@pytest.mark.parametrize("cursor", ["x", "", "W10=", "WyJjdXN0b21lcnMiLDEsMiwzLDRd", "é"])
async def test_a_cursor_of_another_list_is_refused(database: Database, cursor: str) -> None:
    with pytest.raises(CrmError) as refused:
        await timelines(database, [], after=cursor)
    assert (refused.value.code, refused.value.path) == (ErrorCode.BAD_INPUT, ("after",))


@pytest.mark.parametrize("first", [-1, 1001])
async def test_too_large_a_page_is_refused(database: Database, first: int) -> None:
    with pytest.raises(CrmError) as refused:
        await timelines(database, [], first=first)
    assert (refused.value.code, refused.value.path) == (ErrorCode.BAD_INPUT, ("first",))
