"""Input values of any type of a schema, as literals of a document and as variables beside it."""

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from random import Random
from typing import Any

from graphql import (
    GraphQLEnumType,
    GraphQLInputObjectType,
    GraphQLInputType,
    GraphQLList,
    GraphQLNonNull,
    Undefined,
    is_required_input_field,
)

OPERATORS = frozenset({"eq", "in", "gt", "gte", "lt", "lte", "contains", "startsWith", "any", "all", "none"})
_DEEPEST = 4


class EnumName(str):
    """A value of an enumeration: a bare word in a document, a text among variables."""


@dataclass(frozen=True)
class Variable:
    """Stands in a value for what comes with the request."""

    name: str


@dataclass
class Pools:
    """What the data holds, so that conditions and ids hit something.

    `texts` are by the name of the argument or member that takes them, `ids` by type, `cursors` by the
    ordering that they belong to; `orders` has the ordering of a list that no order is chosen for.
    `id_type` says which type's id a place takes, as far as that is known.
    """

    texts: dict[str, Sequence[str]] = field(default_factory=dict)
    ids: dict[str, Sequence[str]] = field(default_factory=dict)
    cursors: dict[str, Sequence[str]] = field(default_factory=dict)
    orders: dict[str, str] = field(default_factory=dict)
    moments: Sequence[str] = ("2026-03-01T09:30:00Z", "2026-01-01T00:00:00+01:00")
    numbers: Mapping[str, Sequence[int]] = field(default_factory=dict)
    json: Mapping[str, Sequence[Any]] = field(default_factory=dict)
    id_type: Callable[[str, str], str | None] = lambda place, hint: None
    optional: float = 0.35
    """How often a member that may be left out is given."""

    def id(self, rng: Random, kind: str | None) -> str:
        """An id of that type, now and then of another, of none, or malformed."""
        if kind is None or kind not in self.ids or rng.random() < 0.08:
            kind = rng.choice(list(self.ids))
        return rng.choice(self.ids[kind])

    def cursor(self, rng: Random, ordering: str | None) -> str:
        """A cursor of that ordering, now and then of another or a damaged one."""
        if not self.cursors:
            return "none"
        fits = self.cursors.get(ordering or "")
        if not fits or rng.random() < 0.1:
            fits = self.cursors[rng.choice(list(self.cursors))]
        found = rng.choice(fits)
        if rng.random() < 0.08:
            place = rng.randrange(len(found))
            return found[:place] + rng.choice("Ax_=é") + found[place + 1 :]
        return found


InPlace = Callable[[GraphQLInputType, bool, str, str], Variable | None]
"""(type, whether the place has a default, place, hint) → a variable to stand there, if it shall."""


