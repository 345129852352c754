"""Operations that schemathesis makes of nothing but the schema, valid ones and others."""

import json
from typing import Any

import schemathesis
from graphql import GraphQLSchema, introspection_from_schema, is_required_argument
from hypothesis import HealthCheck, given, seed, settings
from hypothesis import strategies as st
from schemathesis import GenerationMode
from schemathesis.core.result import Ok
from schemathesis.graphql import nodes

from .conftest import Asked
from .judging import faults
from .serving import FuzzServer
from .spoiling import STRANGE
from .trials import CASES, SEED

TEXTS = st.one_of(st.text(max_size=12), st.sampled_from([each for each in STRANGE if isinstance(each, str)]))
SCALARS = {
    "DateTime": st.one_of(st.datetimes().map(lambda at: f"{at.isoformat()}Z"), TEXTS).map(nodes.String),
    "Date": st.one_of(st.dates().map(lambda day: day.isoformat()), TEXTS).map(nodes.String),
    "Duration": st.one_of(st.sampled_from(("PT1H", "P1D", "PT0S", "PT1.5S")), TEXTS).map(nodes.String),
    "Decimal": st.one_of(
        st.decimals(allow_nan=False, allow_infinity=False).map(str).map(nodes.String),
        st.integers().map(nodes.Int),
        TEXTS.map(nodes.String),
    ),
    "JSON": st.one_of(
        TEXTS.map(nodes.String), st.integers().map(nodes.Int), st.booleans().map(nodes.Boolean)
    ),
}
EXAMPLES = max(10, CASES // 10)


def test_operations_of_the_schema(server: FuzzServer, asked: Asked) -> None:
    taken = 0
    operations = _operations(asked.schema)

    @settings(max_examples=EXAMPLES, deadline=None, database=None, suppress_health_check=list(HealthCheck))
    @seed(SEED)
    @given(operations)
    def check(document: str) -> None:
        nonlocal taken
        status, answer = server.post(json.dumps({"query": document}).encode(errors="surrogatepass"))
        taken += b'"data":' in answer
        assert faults(status, answer) == [], f"{document}\n{answer[:1500]!r}"

    check()
    assert taken > EXAMPLES // 5, "too little is understood to show anything"


def _operations(schema: GraphQLSchema) -> st.SearchStrategy[str]:
    """One root field at a time: documents of the whole schema are large, and slow to be made."""
    for name, values in SCALARS.items():
        schemathesis.graphql.scalar(name, values)
    loaded = schemathesis.graphql.from_dict(dict(introspection_from_schema(schema)))
    found = [each.ok() for each in loaded.get_all_operations() if isinstance(each, Ok)]
    assert len(found) > 80  # none was left out
    # of a field without required arguments nothing can be made wrong
    choices = [(each, GenerationMode.POSITIVE) for each in found] + [
        (each, GenerationMode.NEGATIVE) for each in found if _required(schema, each.label)
    ]

    def documents(chosen: tuple[Any, GenerationMode]) -> st.SearchStrategy[str]:
        operation, mode = chosen
        cases: st.SearchStrategy[Any] = operation.as_strategy(generation_mode=mode)
        return cases.map(lambda case: str(case.body))

    return st.sampled_from(choices).flatmap(documents)


def _required(schema: GraphQLSchema, label: str) -> bool:
    """Of "Mutation.createCustomer", say."""
    root, name = label.split(".")
    fields = schema.type_map[root].fields  # type: ignore[attr-defined]  # a root is an object type
    return any(is_required_argument(argument) for argument in fields[name].args.values())
