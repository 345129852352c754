"""Orderings of a list and the conditions that continue one: after this row, before that one."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from enum import Enum
from functools import cached_property
from typing import TYPE_CHECKING, Any, NamedTuple

from .errors import DeclarationError
from .load import ordered
from .orders import KINDS, OrderDirection, OrderKind, OrderNulls, Orders
from .sql import Dialect, Fragment, all_of, any_of, name

if TYPE_CHECKING:
    from .context import Context


class By(NamedTuple):
    """What to order by, as a request or a declaration says it: a field of `Orders`, and which way."""

    name: str
    descending: bool = False
    least_null: bool = False
    """Whether NULL is to be the smallest value, where it is the largest otherwise."""


_NULLS = {True: " nulls last", False: " nulls first"}
"""Descending or not → what is said of an order in which NULL is the smallest value."""


def declared_order(orders: Orders, order: str) -> By:
    """That of "CREATED_AT", or of "-CREATED_AT" for descending; ` nulls last` or ` nulls first` after it says
    where NULLs go. Raises `DeclarationError`.
    """
    descends = order.startswith("-")
    wanted, space, nulls = order.removeprefix("-").partition(" ")
    if space + nulls not in ("", *_NULLS.values()):
        raise DeclarationError(orders.name, f"{order!r} is no order", "Write -NAME or -NAME nulls last")
    by = By(wanted, descends, space + nulls == _NULLS[descends])
    _term(orders, by)
    return by


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
        """As a cursor says it, and a declaration."""
        nulls = _NULLS[self.descending] if self.least_null else ""
        return f"{'-' if self.descending else ''}{self.name}{nulls}"

    def value(self, dialect: Dialect) -> str:
        """The expression as it is compared: text by code points, decimals as numbers, on both databases.

        On PostgreSQL an expression is cast to the type of what cursors hold, which costs nothing if it has
        it; on SQLite it is set apart from what it is compared with.
        """
        if dialect == "postgres":
            sql = f"CAST({self.sql} AS {KINDS[self.kind]})" if self.computed else self.sql
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


def ordering(key: str, orders: Orders | None, default: Sequence[By], chosen: Any) -> Ordering:
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


def _term(orders: Orders, by: By) -> Term:
    for found in orders.fields:
        if found.name == by.name:
            computed = found.sql is not None
            sql = found.sql or f"t.{name(found.column or '')}"
            nullable = computed if found.nullable is None else found.nullable
            least = nullable and by.least_null
            return Term(by.name, sql, found.kind, by.descending, nullable, computed, least)
    known = ", ".join(one.name for one in orders.fields)
    raise DeclarationError(orders.name, f"there is no order by {by.name!r}", f"Use one of {known}")


def check_orders(orders: Orders, chosen: Any, context: "Context", granted: Callable[[str], bool]) -> None:
    """Raises `RequestError` FORBIDDEN for an order that needs a permission which is not granted."""
    for by, need in needed(orders, chosen):
        if not granted(need):
            raise context.refusal([(f"{orders.name}.{by}", need)])


def needed(orders: Orders, chosen: Any) -> Sequence[tuple[str, str]]:
    """The chosen orders that need a permission, by name, and which."""
    guarded = {one.name: one.permission for one in orders.fields if one.permission is not None}
    return [(by.name, guarded[by.name]) for by in _first_of_each(chosen) if by.name in guarded]


_MOST_KNOWN = 200


def _ordering(key: str, orders: Orders | None, wanted: Sequence[By]) -> Ordering:
    found: dict[str, Term] = {}
    if orders is not None:
        for by in wanted:
            found.setdefault(by.name, _term(orders, by))
    terms = list(found.values())
    # the key goes the way of the last term, so that one comparison of row values can serve all of them
    descending = terms[-1].descending if terms else False
    return Ordering((*terms, Term("id", f"t.{key}", "id", descending)))


def _first_of_each(choices: Iterable[Mapping[str, Any]]) -> tuple[By, ...]:
    found: dict[str, By] = {}
    for choice in choices:
        field = choice["field"]
        shown = field.value if isinstance(field, Enum) else field
        descends = choice.get("direction") in (OrderDirection.DESC, "DESC")
        other = OrderNulls.LAST if descends else OrderNulls.FIRST
        found.setdefault(shown, By(shown, descends, choice.get("nulls") in (other, other.value)))
    return tuple(found.values())


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
