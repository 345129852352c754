"""A Strawberry schema whose types gain fields from elsewhere, and whose declarations are checked."""

import copy
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import strawberry
from graphql import GraphQLNamedType, GraphQLObjectType
from strawberry.schema.config import StrawberryConfig
from strawberry.types.base import StrawberryObjectDefinition
from strawberry.types.field import StrawberryField

from .checks import check_declared, check_fields
from .connections import bound
from .declarations import DeclaredField
from .filter_inputs import FilterInputs
from .filters import Member
from .order_inputs import OrderInputs
from .orders import OrderField


class EngineSchema(strawberry.Schema):
    """`extend` adds fields to types, `filters` members to filter inputs, `orders` what lists can be ordered
    by; in this schema only.

    The types themselves do not change, so that several schemas can be made of them in one process.
    `plain_scalars` names scalars that are written as orjson writes their Python values: moments in UTC with
    the `Z`, days, JSON.
    """

    def __init__(
        self,
        query: type,
        mutation: type | None = None,
        subscription: type | None = None,
        *,
        extend: Mapping[type, Sequence[StrawberryField]] | None = None,
        filters: Mapping[str, Iterable[Member]] | None = None,
        orders: Mapping[str, Iterable[OrderField]] | None = None,
        types: Iterable[type] = (),
        config: StrawberryConfig | None = None,
        directives: Iterable[Any] = (),
        schema_directives: Iterable[object] = (),
        plain_scalars: Iterable[str] = (),
    ) -> None:
        self.plain_scalars = frozenset(plain_scalars)
        self.added = {type_: tuple(fields) for type_, fields in (extend or {}).items()}
        self.filters = FilterInputs(filters)
        self.orders = OrderInputs(orders)
        super().__init__(
            query=query,
            mutation=mutation,
            subscription=subscription,
            types=types,
            config=config,
            directives=directives,
            schema_directives=schema_directives,
        )

    def _extend_introspection(self) -> None:
        """Strawberry's own answer to `isOneOf` fails for lists and for what is not null."""
        super()._extend_introspection()
        kind = self._schema.type_map["__Type"]
        assert isinstance(kind, GraphQLObjectType)
        field = kind.fields["isOneOf"]
        of_named = field.resolve
        field.resolve = lambda of, info: of_named(of, info) if isinstance(of, GraphQLNamedType) else None

    def get_fields(self, type_definition: StrawberryObjectDefinition) -> list[StrawberryField]:
        """Copies of the type's fields and of the added ones: Strawberry changes fields while it builds."""
        own = super().get_fields(type_definition)
        fields = [copy.copy(field) for field in (*own, *self.added.get(type_definition.origin, ()))]
        check_fields(type_definition, fields)
        found = [
            bound(field, self.filters, self.orders) if isinstance(field, DeclaredField) else field
            for field in fields
        ]
        for field in found:
            if isinstance(field, DeclaredField):
                check_declared(type_definition, field)
        return found
