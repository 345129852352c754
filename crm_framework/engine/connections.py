"""`connection`: a field that gives pages of a list, as relay clients expect them."""

import inspect
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from types import GenericAlias, MappingProxyType
from typing import Any, Generic, Literal, TypeVar

import strawberry
from strawberry.annotation import StrawberryAnnotation
from strawberry.types.arguments import StrawberryArgument
from strawberry.types.info import Info

from .context import Context
from .declarations import (
    AS_FAR,
    DECLARATION,
    Declaration,
    DeclaredField,
    Source,
    level_of,
    named,
)
from .errors import DeclarationError
from .fields import Root, arguments_of, declared
from .filter_inputs import FilterInputs
from .filters import FilterSpec, Found, check_members, compile_filter
from .kept_lists import KeptList, kept_order, of_kept
from .keyset import By, Ordering, check_orders, declared_order, needed, ordering
from .leaves import fresh
from .listings import Asked, Listing, bounds_of, window
from .load import context_of
from .lookups import check_fits, look_up, waits
from .order_inputs import OrderInputs
from .orders import Orders, orders_of
from .pages import Content, Page, listed_pages
from .rows import canonical
from .sql import TRUE, Dialect, Fragment, all_of, name

ORDER_BY = "order_by"
_OWN_ARGUMENTS = frozenset({"first", "after", "last", "before", "filter", ORDER_BY})
T = TypeVar("T")
Narrowed = Fragment | KeptList | None
Narrow = Callable[..., Narrowed | Awaitable[Narrowed]]


@strawberry.type(description="Where a page stands in its list.")
class PageInfo:
    has_next_page: bool = strawberry.field(description="Whether there are records after this page.")
    has_previous_page: bool = strawberry.field(description="Whether there are records before this page.")
    start_cursor: str | None = strawberry.field(
        description="The first record's cursor; null on an empty page."
    )
    end_cursor: str | None = strawberry.field(description="The last record's cursor; null on an empty page.")


@strawberry.type(description="A record of a list, with its place.")
class Edge(Generic[T]):
    cursor: str = strawberry.field(description="The record's place in this order, for after and before.")
    node: T = strawberry.field(description="The record.")


class _Edge:
    """An edge whose cursor is made when it is looked at."""

    __slots__ = ("_content", "_index")

    def __init__(self, content: Content, index: int) -> None:
        self._content = content
        self._index = index

    @property
    def node(self) -> Any:
        return self._content.rows[self._index]

    @property
    def cursor(self) -> str:
        return self._content.cursor(self._index)


@dataclass(frozen=True, kw_only=True)
class PagePart(Declaration):
    """A field of a connection type: a view of the page's content."""

    part: Literal["nodes", "edges", "pageInfo"]
    view: Callable[[Content], Any]

    def resolve(self, field: DeclaredField, parent: Page, info: Info, arguments: dict[str, Any]) -> Any:
        context = context_of(info)

        def view(content: Content) -> Any:
            context.write(len(content.rows))
            return self.view(content)

        return parent.pages.contents().take(parent.index, view)


@dataclass(frozen=True, kw_only=True)
class PageCount(Declaration):
    """The number of records in the whole list."""

    def resolve(self, field: DeclaredField, parent: Page, info: Info, arguments: dict[str, Any]) -> Any:
        return parent.pages.counts().take(parent.index)


def _nodes(content: Content) -> Any:
    return content.rows


def _edges(content: Content) -> Any:
    return [_Edge(content, index) for index in range(len(content.rows))]


def _page_info(content: Content) -> Any:
    last = len(content.rows) - 1
    return PageInfo(
        has_next_page=content.has_next,
        has_previous_page=content.has_previous,
        start_cursor=content.cursor(0) if last >= 0 else None,
        end_cursor=content.cursor(last) if last >= 0 else None,
    )


def _part(
    part: Literal["nodes", "edges", "pageInfo"], view: Callable[[Content], Any], description: str
) -> Any:
    return declared(PagePart(part=part, view=view), description)


