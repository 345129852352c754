"""What conditions of a rule or a campaign may say: what can be met, and names only what is there."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any

from crm_framework import CrmError, ErrorCode, UnitOfWork, among, check_channel

from .conditions import AttributeIs, Conditions
from .store import check_tiers, plain

SHOWN = 20
"""Names that an error lists."""
ORDERED = {"NUMBER": "a number", "DATE": "a day such as 2026-01-31"}
"""Types of attributes whose values lie between others, and how these are written."""
WRITTEN = {
    **ORDERED,
    "BOOLEAN": "true or false",
    "TEXT": "a text",
    "CHOICE": "a choice",
    "CHOICES": "a choice",
}


def check_conditions(c: Conditions) -> None:
    """BAD_INPUT, with its place, for conditions that nothing can meet."""
    if c.least_minor is not None and c.most_minor is not None and c.least_minor > c.most_minor:
        raise _bad("The least total is above the most.", "Change one of them.", "most_total")
    if c.first_day is not None and c.last_day is not None and c.first_day > c.last_day:
        raise _bad("It ends before it begins.", "Change one of the days.", "last_day")
    for index, one in enumerate(c.attributes):
        place, between = ("attributes", index), one.least is not None or one.most is not None
        if not one.any_of and not between:
            raise _bad(f"Nothing is said about the attribute {one.name}.", "Give in, gte or lte.", *place)
        if one.any_of and between:
            raise _bad(
                f"The attribute {one.name} is one of a list or between two values, not both.",
                "Leave one out.", *place,
            )  # fmt: skip


async def check_condition_names(tx: UnitOfWork, program_id: str, c: Conditions) -> None:
    """That what they name is there, and that values fit their attributes. BAD_INPUT or NOT_FOUND with the
    place says what is known.
    """
    for index, channel in enumerate(c.channels):
        check_channel(channel, path=("conditions", "channels", index))
    await check_tiers(tx, program_id, c.tiers, "conditions", "tiers")
    if c.segments:
        where = among("id", sorted(set(c.segments)), tx.dialect)
        rows = await tx.fetch(f"SELECT id FROM crm_segment WHERE {where.sql}", where.args)
        there = {str(row["id"]) for row in rows}
        for index, segment in enumerate(c.segments):
            if segment not in there:
                raise CrmError(
                    ErrorCode.NOT_FOUND, "There is no such segment.", path=("conditions", "segments", index)
                )
    if c.attributes:
        known = await _known(tx)
        for index, one in enumerate(c.attributes):
            path = ("conditions", "attributes", index)
            _check_values(one, _found(known, one.name, (*path, "name")), path)


async def check_attribute(tx: UnitOfWork, name: str, type_: str, *, path: Sequence[str | int]) -> None:
    """BAD_INPUT, with what is known, for a name that no customer attribute of this type has."""
    known = {key: one for key, one in (await _known(tx)).items() if one.type == type_}
    _found(known, name, path, f"customer attribute of the type {type_}")


@dataclass(frozen=True)
class _Definition:
    type: str
    choices: Sequence[str]


async def _known(tx: UnitOfWork) -> dict[str, _Definition]:
    rows = await tx.fetch("SELECT name, type, choices FROM crm_attribute_definition ORDER BY name")
    return {row["name"]: _Definition(row["type"], plain(row["choices"]) or ()) for row in rows}


def _found(
    known: Mapping[str, _Definition], name: str, path: Sequence[str | int], what: str = "customer attribute"
) -> _Definition:
    if name in known:
        return known[name]
    shown = ", ".join([*list(known)[:SHOWN], *(["…"] if len(known) > SHOWN else [])])
    raise CrmError(
        ErrorCode.BAD_INPUT,
        f"There is no {what} {name!r:.100}.",
        path=path,
        hint=f"There are: {shown}." if shown else "Define one with defineAttribute.",
    )


def _check_values(one: AttributeIs, definition: _Definition, path: Sequence[str | int]) -> None:
    for member, value in _given(one):
        if member[0] != "in" and definition.type not in ORDERED:
            raise CrmError(
                ErrorCode.BAD_INPUT,
                f"The attribute {one.name} is a {definition.type}, which is neither more nor less.",
                path=(*path, *member),
                hint="Give in.",
            )
        if not _fits(value, definition):
            choices = f": {', '.join(definition.choices[:SHOWN])}" if definition.choices else ""
            raise CrmError(
                ErrorCode.BAD_INPUT,
                f"{value!r:.60} is no value of the attribute {one.name}.",
                path=(*path, *member),
                hint=f"Give {WRITTEN[definition.type]}{choices}.",
            )
    if one.least is not None and one.most is not None and one.least > one.most:
        raise CrmError(
            ErrorCode.BAD_INPUT,
            "The least is above the most.",
            path=(*path, "lte"),
            hint="Change one of them.",
        )


def _given(one: AttributeIs) -> Iterator[tuple[tuple[str | int, ...], Any]]:
    yield from ((("in", index), value) for index, value in enumerate(one.any_of))
    yield from (
        ((name,), value) for name, value in (("gte", one.least), ("lte", one.most)) if value is not None
    )


def _fits(value: Any, definition: _Definition) -> bool:
    match definition.type:
        case "NUMBER":
            return type(value) in (int, float)
        case "BOOLEAN":
            return type(value) is bool
        case "DATE":
            return isinstance(value, str) and _is_day(value)
        case "CHOICE" | "CHOICES":
            return value in definition.choices
        case _:
            return isinstance(value, str)


def _is_day(text: str) -> bool:
    try:
        return len(text) == len("YYYY-MM-DD") and date.fromisoformat(text).isoformat() == text
    except ValueError:
        return False


def _bad(message: str, hint: str, *place: str | int) -> CrmError:
    return CrmError(ErrorCode.BAD_INPUT, message, path=("conditions", *place), hint=hint)
