"""Values that pass as their type's and have no text in JSON: errors of their fields, on each executor."""

import logging
from collections.abc import AsyncIterator
from decimal import Decimal
from typing import Any

import orjson
import pytest
import strawberry
from strawberry.scalars import JSON

from crm_framework.engine import PUBLIC, Context, EngineSchema, RequestError, Result, batch, root
from crm_framework.engine.execute import subscribe
from crm_framework.engine.trace import Trace

from .spec.harness import ASKS, Asking, Nowhere, answering

HALF = "a\ud800"
NO_FACTS = {"thing": {"facts": None}}
UTF8 = "str is not valid UTF-8: surrogates not allowed"


@strawberry.interface(description="What has a name.")
class Named:
    name: str


@strawberry.type(description="A thing.")
class Thing(Named):
    note: str | None = None
    facts: JSON | None = None
    part: "Thing | None" = None
    parts: list["Thing"] = strawberry.field(default_factory=list)
    words: list[str | None] = strawberry.field(default_factory=list)

    @batch(needs=("note",))
    @staticmethod
    def echo(things: Any) -> list[str | None]:
        "The note again."
        return list(things.column("note"))

    @strawberry.field
    def asks(self, info: strawberry.Info) -> str | None:
        "And again."
        return self.note


@strawberry.type(description="A payload.")
class Payload:
    thing: Thing | None
    message: str


def _thing(name: str, note: str | None = None, **given: Any) -> Thing:
    return Thing(name=name, note=note, **given)


class Plain:
    """Of a class that JSON knows nothing of."""


@root(permission=PUBLIC)
async def things() -> AsyncIterator[Thing]:
    "Things, one after the other."
    for name, note in ((HALF, None), ("b", HALF), ("c", "d")):
        yield Thing(name=name, note=note)


def _refuse() -> str:
    raise RequestError("BAD_INPUT", HALF, seen=[HALF, {HALF: Decimal(1), 2: "b"}], fine=["é"])


def _looped() -> Any:
    loop: list[Any] = []
    loop.append(loop)
    raise RequestError("BAD_INPUT", "round and round", loop=loop)


def _nested(depth: int) -> Any:
    found: Any = 1
    for _ in range(depth):
        found = [found]
    return found


def _schema(given: Any) -> EngineSchema:
    """Of root fields that give a thing, or what is named."""
    fields = [
        answering("thing", Thing | None, lambda: given),
        answering("named", Named, lambda: given),
        answering("many", list[Thing], lambda: [given, Thing(name="z")]),
        answering("word", str, lambda: "é"),
        answering("refused", str | None, _refuse),
        answering("looped", str | None, _looped),
    ]
    query = strawberry.type(type("Query", (), {field.python_name: field for field in fields}))
    change = answering("change", Payload, lambda: Payload(thing=given, message="done"))
    mutation = strawberry.type(type("Mutation", (), {"change": change}))
    stream = strawberry.type(type("Subscription", (), {"things": things}))
    return EngineSchema(query, mutation=mutation, subscription=stream, types=[Thing])


A = "a"
DEEP = "Recursion limit reached"
CASES: list[tuple[Thing, str, Any, dict[str, str]]] = [
    (_thing(A, HALF), "{ thing { name note } word }", {"thing": {"name": A, "note": None}, "word": "é"},
     {"thing.note": UTF8}),
    (_thing(A, HALF), "{ thing { x: echo } }", {"thing": {"x": None}}, {"thing.x": UTF8}),
    (_thing(HALF, "n"), "{ thing { note name } word }", {"thing": None, "word": "é"}, {"thing.name": UTF8}),
    (_thing(HALF), "{ word many { name } }", None, {"many.0.name": UTF8}),
    (_thing(HALF), "{ named { ...on Thing { words } ...N } } fragment N on Named { key: name }", None,
     {"named.key": UTF8}),
    (_thing(A, words=["b", HALF, None, HALF]), "{ thing { words } }",
     {"thing": {"words": ["b", None, None, None]}}, {"thing.words.1": UTF8, "thing.words.3": UTF8}),
    (_thing(A, facts={"b": [HALF]}), "{ thing { facts name } }", {"thing": {"facts": None, "name": A}},
     {"thing.facts": UTF8}),
    (_thing(A, facts={HALF: 1}), "{ thing { facts } }", NO_FACTS, {"thing.facts": UTF8}),
    (_thing(A, facts={1: 1}), "{ thing { facts } }", NO_FACTS, {"thing.facts": "Dict key must be str"}),
    (_thing(A, facts=Plain()), "{ thing { facts } }", NO_FACTS,
     {"thing.facts": "Type is not JSON serializable: Plain"}),
    (_thing(A, facts=2**70), "{ thing { facts } }", NO_FACTS,
     {"thing.facts": "Integer exceeds 64-bit range"}),
    # as a value of its own it could be written, and not within the answer
    (_thing(A, facts=_nested(252)), "{ thing { facts } }", NO_FACTS, {"thing.facts": DEEP}),
    (_thing(A, part=_thing(HALF), parts=[_thing("b", HALF)]),
     """{ thing { ...P part { ...Q } } }
        fragment P on Thing { parts { name note } } fragment Q on Thing { note name }""",
     {"thing": {"parts": [{"name": "b", "note": None}], "part": None}},
     {"thing.parts.0.note": UTF8, "thing.part.name": UTF8}),
    # nothing is told of what is below a null
    (_thing(A, part=_thing(HALF, HALF, words=[HALF])), "{ thing { part { words note name } } }",
     {"thing": {"part": None}}, {"thing.part.name": UTF8}),
    (_thing(HALF), "mutation { change { message thing { name } } }",
     {"change": {"message": "done", "thing": None}}, {"change.thing.name": UTF8}),
]  # fmt: skip


