"""Null where it may be, and where it may not: with it its parent is null, up to what may be null."""

from collections.abc import Callable
from typing import Any

import pytest
import strawberry

from crm_framework.engine import PUBLIC, Batch, EngineSchema, batch, encode_id, root
from tests.engine import library
from tests.engine.conftest import Library

from .harness import Ask, answering, null, schema_of, told

KINDS = ("sync", "promise", "batch", "late")
"""Ordinary resolvers, plain and async; batches, plain and async."""


def _value(throws: bool, name: str) -> Any:
    if throws:
        raise RuntimeError(name)
    return None


def _of_object(name: str, annotation: str, value: Callable[[Any], Any], late: bool) -> Any:
    def plain(self: Any) -> Any:
        return value(self)

    async def waiting(self: Any) -> Any:
        return value(self)

    return strawberry.field(resolver=_named(waiting if late else plain, name, annotation))


def _of_batch(name: str, annotation: str, value: Callable[[Any], Any], late: bool) -> Any:
    def each(parents: Any) -> list[Any]:
        results: list[Any] = []
        for parent in parents:
            try:
                results.append(value(parent))
            except RuntimeError as error:
                results.append(error)
        return results

    def plain(parents: Batch[Any]) -> Any:
        return each(parents)

    async def waiting(parents: Batch[Any]) -> Any:
        return each(parents)

    return batch(needs=("throws",))(_named(waiting if late else plain, name, f"list[{annotation}]"))


def _of_root(name: str, annotation: str, value: Callable[[Any], Any], late: bool) -> Any:
    def plain(throws: bool = False) -> Any:
        return value(_Throws(throws))

    async def waiting(throws: bool = False) -> Any:
        return value(_Throws(throws))

    return root(permission=PUBLIC)(_named(waiting if late else plain, name, annotation))


class _Throws:
    def __init__(self, throws: bool) -> None:
        self.throws = throws


def _named(function: Any, name: str, annotation: str) -> Any:
    function.__name__ = name
    function.__qualname__ = name
    function.__doc__ = "A value."
    function.__annotations__["return"] = annotation
    return function


def _fields(make: Callable[..., Any], kind: str) -> dict[str, Any]:
    late = kind in ("promise", "late")
    return {
        kind: make(kind, "str | None", lambda of: _value(of.throws, kind), late),
        f"{kind}_non_null": make(
            f"{kind}_non_null", "str", lambda of: _value(of.throws, f"{kind}NonNull"), late
        ),
        f"{kind}_nest": make(f"{kind}_nest", "Data | None", lambda of: Data(throws=of.throws), late),
        f"{kind}_non_null_nest": make(
            f"{kind}_non_null_nest", "Data", lambda of: Data(throws=of.throws), late
        ),
    }


def _data_type() -> Any:
    body: dict[str, Any] = {"__annotations__": {"throws": strawberry.Private[bool]}, "__module__": __name__}
    for kind in KINDS:
        body |= _fields(_of_batch if kind in ("batch", "late") else _of_object, kind)
    return strawberry.type(type("Data", (), body))


Data = _data_type()
SCHEMA = EngineSchema(
    strawberry.type(
        type(
            "Query",
            (),
            {**_fields(_of_root, "sync"), **_fields(_of_root, "promise"), "__module__": __name__},
        )
    )
)


def with_throws(text: str, throws: bool) -> str:
    """The query with `throws` given to each root field, which hands it down."""
    lines = text.split("\n")
    for number, line in enumerate(lines):
        if line.startswith("  ") and not line.startswith("   ") and line.strip() != "}":
            head, brace, rest = line.partition(" {")
            lines[number] = f"{head}(throws: {'true' if throws else 'false'}){brace}{rest}"
    return "\n".join(lines)


def said(throws: bool, parent: str, field: str) -> str:
    return field if throws else null(f"{parent}.{field}")


@pytest.mark.parametrize("throws", [False, True])
@pytest.mark.parametrize("kind", ["sync", "promise"])
async def test_nulls_a_nullable_field(ask: Ask, kind: str, throws: bool) -> None:
    found = await ask(SCHEMA, with_throws(f"{{\n  {kind}\n}}", throws))
    assert found == ({kind: None}, {f"2:3 {kind}: {kind}"} if throws else set())


