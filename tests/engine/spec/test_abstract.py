"""Interfaces and unions: which type an object is of, and what happens where it is of none."""

from collections.abc import Callable
from time import perf_counter
from typing import Annotated, Any

import pytest
import strawberry

from crm_framework.engine import Batch, EngineSchema, Limits, batch
from tests.engine import library
from tests.engine.conftest import Library

from .harness import Ask, Asking, Fault, Nowhere, answering, list_of, schema_of, told


@strawberry.interface
class Pet:
    name: str


@strawberry.type
class Dog(Pet):
    woofs: bool


@strawberry.type
class Cat(Pet):
    meows: bool

    @batch(needs=("name",))
    @staticmethod
    def lives(cats: Batch[Any]) -> list[int]:
        "How many it has."
        return [9 for _ in cats]


@strawberry.type
class Stone:
    weight: int


DogOrCat = Annotated[Dog | Cat, strawberry.union("DogOrCat")]
PETS = (Dog(name="Odie", woofs=True), Cat(name="Garfield", meows=False))
ASKED = "{ name ... on Dog { woofs } ... on Cat { meows } }"
EXPECTED = [{"name": "Odie", "woofs": True}, {"name": "Garfield", "meows": False}]


def _sync(value: Any) -> Any:
    return value


async def _later(value: Any) -> Any:
    return value


def _each_later(value: Any) -> Any:
    return [_later(each) for each in value]


WAYS = {"value": _sync, "promise": _later}


@pytest.mark.parametrize("way", WAYS)
async def test_an_object_of_an_interface_is_of_its_own_type(ask: Ask, way: str) -> None:
    schema = schema_of(answering("pets", list[Pet], lambda: WAYS[way](PETS)), types=[Dog, Cat])
    assert await ask(schema, f"{{ pets {ASKED} }}") == ({"pets": EXPECTED}, set())


@pytest.mark.parametrize("way", WAYS)
async def test_an_object_of_a_union_is_of_its_own_type(ask: Ask, way: str) -> None:
    schema = schema_of(answering("pets", list[DogOrCat], lambda: WAYS[way](PETS)))
    text = "{ pets { ... on Dog { name woofs } ... on Cat { name meows } } }"
    assert await ask(schema, text) == ({"pets": EXPECTED}, set())


async def test_a_single_object_and_its_name(ask: Ask) -> None:
    schema = schema_of(
        answering("pet", Pet | None, lambda: PETS[1]),
        answering("none", Pet | None, lambda: None),
        types=[Dog, Cat],
    )
    text = "{ pet { is: __typename ... on Cat { meows lives } ... on Dog { woofs } } none { name } }"
    assert await ask(schema, text) == (
        {"pet": {"is": "Cat", "meows": False, "lives": 9}, "none": None},
        set(),
    )


async def test_a_batch_runs_over_the_objects_of_its_type_alone(ask: Ask) -> None:
    pets = [PETS[1], PETS[0], Cat(name="Arlene", meows=True), None]
    schema = schema_of(answering("pets", list[Pet | None], lambda: pets), types=[Dog, Cat])
    found = await ask(schema, "{ pets { name ... on Cat { lives } } }")
    assert found == (
        {"pets": [{"name": "Garfield", "lives": 9}, {"name": "Odie"}, {"name": "Arlene", "lives": 9}, None]},
        set(),
    )


@pytest.mark.parametrize("annotation", [Pet, DogOrCat], ids=["interface", "union"])
async def test_an_object_of_another_type_is_an_error(ask: Ask, annotation: Any) -> None:
    schema = schema_of(
        answering("pets", list_of(annotation | None), lambda: [PETS[0], Stone(weight=1), PETS[1]]),
        answering("stone", Stone | None, lambda: None),
        types=[Dog, Cat],
    )
    text = "{ pets { ... on Dog { name woofs } ... on Cat { name meows } } }"
    result = await ask.result(schema, text)
    assert result.data == {"pets": [EXPECTED[0], None, EXPECTED[1]]}
    assert [(error["path"], error["locations"]) for error in result.errors] == [
        (["pets", 1], [{"line": 1, "column": 3}])
    ]
    assert result.code == "INTERNAL"


@pytest.mark.parametrize("annotation", [Pet, DogOrCat], ids=["interface", "union"])
@pytest.mark.parametrize(
    "value", [3, "text", {"name": "Odie"}, object()], ids=["number", "text", "dict", "object"]
)
async def test_what_is_no_object_of_the_schema_is_an_error(ask: Ask, annotation: Any, value: Any) -> None:
    schema = schema_of(answering("pet", annotation | None, lambda: value), types=[Dog, Cat])
    result = await ask.result(schema, "{ pet { __typename } }")
    assert (result.data, result.code) == ({"pet": None}, "INTERNAL")
    assert [error["path"] for error in result.errors] == [["pet"]]


class Stray:
    """An object that the schema does not know: its type must be found out."""

    def __init__(self, kind: str, name: str) -> None:
        self.kind = kind
        self.name = name
        self.woofs = self.meows = name == "Odie"


