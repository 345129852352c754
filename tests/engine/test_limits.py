import gc
import time
from collections import deque
from typing import Any

import pytest
import strawberry
from graphql import Token, get_introspection_query, parse

from crm_framework.engine import PUBLIC, EngineSchema, Limits, RequestError, documents, root
from crm_framework.engine.execute import execute, reference_execute
from crm_framework.engine.ids import encode_id
from crm_framework.engine.limits import check_limits
from crm_framework.engine.prepare import prepared

from . import library
from .conftest import Library
from .spec.harness import Asking, Nowhere


def nested_fragments(levels: int, field: str = "name") -> str:
    """Each fragment spreads the next twice: 2**levels fields in a few hundred bytes."""
    twice = "mentor {{ ...{0} }} again: mentor {{ ...{0} }}"
    parts = [f"fragment F{n} on Author {{ {twice.format(f'F{n + 1}')} }}" for n in range(levels)]
    return "\n".join(["{ authors { ...F0 } }", *parts, f"fragment F{levels} on Author {{ {field} }}"])


TOO_COMPLEX = {
    "depth": (
        "{ authors " + "{ mentor " * 15 + "{ name }" + " }" * 15 + " }",
        "the document is 17 levels deep; 15 are allowed",
    ),
    "great depth": ("{ a " * 300 + " }" * 300, "the document is nested too deeply to be read"),
    "aliases": (
        "{ authors { " + " ".join(f"a{n}: name" for n in range(101)) + " } }",
        "the document is 101 aliases; 100 are allowed",
    ),
    "fields in fragments": (nested_fragments(12), "the document is 12287 fields; 2000 are allowed"),
    "repeated keys": (
        "{ authors { " + "name " * 21 + "} }",
        "'name' is selected 21 times in one place; 20 times are allowed",
    ),
    "repeated keys in fragments": (
        "{ authors { name ...A } } fragment A on Author { " + "name " * 20 + "}",
        "'name' is selected 21 times in one place; 20 times are allowed",
    ),
    "keys repeated by their parents": (
        "{ authors { " + "books { title title title } " * 7 + "} }",
        "'title' is selected 21 times in one place; 20 times are allowed",
    ),
    "nested introspection": (
        "{ __schema { types { fields { type { fields { type { fields { name } } } } } } } }",
        "introspection nests its lists; 2 levels are allowed",
    ),
    "nested introspection in fragments": (
        """{ __type(name: "Author") { ...T } } fragment T on __Type { fields { type { ...U } } }
           fragment U on __Type { fields { type { interfaces { name } } } }""",
        "introspection nests its lists; 2 levels are allowed",
    ),
    "tokens": (
        "{ authors { " + "name " * 1000 + "} }",
        "the document has more than 1000 tokens; send it in parts",
    ),
    "nesting of values": (
        "{ a(b: " + "[" * 400 + "]" * 400 + ") }",
        "the document is nested too deeply to be read",
    ),
}


@pytest.mark.parametrize("what", TOO_COMPLEX)
async def test_too_much_is_refused_before_anything_runs(filled: Library, what: str) -> None:
    text, message = TOO_COMPLEX[what]
    result = await filled.ask(text)
    assert result.errors[0]["message"].startswith(message)
    assert result.code == "TOO_COMPLEX"
    assert result.refused
    assert filled.reader.log == []


@pytest.mark.parametrize(
    ("variables", "place"), [({"f": [{}] * 4}, "$f"), ({"f": {"and": [{"or": [1, 2, 3, 4]}]}}, "$f.and.0.or")]
)
async def test_lists_in_variables_are_counted_before_they_are_read(
    filled: Library, variables: dict[str, Any], place: str
) -> None:
    text = "query($f: BookFilter) { books(filter: $f) { totalCount } }"
    result = await filled.ask(text, variables, limits=Limits(max_list_items=3))
    assert result.code == "TOO_COMPLEX"
    assert result.errors[0]["message"] == (
        f"the list {place} has 4 items; at most 3 are allowed. Send them in parts"
    )
    assert filled.reader.log == []


