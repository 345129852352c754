"""Conditions as the database keeps them: plain JSON, with only what was given."""

from collections.abc import Mapping
from datetime import date
from typing import Any

from .conditions import AttributeIs, Conditions

LISTS = (
    "channels",
    "skus",
    "categories",
    "tags_any",
    "tags_all",
    "tags_none",
    "segments",
    "tiers",
    "weekdays",
)


def to_plain(conditions: Conditions) -> dict[str, Any]:
    """Without what asks for nothing."""
    plain: dict[str, Any] = {name: list(value) for name in LISTS if (value := getattr(conditions, name))}
    for name in ("least_minor", "most_minor"):
        if (amount := getattr(conditions, name)) is not None:
            plain[name] = amount
    for name in ("first_day", "last_day"):
        if (day := getattr(conditions, name)) is not None:
            plain[name] = day.isoformat()
    if conditions.attributes:
        plain["attributes"] = [_attribute(one) for one in conditions.attributes]
    return plain


def from_plain(plain: Mapping[str, Any]) -> Conditions:
    """The conditions that `to_plain` was given."""
    days = {name: date.fromisoformat(plain[name]) for name in ("first_day", "last_day") if name in plain}
    return Conditions(
        least_minor=plain.get("least_minor"),
        most_minor=plain.get("most_minor"),
        attributes=tuple(
            AttributeIs(
                name=one["name"],
                any_of=tuple(one.get("any_of", ())),
                least=one.get("least"),
                most=one.get("most"),
            )
            for one in plain.get("attributes", ())
        ),
        first_day=days.get("first_day"),
        last_day=days.get("last_day"),
        **{name: tuple(plain.get(name, ())) for name in LISTS},
    )


def _attribute(one: AttributeIs) -> dict[str, Any]:
    plain: dict[str, Any] = {"name": one.name}
    if one.any_of:
        plain["any_of"] = list(one.any_of)
    if one.least is not None:
        plain["least"] = one.least
    if one.most is not None:
        plain["most"] = one.most
    return plain
