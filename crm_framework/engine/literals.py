"""Whether the values that are written in a document are of their types, and only the first faults of each.

graphql-core prints a value in each of its errors: hundreds of unknown members, each with all the others, are
a megabyte.
"""

from contextlib import suppress
from typing import Any

from graphql import SKIP, GraphQLError, GraphQLInputType, ValueNode, ValuesOfCorrectTypeRule
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

        def tell(error: GraphQLError, _path: list[Any]) -> None:
            nonlocal told
            self.report_error(error)
            told += 1
            if told == MAX_FAULTS:
                raise _Enough

        if input_type:
            with suppress(_Enough):
                validate_input_literal(node, input_type, tell, None, None, self.context.hide_suggestions)
        return SKIP
