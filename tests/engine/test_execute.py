import asyncio
import gc
import warnings
import weakref
from collections.abc import Sequence
from typing import Any

import graphql
import pytest

from crm_framework.engine import EngineSchema, documents, encode_id, execute
from crm_framework.engine.documents import Recent
from crm_framework.engine.prepare import prepared

from . import library
from .conftest import Library


async def test_a_tree_is_resolved_level_by_level(filled: Library) -> None:
    found = await filled.data(
        """{ authors(limit: 2) { id name born greeting mentor { name }
             books { title year price lent binding facts readingTime publishedAt boughtOn
                     cost { amount symbol } }
             shelf { count top { title author { name } } author { name } value { symbol } } } }"""
    )
    first, second = found["authors"]
    assert first["id"] == encode_id("Author", library.key(0))
    assert (first["name"], first["born"], first["greeting"], first["mentor"]) == (
        "A000",
        "1970-01-01",
        "Dear A000",
        {"name": "A000"},
    )
    assert second["mentor"] == {"name": "A000"}
    assert [book["title"] for book in second["books"]] == [f"T001-00{b}" for b in range(5)]
    assert first["books"][1] == {
        "title": "T000-001",
        "year": 1900,
        "price": "11.50",
        "lent": True,
        "binding": "HARD",
        "facts": {"pages": 101},
        "readingTime": None,
        "publishedAt": "2024-01-02T12:00:00+00:00",
        "boughtOn": "2024-02-02",
        "cost": {"amount": "11.50", "symbol": "€"},
    }
    assert first["shelf"] == {
        "count": 5,
        "top": {"title": "T000-000", "author": {"name": "A000"}},
        "author": {"name": "A000"},
        "value": {"symbol": "€"},
    }


async def test_documents_are_read_once(filled: Library, monkeypatch: pytest.MonkeyPatch) -> None:
    read: list[str] = []

    def counting(text: str, **options: Any) -> Any:
        read.append(text)
        return graphql.parse(text, **options)

    monkeypatch.setattr(documents, "parse", counting)
    text = f"query Once_{filled.reader.dialect}($n: Int) {{ authors(limit: $n) {{ name }} }}"
    for n in (1, 2, 3):
        assert len((await filled.data(text, {"n": n}))["authors"]) == n
    assert read == [text]


def test_the_cache_forgets_what_was_not_used_for_longest() -> None:
    kept: Recent[str, int] = Recent(2)
    kept.keep("a", 1)
    kept.keep("b", 2)
    assert kept.recall("a") == 1
    kept.keep("c", 3)
    assert dict(kept) == {"a": 1, "c": 3}


async def test_the_cache_of_documents_is_bounded(filled: Library, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(documents, "MAX_DOCUMENTS", 20)
    filled = Library(library.make_schema(), filled.reader)
    ready = prepared(filled.schema)
    for n in range(25):
        await filled.ask(f"query Q{n} {{ __typename }}")
        await filled.ask(f"query Q{n} {{ wrong }}")
    assert len(ready.documents._kept) == 20
    long = "{ __typename } #" + "x" * documents.MAX_KEPT_CHARACTERS
    assert (await filled.data(long)) == {"__typename": "Query"}
    assert (long, filled.visit().limits) not in ready.documents._kept


async def test_the_cache_is_bounded_by_the_text_of_its_documents(
    filled: Library, monkeypatch: pytest.MonkeyPatch
) -> None:
    filled = Library(library.make_schema(), filled.reader)
    ready = prepared(filled.schema)
    texts = [f"query Q{n} {{ authors(limit: 1) {{ name }} }}" for n in range(4)]
    monkeypatch.setattr(documents, "MAX_CHARACTERS", len(texts[0]) * 2)
    for text in texts:
        await filled.data(text)
    assert [text for text, _ in ready.documents._kept] == texts[-2:]
    assert len(ready.documents._plans) == 2  # those of documents that are gone would never be used again


async def test_what_is_still_under_way_at_the_end_is_cancelled(filled: Library) -> None:
    begun, gate = asyncio.Event(), asyncio.Event()
    visit = filled.visit()
    fetch = filled.reader.fetch

    async def slow(sql: str, args: Sequence[object] = (), *, bounded: bool = False) -> list[dict[str, Any]]:
        if "lib_book" in sql:
            begun.set()
            await gate.wait()
        return await fetch(sql, args)

    filled.reader.fetch = slow  # type: ignore[method-assign]  # a slow database
    text = "{ authors { books { title } } }"
    running = asyncio.create_task(execute(filled.schema, text, None, None, visit))
    await begun.wait()
    running.cancel()
    with pytest.raises(asyncio.CancelledError):
        await running
    await asyncio.sleep(0)
    assert visit.tasks == set()


async def test_what_had_not_begun_at_the_end_leaves_nothing_unawaited(filled: Library) -> None:
    with warnings.catch_warnings(record=True) as told:
        warnings.simplefilter("always")
        result = await filled.ask("{ writers { nodes { name } } books { nodes { title } } fail }")
        gc.collect()
    assert (result.data, result.code) == (None, "INTERNAL")
    assert [str(warning.message) for warning in told] == []


async def test_null_for_a_directive_is_not_what_is_left_out(filled: Library) -> None:
    text = "query ($v: Boolean = false) { authors(limit: 1) { name born @skip(if: $v) } }"
    whole = {"authors": [{"name": "A000", "born": "1970-01-01"}]}
    for _ in range(2):
        assert await filled.data(text) == whole
        result = await filled.ask(text, {"v": None})
        assert (result.data, result.code) == (None, "BAD_INPUT")
    assert await filled.data(text, {"v": False}) == whole


async def test_a_schema_goes_with_all_that_was_made_of_it(filled: Library) -> None:
    schema = library.make_schema()
    await Library(schema, filled.reader).data("{ authors { name } }")
    gone = weakref.ref(schema)
    del schema
    gc.collect()
    assert gone() is None


async def test_two_schemas_of_the_same_types_live_side_by_side(filled: Library) -> None:
    plain = EngineSchema(library.Query, types=[library.Poster], config=library.CONFIG)
    other = Library(plain, filled.reader)
    assert (await other.ask("{ authors { shelf { count } } }")).code == "BAD_INPUT"
    assert (await other.ask("{ books(filter: {isOld: true}) { totalCount } }")).code == "BAD_INPUT"
    assert (await other.data("{ books(filter: {lent: {eq: true}}) { totalCount } }"))["books"] == {
        "totalCount": 8
    }
    assert (await filled.data("{ books(filter: {isOld: true}) { totalCount } }"))["books"] == {
        "totalCount": 4
    }


async def test_each_event_of_a_subscription_is_executed(filled: Library) -> None:
    found = await filled.listen("subscription { arrivals(upto: 3) { count author { name } } }")
    assert [result.response for result in found] == [
        {"data": {"arrivals": {"count": 1, "author": {"name": f"A00{n}"}}}} for n in range(3)
    ]


async def test_a_subscription_that_cannot_start(filled: Library) -> None:
    for text in ("{ authors { name } }", "subscription { nothing }", "subscription {"):
        [result] = await filled.listen(text)
        assert (result.code, result.refused) == ("BAD_INPUT", True)


async def test_a_stream_that_breaks_says_so_and_ends(
    filled: Library, caplog: pytest.LogCaptureFixture
) -> None:
    found = await filled.listen("subscription { broken { count } }")
    assert [result.code for result in found] == [None, "INTERNAL"]
    assert "secret" not in str(found[1].response)
    assert "secret text" in caplog.text
