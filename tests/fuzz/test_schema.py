"""Operations that hypothesis-graphql makes of nothing but the schema, valid ones and others."""

import json
from functools import cache
from typing import Any

from graphql import GraphQLSchema, is_required_argument
from hypothesis import HealthCheck, given, seed, settings
from hypothesis import strategies as st
from hypothesis_graphql import Mode, from_schema, nodes

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
    assert schema.query_type is not None
    assert schema.mutation_type is not None
    names = [*schema.query_type.fields, *schema.mutation_type.fields]

    @cache
    def of(name: str, mode: Mode) -> Any:
        return from_schema(schema, fields=[name], custom_scalars=SCALARS, mode=mode)

    # of a field without arguments nothing can be made wrong, which hypothesis-graphql refuses
    choices = [(name, Mode.POSITIVE) for name in sorted(names)] + [
        (name, Mode.NEGATIVE) for name in sorted(names) if _required(schema, name)
    ]
    return st.sampled_from(choices).flatmap(lambda chosen: of(*chosen))


def _required(schema: GraphQLSchema, name: str) -> bool:
    for root in (schema.query_type, schema.mutation_type):
        if root is not None and name in root.fields:
            return any(is_required_argument(argument) for argument in root.fields[name].args.values())
    return False
