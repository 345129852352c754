"""Versions of policies and calendars, read and made ready. They never change, so each is read once a
process.
"""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Protocol

from crm_framework import among
from crm_ticketing.calendars.calendar import of_rules

from .rules import PolicyVersion, rules_of

MOST_KEPT = 4096
_kept: dict[str, PolicyVersion] = {}


class Fetching(Protocol):
    """What reads, inside a transaction or outside: a UnitOfWork or a Reader."""

    @property
    def dialect(self) -> Any: ...

    async def fetch(self, sql: str, args: Sequence[object] = ()) -> list[dict[str, Any]]: ...


async def versions_of(reading: Fetching, keys: Iterable[str]) -> Mapping[str, PolicyVersion]:
    """The versions of these keys, in one statement, and in none where all are known."""
    wanted = list(dict.fromkeys(keys))
    missing = [key for key in wanted if key not in _kept]
    if missing:
        if len(_kept) + len(missing) > MOST_KEPT:
            _kept.clear()
            missing = wanted
        where = among("v.id", missing, reading.dialect)
        rows = await reading.fetch(
            "SELECT v.id, v.rules, c.rules AS calendar FROM ticketing_policy_version v"
            f" JOIN ticketing_calendar_version c ON c.id = v.calendar_version_id WHERE {where.sql}",
            where.args,
        )
        for row in rows:
            _kept[str(row["id"])] = version_of(str(row["id"]), row["rules"], row["calendar"])
    return {key: _kept[key] for key in wanted}


def version_of(key: str, rules: str, calendar: str) -> PolicyVersion:
    """A version as it is stored, made ready."""
    return PolicyVersion(key, rules_of(rules), of_rules(calendar))
