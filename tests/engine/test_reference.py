"""The reference can do without levels: it then says what each object's fields are without any grouping."""

from typing import Any

import pytest

from crm_framework.engine.execute import reference_execute

from . import library
from .conftest import Library
from .test_statements import SHAPES


async def ask(filled: Library, text: str, **settings: Any) -> Any:
    filled.reader.log.clear()
    library.CALLS.clear()
    result = await reference_execute(filled.schema, text, None, None, filled.visit(**settings))
    assert result.errors == []
    return result.data


@pytest.mark.parametrize("shape", SHAPES)
async def test_object_by_object_it_gives_the_same(filled: Library, shape: str) -> None:
    text, _ = SHAPES[shape]
    grouped = await ask(filled, text)
    assert await ask(filled, text, one_by_one=True) == grouped


async def test_object_by_object_each_parent_has_its_own_statement_and_call(filled: Library) -> None:
    await ask(filled, "{ authors { books { title } } }", one_by_one=True)
    assert len(filled.reader.log) == 1 + 4
    await ask(filled, "{ authors { shelf { value { symbol } } } }", one_by_one=True)
    assert sorted(library.CALLS) == [("shelf", 1)] * 4 + [("symbol", 1)] * 4
    await ask(filled, "{ authors { catalogue(first: 1) { nodes { author { name } } } } }", one_by_one=True)
    assert len(filled.reader.log) == 1 + 4 + 4
