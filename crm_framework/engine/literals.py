"""Whether the values that are written in a document are of their types, and only the first faults of each.

graphql-core prints a value in each of its errors: hundreds of unknown members, each with all the others, are
a megabyte.
"""

from contextlib import suppress
from typing import Any

from graphql import (
    SKIP,
    GraphQLError,
    GraphQLInputType,
    ListValueNode,
    ObjectValueNode,
    ValueNode,
    ValuesOfCorrectTypeRule,
)
from graphql.language import VisitorAction
from graphql.utilities import validate_input_literal

MAX_FAULTS = 5
"""How many faults of one value are told."""


class _Enough(Exception):
    """The rest of the value is not looked at."""


class LiteralsRule(ValuesOfCorrectTypeRule):
    """The rule of graphql-core, in its words, which stops after the first few faults of a value."""

    def is_valid_value_node(self, node: ValueNode, input_type: GraphQLInputType | None) -> VisitorAction:
        told = 0

        def tell(error: GraphQLError, path: list[Any]) -> None:
            nonlocal told
            if error.nodes is None:  # a scalar's own, which has not seen the document
                error = GraphQLError(
                    error.message,
                    _value_at(node, path),
                    original_error=error.original_error,
                    extensions=error.extensions,
                )
            self.report_error(error)
            told += 1
            if told == MAX_FAULTS:
                raise _Enough

        if input_type:
            with suppress(_Enough):
                validate_input_literal(node, input_type, tell, None, None, self.context.hide_suggestions)
        return SKIP


def _value_at(node: ValueNode, path: list[Any]) -> ValueNode:
    """The value within another one at which a path of members and numbers ends."""
    for step in path:
        if isinstance(node, ObjectValueNode):
            members = {member.name.value: member.value for member in node.fields}  # the last of a name counts
            node = members[step]
        elif isinstance(node, ListValueNode):
            node = node.values[step]
    return node
