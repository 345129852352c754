"""Documents that ask for interfaces and unions: fragments of every kind on them, and introspection."""

from collections.abc import Sequence
from typing import Annotated, Any

import pytest
import strawberry

from crm_framework.engine import Batch, batch, encode_id
from tests.engine import library
from tests.engine.conftest import Library

from .harness import Ask, answering, schema_of, told


@strawberry.interface
class Named:
    name: str


@strawberry.interface
class Life:
    progeny: "Sequence[Life]"


@strawberry.interface
class Mammal(Life):
    progeny: "Sequence[Mammal]"
    mother: "Mammal | None"
    father: "Mammal | None"


@strawberry.type
class Dog(Mammal, Named):
    name: str
    barks: bool
    progeny: "Sequence[Dog]"
    mother: "Dog | None"
    father: "Dog | None"

    @batch(needs=("name",))
    @staticmethod
    def collar(dogs: Batch[Any]) -> list[str]:
        "What is on its collar."
        return [f"{dog.name} of {len(dogs)}" for dog in dogs]


@strawberry.type
class Cat(Mammal, Named):
    name: str
    meows: bool
    progeny: "Sequence[Cat]"
    mother: "Cat | None"
    father: "Cat | None"


Pet = Annotated[Dog | Cat, strawberry.union("Pet")]


@strawberry.type
class Person(Mammal, Named):
    name: str
    pets: list[Pet] | None
    friends: list[Named] | None
    progeny: "Sequence[Person]"
    mother: "Person | None"
    father: "Person | None"


def _dog(name: str, **more: Any) -> Dog:
    return Dog(**{"name": name, "barks": True, "progeny": [], "mother": None, "father": None, **more})


def _cat(name: str, **more: Any) -> Cat:
    return Cat(**{"name": name, "meows": False, "progeny": [], "mother": None, "father": None, **more})


def _person(name: str, **more: Any) -> Person:
    none: dict[str, Any] = {"pets": [], "friends": [], "progeny": [], "mother": None, "father": None}
    return Person(name=name, **{**none, **more})


GARFIELD = _cat("Garfield", mother=_cat("Garfield's Mom"))
GARFIELD.mother.progeny = [GARFIELD]  # type: ignore[union-attr]  # she is there
ODIE = _dog("Odie", mother=_dog("Odie's Mom"))
ODIE.mother.progeny = [ODIE]  # type: ignore[union-attr]  # she is there
LIZ = _person("Liz")
JOHN = _person("John", pets=[GARFIELD, ODIE], friends=[LIZ, ODIE])
SCHEMA = schema_of(answering("john", Person, lambda: JOHN))

CAT = {"__typename": "Cat", "name": "Garfield", "meows": False}
DOG = {"__typename": "Dog", "name": "Odie", "barks": True}


async def test_introspection_knows_interfaces_and_unions(ask: Ask) -> None:
    of = "{ kind name fields { name } interfaces { name } possibleTypes { name } enumValues { name } }"
    text = f"""{{ Named: __type(name: "Named") {of} Mammal: __type(name: "Mammal") {of}
                  Pet: __type(name: "Pet") {of} }}"""
    found = await ask(SCHEMA, text)
    assert found.faults == set()
    for each in found.data.values():
        for part in ("fields", "interfaces", "possibleTypes"):
            each[part] = each[part] and sorted(one["name"] for one in each[part])
    types = ["Cat", "Dog", "Person"]
    empty: dict[str, Any] = {"enumValues": None}
    assert found.data == {
        "Named": {
            "kind": "INTERFACE",
            "name": "Named",
            "fields": ["name"],
            "interfaces": [],
            "possibleTypes": types,
            **empty,
        },
        "Mammal": {
            "kind": "INTERFACE",
            "name": "Mammal",
            "fields": ["father", "mother", "progeny"],
            "interfaces": ["Life"],
            "possibleTypes": types,
            **empty,
        },
        "Pet": {
            "kind": "UNION",
            "name": "Pet",
            "fields": None,
            "interfaces": None,
            "possibleTypes": ["Cat", "Dog"],
            **empty,
        },
    }


@pytest.mark.parametrize("text", ["{ john { pets { name } } }", "{ john { friends { barks } } }"])
async def test_a_field_of_one_of_the_types_alone_refuses_the_document(ask: Ask, text: str) -> None:
    result = await ask.result(SCHEMA, text)
    assert (result.refused, result.code) == (True, "BAD_INPUT")


async def test_a_union_with_inline_fragments(ask: Ask) -> None:
    text = """{ john { __typename name
                 pets { __typename ... on Dog { name barks } ... on Cat { name meows } } } }"""
    assert await ask(SCHEMA, text) == (
        {"john": {"__typename": "Person", "name": "John", "pets": [CAT, DOG]}},
        set(),
    )


