"""Orderings of a list and the conditions that continue one: after this row, before that one."""

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from enum import Enum
from functools import cached_property
from typing import TYPE_CHECKING, Any, Literal

import strawberry
from strawberry.types.field import StrawberryField

from .errors import DeclarationError
from .load import ordered
from .sql import Dialect, Fragment, all_of, any_of, name

if TYPE_CHECKING:
    from .context import Context

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
        if self.kind not in _CASTS:
            known = ", ".join(_CASTS)
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

    def named(self, order: str) -> "Term":
        """The term of "CREATED_AT", or of "-CREATED_AT" for descending; ` nulls last` or ` nulls first` after
        it says where NULLs go. Raises `DeclarationError`.
        """
        wanted, descends = _field_of(order), order.startswith("-")
        nulls = order.removeprefix("-").removeprefix(wanted)
        if nulls not in ("", *_NULLS.values()):
            raise DeclarationError(self.name, f"{order!r} is no order", "Write -NAME or -NAME nulls last")
        for found in self.fields:
            if found.name == wanted:
                computed = found.sql is not None
                sql = found.sql or f"t.{name(found.column or '')}"
                nullable = computed if found.nullable is None else found.nullable
                least = nullable and nulls == _NULLS[descends]
                return Term(wanted, sql, found.kind, descends, nullable, computed, least)
        known = ", ".join(one.name for one in self.fields)
        raise DeclarationError(self.name, f"there is no order by {wanted!r}", f"Use one of {known}")


_NAME = re.compile(r"[A-Z][A-Z0-9]*(_[A-Z0-9]+)*")
_CASTS: Mapping[OrderKind, str] = {
    "string": "text",
    "enum": "text",
    "int": "bigint",
    "decimal": "numeric",
    "datetime": "timestamptz",
    "date": "date",
    "boolean": "boolean",
    "id": "uuid",
}


@dataclass(frozen=True)
class Term:
    """One term of an ordering."""

    name: str
    sql: str
    kind: OrderKind
    descending: bool
    nullable: bool = False
    computed: bool = False
    """Whether it is an expression: of what type that is, nobody knows."""
    least_null: bool = False
    """Whether NULL is the smallest value, where it is the largest otherwise."""

    @property
    def nulls_first(self) -> bool:
        return self.descending is not self.least_null

    @property
    def spelt(self) -> str:
        """As `Orders.named` reads it."""
        nulls = _NULLS[self.descending] if self.least_null else ""
        return f"{'-' if self.descending else ''}{self.name}{nulls}"

    def value(self, dialect: Dialect) -> str:
        """The expression as it is compared: text by code points, decimals as numbers, on both databases.

        On PostgreSQL an expression is cast to the type of what cursors hold, which costs nothing if it has
        it; on SQLite it is set apart from what it is compared with.
        """
        if dialect == "postgres":
            sql = f"CAST({self.sql} AS {_CASTS[self.kind]})" if self.computed else self.sql
            return f'{sql} COLLATE "C"' if self.is_text else sql
        if self.kind == "decimal":
            return f"CAST({self.sql} AS NUMERIC)"
        return f"({self.sql})" if self.computed else self.sql

    def argument(self, dialect: Dialect) -> str:
        """The place of a value that it is compared with: a number may be beyond the column's own range."""
        return "?::bigint" if dialect == "postgres" and self.kind == "int" else "?"

    @property
    def is_text(self) -> bool:
        return self.kind in ("string", "enum")

    def clause(self, dialect: Dialect, sql: str | None = None) -> str:
        """Its part of `ORDER BY`, over the expression itself or over what selects it as `sql`."""
        shown = sql or self.value(dialect)
        text = self.is_text and sql is not None
        return ordered(
            shown,
            dialect,
            descending=self.descending,
            text=text,
            nullable=self.nullable,
            least_null=self.least_null,
        )


@dataclass(frozen=True)
class Ordering:
    """The terms that a list goes by; the last is the key, so that no two rows are equal."""

    terms: tuple[Term, ...]

    @cached_property
    def fingerprint(self) -> str:
        """What a cursor says of the ordering that it belongs to."""
        return ",".join(term.spelt for term in self.terms)

    def reversed(self) -> "Ordering":
        return self._reversed

    @cached_property
    def _reversed(self) -> "Ordering":
        return Ordering(tuple(replace(term, descending=not term.descending) for term in self.terms))

    def select(self, dialect: Dialect) -> str:
        """The compared values, for the `SELECT` list; `alias` names them."""
        return self._text("select", dialect)

    def clause(self, dialect: Dialect) -> str:
        return self._text("clause", dialect)

    def _text(self, part: str, dialect: Dialect) -> str:
        """Parts of statements, made once: most lists go by one of a few orders."""
        found = self._texts.get((part, dialect))
        if found is None:
            made = self._select(dialect) if part == "select" else self._clause(dialect)
            found = self._texts[(part, dialect)] = made
        return found

    @cached_property
    def _texts(self) -> dict[tuple[str, Dialect], str]:
        return {}

    def _select(self, dialect: Dialect) -> str:
        return "".join(f", {term.value(dialect)} AS {self.alias(i)}" for i, term in enumerate(self.terms))

    @staticmethod
    def alias(index: int) -> str:
        return f"_o{index}"

    def _clause(self, dialect: Dialect) -> str:
        return "ORDER BY " + ", ".join(term.clause(dialect) for term in self.terms)

    def outer(self, shown: bool) -> str:
        """The compared values, for the `SELECT` list over a query `x` that selects `select`."""
        return "".join(f", x.{self.alias(i)}" for i in range(len(self.terms))) if shown else ""

    def outer_clause(self, dialect: Dialect) -> str:
        """`ORDER BY` over a query that selects `select`."""
        terms = (term.clause(dialect, self.alias(i)) for i, term in enumerate(self.terms))
        return "ORDER BY " + ", ".join(terms)


