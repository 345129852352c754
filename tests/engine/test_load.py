from typing import Any

import pytest

from crm_framework.engine import (
    DeclarationError,
    Fragment,
    RequestError,
    Row,
    decode_id,
    decode_key,
    encode_id,
    execute,
    load,
    load_groups,
    load_where,
)
from crm_framework.engine.load import context_of
from crm_framework.engine.trace import Trace

from . import library
from .conftest import Library
from .library import Author, Book, Review


async def test_rows_come_in_the_order_of_their_keys(filled: Library) -> None:
    keys = [library.key(n) for n in (3, 1, 99, 3)]
    found = await load(filled.visit(), Author, [*keys, None])
    assert [row and row.name for row in found] == ["A003", "A001", None, "A003", None]
    assert found[0] is found[3]
    assert len(filled.reader.log) == 1
    assert await load(filled.visit(), Author, [None]) == [None]
    assert len(filled.reader.log) == 1


async def test_rows_of_one_load_are_one_level(filled: Library) -> None:
    found: list[Any] = await load(filled.visit(), Author, [library.key(n) for n in (0, 1)])
    assert isinstance(found[0], Row)
    assert found[0]._level is found[1]._level
    assert found[0]._type is Author
    assert repr(found[0]).startswith("<Author (")
    with pytest.raises(AttributeError, match="Author has no column 'nothing'"):
        found[0].nothing  # noqa: B018  # the access is the test


async def test_rows_under_a_condition(filled: Library) -> None:
    found = await load_where(
        filled.visit(), Book, Fragment("t.lent = ?", (True,)), order=("-year", "title"), limit=3
    )
    assert [book.title for book in found] == ["T000-003", "T001-003", "T002-003"]


async def test_rows_by_group(filled: Library) -> None:
    keys = [library.key(1), library.key(77), None, library.key(0), library.key(1)]
    where = Fragment("t.year >= ?", (1900,))
    found = await load_groups(filled.visit(), Book, "author_id", keys, order=("-title",), where=where)
    names = [[book.title for book in group] for group in found]
    assert names == [
        ["T001-004", "T001-003", "T001-001"],
        [],
        [],
        ["T000-004", "T000-003", "T000-001"],
        ["T001-004", "T001-003", "T001-001"],
    ]
    assert len(filled.reader.log) == 1


async def test_nulls_are_the_largest_everywhere(filled: Library) -> None:
    visit = filled.visit()
    own = Fragment("t.author_id = ?", (library.key(0),))
    up = await load_where(visit, Book, own, order=("published_at",))
    down = await load_where(visit, Book, own, order=("-published_at",))
    assert [book.title[-1] for book in up] == ["0", "1", "2", "3", "4"]
    assert [book.title[-1] for book in down] == ["4", "3", "2", "1", "0"]


async def test_what_an_actor_may_not_see_does_not_exist(filled: Library) -> None:
    visit = filled.visit()
    visit.restrict = lambda source: (  # type: ignore[method-assign]  # as a subclass would
        Fragment("t.title <> ?", ("T000-001",)) if source.table == "lib_book" else None
    )
    assert (await load(visit, Book, [library.key(1001)])) == [None]
    [group] = await load_groups(visit, Book, "author_id", [library.key(0)])
    assert [book.title for book in group] == ["T000-000", "T000-002", "T000-003", "T000-004"]
    text = "{ authors(limit: 1) { catalogue { totalCount nodes { title } } } books { totalCount } }"
    found = (await execute(filled.schema, text, None, None, visit)).data
    assert found is not None
    assert found["books"] == {"totalCount": 19}
    assert found["authors"][0]["catalogue"]["totalCount"] == 4
    assert len(found["authors"][0]["catalogue"]["nodes"]) == 4


