"""The timeline: a customer's interactions and what plugins add, in one order, page by page, newest first.

The order is by time, then entries of plugins before interactions, then plugin and id: nothing is shown twice
or left out where several things happened at one instant. Works for many customers at once: one statement for
the interactions, and one call of the plugins.
"""

import base64
import binascii
from collections import defaultdict
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from heapq import merge
from itertools import islice
from typing import Any, Protocol

import orjson

from crm_framework.domain.contacts.decisions import Reader
from crm_framework.domain.rows import time_of, time_text
from crm_framework.domain.values.moments import moment
from crm_framework.errors import CrmError, ErrorCode
from crm_framework.hooks.specs import TimelineEntry
from crm_framework.storage.ids import is_key

MOST = 1000
"""Entries of one page, at most."""

FINEST = timedelta(microseconds=1)

_SHOWN = ("channel", "direction", "outcome", "sentiment", "total_minor", "currency", "staff_id")


@dataclass(frozen=True, kw_only=True)
class TimelineFilter:
    """Which entries. Those of plugins have no channel. `since` is included, `until` is not."""

    kinds: Collection[str] | None = None
    channels: Collection[str] | None = None
    since: datetime | None = None
    until: datetime | None = None


@dataclass(frozen=True, kw_only=True)
class TimelineItem:
    """An interaction (`plugin` is empty, `id` is its key) or an entry of a plugin."""

    id: str
    customer_id: str
    at: datetime
    kind: str
    title: str
    detail: Mapping[str, Any]
    plugin: str
    cursor: str


@dataclass(frozen=True, kw_only=True)
class TimelinePage:
    items: tuple[TimelineItem, ...]
    has_next: bool


@dataclass(frozen=True, kw_only=True)
class Timelines:
    """A page for every customer asked for; `failures` names plugins whose entries are missing, and why."""

    pages: Mapping[str, TimelinePage]
    failures: Mapping[str, str]


class PluginEntries(Protocol):
    """What `PluginHost.timeline` answers."""

    @property
    def entries(self) -> Sequence[TimelineEntry]: ...
    @property
    def failures(self) -> Mapping[str, str]: ...


class TimelinePlugins(Protocol):
    """The part of the host that is used here."""

    async def timeline(
        self,
        customer_ids: Sequence[str],
        before: datetime | None,
        limit: int,
        kinds: Sequence[str] | None,
        reader: Any,
    ) -> PluginEntries: ...


@dataclass(frozen=True, order=True)
class _Place:
    """Where an entry stands; the greatest comes first."""

    at: datetime
    plugin: str
    id: str


async def timelines(
    reader: Reader,
    customer_ids: Sequence[str],
    *,
    plugins: TimelinePlugins | None = None,
    first: int = 50,
    after: str | None = None,
    filter: TimelineFilter = TimelineFilter(),
) -> Timelines:
    """The next `first` entries after the cursor `after`, for each customer. BAD_INPUT for a cursor of another
    list, or more entries than 1,000."""
    if not 0 <= first <= MOST:
        raise CrmError(
            ErrorCode.BAD_INPUT,
            f"first must lie between 0 and {MOST}, not {first}.",
            path=("first",),
            hint="Ask for one page after the other.",
        )
    for name, limit in (("since", filter.since), ("until", filter.until)):
        if limit is not None:
            moment(limit, path=("filter", name))
    place, alike = (None, 0) if after is None else _opened(after)
    keys = list(dict.fromkeys(customer_ids))
    found: dict[str, list[list[tuple[_Place, Mapping[str, Any]]]]] = {key: [] for key in keys}
    for key, own in (await _interactions(reader, keys, first + 1, place, filter)).items():
        found[key].append(own)
    failures: Mapping[str, str] = {}
    if plugins is not None and filter.channels is None:
        entries, failures = await _entries(plugins, reader, keys, first + 1, place, alike, filter)
        for key, lists in entries.items():
            found[key] += lists
    pages = {}
    for key, lists in found.items():
        listed = list(islice(merge(*lists, key=_newest_first, reverse=True), first + 1))
        pages[key] = TimelinePage(
            items=_items(key, listed[:first], place, alike), has_next=len(listed) > first
        )
    return Timelines(pages=pages, failures=failures)


def _newest_first(entry: tuple[_Place, Mapping[str, Any]]) -> _Place:
    return entry[0]


