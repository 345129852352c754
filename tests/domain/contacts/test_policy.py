from collections.abc import Sequence
from datetime import UTC, datetime, time, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from crm_framework.domain.contacts.policy import (
    ContactDecision,
    ContactReason,
    CustomerFacts,
    QuietHours,
    Rule,
    Touch,
    decide,
)
from crm_framework.domain.models import Consent

BERLIN, LONDON, KOLKATA, LORD_HOWE, ST_JOHNS = (
    ZoneInfo(name)
    for name in ("Europe/Berlin", "Europe/London", "Asia/Kolkata", "Australia/Lord_Howe", "America/St_Johns")
)
NOON = datetime(2026, 3, 10, 12, tzinfo=UTC)
HOUR = timedelta(hours=1)
DAY = timedelta(days=1)
IN = CustomerFacts(zone=ZoneInfo("UTC"), consent=Consent.OPTED_IN)


def quiet(start: str, end: str) -> QuietHours:
    return QuietHours(time.fromisoformat(start), time.fromisoformat(end))


def email(*ago: timedelta) -> list[Touch]:
    return [Touch(NOON - before, "email") for before in ago]


def test_nothing_speaks_against_it_without_rules() -> None:
    assert decide([], email(HOUR), IN, "email", NOON) == ContactDecision(
        True, ContactReason.ALLOWED, "Nothing speaks against it.", NOON
    )


def test_no_limit_is_not_a_limit_of_zero() -> None:
    assert decide([Rule(window=DAY)], email(HOUR), IN, "email", NOON).allowed
    assert decide([Rule(max_touches=0)], [], IN, "email", NOON) == ContactDecision(
        False, ContactReason.NO_TOUCHES, "No touches are allowed over all channels.", None
    )


def test_a_touch_counts_up_to_the_end_of_the_window_and_not_at_it() -> None:
    rule = Rule(channel="email", max_touches=1, window=DAY)
    touches = email(DAY - HOUR)
    assert decide([rule], touches, IN, "email", NOON) == ContactDecision(
        False,
        ContactReason.CHANNEL_LIMIT,
        "1 of at most 1 touches on email within 24 hours.",
        NOON + HOUR,
    )
    assert not decide([rule], touches, IN, "email", NOON + HOUR - timedelta(microseconds=1)).allowed
    assert decide([rule], touches, IN, "email", NOON + HOUR).allowed


def test_the_overall_rule_counts_touches_of_every_channel_and_of_none() -> None:
    touches = [Touch(NOON - HOUR, "phone"), Touch(NOON - 2 * HOUR, None)]
    decision = decide([Rule(max_touches=2, window=DAY)], touches, IN, "email", NOON)
    assert (decision.reason, decision.next_allowed_at) == (ContactReason.OVERALL_LIMIT, NOON + 22 * HOUR)
    assert decide([Rule(channel="email", max_touches=1, window=DAY)], touches, IN, "email", NOON).allowed


def test_a_channel_rule_never_lifts_the_overall_one() -> None:
    rules = [Rule(max_touches=1, window=DAY), Rule(channel="email", max_touches=9, window=DAY)]
    assert decide(rules, email(HOUR), IN, "email", NOON).reason is ContactReason.OVERALL_LIMIT
    unlimited = [Rule(quiet=quiet("11:00", "13:00")), Rule(channel="email")]
    assert decide(unlimited, [], IN, "email", NOON).reason is ContactReason.QUIET_HOURS


def test_a_rule_of_another_channel_does_not_count() -> None:
    assert decide([Rule(channel="phone", max_touches=0)], [], IN, "email", NOON).allowed


def test_enough_touches_must_leave_the_window_before_one_more_fits() -> None:
    touches = email(HOUR, 2 * HOUR, 3 * HOUR)
    decision = decide([Rule(max_touches=2, window=5 * HOUR)], touches, IN, "email", NOON)
    assert decision.next_allowed_at == NOON + 3 * HOUR


@pytest.mark.parametrize(
    ("facts", "reason"),
    [
        (CustomerFacts(zone=BERLIN, consent=Consent.OPTED_OUT), ContactReason.OPTED_OUT),
        (CustomerFacts(zone=BERLIN, consent=Consent.OPTED_IN, erased=True), ContactReason.ERASED),
        (CustomerFacts(zone=BERLIN, consent=Consent.OPTED_IN, archived=True), ContactReason.ARCHIVED),
    ],
)
def test_what_no_waiting_changes_has_no_next_time(facts: CustomerFacts, reason: ContactReason) -> None:
    decision = decide([], [], facts, "email", NOON)
    assert (decision.allowed, decision.reason, decision.next_allowed_at) == (False, reason, None)


