"""Members of filters whose conditions rest on what has to be awaited: looked up before one is compiled."""

from collections.abc import Iterator, Mapping
from typing import Any

from .context import Context
from .errors import RequestError, awaited, going_on
from .filters import COMBINE, Condition, FilterSpec, Looked, Member


def waits(spec: FilterSpec, value: Any) -> bool:
    """Whether a filter has such a member, also in what stands in it for a name."""
    return bool(spec.lookups) and next(_named(spec, value), None) is not None


async def looked_up(spec: FilterSpec, value: Any, context: Context) -> Any:
    """The filter, or list of filters, with a `Looked` in place of each value of such a member."""
    found: dict[str, Condition] = {}
    for member in _named(spec, value):
        if member.name not in found:
            assert member.lookup is not None
            with going_on():
                later = member.lookup(context)
            found[member.name] = await awaited(later)
    return _with(value, found, context, ("filter",)) if found else value


def _named(spec: FilterSpec, value: Any) -> Iterator[Member]:
    if isinstance(value, Mapping):
        for name, inner in value.items():
            if name in COMBINE:
                yield from _named(spec, inner)
            elif name in spec.lookups and inner is not None and not isinstance(inner, Looked):
                yield spec.lookups[name]
    elif isinstance(value, list | tuple):
        for inner in value:
            yield from _named(spec, inner)


def _with(value: Any, found: Mapping[str, Condition], context: Context, path: tuple[str, ...]) -> Any:
    if isinstance(value, list | tuple):
        return [_with(inner, found, context, (*path, str(place))) for place, inner in enumerate(value)]
    if not isinstance(value, Mapping):
        return value
    result: dict[str, Any] = {}
    for name, inner in value.items():
        here = (*path, name)
        if name in COMBINE:
            result[name] = _with(inner, found, context, here)
        elif name in found and inner is not None:
            try:
                with going_on():
                    result[name] = Looked(found[name](inner, context.reader.dialect))
            except RequestError as error:
                raise RequestError(error.code, f"{'.'.join(here)}: {error.message}") from None
        else:
            result[name] = inner
    return type(value)(result) if isinstance(value, dict) else result