async def test_an_interface_with_inline_fragments(ask: Ask) -> None:
    text = """{ john { friends { __typename name ... on Dog { barks } ... on Cat { meows }
                  ... on Mammal {
                    mother { __typename ... on Dog { name barks } ... on Cat { name } } } } } }"""
    mom = {"__typename": "Dog", "name": "Odie's Mom", "barks": True}
    assert await ask(SCHEMA, text) == (
        {
            "john": {
                "friends": [
                    {"__typename": "Person", "name": "Liz", "mother": None},
                    {**DOG, "mother": mom},
                ]
            }
        },
        set(),
    )


async def test_an_interface_with_named_fragments(ask: Ask) -> None:
    text = """{ john { friends { __typename name ...DogBarks ...CatMeows } } }
              fragment DogBarks on Dog { barks } fragment CatMeows on Cat { meows }"""
    assert await ask(SCHEMA, text) == (
        {"john": {"friends": [{"__typename": "Person", "name": "Liz"}, DOG]}},
        set(),
    )


async def test_fragments_on_abstract_types(ask: Ask) -> None:
    text = """{ john { pets { ...PetFields ... on Mammal { mother { ...ProgenyFields } } }
                       friends { ...FriendFields } } }
              fragment PetFields on Pet { __typename ... on Dog { name barks } ... on Cat { name meows } }
              fragment FriendFields on Named { __typename name ... on Dog { barks } ... on Cat { meows } }
              fragment ProgenyFields on Life { progeny { __typename } }"""
    assert await ask(SCHEMA, text) == (
        {
            "john": {
                "pets": [
                    {**CAT, "mother": {"progeny": [{"__typename": "Cat"}]}},
                    {**DOG, "mother": {"progeny": [{"__typename": "Dog"}]}},
                ],
                "friends": [{"__typename": "Person", "name": "Liz"}, DOG],
            }
        },
        set(),
    )


async def test_one_key_stands_for_another_field_in_each_type(ask: Ask) -> None:
    text = "{ john { pets { ... on Dog { sound: barks } ... on Cat { sound: meows } } } }"
    assert await ask(SCHEMA, text) == (
        {"john": {"pets": [{"sound": False}, {"sound": True}]}},
        set(),
    )


async def test_keys_come_in_the_order_in_which_each_type_meets_them(ask: Ask) -> None:
    text = """{ john { pets { ... on Cat { meows } ... on Named { name } ... on Dog { barks name }
                 ... on Mammal { __typename } ... on Cat { name } } } }"""
    found = await ask(SCHEMA, text)
    assert [list(pet) for pet in found.data["john"]["pets"]] == [
        ["meows", "name", "__typename"],
        ["name", "barks", "__typename"],
    ]


async def test_selections_of_one_field_in_several_fragments_are_merged(ask: Ask) -> None:
    text = """{ john { pets { ... on Mammal { mother { __typename } } ... on Dog { mother { name collar } }
                 ... on Cat { mother { name } } ... on Life { progeny { __typename } } } } }"""
    assert await ask(SCHEMA, text) == (
        {
            "john": {
                "pets": [
                    {"mother": {"__typename": "Cat", "name": "Garfield's Mom"}, "progeny": []},
                    {
                        "mother": {
                            "__typename": "Dog",
                            "name": "Odie's Mom",
                            "collar": "Odie's Mom of 1",
                        },
                        "progeny": [],
                    },
                ]
            }
        },
        set(),
    )


async def test_a_fragment_on_a_type_that_cannot_be_refuses_the_document(ask: Ask) -> None:
    result = await ask.result(SCHEMA, "{ john { pets { ... on Person { name } } } }")
    assert (result.refused, result.code) == (True, "BAD_INPUT")


async def test_records_of_an_interface(ask: Ask, filled: Library) -> None:
    book, author = encode_id("Book", library.key(1001)), encode_id("Author", library.key(1))
    text = """query ($a: ID!, $b: ID!) { a: node(id: $a) { ...Any } b: node(id: $b) { ...Any } }
              fragment Any on Node { __typename id ...Book ... on Author { key: name greeting } }
              fragment Book on Book { key: title author { id name ... on Node { id } } reviews { stars } }"""
    found = await ask(filled.schema, text, {"a": author, "b": book}, context=filled.visit(translate=told))
    owner = {"id": encode_id("Author", library.key(0)), "name": "A000"}
    assert found == (
        {
            "a": {"__typename": "Author", "id": author, "key": "A001", "greeting": "Dear A001"},
            "b": {
                "__typename": "Book",
                "id": book,
                "key": "T000-001",
                "author": owner,
                "reviews": [],
            },
        },
        set(),
    )


async def test_records_of_a_union_with_one_key_for_another_field_each(ask: Ask, filled: Library) -> None:
    text = """{ finds { ... on Author { label: name } ... on Book { label: title }
                        ... on Poster { label: headline } } }"""
    found = await ask(filled.schema, text, context=filled.visit(translate=told))
    assert found == (
        {"finds": [{"label": label} for label in ("A000", "A001", "Read!", "T000-000", "T000-001")]},
        set(),
    )