@pytest.mark.parametrize("asked", list(ASKS))
@pytest.mark.parametrize(("given", "text", "data", "faults"), CASES, ids=[case[1] for case in CASES])
async def test_what_cannot_be_written_fails_its_field(
    given: Thing, text: str, data: Any, faults: dict[str, str], asked: str
) -> None:
    result = await ASKS[asked].result(_schema(given), text)
    assert result.data == data
    found = {
        ".".join(map(str, error["path"])): error["message"].rpartition("JSON: ")[2] for error in result.errors
    }
    assert found == faults
    assert all(error["locations"] for error in result.errors)


async def test_it_is_masked_and_logged_once_like_any_fault_of_the_program(
    caplog: pytest.LogCaptureFixture,
) -> None:
    context = Context(Nowhere())
    context.may = lambda permission: True  # type: ignore[method-assign]  # as a subclass would
    given = Thing(name="a", words=[HALF, HALF])
    result = await ASKS["execute"].result(_schema(given), "{ thing { words } }", context=context)
    first, second = result.errors
    assert first["extensions"] == second["extensions"]
    assert (first["extensions"]["code"], first["path"]) == ("INTERNAL", ["thing", "words", 0])
    [record] = [record for record in caplog.records if record.levelno >= logging.ERROR]
    assert record.exc_info is not None
    assert str(record.exc_info[1]) == f"Thing.words gave what cannot be written as JSON: {UTF8}"


@pytest.mark.parametrize("asked", list(ASKS))
async def test_errors_that_were_told_already_stay_unless_what_is_above_them_is_null_now(asked: str) -> None:
    given = Thing(name=HALF, words=[object()])  # type: ignore[list-item]  # no text, which fails by itself
    text = "{ refused thing { words name } }"
    result = await ASKS[asked].result(_schema(given), text)
    assert result.data == {"refused": None, "thing": None}
    assert [error["path"] for error in result.errors] == [["refused"], ["thing", "name"]]


@pytest.mark.parametrize("asked", list(ASKS))
async def test_what_an_error_tells_is_made_legible(asked: str) -> None:
    result = await ASKS[asked].result(_schema(None), "{ refused looped word }")
    refused, looped = sorted(result.errors, key=lambda error: error["path"], reverse=True)
    assert refused["message"] == "a?"
    extensions = {"seen": ["a?", {"a?": None, "2": "b"}], "fine": ["é"], "code": "BAD_INPUT"}
    assert refused["extensions"] == extensions
    assert looped["extensions"]["code"] == "BAD_INPUT"
    assert result.data == {"refused": None, "looped": None, "word": "é"}


@pytest.mark.parametrize("key", ["note", "asks"])
async def test_an_event_of_a_subscription_fails_like_a_query_and_the_next_one_comes(key: str) -> None:
    """In the engine, and in graphql-core, which is left what asks for its own `info`."""
    text = f"subscription {{ things {{ name {key} }} }}"
    stream = await subscribe(_schema(None), text, None, None, Asking(Nowhere()))
    assert not isinstance(stream, Result)
    found = [orjson.loads(result.encoded()) async for result in stream]
    things = [{"name": "b", key: None}, {"name": "c", key: "d"}]
    assert [each["data"] for each in found] == [None, *({"things": thing} for thing in things)]
    paths = [[error["path"] for error in each.get("errors", ())] for each in found]
    assert paths == [[["things", "name"]], [["things", key]], []]


async def test_the_plan_of_an_answer_that_is_mended_comes_with_it() -> None:
    context = Asking(Nowhere(), trace=Trace())
    given = Thing(name="a", note=HALF)
    result = await ASKS["execute"].result(_schema(given), "{ thing { note } }", context=context)
    assert result.response["extensions"]["plan"]
    assert result.data == {"thing": {"note": None}}


async def test_nothing_is_looked_for_in_an_answer_that_could_be_written(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def refuse(*given: object) -> Any:
        raise AssertionError(given)

    monkeypatch.setattr("crm_framework.engine.result.without_unwritable", refuse)
    result = await ASKS["execute"].result(_schema(Thing(name="a")), "{ thing { name note } refused }")
    assert result.data == {"thing": {"name": "a", "note": None}, "refused": None}
