"""Parsed and validated documents, and what each needs: kept for the next request with the same text."""

from collections import OrderedDict
from collections.abc import Hashable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Generic, TypeVar

from graphql import (
    DocumentNode,
    GraphQLError,
    GraphQLSchema,
    GraphQLSyntaxError,
    OperationDefinitionNode,
    parse,
    specified_rules,
    validate,
)
from graphql.validation import MaxIntrospectionDepthRule
from strawberry.schema.validation_rules.maybe_null import MaybeNullValidationRule
from strawberry.schema.validation_rules.one_of import OneOfInputValidationRule

from .access import Rules, needed, variables_of_directives
from .context import Context, Limits
from .errors import RequestError
from .limits import check_limits

K = TypeVar("K", bound=Hashable)
V = TypeVar("V")

MAX_DOCUMENTS = 500
MAX_KEPT_CHARACTERS = 20_000
"""Longer documents are read again each time, so that the cache stays within some tens of megabytes."""

# ours counts the nesting of introspection in linear time
_RULES = (
    *(rule for rule in specified_rules if rule is not MaxIntrospectionDepthRule),
    MaybeNullValidationRule,
    OneOfInputValidationRule,
)


class Recent(OrderedDict[K, V], Generic[K, V]):
    """A mapping that forgets what was not used for longest."""

    def __init__(self, size: int) -> None:
        super().__init__()
        self.size = size

    def recall(self, key: K) -> V | None:
        """The value, which counts as used now."""
        found = self.get(key)
        if found is not None:
            self.move_to_end(key)
        return found

    def keep(self, key: K, value: V) -> V:
        self[key] = value
        if len(self) > self.size:
            self.popitem(last=False)
        return value


class InvalidDocument(Exception):
    """The document does not fit the schema."""

    def __init__(self, errors: Sequence[GraphQLError]) -> None:
        super().__init__(errors[0].message)
        self.errors = errors


@dataclass
class Document:
    """A valid document, and how its operations run, for each of the values that directives look at."""

    node: DocumentNode
    conditions: tuple[str, ...]
    needs: Recent[Any, Sequence[tuple[str, str | None]]] = field(default_factory=lambda: Recent(16))
    plans: Recent[Any, Any] = field(default_factory=lambda: Recent(16))

    def operation(self, name: str | None) -> OperationDefinitionNode:
        """The operation to run. Raises `RequestError` BAD_INPUT if the name does not choose one."""
        found = [node for node in self.node.definitions if isinstance(node, OperationDefinitionNode)]
        chosen = [node for node in found if name is None or (node.name and node.name.value == name)]
        if len(chosen) != 1:
            known = ", ".join(node.name.value for node in found if node.name) or "one without a name"
            problem = (
                f"there is no operation {name!r}" if name is not None else "which operation to run is open"
            )
            raise RequestError("BAD_INPUT", f"{problem}; name one with operationName: {known}")
        return chosen[0]

    def key(self, operation: OperationDefinitionNode, variables: Mapping[str, Any]) -> Hashable:
        """What an operation's needs and its plan depend on: its name, and what its directives look at."""
        values = tuple(
            value if isinstance(value := variables.get(name), bool) else None for name in self.conditions
        )
        return (operation.name.value if operation.name else None, values)

    def needed(
        self,
        schema: GraphQLSchema,
        rules: Rules,
        operation: OperationDefinitionNode,
        variables: Mapping[str, Any],
    ) -> Sequence[tuple[str, str | None]]:
        """What the operation needs with these variables, see `access.needed`."""
        key = self.key(operation, variables)
        found = self.needs.recall(key)
        if found is None:
            found = self.needs.keep(key, needed(schema, rules, self.node, operation, variables))
        return found


class Documents:
    """The documents of one schema that were used most recently; only valid ones are kept."""

    def __init__(self) -> None:
        self._kept: Recent[tuple[str, Limits], Document] = Recent(MAX_DOCUMENTS)

    def read(self, schema: GraphQLSchema, text: str, context: Context) -> Document:
        """The document of a text. Raises `RequestError` and `InvalidDocument`."""
        key = (text, context.limits)
        found = self._kept.recall(key)
        if found is not None:
            return found
        try:
            node = _parsed(text, context.limits)
            check_limits(node, context.limits)
            hide = not context.show_suggestions
            errors = validate(schema, node, _RULES, max_errors=20, hide_suggestions=hide)
        except RecursionError:
            raise _too_deep() from None
        if errors:
            raise InvalidDocument(errors)
        document = Document(node, variables_of_directives(node))
        return self._kept.keep(key, document) if len(text) <= MAX_KEPT_CHARACTERS else document


def _parsed(text: str, limits: Limits) -> DocumentNode:
    try:
        return parse(text, max_tokens=limits.max_tokens)
    except GraphQLSyntaxError as error:
        if f"more than {limits.max_tokens} tokens" in error.message:
            raise RequestError(
                "TOO_COMPLEX", f"the document has more than {limits.max_tokens} tokens; send it in parts"
            ) from None
        if "nested too deeply" in error.message:
            raise _too_deep() from None
        raise InvalidDocument([error]) from None


def _too_deep() -> RequestError:
    return RequestError("TOO_COMPLEX", "the document is nested too deeply to be read")
