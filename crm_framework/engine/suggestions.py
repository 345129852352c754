"""What a name that is unknown may have meant, found in time that no document can stretch.

graphql-core compares it letter by letter with each name that there is: for one unknown type among hundreds it
takes as long as a whole document may take to be checked.
"""

from collections.abc import Iterable
from difflib import get_close_matches
from typing import Any

from graphql import (
    FieldNode,
    FieldsOnCorrectTypeRule,
    GraphQLError,
    KnownTypeNamesRule,
    NamedTypeNode,
    is_interface_type,
    is_object_type,
)
from graphql.pyutils import did_you_mean
from graphql.validation.rules.fields_on_correct_type import get_suggested_type_names

MAX_NAMES = 3
"""How many unknown names of a document get suggestions: those that are told first."""
MAX_LENGTH = 60
"""Longer names are nobody's typing errors."""


def alike(name: str, known: Iterable[str]) -> list[str]:
    """Those that look most like `name`, the most alike first: five at most."""
    return get_close_matches(name, known, n=5, cutoff=0.7) if len(name) <= MAX_LENGTH else []


class TypeNamesRule(KnownTypeNamesRule):
    """The rule of graphql-core, in its words."""

    _told = 0

    def enter_named_type(self, node: NamedTypeNode, *_place: Any) -> None:
        name = node.name.value
        if name in self.existing_types_map:
            return
        hint = ""
        if not self.context.hide_suggestions and self._told < MAX_NAMES:
            self._told += 1
            hint = did_you_mean(alike(name, self.existing_types_map))
        self.report_error(GraphQLError(f"Unknown type '{name}'.{hint}", node))


class FieldNamesRule(FieldsOnCorrectTypeRule):
    """The rule of graphql-core, in its words."""

    _told = 0

    def enter_field(self, node: FieldNode, *_place: Any) -> None:
        parent = self.context.get_parent_type()
        if parent is None or self.context.get_field_def():
            return
        name = node.name.value
        hint = ""
        if not self.context.hide_suggestions and self._told < MAX_NAMES:
            self._told += 1
            types = get_suggested_type_names(self.context.schema, parent, name)
            hint = did_you_mean(types, "to use an inline fragment on")
            if not hint and (is_object_type(parent) or is_interface_type(parent)):
                hint = did_you_mean(alike(name, parent.fields))
        self.report_error(GraphQLError(f"Cannot query field '{name}' on type '{parent}'.{hint}", node))