STRAYS = (Stray("Dog", "Odie"), Stray("Cat", "Garfield"))


def _by_type(check: Callable[[str], Any]) -> tuple[Any, Any, Any]:
    """An interface whose types say themselves what is of them."""

    @strawberry.interface
    class Pet:
        name: str

    @strawberry.type
    class Dog(Pet):
        woofs: bool

        @classmethod
        def is_type_of(cls, value: Any, info: Any) -> Any:
            return check("Dog")(value)

    @strawberry.type
    class Cat(Pet):
        meows: bool

        @classmethod
        def is_type_of(cls, value: Any, info: Any) -> Any:
            return check("Cat")(value)

    return Pet, Dog, Cat


def _is(name: str) -> Callable[[Any], Any]:
    return lambda value: value.kind == name


def _is_later(name: str) -> Callable[[Any], Any]:
    async def check(value: Any) -> bool:
        return bool(value.kind == name)

    return check


def _fails(name: str) -> Callable[[Any], Any]:
    def check(value: Any) -> bool:
        raise Fault("we test this")

    return check


def _fails_later(name: str) -> Callable[[Any], Any]:
    async def check(value: Any) -> bool:
        raise Fault("we test this")

    return check


def _is_nothing(name: str) -> Callable[[Any], Any]:
    return lambda value: False


@pytest.mark.parametrize("check", [_is, _is_later])
async def test_types_of_an_interface_say_what_is_of_them(ask: Ask, check: Any) -> None:
    pet, dog, cat = _by_type(check)
    schema = schema_of(answering("pets", list_of(pet), lambda: STRAYS), types=[dog, cat])
    assert await ask(schema, f"{{ pets {ASKED} }}") == ({"pets": EXPECTED}, set())


async def test_types_of_a_union_say_what_is_of_them(ask: Ask) -> None:
    _, dog, cat = _by_type(_is)
    union = Annotated.__class_getitem__((dog | cat, strawberry.union("AnyPet")))  # type: ignore[attr-defined]  # of types made just now
    schema = schema_of(answering("pets", list_of(union), lambda: STRAYS))
    text = "{ pets { ... on Dog { name woofs } ... on Cat { name meows } } }"
    assert await ask(schema, text) == ({"pets": EXPECTED}, set())


@pytest.mark.parametrize("check", [_fails, _fails_later])
async def test_a_type_that_fails_to_say_is_an_error_of_each_object(ask: Ask, check: Any) -> None:
    pet, dog, cat = _by_type(check)
    schema = schema_of(answering("pets", list_of(pet | None), lambda: STRAYS), types=[dog, cat])
    assert await ask(schema, f"{{ pets {ASKED} }}") == (
        {"pets": [None, None]},
        {"1:3 pets.0: we test this", "1:3 pets.1: we test this"},
    )


async def test_an_object_that_no_type_wants_is_an_error(ask: Ask) -> None:
    pet, dog, cat = _by_type(_is_nothing)
    schema = schema_of(answering("pets", list_of(pet | None), lambda: STRAYS[:1]), types=[dog, cat])
    message = (
        "Abstract type 'Pet' must resolve to an Object type at runtime for field 'Query.pets'."
        " Either the 'Pet' type should provide a 'resolve_type' function"
        " or each possible type should provide an 'is_type_of' function."
    )
    assert await ask(schema, f"{{ pets {ASKED} }}") == ({"pets": [None]}, {f"1:3 pets.0: {message}"})


@pytest.mark.parametrize("late", [False, True])
async def test_an_object_that_its_declared_type_does_not_want_is_an_error(ask: Ask, late: bool) -> None:
    _, dog, _ = _by_type(_is_later if late else _is)
    schema = schema_of(answering("dogs", list_of(dog | None), lambda: STRAYS))
    result = await ask.result(schema, "{ dogs { name } }")
    assert (result.data, result.code) == ({"dogs": [{"name": "Odie"}, None]}, "INTERNAL")
    assert [error["path"] for error in result.errors] == [["dogs", 1]]


def _by_interface(resolve: Callable[[Any], Any]) -> EngineSchema:
    """An interface that says itself of which type an object is."""

    @strawberry.interface
    class Pet:
        name: str

        @classmethod
        def resolve_type(cls, value: Any, info: Any, abstract: Any) -> Any:
            return resolve(value)

    @strawberry.type
    class Dog(Pet):
        woofs: bool

        @classmethod
        def is_type_of(cls, value: Any, info: Any) -> bool:
            return True

    @strawberry.type
    class Cat(Pet):
        meows: bool

        @classmethod
        def is_type_of(cls, value: Any, info: Any) -> bool:
            return True

    return schema_of(
        answering("pets", list[Pet | None], lambda: STRAYS),
        answering("stone", Stone | None, lambda: None),
        types=[Dog, Cat],
    )


