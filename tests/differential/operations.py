"""Valid operations over any schema, made at random: equal for equal seeds."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from random import Random
from typing import Any

from graphql import GraphQLNamedType, GraphQLObjectType, GraphQLSchema

from .scopes import Scope
from .selections import Declared, Draft, Shape
from .values import Pools, plain, wrong

__all__ = ["Operation", "Shape", "generate"]

_VARIABLE = re.compile(r"\$(v\d+)")
_SPREAD = re.compile(r"\.\.\.(F\d+)")


@dataclass
class Operation:
    """A document, and what may come with it."""

    text: str
    names: Sequence[str | None]
    variables: dict[str | None, Sequence[Declared]]

    def request(self, rng: Random) -> tuple[str | None, dict[str, Any]]:
        """The operation to run, and values of its variables; some are left out, null or spoilt."""
        name = rng.choice(self.names)
        given: dict[str, Any] = {}
        for declared in self.variables[name]:
            if rng.random() < (0.2 if declared.may_be_left_out else 0.01):
                continue
            if rng.random() < (0.12 if not declared.type.endswith("!") else 0.01):
                given[declared.name] = None
                continue
            value = plain(declared.make(rng))
            given[declared.name] = wrong(rng, value) if rng.random() < 0.02 else value
        return name, given


def generate(schema: GraphQLSchema, rng: Random, pools: Pools, shape: Shape | None = None) -> Operation:
    """A document with one operation or, now and then, two that share their fragments."""
    shape = shape or Shape()
    root: Any = schema.query_type if shape.kind == "query" else schema.mutation_type
    draft = Draft(schema, rng, pools, shape, rng.randrange(3, shape.fields))
    many = rng.random() < 0.1
    bodies: list[tuple[str | None, str]] = []
    for number in range(2 if many else 1):
        draft.left = max(draft.left, 4)
        name = f"Op{number}" if many or rng.random() < 0.3 else None
        bodies.append((name, _root(draft, root)))
    return _written(draft, bodies, shape.kind)


def _root(draft: Draft, root: GraphQLObjectType) -> str:
    scope = Scope()
    parts: list[str] = []
    for _ in range(draft.rng.randrange(1, draft.shape.roots + 1)):
        if draft.chance(0.1):
            part = draft.inline(root, 0, scope)
        elif draft.chance(0.05):
            part = draft.spread(root, 0, scope)
        else:
            names = [name for name in root.fields if f"{root.name}.{name}" not in draft.shape.left_out]
            part = draft.field(root, draft.rng.choice(names), 0, scope)
        if part:
            parts.append(part)
    if draft.shape.introspection and draft.shape.kind == "query" and draft.chance(0.06):
        parts.insert(draft.rng.randrange(len(parts) + 1), _introspection(draft))
    return " ".join(parts) or "__typename"


def _introspection(draft: Draft) -> str:
    kinds: dict[str, GraphQLNamedType] = dict(draft.schema.type_map)
    scope = Scope()
    draft.left = max(draft.left, 6)
    if draft.chance(0.3):
        return f"intro: __schema {{ queryType {{ {draft.selections(_type(kinds, '__Type'), 5, scope)} }} }}"
    named = draft.rng.choice([name for name in kinds if not name.startswith("__")] + ["Nothing"])
    return f'intro: __type(name: "{named}") {{ {draft.selections(_type(kinds, "__Type"), 5, scope)} }}'


def _type(kinds: dict[str, GraphQLNamedType], name: str) -> Any:
    return kinds[name]


def _written(draft: Draft, bodies: Sequence[tuple[str | None, str]], kind: str) -> Operation:
    texts = {name: fragment.text for name, fragment in draft.fragments.items()}
    parts: list[str] = []
    variables: dict[str | None, Sequence[Declared]] = {}
    used: set[str] = set()
    for name, body in bodies:
        reached = _reached(body, texts)
        used |= reached
        names = dict.fromkeys(_VARIABLE.findall(body))
        for fragment in sorted(reached):
            names |= dict.fromkeys(_VARIABLE.findall(texts[fragment]))
        variables[name] = [draft.variables[each] for each in names]
        shown = f"({', '.join(map(str, variables[name]))})" if names else ""
        head = f"{kind} {name or ''}{shown}".rstrip()
        parts.append(f"{head} {{ {body} }}")
    fragments = [
        f"fragment {name} on {fragment.on.name} {{ {fragment.text} }}"
        for name, fragment in draft.fragments.items()
        if name in used
    ]
    if draft.chance(0.3):
        parts = [*fragments, *parts]
    else:
        parts += fragments
    return Operation("\n".join(parts), [name for name, _ in bodies], variables)


def _reached(body: str, texts: dict[str, str]) -> set[str]:
    found: set[str] = set()
    waiting = _SPREAD.findall(body)
    while waiting:
        name = waiting.pop()
        if name not in found:
            found.add(name)
            waiting += _SPREAD.findall(texts[name])
    return found
