"""The rules of earning, as functions of values, against an oracle and case by case."""

from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from fractions import Fraction
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from crm_loyalty.earning.conditions import AttributeIs, Conditions, Line, Who
from crm_loyalty.earning.plain import from_plain, to_plain
from crm_loyalty.earning.rules import (
    Basis,
    Campaign,
    Cause,
    Multiplier,
    Programme,
    Rounding,
    Rule,
    Selection,
    Terms,
    Trigger,
    Used,
    award,
    rounded,
    shared,
)
from crm_loyalty.earning.terms import expires_at, unlocks_at
from crm_loyalty.moments import NEVER
from hypothesis import given, settings
from hypothesis import strategies as st

from .earning_oracle import expected, holds

NOW = datetime(2026, 5, 13, 12, tzinfo=UTC)
BERLIN = ZoneInfo("Europe/Berlin")
STARS = Programme(id="p", name="Stars", currency="EUR", zone=BERLIN)
NOBODY = Who()
SKUS, CATEGORIES = ("tea", "cup", "cake"), ("drinks", "food")

rules = st.builds(
    Rule,
    id=st.sampled_from("abcdef"),
    version_id=st.just("v"),
    name=st.sampled_from(("One", "Two")),
    trigger=st.just(Trigger.PURCHASE),
    basis=st.sampled_from(Basis),
    points=st.integers(0, 50),
    per_minor=st.integers(1, 3_000),
    whole_steps=st.booleans(),
    priority=st.integers(0, 2),
    conditions=st.builds(
        Conditions,
        skus=st.sampled_from(((), ("tea",), ("cup", "cake"))),
        categories=st.sampled_from(((), ("drinks",))),
    ),
    cap_per_cause=st.none() | st.integers(1, 100),
    cap_per_day=st.none() | st.integers(1, 100),
    cap_per_customer=st.none() | st.integers(1, 100),
)
lines = st.builds(
    Line,
    sku=st.sampled_from(SKUS),
    category=st.none() | st.sampled_from(CATEGORIES),
    quantity=st.integers(1, 5),
    amount_minor=st.integers(-500, 5_000),
)
moments = st.none() | st.integers(-3, 3).map(lambda days: NOW + timedelta(days=days))
campaigns = st.builds(
    Campaign,
    id=st.just("c"),
    name=st.just("Sale"),
    percent=st.integers(1, 400),
    starts_at=moments,
    ends_at=moments,
    rules=st.sampled_from(((), ("a", "b"))),
)


@settings(max_examples=1_000)
@given(
    st.lists(rules, max_size=4, unique_by=lambda rule: rule.id),
    st.lists(campaigns, max_size=3),
    st.lists(lines, max_size=4),
    st.integers(0, 100_000),
    st.sampled_from(Selection),
    st.sampled_from(Rounding),
    st.tuples(*[st.none() | st.integers(1, 300)] * 3),
    st.sampled_from((None, 50, 150)),
    st.dictionaries(st.sampled_from("abcdef*"), st.builds(Used, st.integers(0, 120), st.integers(0, 120))),
)
def test_points_are_those_of_the_oracle(
    rules: list[Rule],
    campaigns: list[Campaign],
    lines: list[Line],
    total: int,
    selection: Selection,
    rounding: Rounding,
    caps: tuple[int | None, int | None, int | None],
    percent: int | None,
    used: dict[str, Used],
) -> None:
    programme = replace(
        STARS, selection=selection, rounding=rounding,
        cap_per_purchase=caps[0], cap_per_day=caps[1], cap_per_customer=caps[2],
        multipliers=(Multiplier(tier="gold", name="Gold", percent=percent),) if percent else (),
    )  # fmt: skip
    cause = purchase(total, lines=tuple(lines))
    earned = award(programme, rules, campaigns, cause, Who(tier="gold"), used)
    fitting = [
        rule
        for rule in rules
        if not (named := {*rule.conditions.skus, *rule.conditions.categories})
        or any(line.sku in named or line.category in named for line in lines)
    ]
    holding = [one for one in campaigns if holds(one, NOW)]
    assert earned.points == expected(programme, fitting, holding, cause, used, percent or 100)
    assert earned.points == sum(share.points for share in earned.shares)
    assert {rule.id for rule in rules} == {rule.id for rule in earned_rules(earned)}
    for share in earned.shares:
        bounds = [share.rule.cap_per_cause, share.rule.cap_per_day, share.rule.cap_per_customer]
        assert all(bound is None or share.points <= bound for bound in bounds)
        assert share.points >= 0