@pytest.mark.parametrize("throws", [False, True])
@pytest.mark.parametrize("nest", ["syncNest", "promiseNest"])
@pytest.mark.parametrize("kind", KINDS)
async def test_nulls_an_object_that_contains_a_non_null_field(
    ask: Ask, nest: str, kind: str, throws: bool
) -> None:
    found = await ask(SCHEMA, with_throws(f"{{\n  {nest} {{\n    {kind}NonNull\n  }}\n}}", throws))
    message = said(throws, "Data", f"{kind}NonNull")
    assert found == ({nest: None}, {f"3:5 {nest}.{kind}NonNull: {message}"})


def _tree(inner: Callable[[str], list[str]]) -> tuple[str, Any, list[tuple[str, int, int]]]:
    """A query two levels deep over all kinds, its data with null at each leaf, and where the leaves are."""
    leaves: list[tuple[str, int, int]] = []
    data: dict[str, Any] = {}
    lines = ["{"]
    for nest in ("syncNest", "promiseNest"):
        lines.append(f"  {nest} {{")
        data[nest] = {}
        for kind in KINDS:
            lines.append(f"    {kind}")
            leaves.append((f"{nest}.{kind}", len(lines), 5))
            data[nest][kind] = None
        for below in inner(nest):
            lines.append(f"    {below} {{")
            data[nest][below] = {}
            for kind in KINDS:
                lines.append(f"      {kind}")
                leaves.append((f"{nest}.{below}.{kind}", len(lines), 7))
                data[nest][below][kind] = None
            lines.append("    }")
        lines.append("  }")
    return "\n".join([*lines, "}"]), data, leaves


@pytest.mark.parametrize("throws", [False, True])
async def test_nulls_each_of_a_complex_tree_of_nullable_fields(ask: Ask, throws: bool) -> None:
    text, data, leaves = _tree(lambda nest: [f"{kind}Nest" for kind in KINDS])
    found = await ask(SCHEMA, with_throws(text, throws))
    expected = {f"{line}:{column} {path}: {path.rpartition('.')[2]}" for path, line, column in leaves}
    assert found == (data, expected if throws else set())


@pytest.mark.parametrize("throws", [False, True])
@pytest.mark.parametrize("kind", KINDS)
async def test_nulls_the_first_nullable_after_a_long_chain_of_non_null_fields(
    ask: Ask, kind: str, throws: bool
) -> None:
    chain = ["syncNonNullNest", "promiseNonNullNest", "batchNonNullNest", "lateNonNullNest"]
    roots = ["syncNest", "promiseNest", "another: syncNest", "anotherPromise: promiseNest"]
    lines = ["{"]
    expected = set()
    for of in roots:
        lines += [f"  {of} {{", *(f"{'    ' + '  ' * depth}{each} {{" for depth, each in enumerate(chain))]
        lines.append(f"            {kind}NonNull")
        path = ".".join([of.partition(":")[0], *chain, f"{kind}NonNull"])
        expected.add(f"{len(lines)}:13 {path}: {said(throws, 'Data', f'{kind}NonNull')}")
        lines += ["}"] * (len(chain) + 1)
    found = await ask(SCHEMA, with_throws("\n".join([*lines, "}"]), throws))
    assert found == ({of.partition(":")[0]: None for of in roots}, expected)


@pytest.mark.parametrize("throws", [False, True])
@pytest.mark.parametrize("kind", ["sync", "promise"])
async def test_nulls_the_whole_data_if_no_parent_may_be_null(ask: Ask, kind: str, throws: bool) -> None:
    found = await ask(SCHEMA, with_throws(f"{{\n  {kind}NonNull\n}}", throws))
    assert found == (None, {f"2:3 {kind}NonNull: {said(throws, 'Query', f'{kind}NonNull')}"})


@pytest.mark.parametrize("throws", [False, True])
@pytest.mark.parametrize(
    "fields", [(one, other) for one in KINDS for other in KINDS if one != other], ids="-".join
)
async def test_a_null_has_the_first_of_several_causes(
    ask: Ask, fields: tuple[str, str], throws: bool
) -> None:
    lines = "\n".join(f"    {kind}NonNull" for kind in fields)
    found = await ask(SCHEMA, with_throws(f"{{\n  syncNest {{\n{lines}\n  }}\n}}", throws))
    causes = [
        f"{line}:5 syncNest.{kind}NonNull: {said(throws, 'Data', f'{kind}NonNull')}"
        for line, kind in enumerate(fields, 3)
    ]
    ask.settled(found, {"syncNest": None}, *causes)


