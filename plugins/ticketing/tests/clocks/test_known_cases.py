"""Cases that other systems got wrong, each by its name."""

from datetime import UTC, datetime
from zoneinfo import ZoneInfo

import pytest
from crm_ticketing.calendars.calendar import SECOND, Calendar, micros, moment_of
from crm_ticketing.calendars.rules import CalendarRules, Shift
from crm_ticketing.clocks.history import Happened
from crm_ticketing.clocks.rules import Clock, alarms, clocks
from crm_ticketing.policies.rules import ClockKind, PolicyRules, PolicyVersion, Step, StepAction

HOUR = 3600 * SECOND
BERLIN = ZoneInfo("Europe/Berlin")
NINE_TO_SIX = (Shift(540, 1080),)
LUNCH = (Shift(540, 720), Shift(780, 1080))
REPLIES = {ClockKind.FIRST_RESPONSE: 2 * 3600, ClockKind.NEXT_RESPONSE: 2 * 3600}
RESOLUTION = {ClockKind.FIRST_RESOLUTION: 8 * 3600, ClockKind.TOTAL_RESOLUTION: 8 * 3600}


def local(zone: ZoneInfo, *when: int, fold: int = 0) -> int:
    return micros(datetime(*when, tzinfo=zone, fold=fold).astimezone(UTC))  # type: ignore[misc, arg-type]  # six at most


def berlin(*when: int, fold: int = 0) -> int:
    return local(BERLIN, *when, fold=fold)


def weekdays(shifts: tuple[Shift, ...], zone: str = "Europe/Berlin") -> Calendar:
    return Calendar(CalendarRules(zone, week=(shifts,) * 5 + ((), ())))


def every_day(shifts: tuple[Shift, ...], zone: str = "Europe/Berlin") -> Calendar:
    return Calendar(CalendarRules(zone, week=(shifts,) * 7))


OFFICE = weekdays(NINE_TO_SIX)
ALWAYS = Calendar(CalendarRules("UTC", always=True))


def promise(
    targets: dict[ClockKind, int], calendar: Calendar = OFFICE, key: str = "v", **more: tuple[object, ...]
) -> dict[str, PolicyVersion]:
    return {key: PolicyVersion(key, PolicyRules(targets, **more), calendar)}  # type: ignore[arg-type]  # as it takes them


def opened(at: int, *more: tuple[int, str, str | None], under: str = "v") -> list[Happened]:
    first = [(at, "CREATED", "NEW"), (at, "POLICY", under), (at, "MESSAGE", "CUSTOMER")]
    return [Happened(*one) for one in (*first, *more)]


def shown(
    history: list[Happened], versions: dict[str, PolicyVersion], as_of: int
) -> dict[tuple[str, int], Clock]:
    return {(clock.kind, clock.cycle): clock for clock in clocks(history, versions, as_of)}


def due(calendar: Calendar, start: int, hours: float) -> datetime:
    found = calendar.add(start, int(hours * HOUR))
    assert found is not None
    return moment_of(found)


def test_opened_on_sunday_is_due_on_monday_at_eleven() -> None:
    found = due(OFFICE, berlin(2026, 3, 1, 17), 2)
    assert found == datetime(2026, 3, 2, 11, tzinfo=BERLIN)


def test_lunch_breaks_do_not_count() -> None:
    assert due(weekdays(LUNCH), berlin(2026, 3, 2, 11, 30), 1) == datetime(2026, 3, 2, 13, 30, tzinfo=BERLIN)
    assert due(weekdays(LUNCH), berlin(2026, 3, 2, 12, 30), 5) == datetime(2026, 3, 2, 18, tzinfo=BERLIN)


def test_split_shifts() -> None:
    split = weekdays((Shift(360, 600), Shift(960, 1320)))
    assert due(split, berlin(2026, 3, 2, 9), 2) == datetime(2026, 3, 2, 17, tzinfo=BERLIN)
    assert split.between(berlin(2026, 3, 2, 0), berlin(2026, 3, 3, 0)) == 10 * HOUR


