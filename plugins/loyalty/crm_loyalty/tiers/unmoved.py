"""Which accounts a few more points cannot lift: seen from sums, without reading all that counts.

Most purchases change no tier. What an account stands on is then known already; only who may rise, or lost
something, or learnt of the past, is judged from the whole history.
"""

import json
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

from crm_framework import UnitOfWork
from crm_loyalty.models import TierBasis, TierPeriod
from crm_loyalty.moments import add_months, year_start

if TYPE_CHECKING:
    from crm_loyalty.ledger.accounts import Account
    from crm_loyalty.ledger.entries import Entry

    from .standing import Ladder, Rungs

BEGINNING = datetime.fromisoformat("0001-01-02T00:00:00+00:00")


@dataclass(frozen=True)
class Window:
    """What may count together: from `start` on, and from `middle` on, each apart."""

    start: datetime
    middle: datetime


async def unmoved(
    tx: UnitOfWork,
    accounts: Sequence["Account"],
    entries: Sequence["Entry"],
    found: Mapping[str, "Ladder"],
) -> set[str]:
    """Keys of the accounts whose tier is the same after these entries. One statement."""
    by_account: dict[str, list[Entry]] = defaultdict(list)
    for entry in entries:
        if entry.qualifying_points or entry.qualifying_minor or entry.kind == "MERGED":
            by_account[entry.book_id].append(entry)
    windows = {
        account.id: window_of(found[account.program_id].now, [entry.at for entry in by_account[account.id]])
        for account in accounts
        if account.program_id in found
        and _only_adds(account, found[account.program_id].now, by_account[account.id])
    }
    if not windows:
        return set()
    sums = await _sums(tx, windows)
    same = set()
    for account in accounts:
        if account.id in windows:
            rungs = found[account.program_id].now
            points, minor = sums.get(account.id, ((0, 0), (0, 0)))
            amounts = points if rungs.basis is TierBasis.POINTS else minor
            if max(map(rungs.rules.earned, amounts)) <= rungs.level_of(account.tier_id):
                same.add(account.id)
    return same


def _only_adds(account: "Account", rungs: "Rungs", entries: Sequence["Entry"]) -> bool:
    """Whether the account was judged before, by the rules of today, nothing is due, and all is news that
    counts for it."""
    judged, review = account.tier_judged_at, account.tier_review_at
    return (
        judged is not None
        and (rungs.from_at is None or rungs.from_at <= judged)
        and (review is None or review > account.posted_at)
        and all(
            entry.qualifying_points >= 0
            and entry.qualifying_minor >= 0
            and entry.at > judged
            and entry.kind != "MERGED"
            for entry in entries
        )
    )


def window_of(rungs: "Rungs", moments: Sequence[datetime]) -> Window:
    """All that may count at any of these moments. More than that does no harm: then the rule decides."""
    first, last, zone = min(moments), max(moments), rungs.rules.zone
    if rungs.rules.period is TierPeriod.LIFETIME:
        return Window(BEGINNING, BEGINNING)
    if rungs.rules.period is TierPeriod.ROLLING_12_MONTHS:
        start = add_months(first, -12, zone) - timedelta(days=1)
        return Window(start, start)
    year = first.astimezone(zone).year
    middle = year_start(year, zone)
    if last.astimezone(zone).year != year:
        middle = year_start(year - 1, zone)
    return Window(year_start(year - 1, zone), middle)


async def _sums(
    tx: UnitOfWork, windows: Mapping[str, Window]
) -> dict[str, tuple[tuple[int, int], tuple[int, int]]]:
    """Points, and minor units of spend, of each account before the middle of its window and after it."""
    sides = ("e.qualifies_at < w.middle", "e.qualifies_at >= w.middle")
    columns = ", ".join(
        f"SUM(CASE WHEN {side} THEN e.{column} ELSE 0 END) AS {column}_{number}"
        for column in ("qualifying_points", "qualifying_minor")
        for number, side in enumerate(sides)
    )
    args: list[object]
    if tx.dialect == "sqlite":
        source = (
            "(SELECT json_extract(value, '$[0]') AS id, json_extract(value, '$[1]') AS start,"
            " json_extract(value, '$[2]') AS middle FROM json_each(?)) w"
        )
        args = [json.dumps([[key, _text(each.start), _text(each.middle)] for key, each in windows.items()])]
    else:
        source = (
            "unnest(CAST(? AS uuid[]), CAST(? AS timestamptz[]), CAST(? AS timestamptz[]))"
            " w (id, start, middle)"
        )
        args = [
            list(windows),
            [each.start for each in windows.values()],
            [each.middle for each in windows.values()],
        ]
    rows = await tx.fetch(
        f"SELECT w.id, {columns} FROM {source} JOIN loyalty_entry e ON e.account_id = w.id"
        " WHERE (e.qualifying_points <> 0 OR e.qualifying_minor <> 0) AND e.qualifies_at >= w.start"
        " GROUP BY w.id",
        args,
    )
    return {
        row["id"]: (
            (int(row["qualifying_points_0"]), int(row["qualifying_points_1"])),
            (int(row["qualifying_minor_0"]), int(row["qualifying_minor_1"])),
        )
        for row in rows
    }


def _text(moment: datetime) -> str:
    """As SQLite keeps it."""
    return moment.astimezone(UTC).isoformat(sep=" ", timespec="microseconds")