async def test_members_and_values_of_variables_are_counted_before_they_are_read(filled: Library) -> None:
    text = "query($f: BookFilter) { books(filter: $f) { totalCount } }"
    for variables, limits, message in (
        (
            {"f": {"a": 1, "b": 2}},
            Limits(max_members=1),
            "the object $f has 2 members; at most 1 are allowed",
        ),
        (
            {"f": {"and": [{"or": [1, 2, 3, 4]}]}},
            Limits(max_values=6),
            "the variables have more than 6 values",
        ),
    ):
        result = await filled.ask(text, variables, limits=limits)
        assert result.code == "TOO_COMPLEX"
        assert result.errors[0]["message"].startswith(message)
    assert filled.reader.log == []


@pytest.mark.parametrize("run", [execute, reference_execute])
async def test_variables_that_are_not_declared_are_not_looked_at(filled: Library, run: Any) -> None:
    others = {f"n{n}": {"a": [0] * 5} for n in range(50)}
    limits = Limits(max_list_items=3, max_members=3, max_values=3)
    context = filled.visit(limits=limits)
    found = await run(
        filled.schema, "query($n: Int) { books(first: $n) { totalCount } }", others, None, context
    )
    assert found.errors == []


@pytest.mark.parametrize("run", [execute, reference_execute])
@pytest.mark.parametrize("number", ["9" * 65, "-" + "9" * 5_000, "0." + "9" * 5_000, "1e" + "9" * 5_000])
async def test_long_numbers_are_refused_before_python_reads_them(
    filled: Library, run: Any, number: str
) -> None:
    for text in (
        f"{{ books(first: {number}) {{ totalCount }} }}",
        f"query($n: Int = {number}) {{ books(first: $n) {{ totalCount }} }}",
    ):
        found = await run(filled.schema, text, None, None, filled.visit())
        assert found.code == "BAD_INPUT"
        assert f"has {len(number):,} characters; 64 are allowed" in found.errors[0]["message"]
    as_text = await run(filled.schema, f'{{ author(id: "{number}") {{ name }} }}', None, None, filled.visit())
    assert "characters" not in str(as_text.errors)


@pytest.mark.parametrize("run", [execute, reference_execute])
async def test_numbers_that_python_reads_as_infinite_are_refused(filled: Library, run: Any) -> None:
    for text in (
        '{ node(id: "x") { id @skip(if: -1e309) } }',
        "query($v: JSON = [{a: 1e400}]) { books(first: $v) { totalCount } }",
    ):
        found = await run(filled.schema, text, None, None, filled.visit())
        assert found.code == "BAD_INPUT"
        number = "-1e309" if "309" in text else "1e400"
        assert found.errors[0]["message"] == f"The number {number} is too large."
        assert found.errors[0]["locations"] == [{"line": 1, "column": text.index(number) + 1}]
    fine = await run(filled.schema, "{ books(first: 1e3) { totalCount } }", None, None, filled.visit())
    assert "too large" not in str(fine.errors)


@pytest.mark.parametrize("run", [execute, reference_execute])
async def test_few_faults_of_one_value_are_told_and_none_at_length(filled: Library, run: Any) -> None:
    members = " ".join(f"n{'m' * 140}{n}: 1" for n in range(300))
    text = f"{{ books(filter: {{{members}}}) {{ totalCount }} }}"
    found = await run(filled.schema, text, None, None, filled.visit())
    assert len(found.errors) == 5
    assert all(len(error["message"]) <= 1_001 for error in found.errors)


async def test_few_unknown_members_of_one_variable_are_told(filled: Library) -> None:
    text = "query($f: BookFilter) { books(filter: $f) { totalCount } }"
    found = await filled.ask(text, {"f": {f"n{n}": 1 for n in range(900)}})
    assert len(found.errors) == 5
    assert all(len(error["message"]) <= 1_001 for error in found.errors)


