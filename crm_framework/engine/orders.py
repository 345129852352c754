"""What lists can be ordered by, as data: each schema makes its input types of it, and plugins add fields."""

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from enum import Enum
from functools import cached_property
from typing import TYPE_CHECKING, Any, Literal

import strawberry
from strawberry.types.field import StrawberryField

from .errors import DeclarationError
from .sql import name

if TYPE_CHECKING:
    from .keyset import Ordering

OrderKind = Literal["string", "int", "decimal", "datetime", "date", "boolean", "enum", "id"]


@dataclass(frozen=True)
class OrderField:
    """One thing to order by. `name` is its value in the API, such as "CREATED_AT"; `kind` that of what is
    compared.

    That is a `column` of the table or `sql`, an expression over the table `t`, such as a subselect of one
    value. NULL is the largest value, unless a request says otherwise by `nulls`, for which only a sort serves
    on PostgreSQL; `nullable` says whether there may be one: without it, a column has none
    and an expression may. Text goes by code points; on PostgreSQL an index serves it where the column's
    collation is "C".
    """

    name: str
    kind: OrderKind
    description: str
    column: str | None = None
    sql: str | None = None
    nullable: bool | None = None
    permission: str | None = None
    """What an actor needs to order by it: cursors hold its values."""

    def __post_init__(self) -> None:
        if self.column is not None:
            name(self.column)
        if (self.column is None) == (self.sql is None) or not self.description:
            raise DeclarationError(
                f"order field {self.name}",
                "it is incomplete",
                "Give a description and either column= or sql=",
            )
        if self.kind not in KINDS:
            known = ", ".join(KINDS)
            raise DeclarationError(
                f"order field {self.name}", f"there is no kind {self.kind!r}", f"Use one of {known}"
            )
        if self.sql is not None and "?" in self.sql:
            raise DeclarationError(
                f"order field {self.name}", "its sql= has a place for an argument", "Write it out"
            )


@strawberry.enum(description="Which end of an order comes first.")
class OrderDirection(Enum):
    """Which end of an order comes first. NULL is the largest value, unless `nulls` says otherwise."""

    ASC = strawberry.enum_value("ASC", description="The smallest first; without a value last, if not said.")
    DESC = strawberry.enum_value("DESC", description="The largest first; without a value first, if not said.")


@strawberry.enum(description="Where an order has those without a value.")
class OrderNulls(Enum):
    """Where an order has those without a value."""

    FIRST = strawberry.enum_value("FIRST", description="Before all that have one.")
    LAST = strawberry.enum_value("LAST", description="After all that have one.")


@dataclass(frozen=True)
class Orders:
    """What a type can be ordered by: `name` is that of the input type, such as "CustomerOrder"."""

    name: str
    fields: Sequence[OrderField]
    input: type = field(init=False, compare=False, repr=False)
    known: dict[Any, "Ordering"] = field(default_factory=dict, init=False, compare=False, repr=False)
    """Orderings that were chosen before."""

    def __post_init__(self) -> None:
        object.__setattr__(self, "input", _order_input(self))

    @cached_property
    def guarded(self) -> bool:
        """Whether one of them needs a permission."""
        return any(one.permission is not None for one in self.fields)

    def extended(self, fields: Iterable[OrderField]) -> "Orders":
        """The same with further ones. Raises `DeclarationError` for a name that is taken, or none."""
        added = tuple(fields)
        names = [one.name for one in (*self.fields, *added)]
        for one in added:
            if not _NAME.fullmatch(one.name):
                problem, todo = "that is no name of an order", "Write it in capitals, such as CREATED_AT"
            elif names.count(one.name) > 1:
                problem, todo = "the name is taken", "Choose another one"
            else:
                continue
            raise DeclarationError(f"{self.name}Field.{one.name}", problem, todo)
        return Orders(self.name, (*self.fields, *added)) if added else self


_NAME = re.compile(r"[A-Z][A-Z0-9]*(_[A-Z0-9]+)*")
KINDS: Mapping[OrderKind, str] = {
    "string": "text",
    "enum": "text",
    "int": "bigint",
    "decimal": "numeric",
    "datetime": "timestamptz",
    "date": "date",
    "boolean": "boolean",
    "id": "uuid",
}
"""Kind → its type on PostgreSQL."""
_ORDERS = "__engine_orders__"


def _order_input(orders: Orders) -> type:
    members = {
        one.name: strawberry.enum_value(one.name, description=one.description) for one in orders.fields
    }
    of = orders.name.removesuffix("Order")
    enum: Any = Enum(f"{orders.name}Field", members)  # type: ignore[misc]  # its values are known at run time only
    choices = strawberry.enum(enum, description=f"What {of} records can be ordered by.")
    made = type(
        orders.name,
        (),
        {
            "__annotations__": {
                "field": choices,
                "direction": OrderDirection,
                "nulls": OrderNulls | None,
            },
            "field": StrawberryField(description="What to order by."),
            "direction": StrawberryField(description="Which end comes first.", default=OrderDirection.ASC),
            "nulls": StrawberryField(
                description="Where those without a value go. Left out, they come last where the order"
                " ascends, and first where it descends.",
                default=strawberry.UNSET,
            ),
        },
    )
    found: type = strawberry.input(
        made, name=orders.name, description=f"One term of an order of {of} records."
    )
    as_given(found)
    setattr(found, _ORDERS, orders)
    return found


def orders_of(input_type: Any) -> Orders | None:
    """What an input type is one term of an order of; None for all other types."""
    found = vars(input_type).get(_ORDERS) if isinstance(input_type, type) else None
    return found if isinstance(found, Orders) else None


def as_given(input_type: Any) -> None:
    """Lets resolvers get the values of an input type as the plain mapping that the client sent, coerced."""
    input_type.__strawberry_definition__.from_input = mapping


def mapping(_: type, value: Mapping[str, Any], __: object) -> dict[str, Any]:
    """How the value of an input type is made that resolvers get as it was given."""
    return dict(value)
