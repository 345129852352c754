"""Conditions as clients write and read them."""

from datetime import date
from enum import StrEnum
from typing import Any
from unicodedata import normalize

import strawberry
from strawberry import ID

from crm_framework import (
    CrmError,
    ErrorCode,
    MoneyInput,
    chosen,
    decode_key,
    describe,
    encode_id,
    format_minor,
    optional,
    required,
)

from .conditions import WEEKDAYS, AttributeIs, Conditions
from .plain import from_plain

LONGEST_TEXT = 400
"""Characters of a SKU, a category, a tag or a channel: the core keeps a hundred, each with its marks."""


class Weekday(StrEnum):
    MONDAY = "MONDAY"
    TUESDAY = "TUESDAY"
    WEDNESDAY = "WEDNESDAY"
    THURSDAY = "THURSDAY"
    FRIDAY = "FRIDAY"
    SATURDAY = "SATURDAY"
    SUNDAY = "SUNDAY"


describe(
    Weekday,
    "A day of the week, where the programme is.",
    name="LoyaltyWeekday",
    **{day: f"{day.capitalize()}." for day in WEEKDAYS},
)
JSON = strawberry.scalars.JSON


@strawberry.input(
    description="What a customer's attribute must be. One of a list, or between two values, both included."
)
class EarningAttributeInput:
    name: str = required("The attribute's name.")
    in_: list[JSON] | None = optional("It is one of these; of several choices, one is enough.", name="in")
    gte: JSON | None = optional("It is this or more: a number, or a day as YYYY-MM-DD.")
    lte: JSON | None = optional("It is this or less.")


@strawberry.input(description="On what it depends besides. All that is given must hold.")
class EarningConditionsInput:
    least_total: MoneyInput | None = optional("The purchase's total is this or more.")
    most_total: MoneyInput | None = optional("The purchase's total is this or less.")
    channels: list[str] | None = optional("It came over one of these channels.")
    skus: list[str] | None = optional("Only lines with one of these SKUs count, or of one of the categories.")
    categories: list[str] | None = optional("Only lines of these categories count, or with one of the SKUs.")
    tags_any: list[str] | None = optional("The customer has one of these tags.")
    tags_all: list[str] | None = optional("The customer has all of these tags.")
    tags_none: list[str] | None = optional("The customer has none of these tags.")
    segments: list[ID] | None = optional("The customer belongs to one of these segments.")
    tiers: list[ID] | None = optional("The customer has one of these tiers.")
    attributes: list[EarningAttributeInput] | None = optional("What the customer's attributes are.")
    weekdays: list[Weekday] | None = optional("It happened on one of these days.")
    first_day: date | None = optional("It happened on this day or later, where the programme is.")
    last_day: date | None = optional("It happened on this day or before.")


def conditions_of(given: EarningConditionsInput | None, currency: str) -> Conditions:
    """What an input asks for. BAD_INPUT for an id of another kind, or an amount in another currency."""
    if given is None:
        return Conditions()
    return Conditions(
        least_minor=_minor(given.least_total, currency, "leastTotal"),
        most_minor=_minor(given.most_total, currency, "mostTotal"),
        channels=_texts(given.channels, "channels"),
        skus=_texts(given.skus, "skus"),
        categories=_texts(given.categories, "categories"),
        tags_any=_tags(given.tags_any, "tagsAny"),
        tags_all=_tags(given.tags_all, "tagsAll"),
        tags_none=_tags(given.tags_none, "tagsNone"),
        segments=keys(given.segments, "Segment", "conditions", "segments"),
        tiers=keys(given.tiers, "LoyaltyTier", "conditions", "tiers"),
        attributes=tuple(
            AttributeIs(
                name=one.name,
                any_of=tuple(chosen(one.in_) or ()),
                least=chosen(one.gte),
                most=chosen(one.lte),
            )
            for one in chosen(given.attributes) or ()
        ),
        weekdays=tuple(day.value for day in chosen(given.weekdays) or ()),
        first_day=chosen(given.first_day),
        last_day=chosen(given.last_day),
    )


def shown(plain: Any, currency: str) -> Any:
    """Stored conditions as an input would say them."""
    c = from_plain(plain or {})
    said: dict[str, Any] = {}
    for name, minor in (("leastTotal", c.least_minor), ("mostTotal", c.most_minor)):
        if minor is not None:
            said[name] = {"amount": format_minor(minor, currency), "currency": currency}
    said |= {
        name: list(values)
        for name, values in (
            ("channels", c.channels),
            ("skus", c.skus),
            ("categories", c.categories),
            ("tagsAny", c.tags_any),
            ("tagsAll", c.tags_all),
            ("tagsNone", c.tags_none),
            ("segments", [encode_id("Segment", key) for key in c.segments]),
            ("tiers", [encode_id("LoyaltyTier", key) for key in c.tiers]),
            ("weekdays", c.weekdays),
        )
        if values
    }
    if c.attributes:
        said["attributes"] = [
            {"name": one.name}
            | ({"in": list(one.any_of)} if one.any_of else {})
            | ({"gte": one.least} if one.least is not None else {})
            | ({"lte": one.most} if one.most is not None else {})
            for one in c.attributes
        ]
    for name, day in (("firstDay", c.first_day), ("lastDay", c.last_day)):
        if day is not None:
            said[name] = day.isoformat()
    return said


def keys(ids: Any, type_: str, *path: str) -> tuple[str, ...]:
    """Keys in a list of ids. BAD_INPUT, with its place, for one of another type."""
    found: list[str] = []
    for index, id_ in enumerate(chosen(ids) or ()):
        try:
            found.append(decode_key(id_, type_))
        except Exception as error:
            raise CrmError(
                ErrorCode.BAD_INPUT, f"{id_!r:.60} is no id of a {type_}.", path=(*path, index),
                hint="Give the id as the API shows it.",
            ) from error  # fmt: skip
    return tuple(found)


def in_currency(given: MoneyInput | None, currency: str, *path: str | int) -> int | None:
    """Minor units of an amount that must be in the programme's currency."""
    amount = chosen(given)
    if amount is None:
        return None
    if amount.currency.strip().upper() != currency:
        raise CrmError(
            ErrorCode.BAD_INPUT, f"The programme counts {currency}, not {amount.currency}.",
            path=(*path, "currency"), hint=f"Give an amount in {currency}.",
        )  # fmt: skip
    minor: int = amount.minor(*path)
    return minor


def _minor(given: MoneyInput | None, currency: str, name: str) -> int | None:
    return in_currency(given, currency, "conditions", name)


def _tags(values: Any, name: str) -> tuple[str, ...]:
    """As tags are kept: in small letters, with single blanks."""
    return tuple(" ".join(text.lower().split()) for text in _texts(values, name))


def _texts(values: Any, name: str) -> tuple[str, ...]:
    texts = (one_text(value, "conditions", name, index) for index, value in enumerate(chosen(values) or ()))
    return tuple(text for text in texts if text)


def one_text(value: str, *path: str | int) -> str:
    """As the core keeps it: trimmed, and its letters composed. BAD_INPUT for one that is too long."""
    text = value.strip()
    if len(text) > LONGEST_TEXT:  # composing it would take time with the square of its length
        raise CrmError(
            ErrorCode.BAD_INPUT, f"This text has {len(text)} characters; {LONGEST_TEXT} are allowed.",
            path=path, hint="Shorten it.",
        )  # fmt: skip
    return normalize("NFC", text)
