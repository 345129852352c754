"""What a type can be filtered by, as data. Each schema makes its input types of it; plugins add members."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from enum import Enum
from typing import Any, Literal

from .errors import DeclarationError
from .sql import Dialect, Fragment, name

Kind = Literal["string", "int", "decimal", "datetime", "date", "boolean", "enum", "id", "custom"]
Condition = Callable[[Any, Dialect], Fragment]
"""(value as the client gave it, dialect) → condition on the table `t`."""


@dataclass(frozen=True)
class Member:
    """One member of a filter input.

    `name` is its name in the API. The value compared is a `column` of the filtered table or `sql`, an
    expression over that table, called `t`. A member of kind "enum" names its `enum`; one of kind "id" the
    type `of` whose ids it takes; `key_type` is the SQL type of that key on PostgreSQL. `normalise` is applied
    to the texts of a "string" member, where the column holds a normal form. A member of kind "custom" has its
    own GraphQL type, `input`, and a function `condition`; it raises `RequestError` BAD_INPUT for a value that
    does not fit.
    """

    name: str
    kind: Kind
    description: str
    column: str | None = None
    sql: str | None = None
    enum: type[Enum] | None = None
    of: str | None = None
    key_type: str = "uuid"
    normalise: Callable[[str], str] | None = None
    input: Any = None
    condition: Condition | None = None

    def __post_init__(self) -> None:
        for fault, todo in (
            (not self.description, "Give it a description"),
            (self.kind == "enum" and self.enum is None, "Name its enum"),
            (self.kind == "id" and self.of is None, "Name the type whose ids it takes: of="),
            (
                self.kind == "custom" and (self.input is None or self.condition is None),
                "Give input= and condition=",
            ),
            (
                self.kind != "custom" and (self.column is None) == (self.sql is None),
                "Give either column= or sql=",
            ),
        ):
            if fault:
                raise DeclarationError(
                    f"member {self.name}", f"a member of kind {self.kind} is incomplete", todo
                )

    @property
    def expression(self) -> str:
        """What is compared."""
        return self.sql or f"t.{name(self.column or self.name)}"


@dataclass(frozen=True)
class FilterSpec:
    """A filter input: its name in the API, such as "CustomerFilter", and its members."""

    name: str
    members: tuple[Member, ...]
    description: str = "All members given must hold. An empty filter selects everything."

    def __init__(self, name: str, members: Any, description: str | None = None) -> None:
        object.__setattr__(self, "name", name)
        object.__setattr__(self, "members", tuple(members))
        if description is not None:
            object.__setattr__(self, "description", description)

    def extended(self, members: Any) -> "FilterSpec":
        """The same with further members. Raises `DeclarationError` for a name that is taken."""
        added = tuple(members)
        names = [member.name for member in (*self.members, *added)] + ["and", "or", "not"]
        for member in added:
            if names.count(member.name) > 1:
                raise DeclarationError(
                    f"{self.name}.{member.name}", "the name is taken", "Choose another one"
                )
        return replace(self, members=(*self.members, *added)) if added else self
