from crm_framework.engine import Trace
from crm_framework.engine.operation import FALLBACKS

from .conftest import Library


async def test_a_trace_has_each_level_with_its_statements(filled: Library) -> None:
    trace = Trace()
    result = await filled.ask(
        "{ authors { books { title author { name } } shelf { count } } writers { totalCount } }", trace=trace
    )
    assert result.errors == []
    assert [(step.place, step.how, step.objects, len(step.statements)) for step in trace.ordered] == [
        ("authors", "root", 1, 1),
        ("authors.books", "children", 4, 1),
        ("authors.books.author", "reference", 20, 1),
        ("authors.shelf", "batch", 4, 1),
        ("writers", "pages", 1, 1),
    ]
    assert [one.rows for step in trace.ordered for one in step.statements] == [4, 20, 4, 20, 1]
    assert result.response["extensions"] == {"plan": trace.shown}
    assert "arguments" not in str(trace.shown)


async def test_without_a_trace_there_is_no_extension(filled: Library) -> None:
    result = await filled.ask("{ authors { name } }")
    assert set(result.response) == {"data"}


async def test_what_is_left_to_graphql_core_is_counted_and_says_why(filled: Library) -> None:
    before = FALLBACKS.get("introspection", 0)
    trace = Trace()
    result = await filled.ask("{ __schema { queryType { name } } authors { name } }", trace=trace)
    assert result.data["__schema"] == {"queryType": {"name": "Query"}}
    assert len(result.data["authors"]) == 4
    assert FALLBACKS["introspection"] == before + 1
    assert [(step.place, step.how, step.why) for step in trace.ordered] == [
        ("__schema", "graphql-core", "introspection"),
        ("authors", "root", None),
    ]
