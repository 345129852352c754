"""Fields that functions give: `computed` from columns, `batch` for a whole level, `root` for an operation.

Each gives a Strawberry field, for a class body or to be added to another's type. Types, arguments and the
description are the function's own. In a class body put `@staticmethod` below, as the first parameter is no
`self`.
"""

import inspect
import sys
from collections.abc import AsyncIterable, Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, get_args

from strawberry.annotation import StrawberryAnnotation
from strawberry.types.arguments import StrawberryArgument
from strawberry.types.fields.resolver import Signature, StrawberryResolver
from strawberry.types.info import Info

from .declarations import (
    AS_FAR,
    DECLARATION,
    EVERY_RECORD,
    PUBLIC,
    Column,
    Declaration,
    DeclaredField,
    Source,
    described,
    level_of,
    require_source,
    unwrapped,
)
from .errors import STOPPING, DeclarationError, Exited, awaited, going_on
from .filters import FilterSpec
from .rows import Batch, Level, canonical, wrap

BatchFunction = Callable[..., Awaitable[Sequence[Any]] | Sequence[Any]]


def column(
    description: str, *, sql: str | None = None, permission: str | None = None, deprecated: str | None = None
) -> Any:
    """A column of the type's table; `sql` is its name there, where the field is called otherwise."""
    if not description:
        raise DeclarationError(
            sql or "column", "the field has no description", "Say what it holds, in which unit"
        )
    return declared(Column(permission=permission, sql=sql), description, deprecated=deprecated)


@dataclass(frozen=True, kw_only=True)
class Computed(Declaration):
    """A pure function of the parent's columns, which its parameters name."""

    function: Callable[..., Any]
    needs: tuple[str, ...]

    def needs_of(self) -> tuple[str, ...]:
        return self.needs

    def resolve(self, field: DeclaredField, parent: Any, info: Info, arguments: dict[str, Any]) -> Any:
        if not field.is_composite:
            try:
                return self.function(*[getattr(parent, need) for need in self.needs])
            except STOPPING as error:  # spelt out: a context manager costs too much for each row
                raise Exited.by(error) from error
        level, index = level_of(parent, info)
        return level.once(field, lambda: wrap(info.context, self.of_level(level))).take(index)

    def of_level(self, level: Level) -> list[Any]:
        """The function's result for each row; an exception for one that fails."""
        found: list[Any] = []
        for row in level.rows:
            try:
                found.append(self.function(*[getattr(row, need) for need in self.needs]))
            except Exception as error:
                found.append(error)
            except STOPPING as error:
                found.append(Exited.by(error))
        return found


def computed(
    *, permission: str | None = None, name: str | None = None, deprecated: str | None = None
) -> Callable[[Callable[..., Any]], DeclaredField]:
    """A field computed by a sync function whose parameters are columns of the type: `def greeting(name:
    str)`.
    """

    def decorate(function: Callable[..., Any]) -> DeclaredField:
        made = unwrapped(function)
        if inspect.iscoroutinefunction(made):
            raise DeclarationError(
                made.__qualname__, "a computed field may not wait", "Make it a plain function, or use @batch"
            )
        needs = tuple(inspect.signature(made).parameters)
        declaration = Computed(permission=permission, function=made, needs=needs)
        return of_function(declaration, made, "computed", skip=needs, name=name, deprecated=deprecated)

    return decorate


@dataclass(frozen=True, kw_only=True)
class Batched(Declaration):
    """A function of all parents of a level, called once for each set of arguments."""

    function: BatchFunction
    needs: tuple[str, ...]
    takes_info: bool
    restricted: bool = False
    about: type | None = None

    def needs_of(self) -> tuple[str, ...]:
        return self.needs

    def permissions_on(self, source: Source | None) -> tuple[str, ...]:
        """The parents are within reach. What hangs on them is too, if its permission reaches as far; what
        hangs on a shared record may be anybody's.
        """
        plain = super().permissions_on(source)
        if self.about is not None:
            source = require_source(self.about)
        if source is None or self.restricted:
            return plain
        if source.shared:
            return (*plain, f"{EVERY_RECORD}{self.permission or source.permission}")
        if self.permission in (None, PUBLIC, source.permission) or self.permission[:1] == "@":
            return plain
        return (*plain, f"{AS_FAR}{self.permission}:{source.permission}")

    def resolve(self, field: DeclaredField, parent: Any, info: Info, arguments: dict[str, Any]) -> Any:
        level, index = level_of(parent, info)
        key = (field, canonical(arguments)) if arguments else field

        def run() -> Sequence[Any] | Awaitable[Sequence[Any]]:
            results = self.of_level(field, level, info, arguments)
            if not field.is_composite:
                return results
            if isinstance(results, Awaitable):
                return _wrapped(info, results)
            wrapped: Sequence[Any] = wrap(info.context, results)
            return wrapped

        return level.once(key, run).take(index)

    def of_level(
        self, field: DeclaredField, level: Level, info: Info, arguments: Mapping[str, Any]
    ) -> Sequence[Any] | Awaitable[Sequence[Any]]:
        """The function's results, one for each row of the level. Raises `DeclarationError` for any other
        number.
        """
        given = {"info": info, **arguments} if self.takes_info else arguments
        with going_on():
            results = self.function(Batch[Any](level), **given)
        if isinstance(results, Awaitable):
            return self._awaited(field, level, results)
        return self._checked(field, level, results)

    async def _awaited(
        self, field: DeclaredField, level: Level, results: Awaitable[Sequence[Any]]
    ) -> Sequence[Any]:
        with going_on():
            given = await results
        return self._checked(field, level, given)

    def _checked(self, field: DeclaredField, level: Level, results: Any) -> list[Any]:
        given = len(results) if isinstance(results, Sequence) and not isinstance(results, str) else None
        if given != len(level.values):
            raise DeclarationError(
                f"{level.type.__name__}.{field.python_name}",
                f"the batch returned {type(results).__name__ if given is None else f'{given} results'}"
                f" for {len(level.values)} parents",
                "Return a list with one result per parent, in their order; None where there is none",
            )
        return list(results)


