"""What a subject or a plugin contributes to a schema."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from strawberry.types.field import StrawberryField

if TYPE_CHECKING:
    from .filters import Member
    from .orders import OrderField


@dataclass(frozen=True, kw_only=True)
class SchemaParts:
    """Fields for existing types (`extend`) and for the root types, further types, members of filters and
    orders.

    `types` are those that no field leads to, such as implementations of an interface. `filters` maps the name
    of a filter input, such as "CustomerFilter", to the members it gains; `orders` likewise that of an
    order, such as "CustomerOrder", to what lists that take it can be ordered by too.
    """

    extend: Mapping[type[Any], Sequence[StrawberryField]] = field(default_factory=dict)
    query: Sequence[StrawberryField] = ()
    mutation: Sequence[StrawberryField] = ()
    subscription: Sequence[StrawberryField] = ()
    types: Sequence[type[Any]] = ()
    filters: Mapping[str, Sequence["Member"]] = field(default_factory=dict)
    orders: Mapping[str, Sequence["OrderField"]] = field(default_factory=dict)
