"""Records that SQLite reads with those that they hang on: what is made of them, and what fails in them."""

from typing import Any

import pytest
import strawberry

from crm_framework.engine import PUBLIC, Connection, EngineSchema, Node, connection, node, one

from . import library
from .conftest import Library, LibraryReader
from .test_json_texts import insert, same


@pytest.fixture
async def shelves(reader: LibraryReader) -> Library:
    """Four authors: of none, of one, of none and of two books."""
    schema = library.make_schema(library.PLAIN_CONFIG, plain_scalars=("DateTime", "Date"))
    for number, name in enumerate(("A", "B", "C", "D"), 1):
        await reader.insert("lib_author", id=library.key(number), name=name, born=None, mentor_id=None)
    for number, author in ((10, 2), (11, 4), (12, 4)):
        await insert(reader, number, author_id=library.key(author))
    return Library(schema, reader)


def paths(result: Any) -> list[list[str | int]]:
    return [error["path"] for error in result.errors]


async def test_what_they_lead_to_stands_with_its_own(shelves: Library) -> None:
    await shelves.reader.insert("lib_review", id=library.key(20), book_id=library.key(11), stars=4, text=None)
    text = """{ writers(first: 4) { nodes {
  debut { title author { name } best { stars } reviews { stars } }
  name
  latest: catalogue(first: 1) { __typename nodes { author { name } } again: nodes { best { stars } id } }
  mentor { name } } } }"""
    found = (await same(shelves, text)).data["writers"]["nodes"]
    assert [writer["debut"] and writer["debut"]["author"]["name"] for writer in found] == [
        None,
        "B",
        None,
        "D",
    ]
    assert [writer["latest"]["nodes"] for writer in found] == [
        [],
        [{"author": {"name": "B"}}],
        [],
        [{"author": {"name": "D"}}],
    ]
    assert found[3]["debut"]["reviews"] == [{"stars": 4}]
    await shelves.data(text)
    # the page with both records; two times authors, twice the best review, the reviews; the mentors are none
    assert len(shelves.reader.log) == (6 if shelves.reader.dialect == "sqlite" else 8)


async def test_a_value_that_cannot_be_written_fails_its_own_field(shelves: Library) -> None:
    await shelves.reader.run(f"UPDATE lib_book SET binding = 'torn' WHERE id = '{library.key(11)}'")
    found = await same(shelves, "{ writers(first: 4) { nodes { debut { title binding } name } } }")
    assert paths(found) == [["writers", "nodes", 3, "debut", "binding"]]
    assert found.data["writers"]["nodes"][3] == {"debut": {"title": "T11", "binding": None}, "name": "D"}
    latest = "latest: catalogue(first: 1) { more: nodes { title } nodes { binding id } }"
    await shelves.reader.run("UPDATE lib_book SET binding = 'torn'")
    found = await same(shelves, f"{{ writers(first: 4) {{ nodes {{ {latest} life {{ born }} }} }} }}")
    assert paths(found) == [
        ["writers", "nodes", number, "latest", "nodes", 0, "binding"] for number in (1, 3)
    ]
    assert [len(writer["latest"]["more"]) for writer in found.data["writers"]["nodes"]] == [0, 1, 0, 1]


async def test_values_of_another_type_fail_wherever_the_first_of_them_stands(shelves: Library) -> None:
    if shelves.reader.dialect == "postgres":
        return  # its columns have no others
    await shelves.reader.run("UPDATE lib_book SET title = CAST('half' AS BLOB), year = 'one'")
    for field in ("title", "year"):
        found = await same(shelves, f"{{ writers(first: 4) {{ nodes {{ name debut {{ id {field} }} }} }} }}")
        assert paths(found) == [["writers", "nodes", number, "debut", field] for number in (1, 3)]


@node(table="lib_author", permission=PUBLIC, shared=True)
class Debutant(Node):
    """Who has written something."""

    debut: library.Book = one(key="author_id", order=("published_at",), description="The first.")


@strawberry.type
class Debutants:
    debutants: Connection[Debutant] = connection(description="All of them.", permission=PUBLIC)


async def test_one_that_must_be_there_and_is_not_fails(shelves: Library) -> None:
    schema = EngineSchema(Debutants, config=library.PLAIN_CONFIG)
    mine = Library(schema, shelves.reader)
    found = await same(mine, "{ debutants(first: 4) { edges { cursor node { id debut { title } } } } }")
    assert paths(found) == [["debutants", "edges", 0, "node", "debut"]]
    assert found.data is None
