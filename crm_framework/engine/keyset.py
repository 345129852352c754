"""Orderings of a connection: what a list can be ordered by, as data."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from .errors import DeclarationError

OrderKind = Literal["string", "int", "decimal", "datetime", "date", "boolean", "enum"]


@dataclass(frozen=True)
class OrderField:
    """One thing to order by. `name` is the enum's value in the API, such as "CREATED_AT"; `kind` that of its
    values.

    The value is a `column` of the table or `sql`, an expression over the table `t`. NULL is the largest
    value.
    """

    name: str
    kind: OrderKind
    description: str
    column: str | None = None
    sql: str | None = None
    nullable: bool = False

    def __post_init__(self) -> None:
        if (self.column is None) == (self.sql is None) or not self.description:
            raise DeclarationError(
                f"order field {self.name}",
                "it is incomplete",
                "Give a description and either column= or sql=",
            )


@dataclass(frozen=True)
class Orders:
    """What a type can be ordered by: `name` is that of the input type, such as "CustomerOrder"."""

    name: str
    fields: Sequence[OrderField]
