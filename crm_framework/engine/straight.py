"""The straight way of the most frequent operation: one record by its id, with nothing but inline fields.

It spares the levels, which a single row has no use for: the key is decoded, one statement is run, and the
generated builder makes the output. Whatever is not as usual (an id of another kind, no such record, a value
that cannot be written) is left to the usual way, which begins anew and knows what to say of it. Permissions,
limits and costs are checked before either.
"""

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from graphql import OperationType, VariableNode

from .builders import builder_of
from .context import Context
from .errors import RequestError
from .fields import Root
from .ids import decode_key
from .layouts import Layout
from .load import statement_by_key
from .plans import PlannedField, Selection

if TYPE_CHECKING:
    from .plans import Plan
    from .writers import Leaves


class _Unusual(Exception):
    """For the usual way."""


@dataclass(frozen=True, slots=True)
class Straight:
    """A root field that is a record by the id in `variable`; the key of the response is `key`."""

    key: str
    variable: str
    type_name: str
    selection: Selection
    layout: Layout

    async def output(
        self, context: Context, variables: dict[str, Any], leaves: "Leaves"
    ) -> dict[str, Any] | None:
        """The operation's output; None where it takes the usual way. Raises what reading raises."""
        layout = self.layout
        try:
            wanted = decode_key(variables[self.variable], self.type_name, layout.source.key_type)
        except (KeyError, TypeError, AttributeError, RequestError):
            return None
        sql, args = statement_by_key(context, layout, (wanted,))
        rows = context.read_at_once(sql, args)
        if rows is None:
            rows = await context.read(sql, args, bounded=True)
        if len(rows) != 1:
            return None
        context.admit(1)
        builder = builder_of(self.selection, layout, context.reader.dialect, leaves)
        try:
            return {self.key: builder.build(rows, (), _give_up)[0]}
        except _Unusual:
            return None


def straight_of(plan: "Plan") -> Straight | None:
    """The straight way of a plan, if there is one: see `by_key` of `root`."""
    if plan.operation.operation is not OperationType.QUERY or len(plan.root.fields) != 1 or plan.fallbacks:
        return None
    (field,) = plan.root.fields
    declaration, target = field.declaration, field.target
    if not isinstance(declaration, Root) or declaration.by_key is None or field.shape.item is not None:
        return None
    if not isinstance(target, Selection) or target.filled or target.layout is None:
        return None
    variable = _variable_of(field, declaration.by_key)
    if variable is None:
        return None
    return Straight(field.key, variable, target.of.name, target, target.layout)


def _variable_of(field: PlannedField, argument: str) -> str | None:
    """The variable that is given for this argument, if no other is given."""
    given = field.nodes[0].arguments or ()
    if len(given) != 1 or given[0].name.value != argument or not isinstance(given[0].value, VariableNode):
        return None
    return given[0].value.name.value


def _give_up(error: BaseException) -> Any:
    raise _Unusual from error