def test_night_shifts_belong_to_the_day_on_which_they_begin() -> None:
    night = weekdays((Shift(1320, 1800),))
    assert due(night, berlin(2026, 3, 6, 23), 4) == datetime(2026, 3, 7, 3, tzinfo=BERLIN)
    assert night.between(berlin(2026, 3, 7, 6), berlin(2026, 3, 9, 22)) == 0
    assert night.between(berlin(2026, 3, 2, 0), berlin(2026, 3, 2, 6)) == 0


def test_clocks_that_go_forward_skip_an_hour_of_work() -> None:
    nights = every_day((Shift(60, 240),))
    assert nights.between(berlin(2026, 3, 29, 0), berlin(2026, 3, 29, 6)) == 2 * HOUR
    assert due(nights, berlin(2026, 3, 29, 1), 2) == datetime(2026, 3, 29, 4, tzinfo=BERLIN)


def test_clocks_that_go_back_give_an_hour_of_work_twice() -> None:
    nights = every_day((Shift(60, 240),))
    assert nights.between(berlin(2026, 10, 25, 0), berlin(2026, 10, 25, 6)) == 4 * HOUR
    assert moment_of(berlin(2026, 10, 25, 2, 30, fold=1)) == due(nights, berlin(2026, 10, 25, 1), 2.5)


@pytest.mark.parametrize(
    ("zone", "day", "hours"),
    [
        ("Australia/Lord_Howe", (2026, 10, 4), 23.5),
        ("Australia/Lord_Howe", (2026, 4, 5), 24.5),
        ("Australia/Adelaide", (2026, 10, 4), 23),
        ("Asia/Kathmandu", (2026, 10, 4), 24),
    ],
)
def test_zones_with_half_hours(zone: str, day: tuple[int, int, int], hours: float) -> None:
    place = ZoneInfo(zone)
    calendar = every_day((Shift(0, 1440),), zone)
    year, month, number = day
    assert calendar.between(local(place, *day), local(place, year, month, number + 1)) == hours * HOUR


def test_a_pause_that_spans_the_night_extends_by_its_working_time_only() -> None:
    monday = berlin(2026, 3, 2, 9)
    pause = (berlin(2026, 3, 2, 16), "STATUS", "WAITING_ON_CUSTOMER")
    history = opened(monday, pause, (berlin(2026, 3, 3, 10), "STATUS", "OPEN"))
    found = shown(history, promise(RESOLUTION), berlin(2026, 3, 3, 10))["TOTAL_RESOLUTION", 0]
    assert (found.state, found.elapsed, found.due) == ("PENDING", 7 * HOUR, berlin(2026, 3, 3, 11))


def test_two_pauses_within_one_minute() -> None:
    start = berlin(2026, 3, 2, 9)
    at = [start + second * SECOND for second in (10, 15, 20, 25)]
    words = ("WAITING_ON_CUSTOMER", "OPEN", "WAITING_ON_CUSTOMER", "OPEN")
    history = opened(start, *((moment, "STATUS", word) for moment, word in zip(at, words, strict=True)))
    found = shown(history, promise(RESOLUTION), start + HOUR)["FIRST_RESOLUTION", 0]
    assert found.elapsed == HOUR - 10 * SECOND
    assert [segment.state for segment in found.segments()] == ["PENDING", "PAUSED"] * 2 + ["PENDING"]


def test_paused_then_resolved_in_one_change() -> None:
    """The pause is closed first: what it stood still does not count against the resolution."""
    start, at = berlin(2026, 3, 2, 9), berlin(2026, 3, 3, 16)
    history = opened(
        start,
        (berlin(2026, 3, 2, 10), "STATUS", "WAITING_ON_CUSTOMER"),
        (at, "STATUS", "OPEN"),
        (at, "STATUS", "WAITING_ON_CUSTOMER"),
        (at, "STATUS", "RESOLVED"),
    )
    for kind in ("FIRST_RESOLUTION", "TOTAL_RESOLUTION"):
        found = shown(history, promise(RESOLUTION), berlin(2026, 3, 9, 9))[kind, 0]
        assert (found.state, found.ended, found.elapsed) == ("MET", at, HOUR)


