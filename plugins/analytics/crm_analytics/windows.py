"""Days, periods and windows in the company's zone. Both ends of a window are days that belong to it."""

from calendar import monthrange
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from enum import Enum
from functools import cache
from zoneinfo import ZoneInfo


class Period(Enum):
    """Calendar periods; a week begins on Monday."""

    DAY = "DAY"
    WEEK = "WEEK"
    MONTH = "MONTH"
    QUARTER = "QUARTER"
    YEAR = "YEAR"

    def start(self, day: date) -> date:
        """The first day of the period in which the day lies."""
        match self:
            case Period.DAY:
                return day
            case Period.WEEK:
                return day - timedelta(days=day.weekday())
            case Period.MONTH:
                return day.replace(day=1)
            case Period.QUARTER:
                return date(day.year, (day.month - 1) // 3 * 3 + 1, 1)
            case Period.YEAR:
                return date(day.year, 1, 1)

    def next(self, start: date) -> date:
        """The first day of the period after the one that begins at `start`."""
        match self:
            case Period.DAY:
                return start + timedelta(days=1)
            case Period.WEEK:
                return start + timedelta(days=7)
            case Period.MONTH:
                return months_later(start, 1)
            case Period.QUARTER:
                return months_later(start, 3)
            case Period.YEAR:
                return months_later(start, 12)


@dataclass(frozen=True, order=True)
class Window:
    """Days from `first` to `last`."""

    first: date
    last: date

    @property
    def days(self) -> int:
        return (self.last - self.first).days + 1

    @property
    def end(self) -> date:
        """The day after it."""
        return self.last + timedelta(days=1)

    @property
    def whole_months(self) -> bool:
        """Whether it begins and ends with a month, so that sums of months answer for it."""
        return self.first.day == 1 and self.end.day == 1

    @property
    def previous(self) -> "Window":
        """As long, right before: as many months where it is of whole ones, else as many days."""
        last = self.first - timedelta(days=1)
        if self.whole_months:
            return Window(months_later(self.first, -months_between(self.first, self.end)), last)
        return Window(self.first - timedelta(days=self.days), last)

    def periods(self, period: Period) -> Iterator[date]:
        """The first days of the periods that it touches."""
        start = period.start(self.first)
        while start <= self.last:
            yield start
            start = period.next(start)

    def bounds(self, zone: str) -> tuple[datetime, datetime]:
        """The moments from which on and before which its days last, in UTC."""
        return midnight(self.first, zone), midnight(self.end, zone)


def month_of(day: date) -> date:
    return day.replace(day=1)


def place_of(month: date) -> int:
    """Which month it is of all that there are: consecutive ones are consecutive numbers."""
    return month.year * 12 + month.month - 1


def months_between(first: date, last: date) -> int:
    """How many months later the month of `last` is."""
    return (last.year - first.year) * 12 + last.month - first.month


def months_later(day: date, months: int) -> date:
    """The same day so many months later (or earlier), or the last one of a month that has no such day."""
    year, month = divmod(day.year * 12 + day.month - 1 + months, 12)
    return date(year, month + 1, min(day.day, monthrange(year, month + 1)[1]))


@cache
def zone_of(name: str) -> ZoneInfo:
    return ZoneInfo(name)


def day_in(moment: datetime, zone: str) -> date:
    """The day on the calendars of the zone."""
    return moment.astimezone(zone_of(zone)).date()


def midnight(day: date, zone: str) -> datetime:
    """The moment at which the day begins in the zone, in UTC. Where midnight is skipped, the first after
    it."""
    return datetime.combine(day, time(), zone_of(zone)).astimezone(UTC)
