"""Cursors that nobody was given: every list of every plugin refuses them, or takes them for a place in it."""

from collections.abc import Iterator
from typing import Any

from graphql import GraphQLEnumType, GraphQLInputObjectType, GraphQLSchema, get_named_type

from crm_framework.engine import encode_cursor
from crm_framework.engine.execute import execute
from crm_framework.engine.result import Result

from .conftest import ADMIN, Company

KEY = "01890000-0000-7000-8000-000000000000"
VALUES: tuple[Any, ...] = (
    *(2**31, 2**63, True, float("nan"), [], "a\0b", "\ud800", "NaN", "1e131073", "2026-02-01"),
    "0001-01-01T00:00:00+14:00",
)
DAMAGED = "after: the cursor is damaged or was altered; use cursors as the API gave them"


def _lists(schema: GraphQLSchema) -> Iterator[tuple[str, str]]:
    """Each root list that can be asked for without more, in each of its orders."""
    assert schema.query_type is not None
    for name, field in schema.query_type.fields.items():
        needed = [one for one in field.args.values() if str(one.type).endswith("!")]
        if "after" in field.args and not needed and name != "duplicateCustomers":  # its cursors are its own
            yield name, ""
            if "orderBy" in field.args:
                order = get_named_type(field.args["orderBy"].type)
                assert isinstance(order, GraphQLInputObjectType)
                choice = get_named_type(order.fields["field"].type)
                assert isinstance(choice, GraphQLEnumType)
                yield from ((name, f"orderBy: [{{field: {value}}}], ") for value in choice.values)


async def test_forged_cursors_are_refused_or_a_place(firm: Company) -> None:
    service = firm.service

    async def ask(text: str, *values: Any) -> Result:
        variables = {"cursor": encode_cursor(*values)}
        return await execute(service.schema.schema, text, variables, None, service.context(ADMIN, "request"))

    refused = taken = 0
    for name, order in _lists(service.schema.graphql):
        asked = f"{name}({order}first: 1, after: $cursor) {{ nodes {{ __typename }} }}"
        text = f"query ($cursor: String) {{ {asked} }}"
        told = (await ask(text, "nothing", ())).errors[0]["message"]
        fingerprint = told.partition("the list is in the order ")[2].partition(";")[0]
        assert fingerprint.endswith("id"), told
        for value in VALUES:
            values = [KEY] if fingerprint in ("id", "-id") else [value, KEY]
            errors = (await ask(text, fingerprint, values)).errors
            assert not errors or errors[0]["message"] == DAMAGED, (name, order, value, errors)
            refused, taken = refused + bool(errors), taken + (not errors)
    assert refused > taken > 100
