"""How many points a cause earns: a function of values, without floats, that also says why.

Of the rules that fit, the one of the highest priority applies (of equals the one that was made first), or
all do where the programme stacks. What they give is multiplied by the customer's tier and by each campaign
that holds, bounded by each rule's caps, and by the programme's in the order of the rules, added up, and then
rounded, once.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime
from enum import StrEnum
from fractions import Fraction
from math import ceil, floor
from zoneinfo import ZoneInfo

from crm_framework import format_minor

from .conditions import ANYTHING, Conditions, Line, Who, matching, why_not


class Trigger(StrEnum):
    PURCHASE = "PURCHASE"
    INTERACTION = "INTERACTION"
    SIGN_UP = "SIGN_UP"
    BIRTHDAY = "BIRTHDAY"
    REFERRAL = "REFERRAL"
    EVENT = "EVENT"


class Basis(StrEnum):
    FIXED = "FIXED"
    PER_AMOUNT = "PER_AMOUNT"
    PER_ITEM = "PER_ITEM"


class Selection(StrEnum):
    HIGHEST_PRIORITY = "HIGHEST_PRIORITY"
    STACKING = "STACKING"


class Rounding(StrEnum):
    FLOOR = "FLOOR"
    HALF_UP = "HALF_UP"
    CEILING = "CEILING"


@dataclass(frozen=True, kw_only=True)
class Terms:
    """When points can be spent, and how long. All None: at once, for ever."""

    pending_days: int | None = None
    expires_months: int | None = None
    expires_days: int | None = None
    never_expires: bool = False


@dataclass(frozen=True, kw_only=True)
class Rule:
    """One version of a rule. Its points are for each `per_minor` of money, each piece, or each cause."""

    id: str
    version_id: str
    name: str
    trigger: Trigger
    basis: Basis
    points: int
    per_minor: int = 1
    whole_steps: bool = False
    """Only full `per_minor` count: 15.00 is one full 10.00."""
    referee_points: int = 0
    """Of a referral: for the one who was referred; `points` are for the other."""
    kinds: tuple[str, ...] = ()
    """Of interactions, or types of events."""
    priority: int = 0
    conditions: Conditions = ANYTHING
    cap_per_cause: int | None = None
    cap_per_day: int | None = None
    cap_per_customer: int | None = None
    terms: Terms = Terms()


@dataclass(frozen=True, kw_only=True)
class Campaign:
    """A multiplier, in percent, for what happens from `starts_at` on and before `ends_at`."""

    id: str
    name: str
    percent: int
    starts_at: datetime | None = None
    ends_at: datetime | None = None
    rules: tuple[str, ...] = ()
    """Keys of the rules that it is for; all, if there are none."""
    made_at: datetime | None = None
    conditions: Conditions = ANYTHING


@dataclass(frozen=True, kw_only=True)
class Multiplier:
    """What those who have a tier earn of what rules give, in percent."""

    tier: str
    name: str
    percent: int


NOTHING = "it gives nothing for this"
OWN_EVENTS = "loyalty."
"""Prefix of the plugin's own events. Points for points would have no end."""
NO_TOUCHES = {
    "purchase": "A purchase has a trigger of its own.",
    "refund": "A refund earns nothing: it takes points back.",
    "note": "A note is no touch: staff wrote something down.",
}
"""Kinds of interactions that no rule for interactions counts, and why."""
WHOLE = "*"
"""In `used`: what all rules of the programme have given together."""


@dataclass(frozen=True, kw_only=True)
class Programme:
    """How a programme chooses, multiplies, bounds and rounds. Its caps are for all rules together."""

    id: str
    name: str
    currency: str
    zone: ZoneInfo
    selection: Selection = Selection.HIGHEST_PRIORITY
    rounding: Rounding = Rounding.FLOOR
    terms: Terms = Terms()
    multipliers: tuple[Multiplier, ...] = ()
    cap_per_purchase: int | None = None
    cap_per_day: int | None = None
    cap_per_customer: int | None = None
    active: bool = True
    """Whether anything earns in it."""


@dataclass(frozen=True, kw_only=True)
class Cause:
    """What happened. `kind` is that of an interaction, or the type of an event."""

    trigger: Trigger
    at: datetime
    kind: str | None = None
    currency: str | None = None
    total_minor: int | None = None
    channel: str | None = None
    lines: Sequence[Line] = ()
    outbound: bool = False
    """Of an interaction: whether we began it."""
    referee: bool = False
    """Of a referral: whether this is the one who was referred."""


@dataclass(frozen=True)
class Used:
    """What a rule has given a customer before: in all, and on the day of the cause."""

    in_all: int = 0
    on_day: int = 0


@dataclass(frozen=True, kw_only=True)
class Share:
    """What one rule gave."""

    rule: Rule
    points: int
    because: str


@dataclass(frozen=True, kw_only=True)
class Passed:
    """A rule that gave nothing, and why; `capped`: as a cap is reached."""

    rule: Rule
    because: str
    capped: bool = False


