"""Definitions of custom fields: made, changed and removed without ever making a stored value wrong."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import orjson
from msgspec import UNSET, UnsetType

from crm_framework.domain.customers.attribute_values import Definition, Definitions, check_value
from crm_framework.domain.models import AttributeType
from crm_framework.domain.rows import (
    check_key,
    for_update,
    insert,
    json_of,
    json_text,
    not_found,
    stale,
    update,
)
from crm_framework.domain.values.text import fold, kind_of, line, optional_lines
from crm_framework.errors import CrmError, ErrorCode, cut
from crm_framework.events import Changes, SettingChanged
from crm_framework.storage.ids import new_id

if TYPE_CHECKING:
    from crm_framework.storage.unit_of_work import UnitOfWork

CHOICES_LIMIT = 500
DEFINITIONS_LIMIT = 500
"""Custom fields that customers may have."""

NOTHING_REQUIRED = "SELECT 1 WHERE NOT EXISTS (SELECT 1 FROM crm_attribute_definition WHERE required)"
"""Finds a row if a customer may do without any attribute."""

_NAME = re.compile(r"[A-Za-z][A-Za-z0-9_]{0,59}")
_LOCK = 7_203_815_001  # any number of our own; advisory locks are named by numbers


@dataclass(frozen=True, kw_only=True)
class NewAttribute:
    """`choices` belongs to CHOICE and CHOICES, which need it."""

    name: str
    type: AttributeType | str
    choices: Sequence[str] | None = None
    required: bool = False
    description: str | None = None


@dataclass(frozen=True, kw_only=True)
class AttributeChange:
    """What is UNSET stays. The name stays for ever: values are stored under it."""

    type: AttributeType | str | UnsetType = UNSET
    choices: Sequence[str] | UnsetType | None = UNSET
    required: bool | UnsetType = UNSET
    description: str | UnsetType | None = UNSET


async def definitions(tx: "UnitOfWork", *, writing: bool = False) -> Definitions:
    """Every definition by name. `writing` keeps them as they are until the end of the transaction."""
    if writing and tx.dialect == "postgres":
        await tx.fetch("SELECT pg_advisory_xact_lock_shared(?)", (_LOCK,))
    rows = await tx.fetch(f"{_SELECT} ORDER BY name")
    return {row["name"]: _definition(row) for row in rows}


async def define_attribute(tx: "UnitOfWork", new: NewAttribute) -> str:
    """Key of the new definition. CONFLICT for a name that is taken, in whatever case."""
    await _exclusively(tx)
    name = check_name(new.name)
    known = await definitions(tx)
    taken = next((other for other in known if fold(other) == fold(name)), None)
    if taken is not None:
        raise CrmError(
            ErrorCode.CONFLICT,
            f"There is an attribute {taken!r} already.",
            path=("name",),
            hint="Choose another name, or change that attribute.",
        )
    if len(known) >= DEFINITIONS_LIMIT:
        raise CrmError(ErrorCode.REFUSED, f"There are {len(known)} attributes; no more are allowed.")
    definition = _checked(
        Definition(id=new_id(), version=1, name=name, type=_type(new.type), required=new.required),
        new.choices,
        new.description,
    )
    await insert(
        tx, "crm_attribute_definition", {"id": definition.id, **_columns(definition), "created_at": tx.now}
    )
    _emit(tx, definition, {"name": (None, name)} | _differences(None, definition))
    return definition.id


async def change_attribute(
    tx: "UnitOfWork", key: str, change: AttributeChange, *, expected_version: int | None = None
) -> bool:
    """Whether anything changed. REFUSED, with the count, if values of customers would not fit any more.

    Making an attribute required leaves customers without it alone: it is enforced
    at creation and when a value is removed.
    """
    await _exclusively(tx)
    before = await _get(tx, key)
    if expected_version is not None and expected_version != before.version:
        raise stale("attribute", expected_version, before.version)
    kind = before.type if isinstance(change.type, UnsetType) else _type(change.type)
    choices: Sequence[str] | None = before.choices
    if not isinstance(change.choices, UnsetType):
        choices = change.choices
    elif kind not in (AttributeType.CHOICE, AttributeType.CHOICES):
        choices = None
    after = _checked(
        replace(
            before,
            type=kind,
            required=before.required if isinstance(change.required, UnsetType) else change.required,
        ),
        choices,
        before.description if isinstance(change.description, UnsetType) else change.description,
    )
    if after == before:
        return False
    if (after.type, after.choices) != (before.type, before.choices):
        await _refuse_misfits(tx, after)
    after = replace(after, version=before.version + 1)
    await update(tx, "crm_attribute_definition", key, _columns(after))
    _emit(tx, after, _differences(before, after))
    return True


async def remove_attribute(tx: "UnitOfWork", key: str) -> None:
    """REFUSED, with the count, while customers have values."""
    await _exclusively(tx)
    definition = await _get(tx, key)
    count = sum(times for _, times in await _stored(tx, definition.name))
    if count:
        raise CrmError(
            ErrorCode.REFUSED,
            f"{_customers(tx, count)} a value for the attribute {definition.name!r}.",
            hint="Remove the values first.",
        )
    await tx.execute("DELETE FROM crm_attribute_definition WHERE id = ?", (key,))
    _emit(tx, definition, {"name": (definition.name, None)})


def check_name(name: object, *, path: Sequence[str | int] = ("name",)) -> str:
    if isinstance(name, str) and _NAME.fullmatch(name.strip()):
        return name.strip()
    raise CrmError(
        ErrorCode.BAD_INPUT,
        f"{cut(name, 80)} is no name for an attribute.",
        path=path,
        hint="Begin with a letter; letters, digits and _ may follow, 60 in all, such as shoeSize.",
    )


async def _exclusively(tx: "UnitOfWork") -> None:
    """Waits for writers of customers' attributes, and lets no other begin before the end."""
    if tx.dialect == "postgres":
        await tx.fetch("SELECT pg_advisory_xact_lock(?)", (_LOCK,))


