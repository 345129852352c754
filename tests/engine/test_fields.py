"""Declarations that cannot work say so, before any request."""

from collections.abc import Callable, Sequence
from typing import Annotated, Any

import pytest
import strawberry
from strawberry.types.base import get_object_definition

from crm_framework.engine import (
    PUBLIC,
    Batch,
    Connection,
    DeclarationError,
    DeclaredField,
    EngineSchema,
    Node,
    batch,
    column,
    computed,
    connection,
    load_where,
    node,
    permissions_of,
    record,
    root,
)
from crm_framework.engine.declarations import declaration_of
from crm_framework.engine.fields import Batched
from crm_framework.engine.sql import TRUE

from . import library
from .library import Author


def undescribed(authors: Batch[Author]) -> list[str]:
    return []


def untyped(authors: Batch[Author]):  # type: ignore[no-untyped-def]  # the fault under test
    "Described."


def unlisted(authors: Batch[Author]) -> str:
    "Described."
    return ""


def of_nothing(info: strawberry.Info) -> list[str]:
    "Described."
    return []


async def waiting(name: str) -> str:
    "Described."
    return name


@pytest.mark.parametrize(
    ("declare", "message"),
    [
        (
            lambda: batch()(undescribed),
            "undescribed: a batch field has no description. Give the",
        ),
        (lambda: batch()(untyped), "untyped: a batch field has no type. Annotate what the"),
        (
            lambda: batch()(unlisted),
            "unlisted: a batch field returns <class 'str'>. Let it",
        ),
        (lambda: batch()(of_nothing), "of_nothing: a batch field has no parents. Let its first"),
        (lambda: computed()(waiting), "waiting: a computed field may not wait. Make it a plain function, or"),
        (lambda: column(""), "column: the field has no description. Say what it holds, in which unit"),
        (
            lambda: connection(description="X.", default_order=("-NAME",)),
            "connection: default_order without orders. Declare orders= too",
        ),
        (
            lambda: connection(description="X.", orders=library.BOOK_ORDERS, default_order=("-NAME",)),
            "BookOrder: there is no order by 'NAME'. Use one of TITLE, YEAR, PRICE,",
        ),
    ],
)
def test_a_faulty_function_is_refused_where_it_is_declared(declare: Callable[[], Any], message: str) -> None:
    with pytest.raises(DeclarationError) as refused:
        declare()
    assert str(refused.value).startswith(message)


def test_a_type_needs_a_description_and_an_identity() -> None:
    with pytest.raises(DeclarationError, match=r"Bare: the type has no description. Give the class"):

        @record(table="bare", permission=PUBLIC)
        class Bare:
            name: str = column("Name.")

    with pytest.raises(DeclarationError, match=r"Alone: it is no Node. Write class Alone\(Node\)"):

        @node(table="alone", permission=PUBLIC)
        class Alone:
            """Described."""

            name: str = column("Name.")


def test_a_table_is_a_plain_name() -> None:
    with pytest.raises(ValueError, match="no plain SQL name"):

        @record(table="a b", permission=PUBLIC)
        class Spaced:
            """Described."""

            name: str = column("Name.")


@strawberry.type(description="Something.")
class Thing:
    size: int = strawberry.field(description="Its size.")
    secret: strawberry.Private[str] = ""


@computed()
def bigger(size: int, secret: str) -> int:
    "One more."
    return size + 1


@computed()
def heavier(weight: int) -> int:
    "One more."
    return weight + 1


@batch(needs=("id", "weight"))
def weights(authors: Batch[Author]) -> list[int]:
    "Weights."
    return [0 for _ in authors]


@root(permission=PUBLIC)
def thing() -> Thing:
    "A thing."
    return Thing(size=1)


@root(permission=PUBLIC)
def author() -> Author | None:
    "An author."
    return None


@strawberry.type
class Query:
    thing = thing
    author = author


