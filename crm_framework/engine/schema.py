"""A Strawberry schema whose types gain fields from elsewhere, and whose declarations are checked."""

import copy
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import strawberry
from strawberry.schema.config import StrawberryConfig
from strawberry.types.base import StrawberryObjectDefinition
from strawberry.types.field import StrawberryField

from .checks import check_fields


class EngineSchema(strawberry.Schema):
    """`extend` adds fields to types, in this schema only: the types themselves do not change."""

    def __init__(
        self,
        query: type,
        mutation: type | None = None,
        subscription: type | None = None,
        *,
        extend: Mapping[type, Sequence[StrawberryField]] | None = None,
        types: Iterable[type] = (),
        config: StrawberryConfig | None = None,
        directives: Iterable[Any] = (),
        schema_directives: Iterable[object] = (),
    ) -> None:
        self.added = {type_: tuple(fields) for type_, fields in (extend or {}).items()}
        super().__init__(
            query=query,
            mutation=mutation,
            subscription=subscription,
            types=types,
            config=config,
            directives=directives,
            schema_directives=schema_directives,
        )

    def get_fields(self, type_definition: StrawberryObjectDefinition) -> list[StrawberryField]:
        """Copies of the type's fields and of the added ones: Strawberry changes fields while it builds."""
        own = super().get_fields(type_definition)
        fields = [copy.copy(field) for field in (*own, *self.added.get(type_definition.origin, ()))]
        check_fields(type_definition, fields)
        return fields
