"""Cron expressions on the days when clocks are put, against an oracle that goes through every minute."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from crm_framework.errors import CrmError
from crm_framework.hooks.cron import check_cron, next_run

MINUTE = timedelta(minutes=1)
CHANGES = {
    "Europe/Berlin": [datetime(2025, 3, 30, tzinfo=UTC), datetime(2025, 10, 26, tzinfo=UTC)],
    "America/New_York": [datetime(2025, 3, 9, tzinfo=UTC), datetime(2025, 11, 2, tzinfo=UTC)],
    "Australia/Lord_Howe": [datetime(2025, 4, 5, tzinfo=UTC), datetime(2025, 10, 4, tzinfo=UTC)],  # by 30 min
    "Africa/Cairo": [datetime(2025, 4, 24, tzinfo=UTC), datetime(2025, 10, 30, tzinfo=UTC)],  # at midnight
}
"""Days around which clocks are put forward, and back."""


def wall(zone: str, start: datetime, days: int) -> Iterator[tuple[datetime, datetime]]:
    """Every minute, and what the clock on the wall shows then."""
    place = ZoneInfo(zone)
    for number in range(days * 24 * 60):
        moment = start + number * MINUTE
        yield moment, moment.astimezone(place).replace(tzinfo=None, fold=0)


def oracle(zone: str, hours: set[int], minutes: set[int], elapsed: bool, start: datetime) -> list[datetime]:
    """When the expression is due in the four days from `start` on.

    By elapsed time: every minute whose clock fits. As times of day: each once, at the first minute whose
    clock shows it or, that being skipped, more.
    """
    if elapsed:
        return [at for at, clock in wall(zone, start, 4) if clock.hour in hours and clock.minute in minutes]
    latest, due = datetime.min, set()
    for at, clock in wall(zone, start, 4):
        if clock <= latest:
            continue  # the clock shows for the second time what it has shown before
        passed = latest + MINUTE if latest != datetime.min else clock
        while passed <= clock:
            if passed.hour in hours and passed.minute in minutes:
                due.add(at)
            passed += MINUTE
        latest = clock
    return sorted(due)


def runs(cron: str, zone: str, start: datetime, end: datetime) -> list[datetime]:
    found, at = [], start - MINUTE
    while (at := next_run(cron, zone, at)) < end:
        found.append(at)
    return found


@settings(deadline=None, max_examples=40)
@given(
    zone=st.sampled_from(sorted(CHANGES)),
    change=st.sampled_from([0, 1]),
    hours=st.sets(st.integers(0, 4), min_size=1, max_size=3) | st.just(set(range(24))),
    minutes=st.sets(st.sampled_from([0, 1, 15, 29, 30, 31, 59]), min_size=1, max_size=3),
)
def test_every_run_is_due_once_on_the_days_of_change(
    zone: str, change: int, hours: set[int], minutes: set[int]
) -> None:
    elapsed = len(hours) == 24
    # cronsim goes by whole hours: where clocks go back by half of one, it may leave one of the two runs out
    assume(not (elapsed and zone == "Australia/Lord_Howe"))
    start = CHANGES[zone][change] - timedelta(days=1)
    fields = [",".join(map(str, sorted(minutes))), "*" if elapsed else ",".join(map(str, sorted(hours)))]
    expected = oracle(zone, hours, minutes, elapsed, start)
    assert runs(f"{fields[0]} {fields[1]} * * *", zone, start, start + timedelta(days=4)) == expected


@settings(deadline=None, max_examples=40)
@given(seconds=st.integers(0, 2 * 86_400))
def test_it_goes_on_from_any_moment_as_it_would_have(seconds: int) -> None:
    start = datetime(2025, 10, 25, 12, tzinfo=UTC)
    all_runs = runs("30 2 * * *", "Europe/Berlin", start, start + timedelta(days=4))
    after = start + timedelta(seconds=seconds, microseconds=1)
    assert next_run("30 2 * * *", "Europe/Berlin", after) == next(at for at in all_runs if at > after)


def test_a_time_that_is_skipped_comes_right_after_and_one_that_is_there_twice_comes_once() -> None:
    spring, autumn = datetime(2025, 3, 29, 12, tzinfo=UTC), datetime(2025, 10, 25, 12, tzinfo=UTC)
    day = timedelta(days=1)
    assert runs("30 2 * * *", "Europe/Berlin", spring, spring + day) == [datetime(2025, 3, 30, 1, tzinfo=UTC)]
    assert runs("30 2 * * *", "Europe/Berlin", autumn, autumn + day) == [
        datetime(2025, 10, 26, 0, 30, tzinfo=UTC)
    ]


@pytest.mark.parametrize(
    ("cron", "zone"),
    [
        ("", "UTC"),
        ("* * * *", "UTC"),
        ("0 * * * * *", "UTC"),
        ("60 * * * *", "UTC"),
        ("0 0 30 2 *", "UTC"),
        ("every day", "UTC"),
        ("@daily", "UTC"),
        ("0 0 * * *", "Europe/Atlantis"),
        ("0 0 * * *", "../etc/passwd"),
    ],
)
def test_what_never_comes_is_refused(cron: str, zone: str) -> None:
    with pytest.raises(CrmError) as refused:
        check_cron(cron, zone)
    assert refused.value.hint
