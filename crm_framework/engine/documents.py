"""Parsed and validated documents, and what each needs: kept for the next request with the same text."""

import math
from collections import OrderedDict
from collections.abc import Hashable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Generic, TypeVar

from graphql import (
    DocumentNode,
    FieldsOnCorrectTypeRule,
    GraphQLError,
    GraphQLSchema,
    GraphQLSyntaxError,
    KnownTypeNamesRule,
    OperationDefinitionNode,
    TokenKind,
    ValuesOfCorrectTypeRule,
    parse,
    specified_rules,
    validate,
)
from graphql.validation import MaxIntrospectionDepthRule
from strawberry.schema.validation_rules.maybe_null import MaybeNullValidationRule
from strawberry.schema.validation_rules.one_of import OneOfInputValidationRule

from .access import Rules, needed, variables_of_directives
from .coercion import Coercion, OperationVariables
from .context import USUAL_LIMITS, Context, Limits
from .errors import InvalidDocument, RequestError
from .limits import check_limits
from .literals import LiteralsRule
from .suggestions import FieldNamesRule, TypeNamesRule

if TYPE_CHECKING:
    from .plans import Plan

K = TypeVar("K", bound=Hashable)
V = TypeVar("V")

MAX_DOCUMENTS = 500
MAX_PLANNED = 30_000
"""How many fields the plans may have that are kept, of all documents: each takes some kilobytes."""
MAX_PLANS = 1_000
"""How many plans are kept: each keeps its document, too."""
MAX_KEPT_CHARACTERS = 20_000
"""Longer documents are read again each time."""
MAX_CHARACTERS = 500_000
"""Of all documents that are kept: read, each character takes some 120 bytes."""