@pytest.mark.parametrize(
    "text",
    [
        nested_fragments(12),
        nested_fragments(14, "...F0"),
        "{ a } " + " ".join(f"fragment F{n} on Author {{ {f'...F{n + 1} ' * 3} }}" for n in range(60)),
        "{ authors { "
        + " ".join(f"...F{n}" for n in range(90))
        + " } } "
        + " ".join(f"fragment F{n} on Author {{ name mentor {{ name }} }}" for n in range(90)),
        "{ authors { " + "mentor { name } " * 20 + " } }",
        "{ authors { " + " ".join(f"... on Author {{ mentor {{ a{n}: name }} }}" for n in range(20)) + " } }",
        "{ authors { name } } fragment F on Author { " + "name " * 980 + "}",
        "{ __schema { types { " + "...T " * 30 + " } } } fragment T on __Type { " + "name " * 20 + " }",
        "query (" + " ".join(f"$v{n}: Int" for n in range(200)) + ") { authors { name } }",
    ],
)
async def test_no_document_costs_much(filled: Library, text: str) -> None:
    started = time.process_time()
    await filled.ask(text)
    assert time.process_time() - started < 1.0


async def test_introspection_as_tools_do_it_is_allowed(filled: Library) -> None:
    for text in (get_introspection_query(), get_introspection_query(input_value_deprecation=True)):
        found = await filled.data(text)
        assert "Author" in {kind["name"] for kind in found["__schema"]["types"]}


def test_a_cycle_is_refused() -> None:
    text = "{ ...A } fragment A on Query { b { ...B } } fragment B on Query { c { ...A } }"
    with pytest.raises(RequestError, match="the fragment A spreads itself"):
        check_limits(parse(text), Limits())


def test_limits_are_settings() -> None:
    document = parse("{ a { b { c } } }")
    check_limits(document, Limits(max_depth=3, max_fields=3))
    for limits in (Limits(max_depth=2), Limits(max_fields=2)):
        with pytest.raises(RequestError) as refused:
            check_limits(document, limits)
        assert refused.value.code == "TOO_COMPLEX"


async def test_an_operation_reads_so_many_rows(filled: Library) -> None:
    limits = Limits(max_rows=14)
    enough = "{ books(first: 9) { nodes { title author { name } } } }"
    assert (await filled.ask(enough, limits=limits)).code is None
    for text, path in (
        ("{ authors { books { title } } }", ["authors", 0, "books"]),
        ("{ books(first: 12) { nodes { author { books { title } } } } }", ["books", "nodes", 0, "author"]),
    ):
        result = await filled.ask(text, limits=limits)
        assert (result.code, result.errors[0]["path"]) == ("TOO_COMPLEX", path)
        assert result.errors[0]["message"] == "the operation reads more than 14 rows; ask for fewer at a time"


async def test_pages_that_could_be_too_many_are_not_read(filled: Library) -> None:
    text = "{ authors { catalogue(first: 4) { nodes { title } } } }"
    result = await filled.ask(text, limits=Limits(max_rows=15))
    assert result.code == "TOO_COMPLEX"
    assert result.errors[0]["message"] == (
        "4 records for each of 4 are more than the 15 rows that one operation may read; "
        "ask for fewer at a time"
    )
    assert len(filled.reader.log) == 1


async def test_each_event_of_a_subscription_has_its_own_rows(filled: Library) -> None:
    text = "subscription { arrivals(upto: 4) { author { books { title } } } }"
    found = await filled.listen(text, limits=Limits(max_rows=10))
    assert [result.code for result in found] == [None] * 4


async def test_a_record_that_many_lead_to_counts_wherever_it_is_written(shelves: Library) -> None:
    await shelves.fill(2, books=10)
    text = "{ authors { books { author { books { title } } } } }"
    assert (await shelves.ask(text, limits=Limits(max_objects=242))).code is None
    result = await shelves.ask(text, limits=Limits(max_objects=241))
    assert (result.code, result.data) == ("TOO_COMPLEX", None)
    assert result.errors[0]["path"] == ["authors"]
    visit = shelves.visit(limits=Limits(max_objects=200))
    assert (await reference_execute(shelves.schema, text, None, None, visit)).code == "TOO_COMPLEX"