def _count(description: str) -> Any:
    return declared(PageCount(), description)


@strawberry.type(description="One page of a list.")
class Connection(Generic[T]):
    """One page of a list: the annotation of a `connection` field, `Connection[Interaction]`."""

    edges: list[Edge[T]] = _part("edges", _edges, "The page's records with their cursors.")
    nodes: list[T] = _part("nodes", _nodes, "The page's records.")
    page_info: PageInfo = _part("pageInfo", _page_info, "Where the page stands in its list.")
    total_count: int = _count("How many records the whole list has; counted only when asked for.")


@dataclass(frozen=True, kw_only=True)
class Connected(Declaration):
    """Pages over the records of a type: all of them, or with `key` those that hold the parent's key."""

    key: str | None
    parent: str
    filter: FilterSpec | None
    orders: Orders | None
    default_order: tuple[By, ...]
    where: str | None
    narrow: Narrow | None
    narrow_arguments: tuple[str, ...]
    narrow_takes_info: bool

    def needs_of(self) -> tuple[str, ...]:
        return (self.parent,) if self.key is not None else ()

    def resolve(self, field: DeclaredField, parent: Any, info: Info, arguments: dict[str, Any]) -> Any:
        context = context_of(info)
        if self.key is None:
            asked = self.asked(field, context, arguments, self.narrowed(info, arguments))
            if isinstance(asked, Awaitable):
                return _page_of(context, asked)
            return listed_pages(context, asked, [None]).each[0]
        level, index = level_of(parent, info)

        def pages() -> Awaitable[Sequence[Any]] | Sequence[Any]:
            asked = self.asked(field, context, arguments, self.narrowed(info, arguments))
            if isinstance(asked, Awaitable):
                return _pages_of(context, asked, level.column(self.parent))
            return listed_pages(context, asked, level.column(self.parent)).each

        return level.once((field, canonical(arguments)), pages).take(index)

    def narrowed(self, info: Info, arguments: Mapping[str, Any]) -> Narrowed | Awaitable[Narrowed]:
        """What `narrow` gives for its arguments, of which it gets copies."""
        if self.narrow is None:
            return None
        own = {name: fresh(arguments[name]) for name in self.narrow_arguments if name in arguments}
        return self.narrow(info, **own) if self.narrow_takes_info else self.narrow(**own)

    def asked(
        self,
        field: DeclaredField,
        context: Context,
        arguments: Mapping[str, Any],
        narrowed: Narrowed | Awaitable[Narrowed],
    ) -> Asked | Awaitable[Asked]:
        """The list and the part of it that arguments ask for. Raises `RequestError` BAD_INPUT."""
        if isinstance(narrowed, Awaitable) or self._waits(_filters(arguments, narrowed)):
            return self._once_known(field, context, arguments, narrowed)
        return self._listed(field, context, arguments, narrowed)

    def goes_by_arguments(self, arguments: Mapping[str, Any]) -> bool:
        """Whether no right and no lookup has a say in what they ask for."""
        chosen = arguments.get("order_by")
        by_right = chosen and self.orders is not None and needed(self.orders, chosen)
        return arguments.get("filter") is None and not by_right

    def waits(self, arguments: Mapping[str, Any]) -> bool:
        """Whether something may have to be awaited before it is known what is asked for."""
        return self.narrow is not None or self._waits(arguments.get("filter"))

    def _waits(self, filters: Any) -> bool:
        return self.filter is not None and waits(self.filter, filters)

    async def _once_known(
        self,
        field: DeclaredField,
        context: Context,
        arguments: Mapping[str, Any],
        narrowed: Narrowed | Awaitable[Narrowed],
    ) -> Asked:
        if isinstance(narrowed, Awaitable):
            narrowed = await narrowed
        filters = _filters(arguments, narrowed)
        for each in filters:
            self._check_filter(field, each, context)  # before anything is told by a lookup
        found: Found = {}
        if self.filter is not None:
            if (own := arguments.get("filter")) is not None:
                check_fits(self.filter, own, context.reader.dialect)
            found = await look_up(self.filter, filters, context)
        return self._listed(field, context, arguments, narrowed, found)

    def _listed(
        self,
        field: DeclaredField,
        context: Context,
        arguments: Mapping[str, Any],
        narrowed: Narrowed,
        found: Found = MappingProxyType({}),
    ) -> Asked:
        source = field.listed
        given = arguments.get
        wanted = window(context, given("first"), given("after"), given("last"), given("before"))
        conditions = [Fragment(self.where) if self.where else None]
        if (value := given("filter")) is not None:
            conditions.append(self._condition(field, value, context, found))
        chosen = given("order_by")
        if isinstance(narrowed, KeptList):
            with of_kept():
                conditions.append(self._condition(field, narrowed.filter, context, found))
                chosen = chosen or kept_order(self.orders, narrowed.order_by)
            narrowed = narrowed.where
        where = _leading(conditions, narrowed, context.reader.dialect)
        order = checked_ordering(context, source, self.orders, self.default_order, chosen)
        listing = Listing(source, order, self.key, where)
        bounds = bounds_of(listing.ordering, source, wanted, context.reader.dialect)
        return Asked(listing, wanted, bounds)

    def _condition(self, field: DeclaredField, value: Any, context: Context, found: Found) -> Fragment | None:
        if self.filter is None:
            return None
        self._check_filter(field, value, context)
        return compile_filter(self.filter, value, context.reader.dialect, found)

    def _check_filter(self, field: DeclaredField, value: Any, context: Context) -> None:
        if self.filter is not None:
            check_members(self.filter, value, context, granted_on(context, field.listed))


