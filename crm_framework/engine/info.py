"""What a function of the schema is told about its field: Strawberry's `Info`, made as far as it is used."""

from collections.abc import Callable, Mapping
from functools import cached_property
from typing import TYPE_CHECKING, Any

from graphql import GraphQLResolveInfo
from strawberry.types.field import StrawberryField
from strawberry.types.info import Info

if TYPE_CHECKING:
    from .context import Context
    from .layouts import Layout


class FieldInfo(Info[Any, Any]):
    """`info` of a field that the engine runs for a whole level: its path has no numbers in it.

    `wanted` says which columns the operation needs of each type that the function may return.
    """

    def __init__(
        self,
        field: StrawberryField,
        context: "Context",
        wanted: "Mapping[type, Layout]",
        raw: Callable[[], GraphQLResolveInfo[Any]],
    ) -> None:
        self._field = field
        self._context = context
        self._make_raw = raw
        self.wanted = wanted

    @property
    def context(self) -> Any:
        return self._context

    @cached_property
    def _raw_info(self) -> GraphQLResolveInfo[Any]:  # type: ignore[override]  # made when it is asked for
        return self._make_raw()