async def _get(tx: "UnitOfWork", key: str) -> Definition:
    check_key(key, "attribute", path=("id",))
    rows = await tx.fetch(f"{_SELECT} WHERE id = ? {for_update(tx)}", (key,))
    if not rows:
        raise not_found("attribute", key, path=("id",))
    return _definition(rows[0])


async def _refuse_misfits(tx: "UnitOfWork", after: Definition) -> None:
    misfits = 0
    example: object = None
    for value, times in await _stored(tx, after.name):
        try:
            checked = check_value(after, value)
            fits = set(checked) == set(value) if isinstance(checked, list) else checked == value
        except CrmError:
            fits = False
        if not fits:
            misfits += times
            example = value
    if misfits:
        such = f", such as {cut(example)}" if tx.reach is None else ""
        raise CrmError(
            ErrorCode.REFUSED,
            f"{_customers(tx, misfits)} a value for {after.name!r} that would not fit{such}.",
            path=("type",),
            hint="Change these values first, or define another attribute.",
        )


async def _stored(tx: "UnitOfWork", name: str) -> list[tuple[Any, int]]:
    """The values that customers have, each with the number of customers."""
    if tx.dialect == "postgres":
        rows = await tx.fetch(
            "SELECT CAST(attributes -> CAST(? AS text) AS text) AS value, COUNT(*) AS times "
            "FROM crm_customer WHERE jsonb_exists(attributes, CAST(? AS text)) GROUP BY 1",
            (name, name),
        )
        return [(orjson.loads(row["value"]), row["times"]) for row in rows]
    rows = await tx.fetch(
        "SELECT j.value AS value, j.type AS type, COUNT(*) AS times "
        "FROM crm_customer, json_each(attributes) AS j WHERE j.key = ? GROUP BY j.value, j.type",
        (name,),
    )
    read = {"true": lambda _: True, "false": lambda _: False, "array": orjson.loads}
    return [(read.get(row["type"], lambda value: value)(row["value"]), row["times"]) for row in rows]