async def _interactions(
    reader: Reader, keys: Sequence[str], limit: int, place: _Place | None, filter: TimelineFilter
) -> dict[str, list[tuple[_Place, Mapping[str, Any]]]]:
    """The next interactions of each customer, by the index of customer and time."""
    conditions: list[str] = []
    args: list[object] = []
    if place is not None:
        if place.plugin:  # entries of plugins come before the interactions of their instant
            conditions.append("occurred_at <= ?")
            args.append(place.at)
        else:
            conditions.append("(occurred_at, id) < (?, ?)")
            args += [place.at, place.id]
    for condition, limit_at in (("occurred_at >= ?", filter.since), ("occurred_at < ?", filter.until)):
        if limit_at is not None:
            conditions.append(condition)
            args.append(limit_at)
    for column, chosen in (("kind", filter.kinds), ("channel", filter.channels)):
        if chosen is not None:
            conditions.append(f"{column} IN ({', '.join('?' * len(chosen))})" if chosen else "1 = 0")
            args += sorted(chosen)
    where = "".join(f" AND {condition}" for condition in conditions)
    page = f"{where} ORDER BY occurred_at DESC, id DESC LIMIT {limit}"
    shown = ", ".join(
        f"p.{name}" for name in ("id", "customer_id", "kind", "occurred_at", "subject", *_SHOWN)
    )
    order = "ORDER BY p.occurred_at DESC, p.id DESC"
    valid = [key for key in keys if is_key(key)]
    if reader.dialect == "sqlite":
        sql = (
            f"SELECT {shown} FROM json_each(?) c CROSS JOIN crm_interaction p ON p.id IN"
            f" (SELECT id FROM crm_interaction WHERE customer_id = c.value{page}) {order}"
        )
        rows = await reader.fetch(sql, [orjson.dumps(valid).decode(), *args])
    else:
        sql = (
            f"SELECT {shown} FROM unnest(CAST(CAST(? AS text[]) AS uuid[])) c (customer) CROSS JOIN LATERAL"
            f" (SELECT * FROM crm_interaction WHERE customer_id = c.customer{page}) p {order}"
        )
        rows = await reader.fetch(sql, [valid, *args])
    found: dict[str, list[tuple[_Place, Mapping[str, Any]]]] = defaultdict(list)
    for row in rows:
        at = time_of(row["occurred_at"])
        assert at is not None
        detail = {name: row[name] for name in _SHOWN if row[name] is not None}
        entry = {"kind": row["kind"], "title": row["subject"] or row["kind"], "detail": detail}
        found[str(row["customer_id"])].append((_Place(at, "", str(row["id"])), entry))
    return found


async def _entries(
    plugins: TimelinePlugins,
    reader: Reader,
    keys: Sequence[str],
    wanted: int,
    place: _Place | None,
    alike: int,
    filter: TimelineFilter,
) -> tuple[dict[str, list[list[tuple[_Place, Mapping[str, Any]]]]], Mapping[str, str]]:
    """The next entries of plugins, by customer, a list for each plugin.

    Plugins answer with what is at or before an instant, so what was shown of that instant comes again and is
    left out here: `alike` entries are asked for in addition. Should that not do, more are asked for.
    """
    before = place.at if place is not None else None
    if filter.until is not None and (before is None or filter.until <= before):
        before = filter.until - FINEST
    kinds = None if filter.kinds is None else sorted(filter.kinds)
    limit = wanted + alike
    while True:
        answer = await plugins.timeline(keys, before, limit, kinds, reader)
        given: dict[tuple[str, str], int] = defaultdict(int)
        kept: dict[tuple[str, str], list[tuple[_Place, Mapping[str, Any]]]] = defaultdict(list)
        ended: set[tuple[str, str]] = set()
        for entry in answer.entries:
            of = (entry.customer_id, entry.plugin)
            given[of] += 1
            if filter.since is not None and entry.at < filter.since:
                ended.add(of)
            elif _wanted(entry, place, before, kinds):
                shown = {"kind": entry.kind, "title": entry.title, "detail": entry.detail}
                kept[of].append((_Place(entry.at, entry.plugin, entry.id), shown))
        short = [
            of for of, count in given.items() if count == limit and len(kept[of]) < wanted and of not in ended
        ]
        if not short:
            break
        limit *= 4
    lists: dict[str, list[list[tuple[_Place, Mapping[str, Any]]]]] = defaultdict(list)
    for (customer, _), entries in kept.items():
        lists[customer].append(sorted(entries, key=_newest_first, reverse=True))
    return lists, answer.failures


def _wanted(
    entry: TimelineEntry, place: _Place | None, before: datetime | None, kinds: Collection[str] | None
) -> bool:
    if kinds is not None and entry.kind not in kinds:
        return False
    if before is not None and entry.at > before:
        return False
    return place is None or _Place(entry.at, entry.plugin, entry.id) < place


def _items(
    customer: str,
    listed: Sequence[tuple[_Place, Mapping[str, Any]]],
    place: _Place | None,
    alike: int,
) -> tuple[TimelineItem, ...]:
    items = []
    last = place.at if place is not None else None
    for at, entry in listed:
        alike = alike + 1 if at.at == last else 1
        last = at.at
        items.append(
            TimelineItem(
                **entry,
                id=at.id,
                customer_id=customer,
                at=at.at,
                plugin=at.plugin,
                cursor=_cursor(at, alike),
            )
        )
    return tuple(items)


def _cursor(place: _Place, alike: int) -> str:
    """`alike` is how many entries of that instant have been shown."""
    values = ["timeline", time_text(place.at), place.plugin, place.id, alike]
    return base64.urlsafe_b64encode(orjson.dumps(values)).decode()


def _opened(cursor: str) -> tuple[_Place, int]:
    try:
        list_, at, plugin, key, alike = orjson.loads(base64.b64decode(cursor, altchars=b"-_", validate=True))
        place = _Place(moment(datetime.fromisoformat(at)), plugin, key)
        if list_ != "timeline" or not (isinstance(plugin, str) and isinstance(key, str)):
            raise ValueError(cursor)
        if not plugin and not is_key(key):
            raise ValueError(cursor)
        return place, min(max(int(alike), 0), MOST)
    except (ValueError, TypeError, binascii.Error, CrmError):
        raise CrmError(
            ErrorCode.BAD_INPUT,
            "The cursor does not belong to a timeline.",
            path=("after",),
            hint="Pass an endCursor of the same list, unchanged.",
        ) from None