@dataclass(frozen=True, kw_only=True)
class Award:
    """What a cause earns in a programme."""

    points: int
    shares: tuple[Share, ...] = ()
    passed: tuple[Passed, ...] = ()
    campaigns: tuple[Campaign, ...] = ()
    multiplier: Multiplier | None = None
    terms: Terms = Terms()
    rounding: Rounding = Rounding.FLOOR


def award(
    programme: Programme,
    rules: Sequence[Rule],
    campaigns: Sequence[Campaign],
    cause: Cause,
    who: Who,
    used: Mapping[str, Used],
) -> Award:
    """What a cause earns. `used` is by the rules' keys, and `WHOLE`; `rules` are in the order in which they
    were made.
    """
    passed: list[Passed] = []
    fitting: list[Rule] = []
    for rule in rules:
        reason = _why_not(programme, rule, cause, who)
        if reason is None:
            fitting.append(rule)
        else:
            passed.append(Passed(rule=rule, because=reason))
    fitting.sort(key=lambda rule: -rule.priority)
    if programme.selection is Selection.HIGHEST_PRIORITY and fitting:
        first, *others = fitting
        passed += [Passed(rule=rule, because=f"“{first.name}” comes before it") for rule in others]
        fitting = [first]
    holding = [one for one in campaigns if _holds(programme, one, cause, who)]
    tier = next((one for one in programme.multipliers if one.tier == who.tier), None)
    left, of_all = _cap_of_all(programme, cause, used.get(WHOLE, Used()))
    exact: list[tuple[Rule, Fraction, str]] = []
    for rule in fitting:
        value, words = _worth(rule, cause, programme.currency)
        if tier is not None:
            value *= Fraction(tier.percent, 100)
            words += f" × {_times(tier.percent)} (“{tier.name}”)"
        for one in holding:
            if not one.rules or rule.id in one.rules:
                value *= Fraction(one.percent, 100)
                words += f" × {_times(one.percent)} (“{one.name}”)"
        reason = NOTHING
        for cap, which in (_cap(rule, used.get(rule.id, Used())), (left, of_all)):
            if cap is not None and value > cap:
                value, words, reason = Fraction(cap), f"{words}, at most {which}", f"{which} is reached"
        if value > 0:
            exact.append((rule, value, words))
            left = None if left is None else left - value
        else:
            passed.append(Passed(rule=rule, because=reason, capped=reason != NOTHING))
    points = rounded(sum((value for _, value, _ in exact), Fraction(0)), programme.rounding)
    parts = shared(points, [value for _, value, _ in exact])
    return Award(
        points=points,
        shares=tuple(
            Share(rule=rule, points=part, because=words)
            for (rule, _, words), part in zip(exact, parts, strict=True)
        ),
        passed=tuple(passed),
        campaigns=tuple(
            one for one in holding if any(not one.rules or rule.id in one.rules for rule, _, _ in exact)
        ),
        multiplier=tier if exact else None,
        terms=_terms(programme, [rule for rule, _, _ in exact]),
        rounding=programme.rounding,
    )


def _why_not(programme: Programme, rule: Rule, cause: Cause, who: Who) -> str | None:
    if not programme.active:
        return f"“{programme.name}” was not active then"
    if rule.trigger is not cause.trigger:
        return f"it is for {rule.trigger.lower().replace('_', ' ')}s, not {cause.trigger.lower()}s"
    if cause.currency is not None and cause.currency != programme.currency:
        return f"the programme counts {programme.currency}, not {cause.currency}"
    if rule.kinds and cause.kind not in rule.kinds:
        return f"it is not for {cause.kind}"
    if cause.trigger is Trigger.INTERACTION:
        if cause.kind in NO_TOUCHES:
            return f"it is not for {cause.kind}"
        if cause.outbound:
            return "it counts what customers do, and this one was ours"
    return why_not(
        rule.conditions,
        who,
        at=cause.at,
        zone=programme.zone,
        total_minor=cause.total_minor,
        channel=cause.channel,
        lines=cause.lines,
    )


def by_segments(
    programme: Programme, rules: Iterable[Rule], campaigns: Iterable[Campaign], cause: Cause, who: Who
) -> bool:
    """Whether the award may depend on segments: some rule or campaign asks for them, and fits otherwise."""
    for rule in rules:
        if rule.conditions.segments:
            anybody = replace(rule, conditions=replace(rule.conditions, segments=()))
            if _why_not(programme, anybody, cause, who) is None:
                return True
    return any(
        _holds(programme, replace(one, conditions=replace(one.conditions, segments=())), cause, who)
        for one in campaigns
        if one.conditions.segments
    )


def _holds(programme: Programme, one: Campaign, cause: Cause, who: Who) -> bool:
    if one.starts_at is not None and cause.at < one.starts_at:
        return False
    if one.ends_at is not None and cause.at >= one.ends_at:
        return False
    reason = why_not(
        one.conditions,
        who,
        at=cause.at,
        zone=programme.zone,
        total_minor=cause.total_minor,
        channel=cause.channel,
        lines=cause.lines,
    )
    return reason is None


