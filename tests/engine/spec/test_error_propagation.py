"""An error goes up to what may be null; no directive changes that."""

import pytest

from .harness import Ask, Fault, answering, schema_of


def _fail() -> int:
    raise Fault("bar")


SCHEMA = schema_of(answering("foo", int, _fail))


async def test_an_error_goes_up_to_the_data(ask: Ask) -> None:
    assert await ask(SCHEMA, "query getFoo {\n  foo\n}") == (None, {"2:3 foo: bar"})


@pytest.mark.parametrize("directive", ["@experimental_disableErrorPropagation", "@onError(action: NULL)"])
async def test_a_directive_of_experiments_is_refused(ask: Ask, directive: str) -> None:
    result = await ask.result(SCHEMA, f"query getFoo {directive} {{ foo }}")
    assert (result.refused, result.code) == (True, "BAD_INPUT")
