"""On what a rule or a campaign depends besides its cause: a condition that does not hold says why."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime
from typing import Any
from zoneinfo import ZoneInfo

WEEKDAYS = ("MONDAY", "TUESDAY", "WEDNESDAY", "THURSDAY", "FRIDAY", "SATURDAY", "SUNDAY")


@dataclass(frozen=True, kw_only=True)
class AttributeIs:
    """A customer's attribute is one of `any_of`, or lies between `least` and `most`, both included."""

    name: str
    any_of: tuple[Any, ...] = ()
    least: Any = None
    most: Any = None

    def holds(self, value: Any) -> bool:
        if value is None:
            return False
        if self.any_of:
            values = value if isinstance(value, list) else [value]
            return any(one in self.any_of for one in values)
        return _within(value, self.least, self.most)


@dataclass(frozen=True, kw_only=True)
class Conditions:
    """All must hold. What is empty or None asks for nothing. Days and weekdays are the programme's own."""

    least_minor: int | None = None
    """The purchase's total, minor units."""
    most_minor: int | None = None
    channels: tuple[str, ...] = ()
    skus: tuple[str, ...] = ()
    """Only lines with these count, or with one of `categories`."""
    categories: tuple[str, ...] = ()
    tags_any: tuple[str, ...] = ()
    tags_all: tuple[str, ...] = ()
    tags_none: tuple[str, ...] = ()
    segments: tuple[str, ...] = ()
    """Keys; the customer belongs to one of them."""
    tiers: tuple[str, ...] = ()
    """Keys; the customer has one of them."""
    attributes: tuple[AttributeIs, ...] = ()
    weekdays: tuple[str, ...] = ()
    first_day: date | None = None
    last_day: date | None = None


ANYTHING = Conditions()


@dataclass(frozen=True, kw_only=True)
class Line:
    """A line of a purchase."""

    sku: str
    category: str | None
    quantity: int
    amount_minor: int


@dataclass(frozen=True, kw_only=True)
class Who:
    """What conditions ask about a customer."""

    tags: frozenset[str] = frozenset()
    segments: frozenset[str] = frozenset()
    tier: str | None = None
    attributes: Mapping[str, Any] = field(default_factory=dict)


def why_not(
    conditions: Conditions,
    who: Who,
    *,
    at: datetime,
    zone: ZoneInfo,
    total_minor: int | None,
    channel: str | None,
    lines: Sequence[Line],
) -> str | None:
    """The first condition that does not hold, in words; None if all do."""
    c = conditions
    day = at.astimezone(zone).date()
    if c.first_day is not None and day < c.first_day:
        return f"it begins on {c.first_day}"
    if c.last_day is not None and day > c.last_day:
        return f"it ended on {c.last_day}"
    if c.weekdays and WEEKDAYS[day.weekday()] not in c.weekdays:
        return f"{WEEKDAYS[day.weekday()].lower()} is none of its days"
    if c.channels and channel not in c.channels:
        return f"the channel is {channel or 'not known'}, not {_or(c.channels)}"
    if c.least_minor is not None and (total_minor or 0) < c.least_minor:
        return "the total is below the least that it asks for"
    if c.most_minor is not None and (total_minor or 0) > c.most_minor:
        return "the total is above the most that it takes"
    if (c.skus or c.categories) and not matching(conditions, lines):
        return f"no line is of {_or((*c.skus, *c.categories))}"
    return _about(conditions, who)


def _about(c: Conditions, who: Who) -> str | None:
    if c.tags_any and not who.tags.intersection(c.tags_any):
        return f"the customer is not tagged {_or(c.tags_any)}"
    missing = [tag for tag in c.tags_all if tag not in who.tags]
    if missing:
        return f"the customer is not tagged {missing[0]}"
    present = [tag for tag in c.tags_none if tag in who.tags]
    if present:
        return f"the customer is tagged {present[0]}"
    if c.segments and not who.segments.intersection(c.segments):
        return "the customer is in none of its segments"
    if c.tiers and who.tier not in c.tiers:
        return "the customer has none of its tiers"
    for attribute in c.attributes:
        if not attribute.holds(who.attributes.get(attribute.name)):
            return f"the attribute {attribute.name} does not fit"
    return None


def matching(conditions: Conditions, lines: Sequence[Line]) -> Sequence[Line]:
    """The lines that count: all, where the conditions name no goods."""
    if not conditions.skus and not conditions.categories:
        return lines
    return [line for line in lines if line.sku in conditions.skus or line.category in conditions.categories]


def _within(value: Any, least: Any, most: Any) -> bool:
    kinds = {type(one) for one in (value, least, most) if one is not None}
    if kinds != {str} and not kinds <= {int, float}:
        return False
    return (least is None or value >= least) and (most is None or value <= most)


def _or(words: Sequence[str]) -> str:
    shown = [*words[:3], "…"] if len(words) > 3 else list(words)
    return " or ".join(shown)