def ordering(key: str, orders: Orders | None, default: Sequence[str], chosen: Any) -> Ordering:
    """The ordering that a request chose (`[{"field": …, "direction": …, "nulls": …}]`), or the default, ended
    by the key.

    A field given twice counts where it stands first.
    """
    if orders is None:
        return _ordering(key, None, ())
    wanted = _first_of_each(chosen) if chosen else tuple(default)
    known = orders.known.get((key, wanted))
    if known is None:
        if len(orders.known) >= _MOST_KNOWN:
            orders.known.clear()
        known = orders.known[(key, wanted)] = _ordering(key, orders, wanted)
    return known


def check_orders(orders: Orders, chosen: Any, context: "Context", granted: Callable[[str], bool]) -> None:
    """Raises `RequestError` FORBIDDEN for an order that needs a permission which is not granted."""
    for each in _first_of_each(chosen):
        wanted = _field_of(each)
        needs = next((one.permission for one in orders.fields if one.name == wanted), None)
        if needs is not None and not granted(needs):
            raise context.refusal([(f"{orders.name}.{wanted}", needs)])


_MOST_KNOWN = 200
_ORDERS = "__engine_orders__"


def _ordering(key: str, orders: Orders | None, wanted: Sequence[str]) -> Ordering:
    found: dict[str, Term] = {}
    if orders is not None:
        for each in wanted:
            term = orders.named(each)
            found.setdefault(term.name, term)
    terms = list(found.values())
    # the key goes the way of the last term, so that one comparison of row values can serve all of them
    descending = terms[-1].descending if terms else False
    return Ordering((*terms, Term("id", f"t.{key}", "id", descending)))


def _first_of_each(choices: Iterable[Mapping[str, Any]]) -> tuple[str, ...]:
    found: dict[str, str] = {}
    for choice in choices:
        column = choice["field"]
        shown: str = column.value if isinstance(column, Enum) else column
        if shown not in found:
            descends = choice.get("direction") in (OrderDirection.DESC, "DESC")
            other = OrderNulls.LAST if descends else OrderNulls.FIRST
            least = choice.get("nulls") in (other, other.value)
            found[shown] = f"{'-' if descends else ''}{shown}{_NULLS[descends] if least else ''}"
    return tuple(found.values())


_NULLS = {True: " nulls last", False: " nulls first"}
"""Descending or not → what is said of an order in which NULL is the smallest value."""


def _field_of(order: str) -> str:
    return order.removeprefix("-").partition(" ")[0]


def beyond(terms: Sequence[Term], values: Sequence[Any], dialect: Dialect) -> Fragment:
    """The rows strictly after the row of these values, by these terms.

    One comparison of row values wherever that is exact, as only that reads an index from the right place.
    """
    first, value = terms[0], values[0]
    if not any(term.nullable for term in terms[1:]) and len({term.descending for term in terms}) == 1:
        if not first.nullable:
            return _row_comparison(terms, values, dialect)
        if value is not None:
            # it leaves NULLs out: right where they came before, to be mended where they follow
            compared = _row_comparison(terms, values, dialect)
            return compared if first.nulls_first else any_of([compared, _is_null(first, dialect)])
    rest = beyond(terms[1:], values[1:], dialect) if len(terms) > 1 else None
    sql = first.value(dialect)
    if value is None:
        tied = all_of([_is_null(first, dialect), rest]) if rest else None
        later = Fragment(f"{sql} IS NOT NULL") if first.nulls_first else None
        return any_of([part for part in (later, tied) if part is not None])
    sign, given = "<" if first.descending else ">", first.argument(dialect)
    parts = [Fragment(f"{sql} {sign} {given}", (value,))]
    if rest is not None:
        parts.append(all_of([Fragment(f"{sql} = {given}", (value,)), rest]))
    if first.nullable and not first.nulls_first:
        return any_of([*parts, _is_null(first, dialect)])
    # the bound repeats what follows from the rest, for the index's sake
    return all_of([Fragment(f"{sql} {sign}= {given}", (value,)), any_of(parts)]) if rest else any_of(parts)


def _row_comparison(terms: Sequence[Term], values: Sequence[Any], dialect: Dialect) -> Fragment:
    left = ", ".join(term.value(dialect) for term in terms)
    right = ", ".join(term.argument(dialect) for term in terms)
    return Fragment(f"({left}) {'<' if terms[0].descending else '>'} ({right})", tuple(values))


def _is_null(term: Term, dialect: Dialect) -> Fragment:
    return Fragment(f"{term.value(dialect)} IS NULL")


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
