"""Two results of one operation, and what is different in them."""

import re
from collections.abc import Sequence
from typing import Any

import orjson

from crm_framework.engine.result import Result

_REFERENCE = re.compile(r"\b[0-9a-f]{12}\b|\b[0-9a-f]{32}\b")


def difference(mine: Result, reference: Result, exact: Result | None = None) -> str | None:
    """What is different, in words; `None` for results that say the same.

    `reference` is graphql-core's, whose errors at a nulled position are those that came first in time;
    `exact`, if given, is that of `run_one_by_one`, whose errors must be equal.
    """
    ours, theirs = _decoded(mine), _decoded(reference)
    if ("data" in ours) != ("data" in theirs):
        return f"one was refused and the other was not: {_errors(mine)} against {_errors(reference)}"
    if "data" not in ours:
        return _unequal("errors", _errors(mine), _errors(reference))
    if orjson.dumps(ours["data"]) != orjson.dumps(theirs["data"]):
        return _first_difference(ours["data"], theirs["data"], "data")
    if exact is not None:
        if orjson.dumps(_decoded(exact).get("data")) != orjson.dumps(ours["data"]):
            return "one by one: " + _first_difference(ours["data"], _decoded(exact).get("data"), "data")
        return _unequal("errors", _sorted(_errors(mine)), _sorted(_errors(exact)))
    return _unequal("nulled by errors", _positions(ours["data"], mine), _positions(theirs["data"], reference))


def agrees_in_time(reference: Result, exact: Result) -> str | None:
    """The same for the two references: data are equal, and each error's position."""
    ours, theirs = _decoded(reference), _decoded(exact)
    if orjson.dumps(ours.get("data")) != orjson.dumps(theirs.get("data")):
        return _first_difference(ours.get("data"), theirs.get("data"), "data")
    return _unequal(
        "nulled by errors", _positions(ours.get("data"), reference), _positions(theirs.get("data"), exact)
    )


def _decoded(result: Result) -> dict[str, Any]:
    found: dict[str, Any] = orjson.loads(result.encoded())
    return found


def _errors(result: Result) -> list[Any]:
    """The errors with references to the log left out."""
    text = orjson.dumps(_decoded(result).get("errors", [])).decode()
    found: list[Any] = orjson.loads(_REFERENCE.sub("…", text))
    return found


def _sorted(errors: Sequence[Any]) -> list[Any]:
    return sorted(errors, key=lambda error: orjson.dumps([error.get("path"), error]))


def _positions(data: Any, result: Result) -> list[str]:
    """The positions that are null because of an error."""
    found = set()
    for error in result.errors:
        place, here = [], data
        for step in error.get("path") or ():
            if here is None:
                break
            place.append(step)
            try:
                here = here[step]
            except (LookupError, TypeError):
                place.append("which is not there")
                break
        if here is not None:
            place.append("which is not null")
        found.add(str(place))
    return sorted(found)


def _unequal(what: str, mine: Any, theirs: Any) -> str | None:
    return None if orjson.dumps(mine) == orjson.dumps(theirs) else f"{what}: {mine} instead of {theirs}"


def _first_difference(mine: Any, theirs: Any, place: str) -> str:
    if isinstance(mine, dict) and isinstance(theirs, dict):
        if list(mine) != list(theirs):
            return f"{place}: keys {list(mine)} instead of {list(theirs)}"
        for key in mine:
            if orjson.dumps(mine[key]) != orjson.dumps(theirs[key]):
                return _first_difference(mine[key], theirs[key], f"{place}.{key}")
    if isinstance(mine, list) and isinstance(theirs, list) and len(mine) == len(theirs):
        for index, (one, other) in enumerate(zip(mine, theirs, strict=True)):
            if orjson.dumps(one) != orjson.dumps(other):
                return _first_difference(one, other, f"{place}.{index}")
    return f"{place}: {mine!r:.400} instead of {theirs!r:.400}"