def earned_rules(earned: Any) -> list[Rule]:
    return [share.rule for share in earned.shares] + [one.rule for one in earned.passed]


@given(st.lists(st.fractions(0, 100), max_size=6), st.sampled_from(Rounding))
def test_shares_add_up_and_none_is_a_point_off(exact: list[Fraction], rounding: Rounding) -> None:
    points = rounded(sum(exact, Fraction(0)), rounding)
    parts = shared(points, exact)
    assert sum(parts) == points
    assert all(abs(part - value) < 1 for part, value in zip(parts, exact, strict=True))


def purchase(total: int, **more: Any) -> Cause:
    return Cause(trigger=Trigger.PURCHASE, at=NOW, kind="purchase", currency="EUR", total_minor=total, **more)


def rule(name: str = "Euro", **more: Any) -> Rule:
    told: dict[str, Any] = {
        "trigger": Trigger.PURCHASE,
        "basis": Basis.PER_AMOUNT,
        "points": 1,
        "per_minor": 100,
    }
    return Rule(id=name, version_id="v", name=name, **told | more)


def earned(cause: Cause, *rules: Rule, who: Who = NOBODY, programme: Programme = STARS) -> int:
    return award(programme, rules, (), cause, who, {}).points


def test_points_are_rounded_once_after_multipliers() -> None:
    sale = Campaign(id="c", name="Sale", percent=150)
    found = award(STARS, [rule()], [sale], purchase(199), Who(), {})
    assert found.points == 2  # 1.99 × 1.5 = 2.985; rounding before would give 1
    assert found.shares[0].because == "“Euro”: 1 for each 1.00 of 1.99 EUR × 1.5 (“Sale”)"
    twice = award(STARS, [rule()], [sale, replace(sale, name="More", percent=200)], purchase(199), Who(), {})
    assert twice.points == 5


def test_of_equal_priorities_the_first_applies_and_the_others_say_so() -> None:
    first, second, high = rule("First"), rule("Second", points=9), rule("High", priority=5, points=3)
    found = award(STARS, [first, second], (), purchase(100), Who(), {})
    assert (found.points, [(one.rule.name, one.because) for one in found.passed]) == (
        1,
        [("Second", "“First” comes before it")],
    )
    assert earned(purchase(100), first, second, high) == 3
    stacking = replace(STARS, selection=Selection.STACKING)
    assert earned(purchase(100), first, second, high, programme=stacking) == 13


def test_stacked_rules_are_rounded_together() -> None:
    stacking = replace(STARS, selection=Selection.STACKING)
    found = award(stacking, [rule("A"), rule("B")], (), purchase(150), Who(), {})
    assert (found.points, [share.points for share in found.shares]) == (3, [2, 1])


def test_caps_leave_what_they_leave() -> None:
    capped = rule(cap_per_cause=30, cap_per_day=40, cap_per_customer=100)
    assert award(STARS, [capped], (), purchase(5_000), Who(), {}).points == 30
    assert award(STARS, [capped], (), purchase(5_000), Who(), {"Euro": Used(20, 25)}).points == 15
    assert award(STARS, [capped], (), purchase(5_000), Who(), {"Euro": Used(95, 0)}).points == 5
    nothing = award(STARS, [capped], (), purchase(5_000), Who(), {"Euro": Used(100, 0)})
    assert (nothing.points, nothing.passed[0].because) == (0, "100 a customer is reached")


