"""Moments of the calendar in which points begin to count, or cease to."""

from calendar import monthrange
from datetime import UTC, datetime
from zoneinfo import ZoneInfo

NEVER = datetime(9999, 12, 31, tzinfo=UTC)
"""When points expire that do not."""


def add_months(moment: datetime, months: int, zone: ZoneInfo) -> datetime:
    """So many months later by the wall clock of a zone, in UTC; `NEVER` beyond the calendar.

    Where the month has no such day it is its last: 31 January and a month is 28 or 29 February.
    """
    local = moment.astimezone(zone)
    year, month = divmod(local.year * 12 + local.month - 1 + months, 12)
    if not 1 < year < NEVER.year:
        return NEVER
    day = min(local.day, monthrange(year, month + 1)[1])
    return local.replace(year=year, month=month + 1, day=day).astimezone(UTC)


def month_of(moment: datetime, zone: ZoneInfo) -> tuple[int, int]:
    """Year and month by the wall clock of a zone."""
    local = moment.astimezone(zone)
    return local.year, local.month


def year_start(year: int, zone: ZoneInfo) -> datetime:
    """When a year begins in a zone, in UTC."""
    return datetime(year, 1, 1, tzinfo=zone).astimezone(UTC)