@dataclass(frozen=True)
class Values:
    """Makes values. `place` is where they go (`Type.field` or an input's name), `hint` the nearest name."""

    pools: Pools

    def make(
        self,
        rng: Random,
        kind: GraphQLInputType,
        place: str,
        hint: str,
        variable: InPlace | None = None,
        depth: int = 0,
    ) -> Any:
        """A value that fits the type."""
        if isinstance(kind, GraphQLNonNull):
            return self._given(rng, kind.of_type, place, hint, variable, depth)
        return None if rng.random() < 0.04 else self._given(rng, kind, place, hint, variable, depth)

    def _given(
        self, rng: Random, kind: Any, place: str, hint: str, variable: InPlace | None, depth: int
    ) -> Any:
        if isinstance(kind, GraphQLList):
            if rng.random() < 0.1:  # one value stands for a list of it
                return self.make(rng, kind.of_type, place, hint, variable, depth)
            number = rng.choice((0, 1, 1, 1, 2, 2, 3))
            return [
                self._inner(rng, kind.of_type, False, place, hint, variable, depth) for _ in range(number)
            ]
        if isinstance(kind, GraphQLInputObjectType):
            return self._object(rng, kind, hint, variable, depth)
        if isinstance(kind, GraphQLEnumType):
            return EnumName(rng.choice(list(kind.values)))
        return self._scalar(rng, kind.name, place, hint)

    def _inner(
        self, rng: Random, kind: Any, default: bool, place: str, hint: str, variable: InPlace | None, d: int
    ) -> Any:
        found = variable(kind, default, place, hint) if variable is not None else None
        return found if found is not None else self.make(rng, kind, place, hint, variable, d)

    def _object(
        self, rng: Random, kind: GraphQLInputObjectType, hint: str, variable: InPlace | None, depth: int
    ) -> dict[str, Any]:
        made: dict[str, Any] = {}
        chosen = self._members(rng, kind, depth)
        for name, member in kind.fields.items():
            if name in chosen:
                inner = hint if name in OPERATORS else name
                made[name] = self._inner(
                    rng, member.type, has_default(member), kind.name, inner, variable, depth + 1
                )
        if len(made) > 1 and rng.random() < 0.3:
            made = dict(rng.sample(list(made.items()), len(made)))
        return made

    def _members(self, rng: Random, kind: GraphQLInputObjectType, depth: int) -> set[str]:
        required = {name for name, member in kind.fields.items() if is_required_input_field(member)}
        free = [name for name in kind.fields if name not in required]
        if kind.name.endswith("Filter"):
            if depth >= _DEEPEST:
                free = [name for name in free if name not in ("and", "or", "not")]
            number = rng.choice((0, 1, 1, 1, 1, 1, 2, 2, 3))
            return required | set(rng.sample(free, min(number, len(free))))
        return required | {name for name in free if rng.random() < self.pools.optional}

    def _scalar(self, rng: Random, name: str, place: str, hint: str) -> Any:
        pools = self.pools
        if name == "ID":
            return pools.id(rng, pools.id_type(place, hint))
        if name == "String":
            return self._text(rng, hint)
        if name == "Int":
            known = pools.numbers.get(hint)
            return rng.choice(known) if known else rng.choice((0, 1, 1, 2, 3, 5, 7, 100, -1, 2**31 - 1))
        if name == "BigInt":
            return rng.choice((0, 1, 3600, -1, 2**53, "7200", str(2**63 - 1)))
        if name == "Float":
            return rng.choice((0, 1.5, -2.25, 1e10))
        if name == "Boolean":
            return rng.random() < 0.5
        if name == "DateTime":
            return rng.choice(pools.moments)
        if name == "Date":
            return rng.choice(pools.moments)[:10]
        if name == "Duration":
            return rng.choice(("PT1H30M", "PT0S", "P1D", "PT90S"))
        if name == "Decimal":
            return rng.choice(("12.50", "0", "9.99", 10, 2.5, "100.00", "-3"))
        known_json = pools.json.get(hint)
        if known_json:
            return rng.choice(known_json)
        return rng.choice(("gold", 3, 2.5, True, None, ["a"], {"a": 1}, self._text(rng, hint)))

    def _text(self, rng: Random, hint: str) -> str:
        known = self.pools.texts.get(hint)
        if known and rng.random() < 0.88:
            text = rng.choice(known)
            return text[: rng.randrange(1, 4)] if rng.random() < 0.12 else text
        return rng.choice(
            ("", "a", "é", "%", "_", "O'Neill", 'say "hi"', "\\", "東京", "😀", "a\u0000b", "z" * 40)
        )


def has_default(place: Any) -> bool:
    """Whether an argument or a member has a default that is not null."""
    if place.default is not None:
        return True
    return place.default_value is not Undefined and place.default_value is not None


def wrong(rng: Random, value: Any) -> Any:
    """The value, spoilt somewhere: what a client sends by mistake."""
    if isinstance(value, dict) and value and rng.random() < 0.7:
        key = rng.choice(list(value))
        if rng.random() < 0.3:
            return {**value, "noSuchMember": 1}
        if rng.random() < 0.3:
            return {name: inner for name, inner in value.items() if name != key}
        return {**value, key: wrong(rng, value[key])}
    if isinstance(value, list) and value and rng.random() < 0.7:
        place = rng.randrange(len(value))
        return [*value[:place], wrong(rng, value[place]), *value[place + 1 :]]
    return rng.choice((None, "text", "", 1.5, 3, True, [], {}, [[1]], {"a": 1}, 2**40, "2026-13-99"))


def literal(value: Any) -> str:
    """The value as it stands in a document."""
    if isinstance(value, Variable):
        return f"${value.name}"
    if isinstance(value, EnumName):
        return str(value)
    if isinstance(value, dict):
        return "{" + ", ".join(f"{name}: {literal(inner)}" for name, inner in value.items()) + "}"
    if isinstance(value, list):
        return "[" + ", ".join(map(literal, value)) + "]"
    return json.dumps(value, ensure_ascii=False)


def plain(value: Any) -> Any:
    """The value as it comes with a request."""
    if isinstance(value, dict):
        return {name: plain(inner) for name, inner in value.items()}
    if isinstance(value, list):
        return [plain(inner) for inner in value]
    return str(value) if isinstance(value, EnumName) else value
