"""Members of filters whose conditions rest on what has to be awaited: looked up before one is compiled."""

from collections.abc import Awaitable, Iterable, Iterator, Mapping, Sequence
from functools import partial
from typing import Any

from .context import Context
from .errors import RequestError, awaited, going_on
from .filters import COMBINE, Filter, FilterSpec, Found, Lookup, Member, Names, compile_filter, long_texts
from .sql import TRUE, Dialect, Fragment, listed


def waits(spec: FilterSpec, value: Any) -> bool:
    """Whether a filter has such a member."""
    return bool(spec.lookups) and next(_given(spec, value), None) is not None


async def look_up(spec: FilterSpec, filters: Iterable[Any], context: Context) -> Found:
    """What such members of these filters, and of those that they name, mean: each is asked for once.

    What one of them raises is kept, and raised again of each filter that has the member, when that is
    compiled: the others are not to suffer.
    """
    found: dict[str, Any] = {}
    whole = list(filters)
    for member in spec.lookups.values():
        names = [name for name in _values(spec, member, whole) if isinstance(name, str)]
        if member.names is not None and names:
            named = await _asked(member.names, context, list(dict.fromkeys(names)))
            if isinstance(named, Exception):
                found[member.name] = named
            else:
                found[member.name] = partial(_named, named)
                whole += [one for one in named.values() if isinstance(one, Mapping)]
    for member in spec.lookups.values():
        values = _values(spec, member, whole)
        if member.lookup is not None and values:
            found[member.name] = await _asked(member.lookup, context, values)
    return found


async def _asked(ask: Lookup | Names, context: Context, values: list[Any]) -> Any:
    try:
        with going_on():
            later: Awaitable[Any] = ask(context, values)
        return await awaited(later)
    except Exception as error:
        return error


def check_fits(spec: FilterSpec, value: Any, dialect: Dialect) -> None:
    """Raises `RequestError` BAD_INPUT for a filter that does not fit, or is too large, whatever is looked up:
    before that is done, as what is refused anyway is not to cost it.

    What is to be looked up counts as one comparison for each value in it.
    """
    members = spec.lookups.values()
    compile_filter(
        spec, value, dialect, {one.name: _compared if one.lookup else _anything for one in members}
    )


def _compared(value: Any, dialect: Dialect) -> Fragment:
    return listed("1", list(_leaves(value)))


def _anything(value: Any, dialect: Dialect) -> Fragment:
    return TRUE


def _leaves(value: Any) -> Iterator[Any]:
    if isinstance(value, Mapping):
        value = list(value.values())
    if isinstance(value, list | tuple):
        for inner in value:
            yield from _leaves(inner)
    else:
        yield value


def _named(named: Mapping[str, Filter | RequestError], name: Any, dialect: Dialect) -> Filter:
    found = named.get(name) if isinstance(name, str) else None
    if found is None:
        raise RequestError("BAD_INPUT", "there is none of this name")
    if isinstance(found, RequestError):
        raise found
    return found


def _values(spec: FilterSpec, member: Member, filters: Sequence[Any]) -> list[Any]:
    """Without those that are refused for their length when the filter is compiled."""
    return [
        value
        for one, value in _given(spec, filters)
        if one is member and next(long_texts(value), None) is None
    ]


def _given(spec: FilterSpec, value: Any) -> Iterator[tuple[Member, Any]]:
    """Such members with their values, at whatever depth of a filter, or of several."""
    if isinstance(value, Mapping):
        for name, inner in value.items():
            if name in COMBINE:
                yield from _given(spec, inner)
            elif name in spec.lookups and inner is not None:
                yield spec.lookups[name], inner
    elif isinstance(value, list | tuple):
        for inner in value:
            yield from _given(spec, inner)
