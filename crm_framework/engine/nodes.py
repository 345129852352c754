"""Types whose objects are rows: nodes, which have an identity of their own, and records, which have none."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from inspect import cleandoc
from typing import Any, TypeVar

import strawberry
from strawberry.types.info import Info

from .declarations import Declaration, DeclaredField, Source, Through, declare
from .errors import DeclarationError
from .fields import declared
from .ids import encode_id
from .rows import Row, type_name

T = TypeVar("T")


@dataclass(frozen=True, kw_only=True)
class Identity(Declaration):
    """The global id: the type's name and the record's key."""

    def resolve(self, field: DeclaredField, parent: Any, info: Info, arguments: dict[str, Any]) -> Any:
        return encode_id(type_name(parent._type if isinstance(parent, Row) else type(parent)), parent.id)


def _identity() -> Any:
    return declared(Identity(), "The record's global id: opaque, the same for as long as the record exists.")


@strawberry.interface(description="A record with an identity: it can be read again by its id.")
class Node:
    """Base of the types that `node(id:)` finds. A row's `id` is the record's key; the API shows the global
    id.
    """

    id: strawberry.ID = _identity()


def node(
    *,
    table: str,
    permission: str,
    key: str = "id",
    key_type: str = "uuid",
    hidden: Mapping[str, Any] | None = None,
    where: str | None = None,
    owner: str | Through | None = None,
    shared: bool = False,
    own_where: str | None = None,
    history: bool = False,
    name: str | None = None,
) -> Callable[[type[T]], type[T]]:
    """Makes a subclass of `Node` a type whose objects are the rows of `table`; its docstring is the
    description.

    `permission` is what an actor needs to see any of them. `hidden` are further columns, with their types,
    that computed and batch fields may need. `where` holds for the rows that exist for the API; the table is
    called `t`.

    `owner` is the column with the key of the customer whose row it is, or `Through` another table; left out,
    a column `customer_id`. `shared` says instead that rows are no customer's: everybody with the permission
    sees them all. `own_where` is what holds, besides, for rows that customers themselves may see of theirs.
    `history` is for rows that a merge leaves with the loser's key: the winner then decides who sees them.
    """

    options = {
        "key": key,
        "key_type": key_type,
        "hidden": hidden,
        "where": where,
        "owner": owner,
        "shared": shared,
        "own_where": own_where,
        "history": history,
    }

    def decorate(cls: type[T]) -> type[T]:
        if not issubclass(cls, Node):
            todo = f"Write class {cls.__name__}(Node), or use @record"
            raise DeclarationError(cls.__name__, "it is no Node", todo)
        return _typed(cls, name, table, permission, options)

    return decorate


def record(
    *,
    table: str,
    permission: str,
    key: str = "id",
    key_type: str = "uuid",
    hidden: Mapping[str, Any] | None = None,
    where: str | None = None,
    owner: str | Through | None = None,
    shared: bool = False,
    own_where: str | None = None,
    history: bool = False,
    name: str | None = None,
) -> Callable[[type[T]], type[T]]:
    """Like `node`, for rows that are read only as a part of something else, such as the lines of a bill."""

    options = {
        "key": key,
        "key_type": key_type,
        "hidden": hidden,
        "where": where,
        "owner": owner,
        "shared": shared,
        "own_where": own_where,
        "history": history,
    }

    def decorate(cls: type[T]) -> type[T]:
        return _typed(cls, name, table, permission, options)

    return decorate


def _typed(cls: type[T], name: str | None, table: str, permission: str, options: Any) -> type[T]:
    description = cls.__dict__.get("__doc__")
    if not description:
        raise DeclarationError(cls.__name__, "the type has no description", "Give the class a docstring")
    made: type[T] = strawberry.type(cls, name=name, description=cleandoc(description))
    return declare(made, Source(made, table, permission=permission, **options))