def test_unknown_consent_goes_by_the_setting() -> None:
    unknown = CustomerFacts(zone=BERLIN)
    assert decide([], [], unknown, "email", NOON).allowed
    refused = decide([], [], unknown, "email", NOON, unknown_consent_allows=False)
    assert refused == ContactDecision(
        False, ContactReason.CONSENT_UNKNOWN, "No consent to email is known.", None
    )


def test_a_reply_is_always_allowed_but_not_to_an_erased_customer() -> None:
    rules = [Rule(max_touches=0), Rule(quiet=quiet("00:00", "23:59"))]
    out = CustomerFacts(zone=BERLIN, consent=Consent.OPTED_OUT, archived=True)
    assert decide(rules, [], out, "email", NOON, reply=True).reason is ContactReason.REPLY
    erased = CustomerFacts(zone=BERLIN, erased=True)
    assert decide(rules, [], erased, "email", NOON, reply=True).reason is ContactReason.ERASED


def test_rest_after_a_support_case() -> None:
    facts = CustomerFacts(zone=BERLIN, support_touches=(NOON - 9 * HOUR, NOON - HOUR))
    assert decide([Rule(rest=3 * HOUR)], [], facts, "email", NOON) == ContactDecision(
        False, ContactReason.SUPPORT_REST, "Rest of 3 hours after a support case.", NOON + 2 * HOUR
    )
    assert decide([Rule(rest=timedelta(0))], [], facts, "email", NOON).allowed


def test_the_explanation_names_every_reason() -> None:
    rules = [Rule(max_touches=1, window=DAY, quiet=quiet("11:00", "13:30"))]
    assert decide(rules, email(HOUR), IN, "email", NOON).explanation == (
        "1 of at most 1 touches over all channels within 24 hours. Quiet hours from 11:00 until 13:30 (UTC)."
    )


def test_two_rules_that_are_quiet_all_day_together_leave_no_next_time() -> None:
    rules = [Rule(quiet=quiet("20:00", "08:00")), Rule(channel="email", quiet=quiet("08:00", "20:00"))]
    assert decide(rules, [], IN, "email", NOON).next_allowed_at is None
    assert decide(rules, [], IN, "phone", NOON).allowed


@pytest.mark.parametrize(
    ("zone", "hours", "at", "until"),
    [
        # over midnight, in winter time
        (BERLIN, ("22:00", "07:00"), "2026-01-10T23:30+01:00", "2026-01-11T07:00+01:00"),
        # a night with an hour less, and one with an hour more
        (BERLIN, ("22:00", "07:00"), "2026-03-28T23:30+01:00", "2026-03-29T07:00+02:00"),
        (BERLIN, ("22:00", "07:00"), "2026-10-24T23:30+02:00", "2026-10-25T07:00+01:00"),
        # the end does not exist that night: clocks go from 02:00 to 03:00
        (BERLIN, ("22:00", "02:30"), "2026-03-28T23:30+01:00", "2026-03-29T03:00+02:00"),
        # the end comes twice that night: the first one counts
        (BERLIN, ("22:00", "02:30"), "2026-10-24T23:30+02:00", "2026-10-25T02:30+02:00"),
        # put back from 03:00 to 02:00 it is quiet again until the second 02:30
        (BERLIN, ("22:00", "02:30"), "2026-10-25T02:00+01:00", "2026-10-25T02:30+01:00"),
        (KOLKATA, ("21:00", "09:00"), "2026-05-01T22:15+05:30", "2026-05-02T09:00+05:30"),
        (LORD_HOWE, ("21:00", "02:15"), "2026-10-03T22:00+10:30", "2026-10-04T02:30+11:00"),
    ],
)
def test_quiet_hours_in_the_customers_zone(
    zone: ZoneInfo, hours: tuple[str, str], at: str, until: str
) -> None:
    facts = CustomerFacts(zone=zone)
    decision = decide([Rule(quiet=quiet(*hours))], [], facts, "email", datetime.fromisoformat(at))
    assert decision.reason is ContactReason.QUIET_HOURS
    assert decision.next_allowed_at == datetime.fromisoformat(until)