def _worth(rule: Rule, cause: Cause, currency: str) -> tuple[Fraction, str]:
    """What a rule gives before multipliers and caps, and how, in words."""
    points = rule.referee_points if cause.referee else rule.points
    if rule.basis is Basis.FIXED:
        return Fraction(points), f"“{rule.name}”: {points}"
    named = bool(rule.conditions.skus or rule.conditions.categories)
    lines = matching(rule.conditions, cause.lines)
    if rule.basis is Basis.PER_ITEM:
        pieces = sum(line.quantity for line in lines if line.amount_minor >= 0)  # a discount is no piece
        return Fraction(points * pieces), f"“{rule.name}”: {points} for each of {pieces}"
    minor = sum(line.amount_minor for line in lines) if named else cause.total_minor or 0
    minor = max(minor, 0)
    worth = Fraction(minor // rule.per_minor if rule.whole_steps else Fraction(minor, rule.per_minor))
    each = "each full" if rule.whole_steps else "each"
    step, amount = format_minor(rule.per_minor, currency), format_minor(minor, currency)
    return worth * points, f"“{rule.name}”: {points} for {each} {step} of {amount} {currency}"


Cap = tuple[Fraction | None, str]
"""What is left of the tightest cap (None if there is none), and what it is called."""


def _cap(rule: Rule, used: Used) -> Cap:
    """Of the rule's own caps."""
    return _tightest(
        (rule.cap_per_cause, 0, "at once"),
        (rule.cap_per_day, used.on_day, "a day"),
        (rule.cap_per_customer, used.in_all, "a customer"),
    )


def _cap_of_all(programme: Programme, cause: Cause, used: Used) -> Cap:
    """Of the programme's caps on all that its rules give together."""
    bought = cause.trigger is Trigger.PURCHASE
    left, words = _tightest(
        (programme.cap_per_purchase if bought else None, 0, "a purchase"),
        (programme.cap_per_day, used.on_day, "a day"),
        (programme.cap_per_customer, used.in_all, "a customer"),
    )
    return left, f"{words} in “{programme.name}”"


def _tightest(*caps: tuple[int | None, int, str]) -> Cap:
    left = [
        (Fraction(max(most - spent, 0)), f"{most} {words}") for most, spent, words in caps if most is not None
    ]
    return min(left, key=lambda cap: cap[0], default=(None, ""))


def _terms(programme: Programme, rules: Sequence[Rule]) -> Terms:
    """Those of the first rule that applied; what it leaves open is the programme's."""
    if not rules:
        return programme.terms
    own, common = rules[0].terms, programme.terms
    says = own.never_expires or own.expires_months is not None or own.expires_days is not None
    expiry = own if says else common
    return Terms(
        pending_days=common.pending_days if own.pending_days is None else own.pending_days,
        expires_months=expiry.expires_months,
        expires_days=expiry.expires_days,
        never_expires=expiry.never_expires,
    )


def rounded(value: Fraction, rounding: Rounding) -> int:
    """A whole number of points; half up is away from zero for what is earned, which is never negative."""
    match rounding:
        case Rounding.FLOOR:
            return floor(value)
        case Rounding.CEILING:
            return ceil(value)
        case Rounding.HALF_UP:
            return floor(value + Fraction(1, 2))


def shared(points: int, exact: Sequence[Fraction]) -> list[int]:
    """`points` in whole parts that add up to it: each exact value rounded down, and the rest one by one to
    those that lost most by it, the first of equals first. No part exceeds its value rounded up.
    """
    parts = [floor(value) for value in exact]
    losses = sorted(range(len(exact)), key=lambda index: parts[index] - exact[index])
    for index in losses[: max(points - sum(parts), 0)]:
        parts[index] += 1
    return parts


def needs(
    rules: Iterable[Rule], campaigns: Iterable[Campaign], programmes: Iterable[Programme]
) -> frozenset[str]:
    """What is asked about customers and purchases: lines, tags, segments, tiers, attributes."""
    found = {"tiers" for programme in programmes if programme.multipliers}
    asked: list[Conditions] = []
    for rule in rules:
        found |= {"lines"} if rule.basis is Basis.PER_ITEM else set()
        asked.append(rule.conditions)
    for c in [*asked, *(one.conditions for one in campaigns)]:
        found |= {"lines"} if c.skus or c.categories else set()
        found |= {"tags"} if c.tags_any or c.tags_all or c.tags_none else set()
        found |= {"segments"} if c.segments else set()
        found |= {"tiers"} if c.tiers else set()
        found |= {"attributes"} if c.attributes else set()
    return frozenset(found)


def local_day(at: datetime, zone: ZoneInfo) -> date:
    """The day of a moment where the programme is."""
    return at.astimezone(zone).date()


def _times(percent: int) -> str:
    whole, rest = divmod(percent, 100)
    return f"{whole}" if rest == 0 else f"{whole}.{rest:02d}".rstrip("0")
