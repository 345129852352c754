"""Filters that name segments: the segments' own conditions take their place before the list is read."""

import json
from collections.abc import Awaitable, Iterator, Mapping, Sequence
from typing import Any

from crm_framework.domain.customers.segments import MAX_LEVELS, MAX_PARTS
from crm_framework.engine.context import Context
from crm_framework.engine.errors import RequestError
from crm_framework.engine.filters import Nested
from crm_framework.engine.ids import decode_key
from crm_framework.engine.sql import among
from crm_framework.storage.ids import is_key

from .rewritten_filters import rewriting

Known = Mapping[str, Any]
"""Key of a segment → its stored condition, or `None` where there is no such segment."""


async def with_segments(context: Context, value: Any) -> Any:
    """The filter with every `segment` replaced by what the segment says, in one statement for each depth.

    A request gives global ids, stored conditions keys. Raises `RequestError` for an unknown segment, and for
    segments that build on too many others.
    """
    return replaced(value, await named_segments(context, value))


async def named_segments(context: Context, value: Any) -> Known:
    """The segments that a filter, or a list of filters, names, and those that they build on."""
    known: dict[str, Any] = {}
    wanted = list(_named(value))
    for _ in range(MAX_LEVELS):
        missing = [key for key in dict.fromkeys(wanted) if key not in known]
        if not missing:
            break
        found = await _conditions(context, missing)
        known |= {key: found.get(key) for key in missing}
        wanted = [key for condition in found.values() for key in _named(condition)]
    return known


def replaced(value: Any, known: Known) -> Any:
    """The filter with every `segment` replaced by its condition."""
    return _replaced(value, known, iter(range(MAX_PARTS))) if known else value


async def _conditions(context: Context, keys: Sequence[str]) -> dict[str, Any]:
    chosen = among("id", keys, context.reader.dialect)
    rows = await context.reader.fetch(
        f"SELECT id, condition FROM crm_segment WHERE {chosen.sql}", chosen.args
    )
    return {str(row["id"]): json.loads(row["condition"]) for row in rows}


def _key(value: Any) -> str:
    if value is None:
        raise _refused("null is no condition; leave it out")
    if is_key(value):
        found: str = value
        return found
    try:
        return decode_key(value if isinstance(value, str) else "", "Segment")
    except RequestError as error:
        raise RequestError(error.code, f"filter.segment: {error.message}") from None


def _named(value: Any) -> Iterator[str]:
    if isinstance(value, Mapping):
        for name, inner in value.items():
            if name == "segment":
                yield _key(inner)
            elif name in ("and", "or", "not"):
                yield from _named(inner)
    elif isinstance(value, list | tuple):
        for inner in value:
            yield from _named(inner)


def _replaced(value: Any, known: Known, budget: Iterator[int]) -> Any:
    if isinstance(value, list | tuple):
        return [_replaced(inner, known, budget) for inner in value]
    if not isinstance(value, Mapping):
        return value
    result: dict[str, Any] = {}
    for name, inner in value.items():
        if name in ("and", "or", "not"):
            result[name] = _replaced(inner, known, budget)
        elif name != "segment":
            result[name] = inner
    if "segment" in value:
        condition = _condition(_key(value["segment"]), known)
        if next(budget, None) is None:
            raise _refused(f"segments build on more than {MAX_PARTS} others")
        result["and"] = [*result.get("and", ()), Nested(_replaced(condition, known, budget))]
    return result


def _condition(key: str, known: Known) -> Any:
    if key not in known:
        raise _refused(f"segments build on one another {MAX_LEVELS} times at most")
    if known[key] is None:
        raise _refused("there is no such segment")
    return known[key]


def _refused(problem: str) -> RequestError:
    return RequestError("BAD_INPUT", f"filter.segment: {problem}")


def segmented(field: Any) -> Any:
    """Lets a root `connection` of customers take segments in its filter."""
    return rewriting(field, _rewrite)


def _rewrite(context: Context, value: Any) -> Awaitable[Any] | None:
    return None if next(_named(value), None) is None else with_segments(context, value)
