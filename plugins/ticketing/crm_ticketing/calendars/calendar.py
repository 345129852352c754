"""Working time as arithmetic: what is left between two moments, and when so much of it will have passed.

All moments and amounts are whole microseconds, moments since 1970 in UTC, so that sums are exact. Windows of
working time are found a UTC day at a time and kept, some days in a row together with their running sum: a
distance of years costs hardly more than one of hours.
"""

from bisect import bisect_left, bisect_right
from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta
from functools import lru_cache

from . import public
from .rules import CalendarRules, zone_of

SECOND = 1_000_000
DAY = 86_400
BLOCK = 128
"""Days whose windows are found together."""
MOST_BLOCKS = 150
"""How many blocks are looked through for working time: some 52 years."""
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_EPOCH_ORDINAL = date(1970, 1, 1).toordinal()
_LAST_DAY = date(9998, 12, 31).toordinal() - _EPOCH_ORDINAL
_FIRST_DAY = date(2, 1, 1).toordinal() - _EPOCH_ORDINAL
_MICROSECOND = timedelta(microseconds=1)
Window = tuple[int, int]


def micros(moment: datetime) -> int:
    """The moment in microseconds since 1970."""
    return (moment - _EPOCH) // _MICROSECOND


def moment_of(value: int) -> datetime:
    """The moment of so many microseconds since 1970."""
    return _EPOCH + timedelta(microseconds=value)


class _Block:
    """Windows of some days in a row; `before` is the working time of the block before each of them."""

    __slots__ = ("before", "ends", "starts", "total")

    def __init__(self, windows: list[Window]) -> None:
        self.starts = [start for start, _ in windows]
        self.ends = [end for _, end in windows]
        self.before: list[int] = []
        total = 0
        for start, end in windows:
            self.before.append(total)
            total += end - start
        self.total = total

    def worked(self, moment: int) -> int:
        """Working time of the block up to a moment."""
        place = bisect_right(self.starts, moment) - 1
        if place < 0:
            return 0
        end = self.ends[place]
        return self.before[place] + (moment if moment < end else end) - self.starts[place]