def _checked(definition: Definition, choices: Sequence[str] | None, description: str | None) -> Definition:
    if definition.type in (AttributeType.CHOICE, AttributeType.CHOICES):
        listed: tuple[str, ...] | None = _choices(choices)
    elif choices is not None:
        raise CrmError(
            ErrorCode.BAD_INPUT,
            f"An attribute of type {definition.type} has no choices.",
            path=("choices",),
            hint="Leave them out, or make it a CHOICE.",
        )
    else:
        listed = None
    if not isinstance(definition.required, bool):
        raise CrmError(
            ErrorCode.BAD_INPUT,
            f"required must be true or false, not {kind_of(definition.required)}.",
            path=("required",),
        )
    text = optional_lines(description, "The description", 500, path=("description",))
    return replace(definition, choices=listed, description=text)


def _choices(choices: Sequence[str] | None) -> tuple[str, ...]:
    if not choices or isinstance(choices, str) or len(choices) > CHOICES_LIMIT:
        raise CrmError(
            ErrorCode.BAD_INPUT,
            f"A choice needs a list of 1 to {CHOICES_LIMIT} choices.",
            path=("choices",),
            hint='Give them such as ["red", "blue"].',
        )
    listed: dict[str, str] = {}
    for index, choice in enumerate(choices):
        text = line(choice, "The choice", 200, path=("choices", index))
        if ";" in text:
            raise CrmError(
                ErrorCode.BAD_INPUT,
                f"The choice {text!r} holds a semicolon, which separates choices in tables.",
                path=("choices", index),
                hint="Use another sign.",
            )
        if fold(text) in listed:
            raise CrmError(
                ErrorCode.BAD_INPUT,
                f"The choices {listed[fold(text)]!r} and {text!r} are the same.",
                path=("choices", index),
                hint="Leave one out.",
            )
        listed[fold(text)] = text
    return tuple(listed.values())


def _type(value: object) -> AttributeType:
    try:
        return AttributeType(value)  # type: ignore[arg-type]  # what is no text is refused below
    except ValueError:
        raise CrmError(
            ErrorCode.BAD_INPUT,
            f"{cut(value, 40)} is no type of attribute.",
            path=("type",),
            hint=f"Choose from: {', '.join(AttributeType)}.",
        ) from None


_SELECT = "SELECT id, version, name, type, choices, required, description FROM crm_attribute_definition"


def _definition(row: Mapping[str, Any]) -> Definition:
    choices = json_of(row["choices"])
    return Definition(
        id=row["id"],
        version=row["version"],
        name=row["name"],
        type=AttributeType(row["type"]),
        choices=None if choices is None else tuple(choices),
        required=bool(row["required"]),
        description=row["description"],
    )


def _columns(definition: Definition) -> dict[str, object]:
    return {
        "version": definition.version,
        "name": definition.name,
        "type": definition.type.value,
        "choices": None if definition.choices is None else json_text(definition.choices),
        "required": definition.required,
        "description": definition.description,
    }


def _differences(before: Definition | None, after: Definition) -> Changes:
    old = _shown(before) if before else dict.fromkeys(_shown(after))
    return {name: (old[name], value) for name, value in _shown(after).items() if old[name] != value}


def _shown(definition: Definition) -> dict[str, Any]:
    return {
        "type": definition.type.value,
        "choices": None if definition.choices is None else list(definition.choices),
        "required": definition.required,
        "description": definition.description,
    }


def _emit(tx: "UnitOfWork", definition: Definition, changes: Changes) -> None:
    tx.emit(SettingChanged(customer_id=None, kind="attribute", record_id=definition.id, changes=changes))


def _customers(tx: "UnitOfWork", count: int) -> str:
    """How many have something, for those who may see all of them."""
    if tx.reach is not None:
        return "There are customers who have"
    return "One customer has" if count == 1 else f"{count} customers have"