@pytest.mark.parametrize(
    ("conditions", "cause", "who", "because"),
    [
        (Conditions(least_minor=2_000), {}, {}, "the total is below the least that it asks for"),
        (Conditions(most_minor=500), {}, {}, "the total is above the most that it takes"),
        (Conditions(channels=("shop",)), {"channel": "web"}, {}, "the channel is web, not shop"),
        (Conditions(channels=("shop",)), {}, {}, "the channel is not known, not shop"),
        (Conditions(skus=("tea",)), {}, {}, "no line is of tea"),
        (Conditions(tags_any=("a", "b")), {}, {"tags": frozenset("c")}, "the customer is not tagged a or b"),
        (Conditions(tags_all=("a", "b")), {}, {"tags": frozenset("a")}, "the customer is not tagged b"),
        (Conditions(tags_none=("a",)), {}, {"tags": frozenset("a")}, "the customer is tagged a"),
        (Conditions(segments=("s",)), {}, {}, "the customer is in none of its segments"),
        (Conditions(tiers=("t",)), {}, {"tier": "u"}, "the customer has none of its tiers"),
        (
            Conditions(attributes=(AttributeIs(name="age", least=18),)),
            {},
            {"attributes": {"age": 17}},
            "the attribute age does not fit",
        ),
        (Conditions(weekdays=("MONDAY",)), {}, {}, "wednesday is none of its days"),
        (Conditions(first_day=date(2026, 5, 14)), {}, {}, "it begins on 2026-05-14"),
        (Conditions(last_day=date(2026, 5, 12)), {}, {}, "it ended on 2026-05-12"),
    ],
)
def test_a_rule_that_does_not_apply_says_why(
    conditions: Conditions, cause: dict[str, Any], who: dict[str, Any], because: str
) -> None:
    [passed] = award(
        STARS, [rule(conditions=conditions)], (), purchase(1_000, **cause), Who(**who), {}
    ).passed
    assert passed.because == because
    assert from_plain(to_plain(conditions)) == conditions


@pytest.mark.parametrize(
    ("attribute", "value", "fits"),
    [
        (AttributeIs(name="n", any_of=("x", "y")), "y", True),
        (AttributeIs(name="n", any_of=("x", "y")), ["z", "x"], True),
        (AttributeIs(name="n", any_of=("x",)), None, False),
        (AttributeIs(name="n", least=1, most=3), 3, True),
        (AttributeIs(name="n", least=1, most=3), 3.5, False),
        (AttributeIs(name="n", least="2026-01-01"), "2026-05-01", True),
        (AttributeIs(name="n", least="2026-01-01"), 7, False),
        (AttributeIs(name="n", least=0), True, False),
    ],
)
def test_attributes(attribute: AttributeIs, value: Any, fits: bool) -> None:
    assert attribute.holds(value) is fits


def test_days_are_those_of_the_programme() -> None:
    late = replace(purchase(100), at=datetime(2026, 5, 13, 22, 30, tzinfo=UTC))  # 00:30 on the 14th in Berlin
    assert earned(late, rule(conditions=Conditions(first_day=date(2026, 5, 14)))) == 1
    assert earned(late, rule(conditions=Conditions(weekdays=("THURSDAY",)))) == 1


def test_other_currencies_and_triggers_earn_nothing() -> None:
    dollars = replace(purchase(1_000), currency="USD")
    [passed] = award(STARS, [rule()], (), dollars, Who(), {}).passed
    assert passed.because == "the programme counts EUR, not USD"
    visit = Cause(trigger=Trigger.INTERACTION, at=NOW, kind="visit")
    visits = rule("Visit", trigger=Trigger.INTERACTION, basis=Basis.FIXED, points=5, kinds=("visit",))
    assert earned(visit, rule(), visits) == 5
    assert earned(replace(visit, kind="call"), visits) == 0


def test_both_sides_of_a_referral() -> None:
    both = rule("Refer", trigger=Trigger.REFERRAL, basis=Basis.FIXED, points=50, referee_points=20)
    cause = replace(purchase(100), trigger=Trigger.REFERRAL)
    assert earned(cause, both) == 50
    assert earned(replace(cause, referee=True), both) == 20


def test_terms_are_the_rules_or_the_programmes() -> None:
    months = replace(STARS, terms=Terms(pending_days=14, expires_months=12))
    own = rule(terms=Terms(pending_days=0, expires_days=30))
    assert award(months, [rule()], (), purchase(100), Who(), {}).terms == Terms(
        pending_days=14, expires_months=12
    )
    assert award(months, [own], (), purchase(100), Who(), {}).terms == Terms(pending_days=0, expires_days=30)
    end = datetime(2026, 1, 31, 12, tzinfo=UTC)
    assert expires_at(Terms(expires_months=1), end, BERLIN) == datetime(2026, 2, 28, 12, tzinfo=UTC)
    assert expires_at(Terms(expires_days=2), end, BERLIN) == end + timedelta(days=2)
    assert expires_at(Terms(never_expires=True), end, BERLIN) == NEVER
    assert unlocks_at(Terms(pending_days=3), end) == end + timedelta(days=3)
    assert unlocks_at(Terms(pending_days=0), end) is None
