"""Fields are what their functions say; those that cannot be any say so where they are declared."""

from collections.abc import Callable, Sequence
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
    column,
    computed,
    connection,
    load_where,
    node,
    record,
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


def from_the_first(first: int = 1) -> None:
    return None


def test_what_a_list_takes_is_refused_where_it_is_declared() -> None:
    with pytest.raises(DeclarationError, match=r"narrow= has a parameter first, which each list has"):
        connection(description="X.", narrow=from_the_first)
    with pytest.raises(DeclarationError, match=r"order field A: there is no kind 'text'. Use one of string"):
        OrderField("A", "text", "By it.", column="a")  # type: ignore[arg-type]  # the fault under test
    with pytest.raises(DeclarationError, match=r"order field A: its sql= has a place for an argument"):
        OrderField("A", "int", "By it.", sql="t.a + ?")


@strawberry.type(description="Something.")
class Thing:
    size: int = strawberry.field(description="Its size.")


@root(permission=PUBLIC)
def author() -> Author | None:
    "An author."
    return None


@strawberry.type
class Query:
    author = author


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