@pytest.mark.parametrize("way", WAYS)
async def test_an_interface_says_the_type(ask: Ask, way: str) -> None:
    schema = _by_interface(lambda value: WAYS[way](value.kind))
    assert await ask(schema, f"{{ pets {ASKED} }}") == ({"pets": EXPECTED}, set())


@pytest.mark.parametrize("late", [False, True])
async def test_an_interface_that_fails_to_say_is_an_error_of_each_object(ask: Ask, late: bool) -> None:
    schema = _by_interface((_fails_later if late else _fails)("Pet"))
    assert await ask(schema, f"{{ pets {ASKED} }}") == (
        {"pets": [None, None]},
        {"1:3 pets.0: we test this", "1:3 pets.1: we test this"},
    )


@pytest.mark.parametrize(
    ("said", "message"),
    [
        (
            "Human",
            "Abstract type 'Pet' was resolved to a type 'Human' that does not exist inside the schema.",
        ),
        ("String", "Abstract type 'Pet' was resolved to a non-object type 'String'."),
        ("Stone", "Runtime Object type 'Stone' is not a possible type for 'Pet'."),
        ("__Schema", "Runtime Object type '__Schema' is not a possible type for 'Pet'."),
    ],
)
@pytest.mark.parametrize("way", WAYS)
async def test_a_type_that_cannot_be_is_an_error(ask: Ask, way: str, said: str, message: str) -> None:
    schema = _by_interface(lambda value: WAYS[way](said if value.kind == "Cat" else "Dog"))
    assert await ask(schema, f"{{ pets {ASKED} }}") == (
        {"pets": [EXPECTED[0], None]},
        {f"1:3 pets.1: {message}"},
    )


@pytest.mark.parametrize("said", [None, [], 3], ids=str)
async def test_an_answer_that_is_no_type_is_an_error(ask: Ask, said: Any) -> None:
    result = await ask.result(_by_interface(lambda value: said), "{ pets { name } }")
    assert (result.data, result.code) == ({"pets": [None, None]}, "INTERNAL")
    assert [error["path"] for error in result.errors] == [["pets", 0], ["pets", 1]]


async def test_objects_of_one_list_from_a_table_and_from_functions(ask: Ask, filled: Library) -> None:
    text = """{ finds { __typename ... on Author { name books { title } }
                        ... on Poster { headline } ... on Book { title author { name } } } }"""
    found = await ask(filled.schema, text, context=filled.visit(translate=told))
    assert found.faults == set()
    kinds = [one["__typename"] for one in found.data["finds"]]
    assert kinds == ["Author", "Author", "Poster", "Book", "Book"]
    assert found.data["finds"][2:4] == [
        {"__typename": "Poster", "headline": "Read!"},
        {"__typename": "Book", "title": "T000-000", "author": {"name": "A000"}},
    ]
    assert found.data["finds"][1]["books"] == [{"title": f"T001-00{number}"} for number in range(5)]


async def test_a_record_of_a_type_that_may_not_be_seen_is_an_error_of_its_place(
    ask: Ask, filled: Library
) -> None:
    context = filled.visit(permissions=library.EVERYTHING - {"books.read"})
    result = await ask.result(filled.schema, "{ finds { __typename } }", context=context)
    assert (result.data, result.code) == (None, "FORBIDDEN")
    assert ["finds", 3] in [error["path"] for error in result.errors]


@strawberry.interface
class Link:
    name: str
    next: "Link | None"


@strawberry.type
class Iron(Link):
    weight: int = 1


@strawberry.type
class Gold(Link):
    weight: int = 2


@strawberry.type
class Rope(Link):
    length: int = 3


CHAIN = Iron(name="a", next=Gold(name="b", next=Rope(name="c", next=None)))
LINKS = schema_of(answering("link", Link | None, lambda: CHAIN), types=[Iron, Gold, Rope])


async def test_an_interface_within_an_interface_takes_no_longer_with_each_level(ask: Ask) -> None:
    levels = 11
    text = "{ link { name " + "next { name " * levels + "}" * levels + " } }"
    started = perf_counter()
    found = await ask(LINKS, text)
    assert perf_counter() - started < 2  # planned for each combination of types it would be hours
    assert found == (
        {"link": {"name": "a", "next": {"name": "b", "next": {"name": "c", "next": None}}}},
        set(),
    )


async def test_more_combinations_of_types_than_can_be_planned(ask: Ask) -> None:
    def below(level: int) -> str:
        if level == 9:
            return "name"
        kinds = " ".join(
            f"... on {kind} {{ {'next { ' * (9 - level)} k{level}{kind}: name {'}' * (9 - level)} }}"
            for kind in ("Iron", "Gold")
        )
        return f"name next {{ {below(level + 1)} }} {kinds}"

    started = perf_counter()
    context = Asking(Nowhere(), limits=Limits(max_repeats=40))
    found = await ask.result(LINKS, f"{{ link {{ {below(0)} }} }}", context=context)
    assert perf_counter() - started < 5
    assert (found.code, found.refused) == ("TOO_COMPLEX", True)