def test_a_reopened_ticket_goes_on_with_its_total_clock_and_with_no_other() -> None:
    start = berlin(2026, 3, 2, 9)
    closed, again = berlin(2026, 3, 2, 11), berlin(2026, 3, 5, 9)
    history = opened(start, (closed, "STATUS", "CLOSED"), (again, "STATUS", "OPEN"))
    found = shown(history, promise(RESOLUTION), again + HOUR)
    assert (found["FIRST_RESOLUTION", 0].state, found["FIRST_RESOLUTION", 0].ended) == ("MET", closed)
    total = found["TOTAL_RESOLUTION", 0]
    assert (total.state, total.elapsed, total.due) == ("PENDING", 3 * HOUR, berlin(2026, 3, 5, 15))
    assert shown(history, promise(RESOLUTION), closed + 1)["TOTAL_RESOLUTION", 0].state == "MET"


def test_a_merged_ticket_has_its_clocks_cancelled_and_its_breaches_kept() -> None:
    start = berlin(2026, 3, 2, 9)
    history = opened(start, (berlin(2026, 3, 2, 12), "MERGED", "other"))
    found = shown(history, promise(REPLIES | RESOLUTION), berlin(2026, 3, 9, 9))
    first = found["FIRST_RESPONSE", 0]
    assert (first.state, first.breached, first.running) == ("BREACHED", berlin(2026, 3, 2, 11), False)
    assert found["TOTAL_RESOLUTION", 0].state == "CANCELLED"
    assert {alarm.kind for alarm in alarms(history, promise(REPLIES | RESOLUTION))} == {"FIRST_RESPONSE"}


def test_a_stricter_policy_is_breached_when_it_comes_not_before() -> None:
    start, later = berlin(2026, 3, 2, 9), berlin(2026, 3, 2, 14)
    versions = promise({ClockKind.FIRST_RESPONSE: 8 * 3600}) | promise(
        {ClockKind.FIRST_RESPONSE: 3600}, key="strict"
    )
    history = opened(start, (later, "POLICY", "strict"))
    assert shown(history, versions, later - 1)["FIRST_RESPONSE", 0].state == "PENDING"
    found = shown(history, versions, later + HOUR)["FIRST_RESPONSE", 0]
    assert (found.state, found.breached, found.due) == ("BREACHED", later, berlin(2026, 3, 2, 10))


def test_a_milder_policy_does_not_undo_a_breach() -> None:
    start = berlin(2026, 3, 2, 9)
    versions = promise({ClockKind.FIRST_RESPONSE: 3600}) | promise(
        {ClockKind.FIRST_RESPONSE: 80 * 3600}, key="mild"
    )
    history = opened(start, (berlin(2026, 3, 2, 12), "POLICY", "mild"))
    found = shown(history, versions, berlin(2026, 3, 2, 13))["FIRST_RESPONSE", 0]
    assert (found.state, found.breached) == ("BREACHED", berlin(2026, 3, 2, 10))
    assert [alarm.at for alarm in alarms(history, versions)] == [berlin(2026, 3, 2, 10)]


def test_reassigning_leaves_the_clocks_alone() -> None:
    start = berlin(2026, 3, 2, 9)
    plain = opened(start)
    moved = opened(start, (start + HOUR, "ASSIGNED", "someone"), (start + HOUR, "TEAM", "others"))
    versions, at = promise(REPLIES | RESOLUTION), start + 3 * HOUR
    assert clocks(plain, versions, at) == clocks(moved, versions, at)


def test_nothing_waits_after_the_agent_has_answered() -> None:
    start = berlin(2026, 3, 2, 9)
    history = opened(start, (start + HOUR, "MESSAGE", "STAFF"), (start + 2 * HOUR, "MESSAGE", "STAFF"))
    assert set(shown(history, promise(REPLIES), start + 50 * HOUR)) == {("FIRST_RESPONSE", 0)}
    asked = [*history, Happened(start + 3 * HOUR, "MESSAGE", "CUSTOMER")]
    asked += [Happened(start + 4 * HOUR, "MESSAGE", who) for who in ("AUTOMATIC", "CUSTOMER", "STAFF")]
    found = shown(asked, promise(REPLIES), start + 50 * HOUR)["NEXT_RESPONSE", 1]
    assert (found.state, found.elapsed, found.ended) == ("MET", HOUR, start + 4 * HOUR)


