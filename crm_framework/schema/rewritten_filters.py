"""Root lists whose filter names what must be looked up before the list can be read."""

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, fields
from types import MappingProxyType
from typing import Any

from strawberry.types.info import Info

from crm_framework.engine.connections import Connected
from crm_framework.engine.context import Context
from crm_framework.engine.declarations import DECLARATION, DeclaredField
from crm_framework.engine.load import context_of
from crm_framework.engine.pages import Asked

Rewrite = Callable[[Context, Any], Awaitable[Any] | None]
"""The filter as it is to be read, for one of a request; None where there is nothing to look up."""


@dataclass(frozen=True, kw_only=True)
class Rewritten(Connected):
    rewrite: Rewrite

    def asked(
        self, field: DeclaredField, info: Info, arguments: Mapping[str, Any]
    ) -> Asked | Awaitable[Asked]:
        value = arguments.get("filter")
        if not value:
            return super().asked(field, info, arguments)
        context = context_of(info)
        self.check_filter(field, value, context)  # what it named may be gone once it is rewritten
        later = self.rewrite(context, value)
        if later is None:
            return super().asked(field, info, arguments)
        return self._asked(field, info, arguments, later)

    async def _asked(
        self, field: DeclaredField, info: Info, arguments: Mapping[str, Any], later: Awaitable[Any]
    ) -> Asked:
        asked = super().asked(field, info, {**arguments, "filter": await later})
        return asked if isinstance(asked, Asked) else await asked


def rewriting(field: Any, rewrite: Rewrite) -> Any:
    """The root `connection` with its filter rewritten."""
    declaration = field.declaration
    values = {each.name: getattr(declaration, each.name) for each in fields(declaration)}
    field.metadata = MappingProxyType({DECLARATION: Rewritten(**values, rewrite=rewrite)})
    return field
