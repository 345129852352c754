"""What clocks and calendars cost: `python -m benchmarks.ticketing`.

Times are processor time of this process, the best of several rounds. `benchmarks.ticketing_queue` has what a
million tickets cost.
"""

import time
from collections.abc import Callable
from datetime import UTC, datetime

from crm_ticketing.calendars.calendar import SECOND, Calendar, micros
from crm_ticketing.calendars.rules import CalendarRules, Shift, checked
from crm_ticketing.clocks.history import Happened
from crm_ticketing.clocks.rules import alarms, clocks
from crm_ticketing.policies.rules import ClockKind, PolicyRules, PolicyVersion
from rich.console import Console

HOUR = 3600 * SECOND
console = Console(width=160, highlight=False)
START = micros(datetime(2026, 3, 2, 9, tzinfo=UTC))


def best(work: Callable[[int], object], times: int) -> float:
    """Microseconds a call."""
    rounds = []
    for _ in range(7):
        begin = time.process_time()
        for number in range(times):
            work(number)
        rounds.append((time.process_time() - begin) / times * 1e6)
    return min(rounds)


def office() -> Calendar:
    split = (Shift(540, 750), Shift(780, 1080))
    week = (split,) * 5 + ((), ())
    rules = checked(CalendarRules("Europe/Berlin", week=week, country="DE"), datetime(2026, 1, 1, tzinfo=UTC))
    return Calendar(rules)


def history() -> list[Happened]:
    """Of 20 events."""
    found = [
        Happened(START, "CREATED", "NEW"),
        Happened(START, "POLICY", "v"),
        Happened(START, "MESSAGE", "CUSTOMER"),
    ]
    statuses = (
        "OPEN",
        "WAITING_ON_CUSTOMER",
        "OPEN",
        "ON_HOLD",
        "OPEN",
        "RESOLVED",
        "OPEN",
        "WAITING_ON_CUSTOMER",
        "OPEN",
    )
    for number, status in enumerate(statuses):
        at = START + (2 * number + 1) * HOUR
        found.append(Happened(at, "STATUS", status))
        if number != 3:
            found.append(Happened(at + 60 * SECOND, "MESSAGE", "STAFF" if number % 2 == 0 else "CUSTOMER"))
    assert len(found) == 20, len(found)
    return found


def figures() -> None:
    calendar = office()
    begin = time.process_time()
    year = calendar.between(START, START + 365 * 24 * HOUR)
    console.print(
        f"between, the first year of a calendar  {(time.process_time() - begin) * 1e6:10.1f} µs, then kept"
    )
    for name, work in (
        ("add 8 hours of work", lambda n: calendar.add(START + n, 8 * HOUR)),
        ("between, a day", lambda n: calendar.between(START + n, START + 24 * HOUR)),
        ("add a year of work", lambda n: calendar.add(START + n, year)),
        ("between, a year", lambda n: calendar.between(START + n, START + 365 * 24 * HOUR)),
    ):
        console.print(f"{name:38} {best(work, 20_000):10.1f} µs")
    rules = PolicyRules(dict.fromkeys(ClockKind, 16 * 3600))
    versions, past = {"v": PolicyVersion("v", rules, calendar)}, history()
    each = len(clocks(past, versions, START + 60 * HOUR))
    whole = best(lambda n: clocks(past, versions, START + 60 * HOUR + n), 2_000)
    console.print(
        f"{'a clock, of a ticket with 20 events':38} {whole / each:10.1f} µs ({each} clocks: {whole:.1f} µs)"
    )
    console.print(
        f"{'all alarms of that ticket':38} {best(lambda n: alarms(past, versions), 2_000):10.1f} µs"
    )


if __name__ == "__main__":
    figures()