@pytest.mark.parametrize("selected", ["title", "title author { name }", "title cost { amount }"])
async def test_a_condition_on_the_parent_alone_is_looked_at_once_a_parent(
    filled: Library, selected: str
) -> None:
    visit = filled.visit()
    hidden = "SELECT a.id FROM lib_author AS a WHERE a.id = t.author_id AND a.name = ?"
    visit.restrict = lambda source: (  # type: ignore[method-assign]  # as a subclass would
        Fragment(f"NOT EXISTS ({hidden})", ("A001",)) if source.table == "lib_book" else None
    )
    text = f"""{{ authors(limit: 3) {{ name catalogue(last: 2) {{ nodes {{ {selected} }} pageInfo {{
      hasPreviousPage }} }} }} }}"""
    visit.trace = Trace()
    found = (await execute(filled.schema, text, None, None, visit)).data
    assert found is not None
    pages = {author["name"]: author["catalogue"] for author in found["authors"]}
    titles = {name: [book["title"] for book in page["nodes"]] for name, page in pages.items()}
    assert {name: len(books) for name, books in titles.items()} == {"A000": 2, "A001": 0, "A002": 2}
    assert [page["pageInfo"]["hasPreviousPage"] for page in pages.values()] == [True, False, True]
    made = [each.sql for step in visit.trace.steps for each in step.statements]
    [statement] = [sql for sql in made if "lib_book AS t" in sql]
    parent = "g._parent" if filled.reader.dialect == "postgres" else "g.value"
    assert f"a.id = {parent} AND a.name" in statement


async def test_a_source_may_hide_rows(filled: Library, monkeypatch: pytest.MonkeyPatch) -> None:
    from crm_framework.engine import source_of

    source = source_of(Author)
    assert source is not None
    monkeypatch.setattr(source, "visible", Fragment("t.name <> 'A001'"))
    monkeypatch.setattr(source.layout, "texts", {})  # of the same statement without that condition
    found = await filled.data("{ writers { totalCount nodes { name } } books(last: 6) { nodes { title } } }")
    assert found["writers"] == {"totalCount": 3, "nodes": [{"name": f"A00{n}"} for n in (0, 2, 3)]}
    assert await load(filled.visit(), Author, [library.key(1)]) == [None]


async def test_only_types_with_a_table_can_be_loaded(filled: Library) -> None:
    with pytest.raises(DeclarationError, match=r"Shelf: it has no table to read from"):
        await load(filled.visit(), library.Shelf, ["x"])
    best = await load_where(filled.visit(), Review, Fragment("t.stars = 5"))
    assert [review.stars for review in best] == [5] * 4


def test_a_context_must_be_one() -> None:
    with pytest.raises(TypeError, match="not an engine Context"):
        context_of(type("Info", (), {"context": {}})())


def test_ids_are_read_back() -> None:
    key = library.key(7)
    assert decode_id(encode_id("Author", key)) == ("Author", key)
    assert decode_key(encode_id("Author", key), "Author") == key
    assert decode_key(encode_id("Author", "any:thing"), "Author", "text") == "any:thing"


@pytest.mark.parametrize(
    "text",
    [
        "",
        "x",
        "é",
        "QXV0aG9y",
        "QXV0aG9yOg==",
        "OmE=",
        "QXV0aG9yOmE",
        "QXV0aG9yOmE=\n",
        "QXV0aG9yOmF=",
        "4oKsOmE=",
        "//8=",
    ],
)
def test_what_is_no_id_is_refused(text: str) -> None:
    with pytest.raises(RequestError, match="is no id of this API; use ids as the API gave them") as refused:
        decode_id(text)
    assert refused.value.code == "BAD_INPUT"


@pytest.mark.parametrize("key", ["a", library.key(1)[:-1] + "G", library.key(1) + "0"])
def test_a_key_that_the_database_would_not_take_is_refused(key: str) -> None:
    with pytest.raises(RequestError, match="is no id of this API"):
        decode_key(encode_id("Author", key), "Author")
    with pytest.raises(RequestError, match="is no id of this API"):
        decode_key(encode_id("Author", "a\0b"), "Author", "text")
