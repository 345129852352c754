"""What lists can be ordered by, per schema: plugins add to it."""

from collections.abc import Iterable, Mapping

from .orders import OrderField, Orders


class OrderInputs:
    """The orders of one schema. `added` is what plugins add, by the name of the input type."""

    def __init__(self, added: Mapping[str, Iterable[OrderField]] | None = None) -> None:
        self._added = {name: tuple(fields) for name, fields in (added or {}).items()}
        self._orders: dict[str, Orders] = {}

    def extended(self, orders: Orders) -> Orders:
        """The orders with what this schema adds to them: the same each time, as their type is one."""
        known = self._orders.get(orders.name)
        if known is None:
            known = self._orders[orders.name] = orders.extended(self._added.get(orders.name, ()))
        return known

    def unused(self) -> list[str]:
        """Names that were added to, but that no list is ordered by."""
        return sorted(set(self._added) - set(self._orders))