def test_messages_before_the_first_answer_are_of_the_first_clock_alone() -> None:
    start = berlin(2026, 3, 2, 9)
    history = opened(start, (start + HOUR, "MESSAGE", "CUSTOMER"), (start + 4 * HOUR, "MESSAGE", "STAFF"))
    found = shown(history, promise(REPLIES), start + 50 * HOUR)
    assert set(found) == {("FIRST_RESPONSE", 0)}
    late = found["FIRST_RESPONSE", 0]
    assert (late.state, late.breached, late.ended) == ("BREACHED", start + 2 * HOUR, start + 4 * HOUR)


@pytest.mark.parametrize("word", ["RESOLVED", "CLOSED"])
def test_no_clock_runs_once_the_ticket_is_resolved(word: str) -> None:
    start = berlin(2026, 3, 2, 9)
    history = opened(
        start,
        (start + HOUR, "MESSAGE", "STAFF"),
        (start + 2 * HOUR, "MESSAGE", "CUSTOMER"),
        (start + 3 * HOUR, "STATUS", word),
        (start + 4 * HOUR, "MESSAGE", "CUSTOMER"),
    )
    found = shown(history, promise(REPLIES | RESOLUTION), start + 500 * HOUR)
    assert [(key, clock.state) for key, clock in found.items()] == [
        (("FIRST_RESPONSE", 0), "MET"),
        (("NEXT_RESPONSE", 1), "CANCELLED"),
        (("FIRST_RESOLUTION", 0), "MET"),
        (("TOTAL_RESOLUTION", 0), "MET"),
    ]
    assert not any(clock.running for clock in found.values())


def test_resolving_at_first_contact_is_the_first_answer() -> None:
    start = berlin(2026, 3, 2, 9)
    found = shown(opened(start, (start + HOUR, "STATUS", "RESOLVED")), promise(REPLIES), start + 9 * HOUR)
    assert (found["FIRST_RESPONSE", 0].state, found["FIRST_RESPONSE", 0].ended) == ("MET", start + HOUR)


def test_automatic_messages_and_notes_answer_nothing() -> None:
    start = berlin(2026, 3, 2, 9)
    history = opened(start, (start + HOUR, "MESSAGE", "AUTOMATIC"), (start + HOUR, "NOTE", "STAFF"))
    assert shown(history, promise(REPLIES), start + 3 * HOUR)["FIRST_RESPONSE", 0].state == "BREACHED"


def test_what_is_answered_at_the_very_moment_is_in_time() -> None:
    start = berlin(2026, 3, 2, 9)
    history = opened(start, (start + 2 * HOUR, "MESSAGE", "STAFF"))
    found = shown(history, promise(REPLIES), start + 9 * HOUR)["FIRST_RESPONSE", 0]
    assert (found.state, found.due, found.remaining) == ("MET", start + 2 * HOUR, 0)


def test_an_answer_after_hours_is_late_though_no_working_time_has_passed() -> None:
    start, friday = berlin(2026, 3, 6, 16), berlin(2026, 3, 6, 18)
    history = opened(start, (berlin(2026, 3, 7, 12), "MESSAGE", "STAFF"))
    found = shown(history, promise(REPLIES), berlin(2026, 3, 9, 9))["FIRST_RESPONSE", 0]
    assert (found.state, found.breached, found.elapsed) == ("BREACHED", friday, 2 * HOUR)


def test_steps_go_by_working_time_before_and_after_the_target() -> None:
    start = berlin(2026, 3, 6, 17)
    steps = (
        Step(ClockKind.FIRST_RESPONSE, StepAction.NOTIFY, percent=50),
        Step(ClockKind.FIRST_RESPONSE, StepAction.NOTIFY, minutes=-30),
        Step(ClockKind.FIRST_RESPONSE, StepAction.NOTIFY, minutes=90),
    )
    found = alarms(opened(start), promise(REPLIES, steps=steps))
    assert [(moment_of(alarm.at).astimezone(BERLIN).isoformat()[:16], alarm.step) for alarm in found] == [
        ("2026-03-06T18:00", 0),
        ("2026-03-09T09:30", 1),
        ("2026-03-09T10:00", None),
        ("2026-03-09T11:30", 2),
    ]


def test_around_the_clock_a_day_is_a_day() -> None:
    start = berlin(2026, 3, 28, 12)
    assert due(ALWAYS, start, 24) == moment_of(start + 24 * HOUR)
    assert ALWAYS.openings(start, 10) == [(start, None)]
