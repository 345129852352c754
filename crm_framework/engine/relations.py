"""Fields that lead to other rows: `reference` to one, `children` to a short, ordered list of all, and `one`
to the first of them.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from functools import cached_property
from typing import Any

from strawberry.types.info import Info

from .context import Context
from .declarations import AS_FAR, PUBLIC, Declaration, DeclaredField, Source, level_of, require_source
from .fields import arguments_of, declared
from .keyset import Ordering, Term
from .layouts import Layout
from .leaves import fresh
from .listings import Asked, Listing, Window
from .load import context_of, is_text, load, load_groups
from .orders import OrderKind
from .pages import Chunk, read_pages
from .rows import Level, canonical
from .sql import Fragment, all_of, name


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


@dataclass(frozen=True, kw_only=True)
class One(Declaration):
    """The first record of another type that holds the parent's key."""

    key: str
    order: tuple[str, ...]
    where: str | None
    narrow: Callable[..., Fragment | None] | None
    otherwise: Mapping[str, int] | None

    def needs_of(self) -> tuple[str, ...]:
        return ("id",)

    def permissions_on(self, source: Source | None) -> tuple[str, ...]:
        """None is not told from one out of reach: the permission must reach as far as that of the parents."""
        plain = super().permissions_on(source)
        if source is None or self.permission in (None, PUBLIC, source.permission):
            return plain
        return (*plain, f"{AS_FAR}{self.permission}:{source.permission}")

    def resolve(self, field: DeclaredField, parent: Any, info: Info, arguments: dict[str, Any]) -> Any:
        level, index = level_of(parent, info)
        context = context_of(info)

        async def rows() -> list[Any]:
            source = require_source(field.target)
            keys = level.column("id")
            found = Level(context, source.type, source.layout)
            asked = self.asked(source, self.narrowed(arguments))
            given = await self.read(source.layout, context, keys, asked)
            return [None if row is None else found.add(row) for row in given]

        return level.once((field, canonical(arguments)), rows).take(index, context.written)

    async def read(
        self, layout: Layout, context: Context, keys: Sequence[str], asked: Asked
    ) -> Sequence[Any]:
        """The row of each parent, or what stands for it where there is none, if anything does."""
        chunks = await read_pages(context, layout, asked, keys, peek=False, places=False)
        return [self._row_of(chunk, layout, key) for chunk, key in zip(chunks, keys, strict=True)]

    def narrowed(self, arguments: Mapping[str, Any]) -> Fragment | None:
        """What `narrow` gives for the arguments, of which it gets copies."""
        if self.narrow is None:
            return None
        return self.narrow(**{name: fresh(value) for name, value in arguments.items()})

    def asked(self, source: Source, narrowed: Fragment | None) -> Asked:
        """The record as a page of one."""
        where = all_of([Fragment(self.where) if self.where else None, narrowed])
        return Asked(Listing(source, self._ordering(source), self.key, where), _FIRST)

    def _row_of(self, chunk: Chunk, layout: Layout, key: str) -> Any:
        if chunk.rows:
            return chunk.rows[0][: layout.width]  # without the parent's number
        return None if self.otherwise is None else self.missing(layout, key)

    def missing(self, layout: Layout, key: str | None) -> tuple[Any, ...]:
        """A row that stands for the one that is not there."""
        assert self.otherwise is not None
        given: dict[str, Any] = {column: self.otherwise.get(column) for column in layout.columns}
        given[layout.source.key] = key
        return tuple(given.values())

    def _ordering(self, source: Source) -> Ordering:
        known = self._orderings.get(source)
        if known is None:
            terms = [_term(source, each) for each in self.order]
            last = Term("id", f"t.{source.key}", "id", terms[-1].descending if terms else False)
            known = self._orderings[source] = Ordering((*terms, last))
        return known

    @cached_property
    def _orderings(self) -> dict[Source, Ordering]:
        return {}


_FIRST = Window(1, backward=False, after=None, before=None)


def _term(source: Source, order: str) -> Term:
    attribute = order.removeprefix("-")
    sql, kind = source.columns.get(attribute, (name(attribute), None))
    # all others are compared as they are
    compared: OrderKind = (
        "decimal" if kind is Decimal else "string" if is_text(kind) and sql != source.key else "int"
    )
    return Term(attribute, f"t.{sql}", compared, order.startswith("-"), nullable=True)


def one(
    *,
    key: str,
    description: str,
    order: Sequence[str] = (),
    where: str | None = None,
    narrow: Callable[..., Fragment | None] | None = None,
    otherwise: Mapping[str, int] | None = None,
    permission: str | None = None,
    deprecated: str | None = None,
) -> Any:
    """The first record whose column `key` holds the parent's key: `account: Account | None =
    one(key="customer_id", …)`.

    It is read in the statement that reads a page of parents, where that is possible, and otherwise in one
    statement for all parents. `order` names columns, with `-` before those that descend; the key decides
    ties. `where` is a further condition on the table `t`, and so is what `narrow` gives, a plain function of
    the field's arguments.

    `otherwise` has columns of what stands for a record that is not there; all others are null. It is for
    types that show no key of their own.
    """
    declaration = One(
        permission=permission,
        key=name(key),
        order=tuple(order),
        where=where,
        narrow=narrow,
        otherwise=otherwise,
    )
    field = declared(declaration, description, deprecated=deprecated)
    if narrow is not None:
        field.arguments = arguments_of(narrow, skip=())
    return field
