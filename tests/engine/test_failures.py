import logging
from asyncio import CancelledError
from typing import Any

import pytest

from crm_framework.engine import RequestError
from crm_framework.engine.execute import reference_execute

from .conftest import Library
from .library import ending


async def test_an_unknown_exception_is_masked_and_logged_with_its_reference(
    filled: Library, caplog: pytest.LogCaptureFixture
) -> None:
    result = await filled.ask("{ fail authors { name } }")
    [error] = result.errors
    reference = error["extensions"]["reference"]
    assert error == {
        "message": f"An internal error occurred; the log has it under reference {reference}",
        "locations": [{"line": 1, "column": 3}],
        "path": ["fail"],
        "extensions": {"code": "INTERNAL", "reference": reference},
    }
    assert result.refused is False
    [record] = caplog.records
    assert (record.levelno, record.getMessage()) == (
        logging.ERROR,
        f"internal error {reference} at fail",
    )
    assert record.exc_info is not None
    assert isinstance(record.exc_info[1], ZeroDivisionError)


@pytest.mark.parametrize(
    "field",
    [
        "leave",
        "leaveLater",
        "authors(limit: 1) { exits }",
        "authors(limit: 1) { exitsLater }",
        "authors(limit: 1) { exitsPlainly }",
        "authors(limit: 1) { exitsPlainlyLater }",
        "a: authors(limit: 1) { exitsLater exitsPlainlyLater } b: leaveLater",
    ],
)
@pytest.mark.parametrize(
    ("error", "said"),
    [
        (SystemExit(3), "called sys.exit(3)"),
        (KeyboardInterrupt(), "raised KeyboardInterrupt"),
        (CancelledError(), "raised CancelledError"),
    ],
)
async def test_a_resolver_that_would_end_the_program_fails_its_field_and_nothing_else(
    filled: Library,
    field: str,
    error: BaseException,
    said: str,
    caplog: pytest.LogCaptureFixture,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """In a task of its own as well, where the event loop would end with it; through either executor."""
    monkeypatch.setattr(ending, "error", error)
    result = await filled.ask(f"{{ {field} }}")
    alone = await reference_execute(filled.schema, f"{{ {field} }}", None, None, filled.visit())
    for each in (result, alone):
        assert {error["extensions"]["code"] for error in each.errors} == {"INTERNAL"}
    assert f"the resolver {said}" in caplog.text


async def test_a_value_of_our_own_that_does_not_fit_is_no_fault_of_the_client(
    filled: Library, caplog: pytest.LogCaptureFixture
) -> None:
    result = await filled.ask("{ tooLarge }")
    assert result.code == "INTERNAL"
    assert "1099511627776" not in str(result.response)
    assert "1099511627776" in caplog.text


async def test_null_where_none_may_be_is_internal(filled: Library, caplog: pytest.LogCaptureFixture) -> None:
    await filled.reader.run("DELETE FROM lib_author WHERE id = ?", ["00000000-0000-7000-8000-000000000000"])
    result = await filled.ask("{ books(first: 1) { nodes { author { name } } } }")
    assert (result.code, result.errors[0]["path"]) == ("INTERNAL", ["books", "nodes", 0, "author"])
    assert "Cannot return null for non-nullable field Book.author" in caplog.text


BAD = {
    "{ authors { name": "Syntax Error: Expected Name, found <EOF>.",
    "": "Syntax Error: Unexpected <EOF>.",
    "{ authors { nam } }": "Cannot query field 'nam' on type 'Author'.",
    "{ authors(limit: $n) { name } }": "Variable '$n' is not defined.",
    "query A { authors { name } } query B { authors { name } }": (
        "which operation to run is open; name one with operationName: A, B"
    ),
    "fragment A on Author { name }": "Fragment 'A' is never used.",
    "subscription { arrivals { count } }": "a subscription cannot run here, only: query, mutation",
}


@pytest.mark.parametrize("text", BAD)
async def test_a_faulty_document_is_the_clients(filled: Library, text: str) -> None:
    result = await filled.ask(text)
    assert (result.code, result.refused, result.errors[0]["message"]) == ("BAD_INPUT", True, BAD[text])
    assert filled.reader.log == []


async def test_faults_of_a_document_say_where_they_are(filled: Library) -> None:
    for text, places in (
        ("{ authors { name } } fragment A on Author { name } fragment B on Author { name }", [22, 52]),
        (
            '{ books(filter: {and: [{title: {eq: "x"}}, {publishedAt: {gt: "x"}}]}) { totalCount } }',
            [63],
        ),
        ('{ books(filter: { publishedAt: { gt: "x", lt: 5 } }) { totalCount } }', [38, 47]),
    ):
        found = await filled.ask(text)
        assert found.code == "BAD_INPUT"
        assert [at["column"] for error in found.errors for at in error["locations"]] == places


async def test_suggestions_are_made_only_where_they_may_be(filled: Library) -> None:
    message = "Cannot query field 'nam' on type 'Author'."
    assert (await filled.ask("{ authors { nam } }")).errors[0]["message"] == message
    shown = (await filled.ask("{ authors { nam } }", show_suggestions=True)).errors[0]["message"]
    assert shown == f"{message} Did you mean 'name'?"
    text = "{ authors { ... on Athor { name } } }"
    assert (await filled.ask(text)).errors[0]["message"] == "Unknown type 'Athor'."
    shown = (await filled.ask(text, show_suggestions=True)).errors[0]["message"]
    assert shown.startswith("Unknown type 'Athor'. Did you mean 'Author'")


async def test_suggestions_are_made_for_the_first_few_names(filled: Library) -> None:
    text = "{ authors { " + " ".join(f"nam{n}" for n in range(9)) + " } }"
    errors = (await filled.ask(text, show_suggestions=True)).errors
    assert [" Did you mean" in each["message"] for each in errors] == [True] * 3 + [False] * 6


async def test_variables_that_do_not_fit_are_the_clients(filled: Library) -> None:
    text = "query ($n: Int!) { authors(limit: $n) { name } }"
    variables: Any
    for variables in (None, {}, {"n": None}, {"n": "x"}, {"n": [1, 2]}):
        result = await filled.ask(text, variables)
        assert (result.code, result.refused) == ("BAD_INPUT", True)
        assert filled.reader.log == []


async def test_an_operation_that_is_not_there(filled: Library) -> None:
    result = await filled.ask("query A { authors { name } }", operation="B")
    assert result.errors[0]["message"] == "there is no operation 'B'; name one with operationName: A"


async def test_another_rooms_exceptions_are_translated(filled: Library) -> None:
    visit = filled.visit()
    visit.translate = lambda error: (  # type: ignore[method-assign]  # as a subclass would
        RequestError("TIMEOUT", "too slow", seconds=3) if isinstance(error, ZeroDivisionError) else None
    )
    from crm_framework.engine import execute

    result = await execute(filled.schema, "{ fail }", None, None, visit)
    assert (result.errors[0]["message"], result.errors[0]["extensions"]) == (
        "too slow",
        {"code": "TIMEOUT", "seconds": 3},
    )
