"""The tier as a function of what counts, the rules and the moment."""

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from crm_loyalty.models import TierDescent, TierPeriod
from crm_loyalty.tiers.rules import NONE, Counted, Span, TierRules, standing, standing_over
from hypothesis import given
from hypothesis import strategies as st

YEAR, ROLLING, LIFETIME = TierPeriod.CALENDAR_YEAR, TierPeriod.ROLLING_12_MONTHS, TierPeriod.LIFETIME


def at(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


def rules(period: TierPeriod, *, grace: int = 0, descent: str = "TO_EARNED", zone: str = "UTC") -> TierRules:
    return TierRules((100, 500, 1_000), period, TierDescent(descent), timedelta(days=grace), ZoneInfo(zone))


def counted(*pairs: tuple[str, int]) -> list[Counted]:
    return [Counted(at(moment), at(moment), amount) for moment, amount in pairs]


def levels(history: list[Counted], by: TierRules, *moments: str) -> list[int]:
    return [standing(history, by, at(moment)).level for moment in moments]


def test_up_goes_at_once() -> None:
    history = counted(("2025-03-01", 99), ("2025-03-02", 1), ("2025-03-03", 900))
    for period in TierPeriod:
        found = standing(history, rules(period), at("2025-03-03"))
        assert found.level == 2
        assert [(each.at, each.level) for each in found.changes] == [
            (at("2025-03-02"), 0),
            (at("2025-03-03"), 2),
        ]
        assert (found.amount, found.since) == (1_000, at("2025-03-03"))
        assert standing(history, rules(period), at("2025-03-01")).level == NONE


def test_a_year_gives_the_level_for_the_rest_of_it_and_for_the_next() -> None:
    history = counted(("2024-03-01", 600), ("2025-07-01", 150))
    by = rules(YEAR, grace=30)
    assert levels(history, by, "2024-12-31", "2025-06-30", "2025-12-31", "2026-01-30") == [1, 1, 1, 1]
    # 2025 brought 150, and the month of grace is over
    assert levels(history, by, "2026-01-31", "2026-12-31", "2027-01-30", "2027-01-31") == [0, 0, 0, NONE]
    assert standing(history, by, at("2025-08-01")).review_at == at("2026-01-31")


def test_what_the_grace_period_brings_counts_too() -> None:
    history = counted(("2024-03-01", 600), ("2026-01-20", 500))
    assert levels(history, rules(YEAR, grace=30), "2026-01-31", "2027-01-30", "2027-02-01") == [1, 1, 1]
    assert levels(history, rules(YEAR), "2026-01-01", "2026-01-20") == [NONE, 1]


def test_one_step_a_period() -> None:
    history = counted(("2024-03-01", 1_000))
    by = rules(YEAR, descent="ONE_STEP")
    assert levels(history, by, "2025-12-31", "2026-01-01", "2027-01-01", "2028-01-01", "2029-01-01") == [
        2, 1, 0, NONE, NONE,
    ]  # fmt: skip
    rolling = rules(ROLLING, descent="ONE_STEP")
    assert levels(history, rolling, "2025-02-28", "2025-03-01", "2026-03-01", "2027-03-01") == [2, 1, 0, NONE]


def test_years_begin_in_the_zone() -> None:
    history = counted(("2024-12-31T23:30", 100))  # 2025 in Berlin
    assert levels(history, rules(YEAR, zone="Europe/Berlin"), "2026-12-31T22:59", "2026-12-31T23:00") == [
        0,
        NONE,
    ]
    assert levels(history, rules(YEAR), "2025-12-31T23:59", "2026-01-01T00:00") == [0, NONE]


def test_twelve_months_roll_and_the_level_is_lost_after_the_grace_period() -> None:
    history = counted(("2025-01-31", 60), ("2025-06-01", 50))
    by = rules(ROLLING, grace=10)
    assert levels(history, by, "2025-05-31", "2025-06-01", "2026-01-31", "2026-02-09", "2026-02-10") == [
        NONE, 0, 0, 0, NONE,
    ]  # fmt: skip
    found = standing(history, by, at("2025-07-01"))
    assert (found.amount, found.review_at) == (110, at("2026-02-10"))
    # reached again within the grace period: nothing is lost
    again = [*history, *counted(("2026-02-05", 60))]
    assert levels(again, by, "2026-02-10", "2026-05-31") == [0, 0]
    assert [each.level for each in standing(again, by, at("2026-05-01")).changes] == [0]


def test_a_refund_counts_in_the_period_of_its_purchase() -> None:
    bought, back = at("2025-01-10"), at("2025-12-20")
    history = [Counted(bought, bought, 600), Counted(back, bought, -550)]
    by = rules(ROLLING)
    assert [standing(history, by, moment).level for moment in (bought, back, at("2026-01-20"))] == [
        1,
        NONE,
        NONE,
    ]
    assert standing(history, by, at("2026-01-20")).amount == 0


def test_a_lifetime_is_never_over() -> None:
    history = counted(("2001-01-01", 100))
    found = standing(history, rules(LIFETIME), at("2040-01-01"))
    assert (found.level, found.amount, found.review_at) == (0, 100, None)


def test_without_anything_there_is_no_level_but_one_for_nothing() -> None:
    for period in TierPeriod:
        assert standing([], rules(period), at("2026-01-01")).level == NONE
        free = TierRules((0, 10), period, TierDescent.TO_EARNED, timedelta(0), ZoneInfo("UTC"))
        assert standing([], free, at("2026-01-01")).level == 0


HISTORIES = st.lists(
    st.builds(
        lambda days, amount: Counted(
            at("2020-01-01") + timedelta(days=days), at("2020-01-01") + timedelta(days=days), amount
        ),
        st.integers(0, 1_500),
        st.integers(1, 600),
    ),
    max_size=15,
)
ANY_RULES = st.builds(
    lambda period, grace, descent: rules(period, grace=grace, descent=descent),
    st.sampled_from(TierPeriod),
    st.integers(0, 60),
    st.sampled_from([each.value for each in TierDescent]),
)


@given(HISTORIES, ANY_RULES, st.integers(0, 2_500), st.integers(0, 2_500))
def test_later_knowledge_does_not_change_the_past(
    history: list[Counted], by: TierRules, one: int, other: int
) -> None:
    first, last = sorted((at("2020-01-01") + timedelta(days=one), at("2020-01-01") + timedelta(days=other)))
    before, after = standing(history, by, first), standing(history, by, last)
    assert tuple(each for each in after.changes if each.at <= first) == before.changes
    assert before.level == (before.changes[-1].level if before.changes else NONE)


@given(HISTORIES, ANY_RULES, st.integers(0, 2_500))
def test_nothing_changes_before_the_next_review(history: list[Counted], by: TierRules, days: int) -> None:
    now = at("2020-01-01") + timedelta(days=days)
    known = [each for each in history if each.at <= now]
    found = standing(known, by, now)
    later = found.review_at - timedelta(seconds=1) if found.review_at else now + timedelta(days=5_000)
    if later > now:
        assert standing(known, by, later).level == found.level


@given(HISTORIES, ANY_RULES, st.integers(0, 2_500))
def test_a_level_is_never_below_what_was_earned(history: list[Counted], by: TierRules, days: int) -> None:
    found = standing(history, by, at("2020-01-01") + timedelta(days=days))
    assert found.level >= by.earned(found.amount)


def test_levels_are_plain_numbers() -> None:
    assert [rules(YEAR).earned(amount) for amount in (-5, 0, 99, 100, 499, 500, 5_000)] == [
        -1,
        -1,
        -1,
        0,
        0,
        1,
        2,
    ]


@pytest.mark.parametrize("period", TierPeriod)
def test_the_order_in_which_entries_came_does_not_matter(period: TierPeriod) -> None:
    history = counted(("2024-03-01", 600), ("2025-07-01", 150), ("2025-01-01", 30))
    assert standing(history, rules(period), at("2027-01-01")) == standing(
        history[::-1], rules(period), at("2027-01-01")
    )


KEYS = ("bronze", "silver", "gold")


def spans(history: list[Counted], *by: tuple[str | None, TierRules, tuple[str, ...]]) -> list[Span]:
    return [Span(each, keys, history, None if start is None else at(start)) for start, each, keys in by]


@given(HISTORIES, ANY_RULES, st.integers(0, 2_500), st.integers(0, 2_500), st.integers(0, 2_500))
def test_rules_that_begin_anew_and_are_the_same_change_nothing(
    history: list[Counted], by: TierRules, days: int, one: int, other: int
) -> None:
    start = at("2020-01-01")
    cuts = sorted({start + timedelta(days=one, hours=1), start + timedelta(days=other, hours=2)})
    cut = [Span(by, range(3), history, moment) for moment in (None, *cuts)]
    as_of = start + timedelta(days=days)
    assert standing_over(cut, as_of) == standing(history, by, as_of)


@given(HISTORIES, ANY_RULES, ANY_RULES, st.integers(0, 2_500), st.integers(0, 2_500))
def test_other_rules_leave_what_was_before_them(
    history: list[Counted], old: TierRules, new: TierRules, cut: int, days: int
) -> None:
    start = at("2020-01-01")
    since = start + timedelta(days=cut, hours=1)
    both = [Span(old, range(3), history), Span(new, range(3), history, since)]
    before = standing(history, old, since - timedelta(microseconds=1))
    after = standing_over(both, max(since, start + timedelta(days=days)))
    assert tuple(each for each in after.changes if each.at < since) == before.changes
    # nobody stays below what is earned by the new ones
    assert after.level >= new.earned(after.amount)


@pytest.mark.parametrize("period", TierPeriod)
def test_lower_thresholds_lift_at_once_and_higher_ones_lower_at_the_next_review(period: TierPeriod) -> None:
    history = counted(("2024-03-01", 600))
    lower = TierRules((50, 300, 550), period, TierDescent.TO_EARNED, timedelta(days=10), ZoneInfo("UTC"))
    higher = TierRules((100, 700, 2_000), period, TierDescent.TO_EARNED, timedelta(days=10), ZoneInfo("UTC"))
    old = rules(period, grace=10)
    rises = spans(history, (None, old, KEYS), ("2024-05-01", lower, KEYS))
    assert [(each.at, each.level) for each in standing_over(rises, at("2024-06-01")).changes] == [
        (at("2024-03-01"), "silver"), (at("2024-05-01"), "gold"),
    ]  # fmt: skip
    assert standing_over(rises, at("2024-04-30")).level == "silver"
    falls = spans(history, (None, old, KEYS), ("2024-05-01", higher, KEYS))
    # what a year gave is good for the next one, too
    review = at("2025-01-11") if period is YEAR else at("2024-05-11")
    found = standing_over(falls, at("2024-05-02"))
    assert (found.level, found.review_at) == ("silver", review)
    changes = standing_over(falls, at("2025-02-01")).changes
    assert [(each.at, each.level, each.previous) for each in changes] == [
        (at("2024-03-01"), "silver", NONE), (review, "bronze", "silver"),
    ]  # fmt: skip


def test_levels_keep_their_names_where_others_come_between() -> None:
    history = counted(("2024-03-01", 600))
    more = TierRules((100, 300, 500, 1_000), LIFETIME, TierDescent.TO_EARNED, timedelta(0), ZoneInfo("UTC"))
    between = ("bronze", "iron", "silver", "gold")
    found = spans(history, (None, rules(LIFETIME), KEYS), ("2024-05-01", more, between))
    stands = standing_over(found, at("2024-06-01"))
    assert (stands.level, len(stands.changes)) == ("silver", 1)
    # the order of two of them may turn
    turned = ("silver", "bronze", "gold")
    found = spans(history, (None, rules(LIFETIME), KEYS), ("2024-05-01", rules(LIFETIME), turned))
    assert [each.level for each in standing_over(found, at("2024-06-01")).changes] == ["silver", "bronze"]
