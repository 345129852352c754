"""Results that are still to come: awaitables and async iterables among what functions gave."""

import asyncio
from collections.abc import AsyncIterable, Awaitable, Iterable, Sequence
from typing import Any

from graphql.pyutils import is_iterable

from .errors import awaited
from .plans import Shape
from .rows import is_list


def all_here(values: Iterable[Any]) -> bool:
    """Whether none of the values, nor an item of a list among them, is still to come."""
    for value in values:
        kind = type(value)
        if kind is list or kind is tuple:
            if not all_here(value):
                return False
            continue
        later = _LATER.get(kind)
        if later is None:
            later = _LATER[kind] = hasattr(kind, "__await__") or hasattr(kind, "__aiter__")
        if later:
            return False
    return True


_LATER: dict[type, bool] = {}
"""Type → whether its objects are still to come: asked for every value, and the types are few."""


async def arrived(shape: Shape, values: Sequence[Any]) -> list[Any]:
    """The values, once they are there; an exception in place of one that failed."""
    return list(await asyncio.gather(*(_arrived(shape, value) for value in values)))


async def shared(shape: Shape, values: Sequence[Any]) -> list[Any]:
    """The values for several who look at them: what can be gone through or awaited only once is kept."""
    here = await arrived(shape, [_kept(shape, value) for value in values])
    return [_kept(shape, value) for value in here]


def _kept(shape: Shape, value: Any) -> Any:
    if shape.item is None or not is_list(value):
        return value
    inner = shape.item
    try:
        return [_kept(inner, item) for item in value]
    except Exception as error:
        return error


async def _arrived(shape: Shape, value: Any) -> Any:
    try:
        if isinstance(value, Awaitable):
            value = await awaited(value)
        if shape.item is None or value is None:
            return value
        if isinstance(value, AsyncIterable):
            return await _collected(shape.item, value)
        if is_iterable(value):
            items = list(value)
            return items if all_here(items) else await arrived(shape.item, items)
        return value
    except Exception as error:
        return error


async def _collected(shape: Shape, values: AsyncIterable[Any]) -> list[Any]:
    """All items, up to the first that nulls the list as a whole; then nobody listens any longer."""
    found: list[Any] = []
    iterator = values.__aiter__()
    try:
        async for value in iterator:
            [item] = await arrived(shape, [value])
            found.append(item)
            if shape.required and (item is None or isinstance(item, Exception)):
                break
    finally:
        close = getattr(iterator, "aclose", None)
        if close is not None:
            await close()
    return found