class Calendar:
    """A calendar's rules, made ready to reckon with. What was found once is kept."""

    def __init__(self, rules: CalendarRules) -> None:
        self.rules = rules
        self._zone = zone_of(rules)
        self._week = [_on_one_day(rules, weekday) for weekday in range(7)]
        self._own = {one.day.toordinal() for one in rules.holidays if not one.every_year}
        self._yearly = {(one.day.month, one.day.day) for one in rules.holidays if one.every_year}
        self._public = {day.toordinal() for day in rules.public}
        self._closures = [
            (micros(one.start) // SECOND, -(-micros(one.end) // SECOND)) for one in rules.closures
        ]
        self._offsets: dict[int, int] = {}
        self._blocks: dict[int, _Block] = {}

    def between(self, start: int, end: int) -> int:
        """Working time from one moment to another; 0 if the other is not later."""
        if end <= start:
            return 0
        size = BLOCK * DAY * SECOND
        first, last = start // size, end // size
        block = self._blocks.get(first) or self._block(first)
        if first == last:
            return block.worked(end) - block.worked(start)
        found = block.total - block.worked(start)
        for number in range(first + 1, last):
            found += (self._blocks.get(number) or self._block(number)).total
        return found + (self._blocks.get(last) or self._block(last)).worked(end)

    def add(self, start: int, amount: int) -> int | None:
        """The first moment at which so much working time has passed; None if that is not within 50 years."""
        if amount <= 0:
            return start
        number = start // (BLOCK * DAY * SECOND)
        block = self._blocks.get(number) or self._block(number)
        wanted = block.worked(start) + amount
        last = number + MOST_BLOCKS
        while wanted > block.total:
            wanted -= block.total
            number += 1
            if number > last:
                return None
            block = self._blocks.get(number) or self._block(number)
        place = bisect_left(block.before, wanted) - 1
        return block.starts[place] + wanted - block.before[place]

    def is_open(self, moment: int) -> bool:
        """Whether there is work at a moment."""
        return self.between(moment, moment + 1) > 0

    def openings(self, start: int, number: int) -> list[tuple[int, int | None]]:
        """The next intervals of working time, at most so many; the end of one that goes on for years is None.

        The first begins at `start` if there is work then. Intervals that touch are one.
        """
        found: list[tuple[int, int | None]] = []
        for begins, ends in self._merged(start):
            found.append((max(begins, start), ends))
            if len(found) == number or ends is None:
                break
        return found

    def _merged(self, start: int) -> Iterator[tuple[int, int | None]]:
        first = start // (BLOCK * DAY * SECOND)
        open_: Window | None = None
        for number in range(first, first + MOST_BLOCKS):
            block = self._blocks.get(number) or self._block(number)
            for begins, ends in zip(block.starts, block.ends, strict=True):
                if ends <= start:
                    continue
                if open_ is not None and open_[1] == begins:
                    open_ = (open_[0], ends)
                    if ends - open_[0] > 3 * 366 * DAY * SECOND:
                        yield open_[0], None
                        return
                else:
                    if open_ is not None:
                        yield open_
                    open_ = (begins, ends)
        if open_ is not None:
            yield open_

    def _block(self, number: int) -> _Block:
        windows: list[Window] = []
        for day in range(number * BLOCK, (number + 1) * BLOCK):
            if not _FIRST_DAY < day < _LAST_DAY:
                continue
            for start, end in self._windows(day):
                if windows and windows[-1][1] == start:
                    windows[-1] = (windows[-1][0], end)
                else:
                    windows.append((start, end))
        made = _Block([(start * SECOND, end * SECOND) for start, end in windows])
        self._blocks[number] = made
        return made

    def _windows(self, day: int) -> list[Window]:
        """Working time of a UTC day, in seconds: on each stretch of one offset, what the wall shows."""
        found: list[Window] = []
        for start, end, offset in self._stretches(day):
            first, last = start + offset, end + offset
            for local in range(first // DAY, (last - 1) // DAY + 1):
                midnight = local * DAY
                for begins, ends in self._of_local_day(local):
                    begins = max(first, midnight + begins) - offset
                    ends = min(last, midnight + ends) - offset
                    if begins >= ends:
                        continue
                    if found and found[-1][1] == begins:
                        found[-1] = (found[-1][0], ends)
                    else:
                        found.append((begins, ends))
        for closure in self._closures:
            if closure[0] < (day + 1) * DAY and closure[1] > day * DAY:
                found = _without(found, closure)
        return found

    def _of_local_day(self, local: int) -> list[Window]:
        windows = self._week[(local + 3) % 7]  # 1970 began on a Thursday
        return [] if windows and self._is_holiday(local + _EPOCH_ORDINAL) else windows

    def _is_holiday(self, ordinal: int) -> bool:
        if ordinal in self._own or ordinal in self._public:
            return True
        rules = self.rules
        if not self._yearly and rules.country is None:
            return False
        day = date.fromordinal(ordinal)
        if (day.month, day.day) in self._yearly:
            return True
        if rules.country is None or rules.public_years is None:
            return False
        first, last = rules.public_years
        return not first <= day.year <= last and day in public.of_year(
            rules.country, rules.subdivision, day.year
        )

    def _stretches(self, day: int) -> list[tuple[int, int, int]]:
        """The UTC day, cut where the offset of the zone changes."""
        start, end = day * DAY, (day + 1) * DAY
        offset, next_ = self._offset_of_day(day), self._offset_of_day(day + 1)
        if offset == next_:
            return [(start, end, offset)]
        low, high = start, end
        while high - low > 1:
            middle = (low + high) // 2
            if self._offset(middle) == offset:
                low = middle
            else:
                high = middle
        return [(start, high, offset), (high, end, next_)]

    def _offset_of_day(self, day: int) -> int:
        found = self._offsets.get(day)
        if found is None:
            found = self._offsets[day] = self._offset(day * DAY)
        return found

    def _offset(self, second: int) -> int:
        offset = (_EPOCH + timedelta(seconds=second)).astimezone(self._zone).utcoffset()
        assert offset is not None  # an aware moment has one
        return offset // timedelta(seconds=1)


def _on_one_day(rules: CalendarRules, weekday: int) -> list[Window]:
    """The working time of a weekday in seconds since its midnight, the night before included."""
    if rules.always:
        return [(0, DAY)]
    shifts = [(one.start, min(one.end, 1440)) for one in rules.week[weekday]]
    shifts += [(0, one.end - 1440) for one in rules.week[weekday - 1] if one.end > 1440]
    found: list[Window] = []
    for start, end in sorted(shifts):
        if found and start * 60 <= found[-1][1]:
            found[-1] = (found[-1][0], max(found[-1][1], end * 60))
        else:
            found.append((start * 60, end * 60))
    return found


def _without(windows: list[Window], closure: Window) -> list[Window]:
    found = []
    for start, end in windows:
        if start < closure[0]:
            found.append((start, min(end, closure[0])))
        if end > closure[1]:
            found.append((max(start, closure[1]), end))
    return [(start, end) for start, end in found if start < end]


@lru_cache(maxsize=1024)
def of_rules(kept: str) -> Calendar:
    """The calendar of rules as they are stored: a JSON text, which never changes for one version."""
    import json

    from .rules import of_json

    return Calendar(of_json(json.loads(kept)))