def _filters(arguments: Mapping[str, Any], narrowed: Narrowed) -> list[Any]:
    kept = narrowed.filter if isinstance(narrowed, KeptList) else None
    return [each for each in (arguments.get("filter"), kept) if each]


def checked_ordering(
    context: Context, source: Source, orders: Orders | None, default: Sequence[By], chosen: Any
) -> Ordering:
    """The ordering of a list of a source's records that a request chose, or the default one.

    Raises `RequestError` FORBIDDEN for an order that needs a permission which is not granted.
    """
    if chosen and orders is not None and orders.guarded:
        check_orders(orders, chosen, context, granted_on(context, source))
    return ordering(source.key, orders, default, chosen)


def granted_on(context: Context, source: Source) -> Callable[[str], bool]:
    """What a filter or an order tells of the records that the list shows: of all of them, or it is denied."""

    def granted(need: str) -> bool:
        far = need[:1] == "@" or context.granted(f"{AS_FAR}{need}:{source.permission}")
        return far and context.granted(need)

    return granted


def _leading(conditions: Sequence[Fragment | None], narrowed: Fragment | None, dialect: Dialect) -> Fragment:
    """All conditions. What `narrow` gave is what to begin with: left alone, SQLite would prefer any index."""
    others = all_of(conditions)
    if narrowed is not None and others is not TRUE and dialect == "sqlite":
        others = Fragment(f"({others.sql}) IS TRUE", others.args)
    return all_of([narrowed, others])


async def _page_of(context: Context, asked: Awaitable[Asked]) -> Any:
    return (await _pages_of(context, asked, [None]))[0]


async def _pages_of(context: Context, asked: Awaitable[Asked], keys: Sequence[str | None]) -> Sequence[Any]:
    return listed_pages(context, await asked, keys).each