async def test_what_failed_below_a_null_is_not_reported_besides_its_cause(ask: Ask) -> None:
    text = with_throws(
        "{\n  syncNest {\n    lateNonNullNest { lateNonNull }\n    sync\n    batchNonNull\n  }\n}", True
    )
    causes = (
        "3:23 syncNest.lateNonNullNest.lateNonNull: lateNonNull",
        "4:5 syncNest.sync: sync",
        "5:5 syncNest.batchNonNull: batchNonNull",
    )
    ask.settled(await ask(SCHEMA, text), {"syncNest": None}, *causes)


def _passed(cannot_be_null: str) -> str:
    return f"Passed: {cannot_be_null}"


ARGUMENT = schema_of(answering("with_argument", str | None, _passed, cannot_be_null=str))


@pytest.mark.parametrize(
    ("text", "variables", "data"),
    [
        ('{ withArgument(cannotBeNull: "literal") }', None, "Passed: literal"),
        (
            'query ($v: String = "default") { withArgument(cannotBeNull: $v) }',
            {},
            "Passed: default",
        ),
    ],
)
async def test_a_non_null_argument_that_is_given(
    ask: Ask, text: str, variables: dict[str, Any] | None, data: str
) -> None:
    assert await ask(ARGUMENT, text, variables) == ({"withArgument": data}, set())


@pytest.mark.parametrize(
    ("text", "variables"),
    [
        ("{ withArgument }", None),
        ("{ withArgument(cannotBeNull: null) }", None),
        ("query ($v: String) { withArgument(cannotBeNull: $v) }", {}),
    ],
)
async def test_a_non_null_argument_that_is_not_given_refuses_the_document(
    ask: Ask, text: str, variables: dict[str, Any] | None
) -> None:
    result = await ask.result(ARGUMENT, text, variables)
    assert (result.refused, result.code) == (True, "BAD_INPUT")


async def test_a_non_null_argument_given_null_by_a_variable_is_an_error_of_the_field(ask: Ask) -> None:
    text = 'query ($v: String = "default") {\n  withArgument(cannotBeNull: $v)\n}'
    result = await ask.result(ARGUMENT, text, {"v": None})
    assert (result.data, result.refused, result.code) == ({"withArgument": None}, False, "BAD_INPUT")
    assert [error["path"] for error in result.errors] == [["withArgument"]]


async def _dangling(filled: Library, *books: int) -> None:
    for number in books:
        await filled.reader.run(
            "UPDATE lib_book SET author_id = ? WHERE id = ?", [library.key(999), library.key(number)]
        )


async def test_a_record_that_is_missing_nulls_the_one_that_needs_it(ask: Ask, filled: Library) -> None:
    await _dangling(filled, 1000)
    both = [encode_id("Book", library.key(number)) for number in (1000, 1001)]
    text = "".join(
        f'{name}: node(id: "{id}") {{\n ... on Book {{ title author {{ name }} }} }} '
        for name, id in zip("ab", both, strict=True)
    )
    found = await ask(filled.schema, f"{{ {text} }}", context=filled.visit(translate=told))
    data = {"a": None, "b": {"title": "T000-001", "author": {"name": "A000"}}}
    assert found == (data, {f"2:22 a.author: {null('Book.author')}"})


async def test_a_missing_record_in_a_list_of_a_page_nulls_up_to_the_data(ask: Ask, filled: Library) -> None:
    await _dangling(filled, 1001)
    text = "{ books(first: 3) { nodes {\n author { name } } } }"
    found = await ask(filled.schema, text, context=filled.visit(translate=told))
    assert found == (None, {f"2:2 books.nodes.1.author: {null('Book.author')}"})


async def test_a_missing_record_may_be_null_without_an_error(ask: Ask, filled: Library) -> None:
    await filled.reader.run(
        "UPDATE lib_author SET mentor_id = ? WHERE id = ?", [library.key(999), library.key(1)]
    )
    text = "{ authors(limit: 2) { name mentor { name } } }"
    found = await ask(filled.schema, text, context=filled.visit(translate=told))
    assert found == (
        {"authors": [{"name": "A000", "mentor": {"name": "A000"}}, {"name": "A001", "mentor": None}]},
        set(),
    )
