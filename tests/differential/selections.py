"""What an operation selects, made at random: fields, fragments, directives, and arguments with variables."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from dataclasses import field as member
from random import Random
from typing import Any

from graphql import (
    GraphQLField,
    GraphQLInputType,
    GraphQLInterfaceType,
    GraphQLNonNull,
    GraphQLObjectType,
    GraphQLSchema,
    GraphQLUnionType,
    get_named_type,
    is_abstract_type,
    is_introspection_type,
    is_leaf_type,
    is_required_argument,
)

from .scopes import Chosen, Scope
from .values import EnumName, Pools, Values, Variable, has_default, literal

Composite = GraphQLObjectType | GraphQLInterfaceType | GraphQLUnionType
_COMMON = ("a", "b", "id", "name", "node", "total")
_CURSORS = ("after", "before")
_LISTS = ("nodes", "edges")
_DEEP_INTROSPECTION = ("fields", "possibleTypes", "interfaces", "inputFields", "types", "ofType", "args")


@dataclass(frozen=True)
class Shape:
    """How large operations become, and of which kind they are. `roots` leaves out other root fields."""

    kind: str = "query"
    fields: int = 40
    depth: int = 8
    roots: int = 3
    introspection: bool = True
    left_out: frozenset[str] = frozenset()


@dataclass
class Declared:
    """A variable of a document, and how its values are made."""

    name: str
    type: str
    default: str | None
    make: Callable[[Random], Any]

    @property
    def may_be_left_out(self) -> bool:
        return self.default is not None or not self.type.endswith("!")

    def __str__(self) -> str:
        return f"${self.name}: {self.type}" + ("" if self.default is None else f" = {self.default}")


@dataclass
class Fragment:
    name: str
    on: Composite
    text: str
    scope: Scope


@dataclass
class Draft:
    schema: GraphQLSchema
    rng: Random
    pools: Pools
    shape: Shape
    left: int
    fragments: dict[str, Fragment] = member(default_factory=dict)
    variables: dict[str, Declared] = member(default_factory=dict)

    @property
    def values(self) -> Values:
        return Values(self.pools)

    def chance(self, probability: float) -> bool:
        return self.rng.random() < probability

    # selections

    def selections(self, parent: Composite, depth: int, scope: Scope) -> str:
        """What is between the braces, of one type; never nothing."""
        number = self.rng.choice((1, 2, 2, 3, 3, 4, 5))
        if isinstance(parent, GraphQLUnionType | GraphQLInterfaceType):
            number += 1
        parts = []
        for _ in range(number):
            if self.left <= 0:
                break
            part = self._one(parent, depth, scope)
            if part is not None:
                parts.append(part)
        wanted = not parts or self.chance(0.12)
        if wanted and (text := self.field(parent, "__typename", depth, scope)):
            parts.insert(self.rng.randrange(len(parts) + 1), text)
        return " ".join(parts) or self._typename(scope, parent)

    def _typename(self, scope: Scope, parent: Composite) -> str:
        name = f"t{len(self.fragments)}{self.left % 97}{self.rng.randrange(10**6)}"
        scope.add(name, Chosen(parent, "__typename", "", self._typename_type(), Scope()))
        return f"{name}: __typename"

    def _typename_type(self) -> Any:
        return _non_null(self.schema.type_map["String"])

    def _one(self, parent: Composite, depth: int, scope: Scope) -> str | None:
        abstract = is_abstract_type(parent)
        if self.chance(0.65 if abstract else 0.09):
            return self.inline(parent, depth, scope)
        if self.chance(0.2 if abstract else 0.09):
            return self.spread(parent, depth, scope)
        if isinstance(parent, GraphQLUnionType):
            return self.field(parent, "__typename", depth, scope)
        if self.chance(0.08) and (again := self._again(parent, depth, scope)):
            return again
        name = self._name(parent, depth)
        return None if name is None else self.field(parent, name, depth, scope)

    def _name(self, parent: GraphQLObjectType | GraphQLInterfaceType, depth: int) -> str | None:
        names = [name for name in parent.fields if f"{parent.name}.{name}" not in self.shape.left_out]
        inner = [name for name in names if not is_leaf_type(get_named_type(parent.fields[name].type))]
        if is_introspection_type(parent):
            inner = [name for name in inner if name not in _DEEP_INTROSPECTION or self.chance(0.15)]
        leaves = [name for name in names if is_leaf_type(get_named_type(parent.fields[name].type))]
        if depth >= self.shape.depth - 1:
            inner = []
        if "edges" in inner and self.chance(0.7):
            inner = [name for name in (*_LISTS, "pageInfo") if name in inner]
            leaves = []
        deeper = inner and (not leaves or self.chance(0.55 if depth < 4 else 0.3))
        names = inner if deeper else leaves
        return self.rng.choice(names) if names else None

    def field(self, parent: Composite, name: str, depth: int, scope: Scope) -> str | None:
        if name == "__typename":
            kind: Any = self._typename_type()
            arguments = ""
        else:
            assert not isinstance(parent, GraphQLUnionType)
            definition = parent.fields[name]
            kind = definition.type
            arguments = self._arguments(f"{parent.name}.{name}", definition)
        return self._chosen(parent, name, arguments, kind, depth, scope)

    def _chosen(
        self, parent: Composite, name: str, arguments: str, kind: Any, depth: int, scope: Scope
    ) -> str | None:
        self.left -= 1
        below = Scope()
        target: Any = get_named_type(kind)
        body = ""
        if not is_leaf_type(target):
            body = f" {{ {self.selections(target, depth + 1, below)} }}"
        chosen = Chosen(parent, name, arguments, kind, below)
        key = name
        if self.chance(0.18):
            key = self.rng.choice(_COMMON) if self.chance(0.5) else f"{name}_{self.rng.randrange(3)}"
        if not scope.takes(key, chosen):
            key = f"x{self.rng.randrange(10**6)}"
            if not scope.takes(key, chosen):
                return None
        scope.add(key, chosen)
        alias = "" if key == name else f"{key}: "
        return f"{alias}{name}{arguments}{self._directives()}{body}"

    def _again(self, parent: Composite, depth: int, scope: Scope) -> str | None:
        """A field that is selected here already, with more below it."""
        known = [(key, one) for key, many in scope.keys.items() for one in many if one.parent is parent]
        if not known:
            return None
        key, one = self.rng.choice(known)
        below = Scope()
        body = ""
        target: Any = get_named_type(one.type)
        if not is_leaf_type(target):
            body = f" {{ {self.selections(target, depth + 1, below)} }}"
        chosen = Chosen(one.parent, one.name, one.arguments, one.type, below)
        if not scope.takes(key, chosen):
            return None
        scope.add(key, chosen)
        self.left -= 1
        alias = "" if key == one.name else f"{key}: "
        return f"{alias}{one.name}{one.arguments}{self._directives()}{body}"

    # fragments

    def inline(self, parent: Composite, depth: int, scope: Scope) -> str | None:
        on = self._narrowed(parent)
        below = Scope()
        body = self.selections(on, depth, below)
        if not scope.takes_all(below):
            return None
        scope.add_all(below)
        condition = "" if on is parent and self.chance(0.5) else f" on {on.name}"
        return f"...{condition}{self._directives(0.15)} {{ {body} }}"

    def spread(self, parent: Composite, depth: int, scope: Scope) -> str | None:
        possible = {kind.name for kind in self._possible(parent)}
        fitting = [
            fragment
            for fragment in self.fragments.values()
            if possible & {kind.name for kind in self._possible(fragment.on)}
            and scope.takes_all(fragment.scope)
        ]
        if fitting and self.chance(0.6) and depth < self.shape.depth - 3:
            fragment = self.rng.choice(fitting)
        else:
            on = self._narrowed(parent)
            below = Scope()
            body = self.selections(on, depth, below)
            if not scope.takes_all(below):
                return None
            fragment = Fragment(f"F{len(self.fragments)}", on, body, below)
            self.fragments[fragment.name] = fragment
        scope.add_all(fragment.scope)
        return f"...{fragment.name}{self._directives(0.15)}"

    def _possible(self, kind: Composite) -> Sequence[GraphQLObjectType]:
        return [kind] if isinstance(kind, GraphQLObjectType) else self.schema.get_possible_types(kind)

    def _narrowed(self, parent: Composite) -> Composite:
        """A type that a fragment can be on here."""
        if isinstance(parent, GraphQLObjectType):
            others: list[Composite] = [parent, parent, *parent.interfaces]
        else:
            others = [*self._possible(parent), *self._possible(parent), parent]
        return self.rng.choice(others)

    def _directives(self, probability: float = 0.06) -> str:
        if not self.chance(probability):
            return ""
        found = f" @{self.rng.choice(('skip', 'include'))}(if: {self._condition()})"
        if self.chance(0.1) and " @skip" in found:
            found += f" @include(if: {self._condition()})"
        return found

    def _condition(self) -> str:
        if self.chance(0.3):
            return self.rng.choice(("true", "false"))
        boolean = _non_null(self.schema.type_map["Boolean"])
        return literal(self._variable(boolean, False, "@", "if"))

    # arguments

    def _arguments(self, place: str, definition: GraphQLField) -> str:
        given: list[str] = []
        order: Any = ()
        if "orderBy" in definition.args and self.chance(0.45):
            order = self._argument(place, "orderBy", definition.args["orderBy"])
            given.append(f"orderBy: {literal(order)}")
        for name, argument in definition.args.items():
            if name == "orderBy":
                continue
            if not is_required_argument(argument) and not self.chance(self._likely(name)):
                continue
            if name in _CURSORS:
                value = self._cursor(place, order, argument.type)
            else:
                value = self._argument(place, name, argument)
            given.append(f"{name}: {literal(value)}")
        self.rng.shuffle(given)
        return f"({', '.join(given)})" if given else ""

    @staticmethod
    def _likely(name: str) -> float:
        return {"first": 0.5, "last": 0.08, "after": 0.18, "before": 0.08, "filter": 0.35}.get(name, 0.5)

    def _argument(self, place: str, name: str, argument: Any) -> Any:
        variable = self._in_place(argument.type, has_default(argument), place, name, 0.3)
        if variable is not None:
            return variable

        def inner(kind: GraphQLInputType, default: bool, place: str, hint: str) -> Variable | None:
            return self._in_place(kind, default, place, hint, 0.06)

        return self.values.make(self.rng, argument.type, place, name, inner)

    def _in_place(
        self, kind: GraphQLInputType, default: bool, place: str, hint: str, probability: float
    ) -> Variable | None:
        return self._variable(kind, default, place, hint) if self.chance(probability) else None

    def _cursor(self, place: str, order: Any, kind: GraphQLInputType) -> Any:
        ordering = self.pools.orders.get(place) if order == () else _ordering(order)

        def make(rng: Random) -> str:
            return self.pools.cursor(rng, ordering)

        return self._declare(kind, False, make) if self.chance(0.4) else make(self.rng)

    def _variable(self, kind: GraphQLInputType, default: bool, place: str, hint: str) -> Variable:
        return self._declare(kind, default, lambda rng: self.values.make(rng, kind, place, hint))

    def _declare(self, kind: GraphQLInputType, default: bool, make: Callable[[Random], Any]) -> Variable:
        """A variable for a place: of its type, or of a stricter one; sometimes one that is there already."""
        written = str(kind)
        shown: str | None = None
        if isinstance(kind, GraphQLNonNull):
            if self.chance(0.2):
                shown = literal(make(self.rng))
                written = str(kind.of_type) if self.chance(0.5) else written
        elif self.chance(0.2):
            written += "!"
        elif self.chance(0.25):
            shown = literal(make(self.rng))
        if default and written.endswith("!") and self.chance(0.5):
            written = written[:-1]
        if self.chance(0.25):
            equal = [one for one in self.variables.values() if (one.type, one.default) == (written, shown)]
            if equal:
                return Variable(self.rng.choice(equal).name)
        if shown is not None and shown == "null" and written.endswith("!"):
            shown = None
        name = f"v{len(self.variables)}"
        self.variables[name] = Declared(name, written, shown, make)
        return Variable(name)


def _non_null(kind: Any) -> Any:
    return GraphQLNonNull(kind)


def _ordering(order: Any) -> str | None:
    """How cursors call the ordering that `orderBy` asks for; `None` where a variable says so."""
    terms = order if isinstance(order, list) else [order]
    if not terms or any(not isinstance(term, dict) for term in terms):
        return None
    found: dict[str, bool] = {}
    for term in terms:
        if isinstance(term["field"], Variable) or isinstance(term.get("direction"), Variable):
            return None
        found.setdefault(str(term["field"]), term.get("direction") == EnumName("DESC"))
    names = [f"-{name}" if down else name for name, down in found.items()]
    return ",".join([*names, "-id" if list(found.values())[-1] else "id"])