@pytest.mark.parametrize(
    ("extend", "message"),
    [
        (
            {Author: [heavier]},
            "Author.heavier: it needs 'weight', which is no column of Author. "
            "Use one of born, id, mentor_id, name, "
            "or name the column in hidden= of the type",
        ),
        (
            {Author: [weights]},
            "Author.weights: it needs 'weight', which is no column of Author. "
            "Use one of born, id, mentor_id, name, "
            "or name the column in hidden= of the type",
        ),
        (
            {Thing: [heavier]},
            "Thing.heavier: it needs 'weight', which is no column of Thing. "
            "Use one of its annotated attributes, "
            "or name the column in hidden= of the type",
        ),
        (
            {Query: [strawberry.field(resolver=lambda: 1, name="bare", graphql_type=int)]},
            "Query.<lambda>: the field does not say which permission it needs. "
            "Declare it with @root(permission=…); PUBLIC is for every actor",
        ),
    ],
)
def test_a_field_that_does_not_fit_its_type_is_refused_when_the_schema_is_made(
    extend: dict[type, Sequence[Any]], message: str
) -> None:
    with pytest.raises(Exception, match=r"it needs|does not say") as refused:
        EngineSchema(Query, extend=extend, config=library.CONFIG).as_str()
    causes = [refused.value, refused.value.__cause__, refused.value.__context__]
    assert message in [str(cause) for cause in causes if isinstance(cause, DeclarationError)]


def test_fields_of_plain_types_may_need_hidden_attributes() -> None:
    assert "bigger: Int!" in EngineSchema(Query, extend={Thing: [bigger]}, config=library.CONFIG).as_str()


def test_a_connection_must_be_one() -> None:
    @strawberry.type
    class Wrong:
        books: Author = connection(description="Books.", permission=PUBLIC)

    schema = EngineSchema(Wrong, config=library.CONFIG)
    [field] = schema.get_fields(get_object_definition(Wrong, strict=True))
    with pytest.raises(DeclarationError, match=r"books: a connection's type is no Connection\[…\]"):
        permissions_of(field)


def test_a_description_and_arguments_come_from_the_function() -> None:
    @root(permission="x", name="renamed", deprecated="Gone soon.")
    def original(
        info: strawberry.Info, how: Annotated[int, strawberry.argument(description="How many.")] = 3
    ) -> list[int]:
        """Counts.

        Slowly.
        """
        return list(range(how))

    @strawberry.type
    class Counting:
        renamed = original

    sdl = EngineSchema(Counting).as_str()
    assert (
        '"""\n  Counts.\n  \n  Slowly.\n  """\n  renamed(\n    """How many."""\n    how: Int! = 3\n  )' in sdl
    )
    assert '[Int!]! @deprecated(reason: "Gone soon.")' in sdl


def test_a_declaration_is_data() -> None:
    field = library.shelf
    declaration = declaration_of(field)
    assert isinstance(field, DeclaredField)
    assert isinstance(declaration, Batched)
    assert (declaration.needs, declaration.takes_info, declaration.permission) == (("id",), True, None)
    assert declaration_of(strawberry.field(description="Ordinary.")) is None


@batch()
async def later(authors: "Batch[Author]", info: "strawberry.Info") -> "list[Connection[Author]]":
    "Annotated with texts, as a module with postponed annotations has them."
    return []


@batch()
async def later_still(authors: "Batch[Author]") -> "Sequence[str | None]":
    "Annotated with texts."
    return ["x" for _ in authors]


def test_annotations_may_be_texts() -> None:
    sdl = EngineSchema(Query, extend={Author: [later, later_still]}, config=library.CONFIG).as_str()
    assert "later: AuthorConnection!" in sdl
    assert "laterStill: String\n" in sdl


def test_methods_of_a_body_are_static() -> None:
    @record(table="lib_author", permission=PUBLIC)
    class Short:
        """An author in short."""

        name: str = column("Name.", deprecated="Use label.")

        @computed(name="label", permission="x")
        @staticmethod
        def shown(name: str) -> str:
            "The name."
            return name

        @batch()
        @staticmethod
        def length(shorts: Batch[Any]) -> list[int]:
            "Of the name."
            return [len(name) for name in shorts.column("name")]

    @root(permission=PUBLIC)
    async def every(info: strawberry.Info) -> list[Short]:
        "All."
        return await load_where(info, Short, TRUE)

    @strawberry.type
    class Shorts:
        shorts = every

    sdl = EngineSchema(Shorts).as_str()
    assert "label: String!" in sdl
    assert "length: Int!" in sdl
    assert Node not in Short.__mro__