async def test_an_answer_much_larger_than_what_was_read_is_never_written(shelves: Library) -> None:
    await shelves.fill(1, books=90)
    text = "{ title }"
    for _ in range(5):
        text = f"{{ author {{ books {text} }} }}"
    text = f"query ($id: ID!) {{ node(id: $id) {{ ... on Author {{ books {text} }} }} }}"
    started = time.process_time()
    limits = Limits(max_cost=10**9)  # the estimate; what they do lead to is counted
    result = await shelves.ask(text, {"id": encode_id("Author", library.key(0))}, limits=limits)
    assert (result.code, result.data) == ("TOO_COMPLEX", {"node": None})
    assert result.errors[0]["message"] == (
        "the answer has more than 100000 objects; ask for fewer at a time, or less of each"
    )
    assert time.process_time() - started < 1.0


@strawberry.type
class Ring:
    number: int = 1

    @strawberry.field
    def rings(self) -> "list[Ring]":
        return [Ring()] * 20

    @strawberry.field
    def told(self, info: strawberry.Info) -> "list[Ring]":
        return [Ring()] * 20

    @strawberry.field
    def queued(self) -> "list[Ring]":
        return deque([Ring()] * 20)  # type: ignore[return-value]  # GraphQL has lists only

    @strawberry.field
    def named(self) -> "list[Ring]":
        return dict.fromkeys(range(20), Ring()).values()  # type: ignore[return-value]  # the same

    @strawberry.field
    def made(self) -> "list[Ring]":
        return (Ring() for _ in range(20))  # type: ignore[return-value]  # the same


@pytest.mark.parametrize("field", ["rings", "told", "queued", "named", "made"])
@pytest.mark.parametrize("run", [execute, reference_execute])
async def test_objects_that_functions_give_are_counted_before_anything_is_made_of_them(
    run: Any, field: str
) -> None:
    @root(permission=PUBLIC)
    def ring() -> Ring:
        "A ring."
        return Ring()

    schema = EngineSchema(strawberry.type(type("Query", (), {"ring": ring})))
    text = f"{{ ring {{ {field} {{ {field} {{ {field} {{ number }} }} }} }} }}"
    for most, code in ((20 + 400 + 8_000 + 1, None), (20 + 400 + 7_999, "TOO_COMPLEX")):
        context = Asking(Nowhere(), limits=Limits(max_objects=most))
        found = await run(schema, text, None, None, context)
        assert found.code == code
        assert (found.data is None) == (code is not None)


async def test_variables_nested_without_end_are_refused(filled: Library) -> None:
    deep: Any = 1
    for _ in range(1_000):
        deep = [deep]
    result = await filled.ask("query ($limit: Int) { authors(limit: $limit) { name } }", {"limit": deep})
    assert (result.code, result.refused) == ("TOO_COMPLEX", True)
    assert result.errors[0]["message"] == "the variables are nested too deeply to be read"


async def test_plans_that_are_kept_are_few_whatever_is_asked(
    filled: Library, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(documents, "MAX_PLANNED", 8)
    monkeypatch.setattr(documents, "MAX_PLANS", 3)
    kept = prepared(filled.schema).documents
    for number in range(6):
        fields = " ".join(f"a{each}: name" for each in range(number))
        text = f"query ($skip: Boolean!) {{ authors(limit: 1) {{ name {fields} born @skip(if: $skip) }} }}"
        for skip in (True, False, True):
            [author] = (await filled.data(text, {"skip": skip}))["authors"]
            assert len(author) == number + 2 - skip
        plans = [way.plan for way in kept._plans.values()]
        assert len(plans) <= 3
        assert sum(plan.size for plan in plans if plan is not None) == kept._planned
        assert kept._planned <= 8 or len(plans) == 1


async def test_documents_and_plans_are_gone_once_they_are_let_go_of(filled: Library) -> None:
    """Not only when all that is old is looked through for rings, which hardly ever happens in a server."""
    way = prepared(filled.schema)
    await filled.data("{ writers(first: 1) { nodes { ... on Author { id name } books { title } } } }")
    await filled.data("query ($x: Boolean = true) { authors { name @include(if: $x) debut { id } } }")
    gc.collect()  # what validation leaves is rings, and young
    gc.disable()
    try:
        before = _tokens()
        way.documents = documents.Documents()
        assert before - _tokens() > 20
        assert gc.collect() == 0
    finally:
        gc.enable()


def _tokens() -> int:
    return sum(isinstance(one, Token) for one in gc.get_objects())
