"""Declarations that cannot work say so when the schema is made, before any request."""

from collections.abc import AsyncIterator, Callable, Sequence
from typing import Any

import pytest
import strawberry

from crm_framework.engine import (
    PUBLIC,
    Batch,
    Connection,
    DeclarationError,
    EngineSchema,
    Node,
    batch,
    children,
    computed,
    connection,
    node,
    one,
    reference,
    root,
)

from . import library
from .library import Author


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


def listing(most: Any) -> Any:
    @root(permission=PUBLIC, most=most)
    def found(first: int, least: int | None = strawberry.UNSET, of: int = 1) -> list[int]:
        "Numbers."
        return []

    return found


async def waits(**_: object) -> Any:
    return None


async def waits_so(title: str | None = None) -> Any:
    return None


def filtered(function: Callable[..., Any]) -> Any:
    function.__doc__, function.__name__ = "Books.", "found"
    function.__annotations__["return"] = int
    return root(permission=PUBLIC, filter=library.BOOK_FILTER)(function)


async def _events() -> AsyncIterator[int]:
    "Events."
    yield 1


def within(of: Any, field: Any) -> type:
    """A type with this field."""
    made = type("Holder", (Node,), {"__annotations__": {"found": of}, "found": field, "__doc__": "Holds."})
    return node(table="holder", permission=PUBLIC)(made)


AUTHORS: Any = library.authors.origin
WAITS: Any = waits_so
PAGES = Connection[library.Book]
BOOKS = list[library.Book]
FAULTY: list[tuple[Callable[[], Any], str]] = [
    (lambda: listing(5), "Query.found: most= is 5, where a plain function tells how long the list may be."),
    (lambda: listing(waits), "Query.found: most= is an async function, where a plain function tells"),
    (
        lambda: listing(lambda first: first),
        "Query.found: most= cannot be called with first, least, of: got an unexpected keyword argument "
        "'least'. Let it take the field's arguments by name",
    ),
    (
        lambda: listing(lambda first, least, of: first),
        "Query.found: most= cannot be called with first, of: missing a required argument: 'least'.",
    ),
    (
        lambda: root(permission=PUBLIC, by_key="key")(AUTHORS),
        "Query.found: by_key= names 'key', which is no argument. There are: limit",
    ),
    (
        lambda: root(permission=5)(AUTHORS),  # type: ignore[arg-type]  # the fault under test
        "Query.found: it needs the permission 5. Name it by a text",
    ),
    (
        lambda: root(permission=PUBLIC, also=library)(AUTHORS),  # type: ignore[arg-type]  # as above
        "Query.found: it needs the permission <module",
    ),
    (
        lambda: filtered(lambda: 1),
        "Query.found: the function cannot be called with filter: got an unexpected keyword argument "
        "'filter'. Let it take filter=None besides the others",
    ),
    (
        lambda: filtered(lambda filter: 1),
        "Query.found: the function cannot be called with no arguments: missing a required argument",
    ),
    (
        lambda: root(permission=PUBLIC)(_events),
        "Query.found: it gives one event after another. Only a field of Subscription is an async generator",
    ),
    (
        lambda: within(Author, connection(description="X.")),
        "Holder.found: a connection's type is no Connection[…]. Annotate it Connection[TheType]",
    ),
    (
        lambda: within(Connection[Thing], connection(description="X.")),
        "Holder.found: it has no table to read from. Declare it with @node or @record",
    ),
    (
        lambda: within(PAGES, connection(description="X.", key="author_id", narrow=WAITS)),
        "Holder.found: narrow= waits. Only that of a root list may; make it a plain function",
    ),
    (
        lambda: within(PAGES, connection(description="X.", where="t.year = ?")),
        "Holder.found: 1 places for 0 arguments in: t.year = ?. Write plain names, and conditions without",
    ),
    (
        lambda: within(Thing | None, reference("id", "X.")),
        "Holder.found: it has no table to read from. Declare it with @node or @record",
    ),
    (
        lambda: within(BOOKS, reference("id", "X.")),
        "Holder.found: it leads to one record, and its type does not. Annotate it Book",
    ),
    (
        lambda: within(Thing, one(key="id", description="X.")),
        "Holder.found: it has no table to read from.",
    ),
    (
        lambda: within(BOOKS, one(key="author_id", description="X.")),
        "Holder.found: it leads to one record, and its type does not. Annotate it Book",
    ),
    (
        lambda: within(library.Book | None, one(key="author_id", description="X.", narrow=WAITS)),
        "Holder.found: narrow= waits. Make it a plain function",
    ),
    (
        lambda: within(library.Book | None, one(key="author_id", description="X.", order=("-pages",))),
        "Holder.found: order= names 'pages', which is no column of Book. Use one of author_id, binding,",
    ),
    (
        lambda: within(library.Book, one(key="author_id", description="X.", otherwise={"pages": 0})),
        "Holder.found: otherwise= names 'pages', which is no column of Book.",
    ),
    (
        lambda: within(library.Book, children(key="author_id", description="X.")),
        "Holder.found: it leads to all records, and its type does not. Annotate it list[Book]",
    ),
    (
        lambda: within(BOOKS, children(key="author_id", description="X.", order=("a b",))),
        "Holder.found: order= names 'a b', which is no column of Book.",
    ),
    (
        lambda: within(BOOKS, children(key="author_id", description="X.", where="t.year = ?")),
        "Holder.found: 1 places for 0 arguments in: t.year = ?.",
    ),
]  # fmt: skip


@pytest.mark.parametrize(("make", "message"), FAULTY, ids=[message for _, message in FAULTY])
def test_a_declaration_that_would_fail_requests_is_refused_when_the_schema_is_made(
    make: Callable[[], Any], message: str
) -> None:
    made = make()
    field = root(permission=PUBLIC)(_giving(made)) if isinstance(made, type) else made
    field.python_name = "found"
    query = strawberry.type(type("Query", (), {"found": field}))
    with pytest.raises(Exception, match=r"fields cannot be resolved|found") as refused:
        EngineSchema(query, config=library.CONFIG)
    cause: BaseException | None = refused.value
    while cause is not None and not isinstance(cause, DeclarationError):
        cause = cause.__cause__ or cause.__context__
    assert str(cause).startswith(message)


def _giving(kind: type) -> Callable[..., Any]:
    def found() -> Any:
        "One."

    found.__annotations__["return"] = kind | None
    return found
