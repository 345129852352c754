"""What each rule gave of an entry: kept with it, and in its digest."""

import hashlib
import json
from collections.abc import Iterable, Mapping, Sequence
from datetime import date, datetime
from typing import Any

from crm_framework import new_id

from .requests import Given

COLUMNS = (
    *("id", "account_id", "entry_id", "rule_id", "rule_version_id", "day", "points", "because"),
    "created_at",
)


def row(account_id: str, entry_id: str, given: Given, at: datetime) -> tuple[object, ...]:
    """A row of `COLUMNS`."""
    return (
        new_id(), account_id, entry_id, given.rule_id or None, given.version_id or None, given.day,
        given.points, _shown(given.because), at,
    )  # fmt: skip


def digest(shares: Iterable[Given]) -> str | None:
    """SHA-256 of them, in whatever order, in hexadecimal; None where there are none."""
    return _digest(
        [one.rule_id, one.version_id, one.day.isoformat(), one.points, _shown(one.because)] for one in shares
    )


def digest_of(rows: Sequence[Mapping[str, Any]]) -> str | None:
    """The same, of rows as they are kept."""
    return _digest(
        [row["rule_id"] or "", row["rule_version_id"] or "", _day(row["day"]), row["points"], row["because"]]
        for row in rows
    )


def _digest(said: Iterable[list[Any]]) -> str | None:
    every = sorted(json.dumps(each, separators=(",", ":")) for each in said)
    return hashlib.sha256("\n".join(every).encode()).hexdigest() if every else None


def _shown(because: str) -> str:
    return because[:500]


def _day(value: Any) -> str:
    return value.isoformat() if isinstance(value, date) else str(value)
