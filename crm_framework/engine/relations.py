"""Fields that lead to other rows: `reference` to one, `children` to a short, ordered list of all."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from strawberry.types.info import Info

from .declarations import Declaration, DeclaredField, level_of
from .fields import declared
from .load import context_of, load, load_groups
from .sql import Fragment, name


@dataclass(frozen=True, kw_only=True)
class Reference(Declaration):
    """The record whose key is in the parent's column."""

    column: str

    def needs_of(self) -> tuple[str, ...]:
        return (self.column,)

    def resolve(self, field: DeclaredField, parent: Any, info: Info, arguments: dict[str, Any]) -> Any:
        level, index = level_of(parent, info)
        outcome = level.once(field, lambda: load(info, field.target, level.column(self.column)))
        return outcome.take(index, context_of(info).written)


def reference(
    column: str, description: str, *, permission: str | None = None, deprecated: str | None = None
) -> Any:
    """To one record, by the key in a column (also a hidden one) or attribute of the parent."""
    return declared(Reference(permission=permission, column=column), description, deprecated=deprecated)


@dataclass(frozen=True, kw_only=True)
class Children(Declaration):
    """All records of another type that hold the parent's key; for lists that stay short by nature."""

    key: str
    order: tuple[str, ...]
    where: str | None
    parent: str

    def needs_of(self) -> tuple[str, ...]:
        return (self.parent,)

    def resolve(self, field: DeclaredField, parent: Any, info: Info, arguments: dict[str, Any]) -> Any:
        level, index = level_of(parent, info)
        return level.once(
            field,
            lambda: load_groups(
                info,
                field.target,
                self.key,
                level.column(self.parent),
                order=self.order,
                where=Fragment(self.where) if self.where else None,
            ),
        ).take(index, context_of(info).written)


def children(
    *,
    key: str,
    description: str,
    order: Sequence[str] = (),
    where: str | None = None,
    parent: str = "id",
    permission: str | None = None,
    deprecated: str | None = None,
) -> Any:
    """All records whose column `key` holds the parent's `parent` column, read in one statement for the level.

    `order` names columns, with `-` before those that descend; the key decides ties. `where` is a further
    condition on the table `t`. Nothing limits the list: where it can grow, declare a `connection`.
    """
    declaration = Children(
        permission=permission, key=name(key), order=tuple(order), where=where, parent=parent
    )
    return declared(declaration, description, deprecated=deprecated)
