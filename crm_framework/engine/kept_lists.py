"""Lists that are kept under a name: a filter and an order that take part in a request as if it had them."""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from .errors import RequestError
from .orders import Orders
from .sql import Fragment


@dataclass(frozen=True)
class KeptList:
    """What `narrow` gives for the name of a list that is kept: a filter and an order as clients write them,
    in plain JSON.

    Both are looked at as if the client had given them. The filter holds besides the one of the request, and
    so does `where`; the order is that of a request which chooses none.
    """

    filter: Mapping[str, Any]
    order_by: Sequence[Mapping[str, Any]] = ()
    where: Fragment | None = None


@contextmanager
def of_kept() -> Iterator[None]:
    """Says of an input that does not fit that it is a kept one."""
    try:
        yield
    except RequestError as error:
        if error.code != "BAD_INPUT":
            raise
        raise RequestError(error.code, f"the kept list does not fit any more: {error.message}") from None


def kept_order(orders: Orders | None, kept: Sequence[Mapping[str, Any]]) -> Sequence[Mapping[str, Any]]:
    """A kept order. Raises `RequestError` BAD_INPUT for what the list can no longer be ordered by, say as its
    plugin is off.
    """
    known = {one.name for one in orders.fields} if orders is not None else set()
    for each in kept:
        if each.get("field") not in known:
            raise RequestError("BAD_INPUT", f"orderBy: there is no order by {each.get('field')}")
    return kept
