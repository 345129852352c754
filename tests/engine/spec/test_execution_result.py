"""A result: its data, its errors, and its JSON, with and without errors and where nothing ran."""

from typing import Any

import orjson
import pytest

from .harness import Ask, Fault, answering, schema_of


def _fail() -> str:
    raise Fault("a")


SCHEMA = schema_of(
    answering("good", str, lambda: "good"),
    answering("bad", str | None, _fail),
    answering("worse", str, _fail),
)


async def test_data_alone(ask: Ask) -> None:
    result = await ask.result(SCHEMA, "{ good }")
    assert result.response == {"data": {"good": "good"}}
    assert (result.data, result.errors, result.refused, result.code) == ({"good": "good"}, [], False, None)
    assert result.encoded() == b'{"data":{"good":"good"}}'


@pytest.mark.parametrize(
    ("text", "data"), [("{ bad good }", {"bad": None, "good": "good"}), ("{ good worse }", None)]
)
async def test_data_with_errors(ask: Ask, text: str, data: Any) -> None:
    result = await ask.result(SCHEMA, text)
    assert list(result.response) == ["errors", "data"]
    assert result.response["data"] == data
    assert len(result.response["errors"]) == 1
    assert (result.refused, result.code) == (False, "INTERNAL")
    assert orjson.loads(result.encoded()) == result.response


async def test_an_error_has_these_keys(ask: Ask) -> None:
    result = await ask.result(SCHEMA, "{ bad }")
    assert result.errors == [
        {
            "message": "a",
            "locations": [{"line": 1, "column": 3}],
            "path": ["bad"],
            "extensions": {"code": "INTERNAL"},
        }
    ]


async def test_a_result_of_which_nothing_ran_has_no_data(ask: Ask) -> None:
    result = await ask.result(SCHEMA, "{ unknown }")
    assert result.response == {
        "errors": [
            {
                "message": "Cannot query field 'unknown' on type 'Query'.",
                "locations": [{"line": 1, "column": 3}],
                "extensions": {"code": "BAD_INPUT"},
            }
        ]
    }
    assert (result.data, result.refused, result.code) == (None, True, "BAD_INPUT")


async def test_text_of_every_kind_is_encoded(ask: Ask) -> None:
    text = 'é "quoted"\n\u2028 \U0001f600 \\ </script>'
    schema = schema_of(answering("text", str, lambda: text))
    result = await ask.result(schema, "{ text }")
    assert orjson.loads(result.encoded()) == {"data": {"text": text}}
