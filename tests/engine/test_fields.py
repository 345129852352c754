"""Declarations that cannot work say so, before any request."""

from collections.abc import AsyncIterator, Callable, Sequence
from typing import Annotated, Any

import pytest
import strawberry

from crm_framework.engine import (
    PUBLIC,
    Batch,
    Connection,
    DeclarationError,
    DeclaredField,
    EngineSchema,
    Node,
    OrderField,
    batch,
    children,
    column,
    computed,
    connection,
    load_where,
    node,
    one,
    record,
    reference,
    root,
)
from crm_framework.engine.declarations import declaration_of
from crm_framework.engine.execute import execute
from crm_framework.engine.fields import Batched
from crm_framework.engine.sql import TRUE

from . import library
from .library import Author
from .spec.harness import Asking, Nowhere


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


def listing(most: Any) -> Any:
    @root(permission=PUBLIC, most=most)
    def found(first: int, least: int | None = strawberry.UNSET, of: int = 1) -> list[int]:
        "Numbers."
        return []

    return found


async def waits(**_: object) -> Any:
    return None


def from_the_first(first: int = 1) -> None:
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


def test_what_a_list_takes_is_refused_where_it_is_declared() -> None:
    with pytest.raises(DeclarationError, match=r"narrow= has a parameter first, which each list has"):
        connection(description="X.", narrow=from_the_first)
    with pytest.raises(DeclarationError, match=r"order field A: there is no kind 'text'. Use one of string"):
        OrderField("A", "text", "By it.", column="a")  # type: ignore[arg-type]  # the fault under test
    with pytest.raises(DeclarationError, match=r"order field A: its sql= has a place for an argument"):
        OrderField("A", "int", "By it.", sql="t.a + ?")


@pytest.mark.parametrize("most", [lambda **_: 1 // 0, lambda **_: "many"])
async def test_a_length_that_cannot_be_told_is_taken_to_be_usual(
    most: Any, caplog: pytest.LogCaptureFixture
) -> None:
    @root(permission=PUBLIC, most=most)
    def numbers() -> list[Thing]:
        "Things."
        return [Thing(size=1)]

    query = strawberry.type(type("Query", (), {"numbers": numbers}))
    schema = EngineSchema(query, config=library.CONFIG)
    result = await execute(schema, "{ numbers { size } }", None, None, Asking(Nowhere()))
    assert (result.data, result.errors) == ({"numbers": [{"size": 1}]}, [])
    assert "how long Query.numbers may be could not be told" in caplog.text


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