async def _wrapped(info: Info, results: Awaitable[Sequence[Any]]) -> Any:
    return wrap(info.context, await results)


def batch(
    *,
    needs: Sequence[str] = ("id",),
    permission: str | None = None,
    also: str | None = None,
    restricted: bool = False,
    about: type | None = None,
    name: str | None = None,
    deprecated: str | None = None,
) -> Callable[[BatchFunction], DeclaredField]:
    """A field resolved for all parents of a level at once.

    `async def loyalty(customers: Batch[Customer], info: Info, program: ID | None = None) -> list[Account |
    None]`: the parents in, one result each out, in order. A result that is an exception is the error of that
    parent's field only. `needs` names the parents' columns that the function reads.

    `also` is a permission that is needed besides `permission`.

    What it gives must hang on its parents, as those are the ones that the actor may see. Of a type that is
    shared, it is refused to actors who do not see every record, unless `restricted` says that it looks to
    that itself: it reads through `load` and its like, or with `info.context.reached`.

    In a type without a table, such as figures about customers, `about=Customer` says what its objects tell
    of: `permission` must then reach as far as that of customers does.
    """

    def decorate(function: BatchFunction) -> DeclaredField:
        made = unwrapped(function)
        parameters = list(inspect.signature(made).parameters)
        if not parameters or parameters[0] == "info":
            raise DeclarationError(
                made.__qualname__, "a batch field has no parents", "Let its first parameter be their Batch"
            )
        declaration = Batched(
            permission=permission,
            also=also,
            function=made,
            needs=tuple(needs),
            takes_info="info" in parameters,
            restricted=restricted,
            about=about,
        )
        field = of_function(declaration, made, "batch", skip=parameters[:1], name=name, deprecated=deprecated)
        field.type_annotation = _of_each(made, field.type_annotation)
        return field

    return decorate


@dataclass(frozen=True, kw_only=True)
class Called(Declaration):
    """A field of a root type: something that is called with the field's arguments."""

    def call(self, field: DeclaredField, info: Info, arguments: dict[str, Any]) -> Any:
        """The result, an awaitable of it, or for a subscription the results, one after the other."""
        raise NotImplementedError

    def resolve(self, field: DeclaredField, parent: Any, info: Info, arguments: dict[str, Any]) -> Any:
        result = self.call(field, info, arguments)
        if isinstance(result, Awaitable):
            return _awaited(field, info, result)
        if isinstance(result, AsyncIterable):
            return _each(field, info, result)
        return wrap(info.context, result) if field.is_composite else result


@dataclass(frozen=True, kw_only=True)
class Root(Called):
    """A field of Query, Mutation or Subscription: a function of its arguments."""

    function: Callable[..., Any]
    takes_info: bool
    restricted: bool = False
    by_key: str | None = None
    filter: FilterSpec | None = None

    def permissions_on(self, source: Source | None) -> tuple[str, ...]:
        plain = super().permissions_on(source)
        return plain if self.restricted else (*plain, f"{EVERY_RECORD}{self.permission or PUBLIC}")

    def call(self, field: DeclaredField, info: Info, arguments: dict[str, Any]) -> Any:
        given = {"info": info, **arguments} if self.takes_info else arguments
        try:  # spelt out: a context manager costs as much as the rest
            result = self.function(**given)
        except STOPPING as error:
            raise Exited.by(error) from error
        return awaited(result) if isinstance(result, Awaitable) else result