def connection(
    *,
    description: str,
    key: str | None = None,
    filter: FilterSpec | None = None,
    orders: Orders | None = None,
    default_order: Sequence[str] = (),
    where: str | None = None,
    narrow: Narrow | None = None,
    parent: str = "id",
    permission: str | None = None,
    deprecated: str | None = None,
) -> Any:
    """Pages over another type's records: `interactions: Connection[Interaction] =
    connection(key="customer_id", …)`.

    With `key`, the column that holds the parent's `parent` column; without it, a root list of all records.
    `default_order` names values of `orders`, `-` before those that descend, and ` nulls last` or ` nulls
    first` after those whose NULLs go elsewhere than usual; the key decides ties. `where`
    always holds; `narrow` is a function of further arguments (its parameters, `info` apart) that gives a
    condition on the table `t`, a `KeptList`, or `None`; that of a root list may be awaited. Arguments are
    first, after, last, before and, as declared, filter and orderBy.
    """
    if default_order and orders is None:
        raise DeclarationError("connection", "default_order without orders", "Declare orders= too")
    extra = arguments_of(narrow, skip=("info",)) if narrow is not None else []
    for argument in extra:
        if argument.python_name in _OWN_ARGUMENTS:
            problem = f"narrow= has a parameter {argument.python_name}, which each list has as an argument"
            raise DeclarationError("connection", problem, "Call it otherwise")
    declaration = Connected(
        permission=permission,
        key=name(key) if key is not None else None,
        parent=parent,
        filter=filter,
        orders=orders,
        default_order=tuple(declared_order(orders, one) for one in default_order) if orders else (),
        where=where,
        narrow=narrow,
        narrow_arguments=tuple(argument.python_name for argument in extra),
        narrow_takes_info=narrow is not None and "info" in inspect.signature(narrow).parameters,
    )
    field = declared(declaration, description, deprecated=deprecated)
    field.arguments = [*_paging_arguments(), *extra, *_order_arguments(orders)]
    return field


def bound(field: DeclaredField, filters: FilterInputs, orders: OrderInputs) -> DeclaredField:
    """A field with the filter and the orders of its schema, those of plugins included. Changes `field`."""
    declaration = field.declaration
    if isinstance(declaration, Connected | Root) and declaration.filter is not None:
        spec = filters.extended(declaration.filter)
        declaration = replace(declaration, filter=spec)
        of = _argument("filter", filters.input(spec) | None, "Which records; all, if left out.")
        before = len(_paging_arguments()) if isinstance(declaration, Connected) else len(field.arguments)
        field.arguments = [*field.arguments[:before], of, *field.arguments[before:]]
    if any(argument.python_name == ORDER_BY for argument in field.arguments):
        field.arguments = [_ordered_by(argument, orders) for argument in field.arguments]
    if isinstance(declaration, Connected) and declaration.orders is not None:
        declaration = replace(declaration, orders=orders.extended(declaration.orders))
    if declaration is not field.declaration:
        field.metadata = MappingProxyType({DECLARATION: declaration})
    return field


def _ordered_by(argument: StrawberryArgument, inputs: OrderInputs) -> StrawberryArgument:
    """The argument with the orders of its schema, also that of a function which takes such orders."""
    own = orders_of(named(argument.type)) if argument.python_name == ORDER_BY else None
    extended = inputs.extended(own) if own is not None else None
    return argument if extended is None or extended is own else _order_arguments(extended)[0]


def _argument(python_name: str, annotation: Any, description: str) -> StrawberryArgument:
    return StrawberryArgument(
        python_name=python_name,
        graphql_name=None,
        type_annotation=StrawberryAnnotation(annotation),
        description=description,
        default=strawberry.UNSET,
    )


def _paging_arguments() -> list[StrawberryArgument]:
    return [
        _argument("first", int | None, "How many from the beginning, or after the cursor."),
        _argument("after", str | None, "Only those after this cursor."),
        _argument("last", int | None, "How many from the end, or before the cursor."),
        _argument("before", str | None, "Only those before this cursor."),
    ]


def _order_arguments(orders: Orders | None) -> list[StrawberryArgument]:
    if orders is None:
        return []
    annotation = GenericAlias(list, (orders.input,)) | None
    return [_argument(ORDER_BY, annotation, "In which order; each term breaks the ties of those before.")]