def test_seconds_within_the_last_quiet_minute_are_quiet() -> None:
    at = datetime(2026, 1, 10, 6, 59, 59, 999_999, tzinfo=UTC)
    decision = decide([Rule(quiet=quiet("22:00", "07:00"))], [], IN, "email", at)
    assert decision.next_allowed_at == datetime(2026, 1, 10, 7, tzinfo=UTC)


MINUTE = timedelta(minutes=1)
HORIZON = 4 * 24 * 60
CHANGES = [
    datetime(2026, 3, 29, 1, tzinfo=UTC),  # Europe forward
    datetime(2026, 10, 25, 1, tzinfo=UTC),  # Europe back
    datetime(2026, 4, 4, 15, tzinfo=UTC),  # Lord Howe back, by half an hour
    datetime(2026, 10, 3, 15, 30, tzinfo=UTC),  # Lord Howe forward
    datetime(2026, 3, 8, 5, 30, tzinfo=UTC),  # Newfoundland forward
    datetime(2026, 11, 1, 4, 30, tzinfo=UTC),  # Newfoundland back
    datetime(2026, 6, 15, tzinfo=UTC),
]
minutes = st.integers(-3 * 24 * 60, 24 * 60)
local_times = st.builds(time, st.integers(0, 23), st.sampled_from([0, 15, 30, 59]))
rules = st.builds(
    Rule,
    channel=st.sampled_from([None, "email", "phone"]),
    max_touches=st.sampled_from([None, 0, 1, 1, 2, 3]),
    window=st.sampled_from([timedelta(hours=h) for h in (1, 7, 24, 40)]),
    quiet=st.none()
    | st.tuples(local_times, local_times)
    .filter(lambda ends: ends[0] != ends[1])
    .map(lambda ends: QuietHours(*ends)),
    rest=st.sampled_from([None, timedelta(hours=5), timedelta(hours=30)]),
)


def open_at(
    rules: Sequence[Rule], touches: Sequence[Touch], facts: CustomerFacts, channel: str, at: datetime
) -> bool:
    """The rules read aloud, one instant at a time."""
    clock = at.astimezone(facts.zone)
    shown = clock.hour * 60 + clock.minute
    for rule in rules:
        if rule.channel is not None and rule.channel != channel:
            continue
        counted = 0
        for touch in touches:
            counts = rule.channel is None or rule.channel == touch.channel
            if counts and touch.at <= at and rule.window and at - touch.at < rule.window:
                counted += 1
        if rule.max_touches is not None and counted >= rule.max_touches:
            return False
        for support in facts.support_touches:
            if rule.rest and support <= at and at - support < rule.rest:
                return False
        if rule.quiet:
            start = rule.quiet.start.hour * 60 + rule.quiet.start.minute
            end = rule.quiet.end.hour * 60 + rule.quiet.end.minute
            length = (end - start) % (24 * 60)
            if (shown - start) % (24 * 60) < length:
                return False
    return True


@settings(max_examples=150, deadline=None)
@given(
    rules=st.lists(rules, max_size=3),
    touched=st.lists(st.tuples(minutes, st.sampled_from([None, "email", "phone"])), max_size=8),
    supported=st.lists(minutes, max_size=2),
    zone=st.sampled_from([BERLIN, LONDON, KOLKATA, LORD_HOWE, ST_JOHNS]),
    change=st.sampled_from(CHANGES),
    offset=st.integers(-30 * 60, 3 * 60),
)
def test_next_time_is_the_first_minute_at_which_the_answer_is_yes(
    rules: list[Rule],
    touched: list[tuple[int, str | None]],
    supported: list[int],
    zone: ZoneInfo,
    change: datetime,
    offset: int,
) -> None:
    at = change + offset * MINUTE
    touches = [Touch(at + minute * MINUTE, channel) for minute, channel in touched]
    facts = CustomerFacts(zone=zone, support_touches=tuple(at + minute * MINUTE for minute in supported))
    decision = decide(rules, touches, facts, "email", at)
    first = next(
        (
            at + minute * MINUTE
            for minute in range(HORIZON)
            if open_at(rules, touches, facts, "email", at + minute * MINUTE)
        ),
        None,
    )
    assert decision.allowed is open_at(rules, touches, facts, "email", at)
    if first is None:
        assert decision.next_allowed_at is None or decision.next_allowed_at >= at + HORIZON * MINUTE
    else:
        assert decision.next_allowed_at == first