async def _awaited(field: DeclaredField, info: Info, result: Awaitable[Any]) -> Any:
    given = await result
    return wrap(info.context, given) if field.is_composite else given


async def _each(field: DeclaredField, info: Info, results: AsyncIterable[Any]) -> Any:
    try:
        with going_on():
            async for result in results:
                yield wrap(info.context, result) if field.is_composite else result
    finally:
        close = getattr(results, "aclose", None)
        if close is not None:  # whoever stops listening waits until the source has let go
            await close()


def root(
    *,
    permission: str,
    also: str | None = None,
    restricted: bool = False,
    by_key: str | None = None,
    most: Callable[..., int] | None = None,
    filter: FilterSpec | None = None,
    name: str | None = None,
    deprecated: str | None = None,
) -> Callable[[Callable[..., Any]], DeclaredField]:
    """A field of Query, Mutation or (an async generator) Subscription. `PUBLIC` lets every actor use it; what
    `also` names is needed besides.

    It is refused to actors who do not see every record, unless `restricted` says that it gives them no other:
    it reads through `load` and its like, or with `info.context.reached`.

    `by_key` names the argument that, given alone, is the id of the record that the function returns, as
    `load` finds it: the engine may then read that record itself, and calls the function where there is none.

    `most` takes the arguments that were given, by their names in Python, and tells how many items a list that
    is returned may have: that is what it costs. Without it, they are taken to be 10. It is asked before
    anything runs, also with values that the function refuses.

    With `filter`, the field has an argument `filter` of that input type, with the members that plugins
    add. The function takes it by that name, as the plain mapping that the client gave, or is called
    without it.
    """

    def decorate(function: Callable[..., Any]) -> DeclaredField:
        made = unwrapped(function)
        takes_info = "info" in inspect.signature(made).parameters
        declaration = Root(
            permission=permission,
            also=also,
            function=made,
            takes_info=takes_info,
            restricted=restricted,
            by_key=by_key,
            most=most,
            filter=filter,
        )
        skip = () if filter is None else ("filter",)
        return of_function(declaration, made, "root", skip=skip, name=name, deprecated=deprecated)

    return decorate


def declared(
    declaration: Declaration,
    description: str,
    *,
    name: str | None = None,
    deprecated: str | None = None,
    annotation: StrawberryAnnotation | None = None,
    is_subscription: bool = False,
) -> DeclaredField:
    """A field that is resolved by its declaration."""
    return DeclaredField(
        graphql_name=name,
        type_annotation=annotation,
        description=description,
        deprecation_reason=deprecated,
        metadata={DECLARATION: declaration},
        is_subscription=is_subscription,
    )


def of_function(
    declaration: Declaration,
    function: Callable[..., Any],
    kind: str,
    *,
    skip: Sequence[str] = (),
    name: str | None = None,
    deprecated: str | None = None,
) -> DeclaredField:
    """A field with a function's name, type, description and arguments, but for the parameters `skip` and
    `info`.
    """
    signature = inspect.signature(function)
    namespace = sys.modules[function.__module__].__dict__
    if signature.return_annotation is inspect.Signature.empty:
        raise DeclarationError(
            function.__qualname__, f"a {kind} field has no type", "Annotate what the function returns"
        )
    field = declared(
        declaration,
        described(function, kind),
        name=name,
        deprecated=deprecated,
        annotation=StrawberryAnnotation(signature.return_annotation, namespace=namespace),
        is_subscription=inspect.isasyncgenfunction(function),
    )
    field.python_name = function.__name__
    field.origin = function
    field.arguments = arguments_of(function, skip=(*skip, "info"))
    return field


def arguments_of(function: Callable[..., Any], *, skip: Sequence[str]) -> list[StrawberryArgument]:
    """A function's parameters as GraphQL arguments. Raises for one without annotation."""
    resolver = StrawberryResolver[Any](function)
    kept = [p for p in resolver.signature.parameters.values() if p.name not in skip]
    resolver.signature = Signature(kept)
    return resolver.arguments


def _of_each(function: Callable[..., Any], whole: StrawberryAnnotation | None) -> StrawberryAnnotation:
    """What one parent gets, from the list that the batch returns."""
    assert whole is not None
    raw = whole.raw_annotation
    if isinstance(raw, str):
        head, bracket, rest = raw.strip().partition("[")
        if bracket and rest.endswith("]") and head.rpartition(".")[2] in {"list", "Sequence"}:
            return StrawberryAnnotation(rest[:-1], namespace=whole.namespace)
    elif issubclass(getattr(raw, "__origin__", object), Sequence) and (inner := get_args(raw)):
        return StrawberryAnnotation(inner[0], namespace=whole.namespace)
    raise DeclarationError(
        function.__qualname__, f"a batch field returns {raw!r}", "Let it return list[…], one entry per parent"
    )
