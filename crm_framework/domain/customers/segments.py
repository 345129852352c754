"""Segments: saved filters over customers, as plain JSON. The caller's check decides what one may hold."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from msgspec import UNSET, UnsetType

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
from crm_framework.domain.values.text import kind_of, line, optional_lines
from crm_framework.errors import CrmError, ErrorCode
from crm_framework.events import Changes, SettingChanged
from crm_framework.security.actors import Actor
from crm_framework.security.roles import refuse_scoping_segment
from crm_framework.storage.ids import is_key, new_id

if TYPE_CHECKING:
    from crm_framework.storage.unit_of_work import UnitOfWork

CONDITION_LIMIT = 50_000
"""Characters of a condition as JSON."""

MAX_LEVELS = 10
"""How far segments may build on one another, the topmost counted."""
MAX_PARTS = 50
"""How many segments one may be made of in all, itself counted, and each as often as it is named."""

Check = Callable[[Mapping[str, Any]], None]
"""Raises CrmError for a condition that is no customer filter, with a path inside the condition."""


@dataclass(frozen=True, kw_only=True)
class NewSegment:
    """`condition` is a customer filter in plain JSON; in it, `segment` holds the key of another segment."""

    name: str
    condition: Mapping[str, Any]
    description: str | None = None


@dataclass(frozen=True, kw_only=True)
class SegmentChange:
    """What is UNSET stays."""

    name: str | UnsetType = UNSET
    condition: Mapping[str, Any] | UnsetType = UNSET
    description: str | UnsetType | None = UNSET


@dataclass(frozen=True, kw_only=True, slots=True)
class Segment:
    id: str
    version: int = 1
    name: str
    description: str | None
    condition: Mapping[str, Any]


async def create_segment(tx: "UnitOfWork", new: NewSegment, check: Check) -> str:
    """Key of the new segment. CONFLICT for a name that is taken."""
    segment = Segment(
        id=new_id(),
        name=line(new.name, "The name", 200, path=("name",)),
        description=_description(new.description),
        condition=checked_condition(new.condition, check),
    )
    known = await _all(tx)
    _refuse_loops(segment, known)
    _refuse_excess(segment, known)
    row = {**_columns(segment), "id": segment.id, "created_at": tx.now, "updated_at": tx.now}
    if not await insert(tx, "crm_segment", row, or_nothing=True):
        raise _taken(segment.name)
    _emit(tx, segment, _differences(None, segment))
    return segment.id


async def update_segment(
    tx: "UnitOfWork",
    segment_id: str,
    change: SegmentChange,
    check: Check,
    *,
    expected_version: int | None = None,
) -> bool:
    """Whether anything changed. REFUSED for a condition that leads back to this segment."""
    check_key(segment_id, "segment", path=("id",))
    known = await _all(tx)
    before = known.get(segment_id)
    if before is None:
        raise not_found("segment", segment_id, path=("id",))
    if expected_version is not None and expected_version != before.version:
        raise stale("segment", expected_version, before.version)
    after = before
    if not isinstance(change.name, UnsetType):
        after = replace(after, name=line(change.name, "The name", 200, path=("name",)))
    if not isinstance(change.description, UnsetType):
        after = replace(after, description=_description(change.description))
    if not isinstance(change.condition, UnsetType):
        after = replace(after, condition=checked_condition(change.condition, check))
        _refuse_loops(after, known)
        _refuse_excess(after, known)
    if after == before:
        return False
    if any(other.name == after.name and other.id != after.id for other in known.values()):
        raise _taken(after.name)
    if (
        after.condition != before.condition
        and tx.reach is not None
        and isinstance(tx.actor, Actor)
        and tx.actor.scoped
    ):
        # it may be, or be a part of, what says whom the actor sees
        raise CrmError(
            ErrorCode.FORBIDDEN,
            "Who sees some customers only cannot change whom a segment means.",
            path=("condition",),
            hint="Make a new segment, or ask somebody who sees all customers.",
        )
    changes = _differences(before, after)
    after = replace(after, version=before.version + 1)
    values = {**_columns(after), "updated_at": tx.now}
    await update(tx, "crm_segment", segment_id, values, clash=_taken(after.name))
    _emit(tx, after, changes)
    return True


async def delete_segment(tx: "UnitOfWork", segment_id: str) -> None:
    """REFUSED, with their names, while other segments build on it."""
    check_key(segment_id, "segment", path=("id",))
    known = await _all(tx)
    segment = known.get(segment_id)
    if segment is None:
        raise not_found("segment", segment_id, path=("id",))
    users = [other.name for other in known.values() if segment_id in set(references(other.condition))]
    if users:
        raise CrmError(
            ErrorCode.REFUSED,
            f"The segment {segment.name!r} is part of: {', '.join(sorted(users)[:5])}.",
            path=("id",),
            hint="Change these first.",
        )
    await refuse_scoping_segment(tx, segment_id)
    await tx.execute("DELETE FROM crm_segment WHERE id = ?", (segment_id,))
    _emit(tx, segment, {name: (old, None) for name, (_, old) in _differences(None, segment).items()})


def references(condition: object) -> Iterator[str]:
    """Keys of the segments that a condition names, at whatever depth."""
    if isinstance(condition, Mapping):
        for name, value in condition.items():
            if name == "segment":
                yield from (key for key in _texts(value) if is_key(key))
            else:
                yield from references(value)
    elif isinstance(condition, list | tuple):
        for item in condition:
            yield from references(item)


def _texts(value: object) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    elif isinstance(value, Mapping):
        for item in value.values():
            yield from _texts(item)
    elif isinstance(value, list | tuple):
        for item in value:
            yield from _texts(item)


def _refuse_loops(segment: Segment, known: Mapping[str, Segment]) -> None:
    seen: set[str] = set()
    todo = list(references(segment.condition))
    while todo:
        key = todo.pop()
        if key == segment.id:
            raise CrmError(
                ErrorCode.REFUSED,
                f"The segment {segment.name!r} would be part of itself.",
                path=("condition",),
                hint="Leave out the segment that leads back to this one.",
            )
        if key in seen:
            continue
        seen.add(key)
        if key not in known:
            raise not_found("segment", key, path=("condition", "segment"))
        todo += references(known[key].condition)


def _refuse_excess(changed: Segment, known: Mapping[str, Segment]) -> None:
    """For the segment itself and for all that build on it: each is written out when it is asked for."""
    all_ = {**known, changed.id: changed}
    sizes: dict[str, tuple[int, int, bool]] = {}

    def measure(key: str) -> tuple[int, int, bool]:
        """Levels and parts of a segment, and whether it is concerned."""
        if key not in sizes:
            below = [measure(one) for one in references(all_[key].condition) if one in all_]
            sizes[key] = (
                1 + max((levels for levels, _, _ in below), default=0),
                1 + sum(parts for _, parts, _ in below),
                key == changed.id or any(concerned for _, _, concerned in below),
            )
        return sizes[key]

    for key, segment in all_.items():
        levels, parts, concerned = measure(key)
        if concerned and (levels > MAX_LEVELS or parts > MAX_PARTS):
            raise CrmError(
                ErrorCode.REFUSED,
                f"The segment {segment.name!r} would build on too many others: {levels} levels and {parts}"
                f" parts in all; {MAX_LEVELS} and {MAX_PARTS} are allowed.",
                path=("condition",),
                hint="Say the same with fewer segments.",
            )


def checked_condition(condition: object, check: Check) -> Mapping[str, Any]:
    """The condition in plain JSON, once it is known to be a filter. BAD_INPUT, at `condition`."""
    if not isinstance(condition, Mapping):
        raise CrmError(
            ErrorCode.BAD_INPUT,
            f"A condition must be an object, not {kind_of(condition)}.",
            path=("condition",),
            hint='Give a customer filter, such as {"stage": {"eq": "CUSTOMER"}}.',
        )
    try:
        check(condition)
    except CrmError as error:
        raise error.under("condition") from error
    text = json_text(condition)
    if len(text) > CONDITION_LIMIT:
        raise CrmError(
            ErrorCode.BAD_INPUT,
            f"The condition has {len(text)} characters; {CONDITION_LIMIT} are allowed.",
            path=("condition",),
            hint="Build it from several segments.",
        )
    plain: dict[str, Any] = json_of(text)
    return plain


async def _all(tx: "UnitOfWork") -> dict[str, Segment]:
    """Every segment, kept as it is until the transaction ends: two changes at once could close a loop."""
    rows = await tx.fetch(
        f"SELECT id, version, name, description, condition FROM crm_segment ORDER BY id {for_update(tx)}"
    )
    return {row["id"]: Segment(**{**row, "condition": json_of(row["condition"])}) for row in rows}


def _description(text: str | None) -> str | None:
    return optional_lines(text, "The description", 1000, path=("description",))


def _columns(segment: Segment) -> dict[str, object]:
    return {
        "version": segment.version,
        "name": segment.name,
        "description": segment.description,
        "condition": json_text(segment.condition),
    }


def _differences(before: Segment | None, after: Segment) -> Changes:
    return {
        name: (old, new)
        for name in ("name", "description", "condition")
        if (old := None if before is None else getattr(before, name)) != (new := getattr(after, name))
    }


def _emit(tx: "UnitOfWork", segment: Segment, changes: Changes) -> None:
    tx.emit(SettingChanged(customer_id=None, kind="segment", record_id=segment.id, changes=changes))


def _taken(name: str) -> CrmError:
    return CrmError(
        ErrorCode.CONFLICT,
        f"There is a segment {name!r} already.",
        path=("name",),
        hint="Choose another name, or change that segment.",
    )