# ours counts the nesting of introspection in linear time
_OWN = (MaxIntrospectionDepthRule, ValuesOfCorrectTypeRule, KnownTypeNamesRule, FieldsOnCorrectTypeRule)
_RULES = (
    *(rule for rule in specified_rules if rule not in _OWN),
    TypeNamesRule,
    FieldNamesRule,
    LiteralsRule,
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


_LEFT_OUT = object()
"""In place of a variable that has its default; null is something else."""


@dataclass(slots=True)
class Way:
    """One operation of a document, for one choice of what its directives leave out.

    `kind` is "query", "mutation" or "subscription". `needs` are the elements that it selects with their
    permissions, `permissions` each of these once. `plan` is made when it is first run; `None` where
    graphql-core has to run it as a whole.
    """

    operation: OperationDefinitionNode
    kind: str
    variables: OperationVariables
    needs: Sequence[tuple[str, str | None]]
    permissions: tuple[str | None, ...]
    plan: "Plan | None" = None
    is_planned: bool = False


@dataclass
class Document:
    """A valid document, and the ways in which its operations were run."""

    node: DocumentNode
    conditions: tuple[str, ...]
    ways: Recent[Any, Way] = field(default_factory=lambda: Recent(16))

    def way(
        self,
        schema: GraphQLSchema,
        rules: Rules,
        coercion: Coercion,
        name: str | None,
        variables: Mapping[str, Any],
    ) -> Way:
        """How to run the operation of this name with these variables. Raises `RequestError` BAD_INPUT."""
        key: Hashable = name
        if self.conditions:
            given = (variables.get(condition, _LEFT_OUT) for condition in self.conditions)
            key = (
                name,
                *(value if value is _LEFT_OUT or isinstance(value, bool) else None for value in given),
            )
        found = self.ways.recall(key)
        if found is None:
            operation = self._operation(name)
            needs = needed(schema, rules, self.node, operation, variables)
            permissions = tuple(dict.fromkeys(permission for _, permission in needs))
            way = Way(
                operation, operation.operation.value, coercion.variables_of(operation), needs, permissions
            )
            found = self.ways.keep(key, way)
        return found

    def _operation(self, name: str | None) -> OperationDefinitionNode:
        found = [node for node in self.node.definitions if isinstance(node, OperationDefinitionNode)]
        chosen = [node for node in found if name is None or (node.name and node.name.value == name)]
        if len(chosen) != 1:
            known = ", ".join(node.name.value for node in found if node.name) or "one without a name"
            problem = (
                f"there is no operation {name!r}" if name is not None else "which operation to run is open"
            )
            raise RequestError("BAD_INPUT", f"{problem}; name one with operationName: {known}")
        return chosen[0]


class Documents:
    """The documents of one schema: those that are pinned, and those that were used most recently.

    Only valid ones are kept.
    """

    def __init__(self) -> None:
        self._kept: OrderedDict[tuple[str, Limits | None], Document] = OrderedDict()
        self._characters = 0
        self._pinned: dict[str, Document] = {}
        self._plans: OrderedDict[int, Way] = OrderedDict()
        self._planned = 0

    def pin(self, schema: GraphQLSchema, text: str) -> None:
        """Reads a document now and keeps it for good. Raises as `read`."""
        if text not in self._pinned:
            self._pinned[text] = _read(schema, text, USUAL_LIMITS, hide_suggestions=False)

    def keep_plan(self, way: Way, plan: "Plan") -> None:
        """Keeps a way's plan, and lets go of those that were made longest ago when there are too many."""
        way.plan = plan
        self._plans[id(way)] = way  # the way is kept with it: its id is its own for as long
        self._planned += plan.size
        while len(self._plans) > MAX_PLANS or (self._planned > MAX_PLANNED and len(self._plans) > 1):
            self._drop_plan(next(iter(self._plans.values())))

    def _drop_plan(self, way: Way) -> None:
        if way.plan is not None and self._plans.pop(id(way), None) is not None:
            self._planned -= way.plan.size
            way.plan, way.is_planned = None, False

    def read(self, schema: GraphQLSchema, text: str, context: Context) -> Document:
        """The document of a text. Raises `RequestError` and `InvalidDocument`."""
        found = self._pinned.get(text)
        if found is not None and context.limits is USUAL_LIMITS:
            return found
        key = (text, None if context.limits is USUAL_LIMITS else context.limits)  # they have no short hash
        found = self._kept.get(key)
        if found is not None:
            self._kept.move_to_end(key)
            return found
        with context.preparing("read"):
            document = _read(schema, text, context.limits, hide_suggestions=not context.show_suggestions)
        if len(text) <= MAX_KEPT_CHARACTERS:
            self._keep(key, document)
        return document

    def _keep(self, key: tuple[str, Limits | None], document: Document) -> None:
        self._kept[key] = document
        self._characters += len(key[0])
        while len(self._kept) > MAX_DOCUMENTS or self._characters > MAX_CHARACTERS:
            (text, _), oldest = self._kept.popitem(last=False)
            self._characters -= len(text)
            for way in oldest.ways.values():  # nobody asks for its plans again
                self._drop_plan(way)


def _read(schema: GraphQLSchema, text: str, limits: Limits, *, hide_suggestions: bool) -> Document:
    try:
        node = _parsed(text, limits)
        check_limits(node, limits)
        errors = validate(schema, node, _RULES, max_errors=20, hide_suggestions=hide_suggestions)
    except RecursionError:
        raise _too_deep() from None
    if errors:
        raise InvalidDocument(errors)
    return Document(node, variables_of_directives(node))


def _parsed(text: str, limits: Limits) -> DocumentNode:
    if len(text) > limits.max_characters:
        raise RequestError(
            "TOO_COMPLEX",
            f"the document has {len(text):,} characters; {limits.max_characters:,} are allowed. Pass long"
            " values in variables",
        )
    try:
        document = parse(text, max_tokens=limits.max_tokens)
    except GraphQLSyntaxError as error:
        if f"more than {limits.max_tokens} tokens" in error.message:
            raise RequestError(
                "TOO_COMPLEX", f"the document has more than {limits.max_tokens} tokens; send it in parts"
            ) from None
        if "nested too deeply" in error.message:
            raise _too_deep() from None
        raise InvalidDocument([error]) from None
    _check_numbers(document, limits)
    _part_tokens(document)
    return document


def _part_tokens(document: DocumentNode) -> None:
    """Ends what leads from token to token, after which nobody looks.

    Each leads to the next one and back, and every node to two of them: what was kept for a while would stay
    when it is let go of, until all that is old is looked through for such rings, which hardly ever happens.
    """
    token = document.loc.start_token if document.loc else None
    while token is not None:
        following = token.next
        token.prev = token.next = None
        token = following


def _check_numbers(document: DocumentNode, limits: Limits) -> None:
    source = document.loc.source if document.loc else None
    token = document.loc.start_token if document.loc else None
    while token is not None:
        if token.kind in (TokenKind.INT, TokenKind.FLOAT) and token.end - token.start > limits.max_number:
            raise RequestError(
                "BAD_INPUT",
                f"the number at line {token.line}, column {token.column} has {token.end - token.start:,}"
                f" characters; {limits.max_number} are allowed",
            )
        if token.kind is TokenKind.FLOAT and math.isinf(float(token.value or 0)):
            # no JSON says it: who keeps or compares it would find out too late
            problem = f"The number {token.value} is too large."
            raise InvalidDocument([GraphQLError(problem, source=source, positions=[token.start])])
        token = token.next


def _too_deep() -> RequestError:
    return RequestError("TOO_COMPLEX", "the document is nested too deeply to be read")
