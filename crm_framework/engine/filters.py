"""What a type can be filtered by, as data. Each schema makes its input types of it; plugins add members."""

from collections.abc import Awaitable, Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from enum import Enum
from functools import cached_property
from typing import TYPE_CHECKING, Any, Literal

from .comparisons import OPERATORS, compared
from .errors import DeclarationError, RequestError, going_on
from .sql import Dialect, Fragment, all_of, any_of, name, none_of

if TYPE_CHECKING:
    from .context import Context

Kind = Literal["string", "int", "bigint", "decimal", "datetime", "date", "boolean", "enum", "id", "custom"]
Condition = Callable[[Any, Dialect], Fragment]
"""(value as the client gave it, dialect) → condition on the table `t`."""
Lookup = Callable[[Any, Sequence[Any]], Awaitable[Condition]]
"""(context of the request, the values that filters have for the member) → what makes conditions of them."""
Filter = Mapping[str, Any]
"""A filter with the API's names and plain values."""
Names = Callable[[Any, Sequence[str]], Awaitable[Mapping[str, Filter | RequestError]]]
"""(context of the request, names) → what these stand for, and those which that names in turn."""
Found = Mapping[str, Callable[[Any, Dialect], Fragment | Filter] | Exception]
"""What was looked up: member → (value, dialect) → what it means; or why nobody knows."""


@dataclass(frozen=True)
class Member:
    """One member of a filter input.

    `name` is its name in the API. The value compared is a `column` of the filtered table or `sql`, an
    expression over that table, called `t`. A member of kind "enum" names its `enum`; one of kind "id" the
    type `of` whose ids it takes; `key_type` is the SQL type of that key on PostgreSQL. `normalise` is applied
    to the texts of a "string" member, where the column holds a normal form. A member of kind "custom" has its
    own GraphQL type, `input`, and a function `condition`; it raises `RequestError` BAD_INPUT for a value that
    does not fit. Where a condition rests on what has to be awaited, there is `lookup` in its place, which
    gives that function: it is called with the request's context and the values that there are of the member,
    once for all filters that are looked at together. Where a value is the name of another filter, there is
    `names`, which gives these.
    `permission` is what an actor needs to filter by it, where the list itself needs another: what is found
    tells the value. `also` is a second one, where the value is made of what needs two.
    """

    name: str
    kind: Kind
    description: str
    column: str | None = None
    sql: str | None = None
    enum: type[Enum] | None = None
    of: str | None = None
    key_type: str = "uuid"
    normalise: Callable[[str], str] | None = None
    input: Any = None
    condition: Condition | None = None
    lookup: Lookup | None = None
    names: Names | None = None
    permission: str | None = None
    also: str | None = None

    def __post_init__(self) -> None:
        if self.column is not None:
            name(self.column)
        for fault, todo in (
            (not self.description, "Give it a description"),
            (self.kind == "enum" and self.enum is None, "Name its enum"),
            (self.kind == "id" and self.of is None, "Name the type whose ids it takes: of="),
            (
                self.kind == "custom"
                and (
                    self.input is None
                    or [self.condition, self.lookup, self.names].count(None) != 2  # one of them
                ),
                "Give input=, and one of condition=, lookup= and names=",
            ),
            (
                self.kind != "custom" and (self.column is None) == (self.sql is None),
                "Give either column= or sql=",
            ),
        ):
            if fault:
                raise DeclarationError(
                    f"member {self.name}", f"a member of kind {self.kind} is incomplete", todo
                )

    @property
    def expression(self) -> str:
        """What is compared."""
        return self.sql or f"t.{name(self.column or self.name)}"


@dataclass(frozen=True)
class FilterSpec:
    """A filter input: its name in the API, such as "CustomerFilter", and its members."""

    name: str
    members: tuple[Member, ...]
    description: str = "All members given must hold. An empty filter selects everything."

    def __init__(self, name: str, members: Iterable[Member], description: str | None = None) -> None:
        object.__setattr__(self, "name", name)
        object.__setattr__(self, "members", tuple(members))
        if description is not None:
            object.__setattr__(self, "description", description)

    @cached_property
    def lookups(self) -> Mapping[str, Member]:
        """The members that have to be looked up, by name."""
        return {member.name: member for member in self.members if member.lookup or member.names}

    def extended(self, members: Iterable[Member]) -> "FilterSpec":
        """The same with further members. Raises `DeclarationError` for a name that is taken."""
        added = tuple(members)
        names = [member.name for member in (*self.members, *added)] + ["and", "or", "not"]
        for member in added:
            if names.count(member.name) > 1:
                raise DeclarationError(
                    f"{self.name}.{member.name}", "the name is taken", "Choose another one"
                )
        return FilterSpec(self.name, (*self.members, *added), self.description) if added else self


MAX_DEPTH = 6
"""How deep `and`, `or` and `not` may be nested."""
MAX_CONDITIONS = 100
"""How many members one filter may hold in all."""
MAX_COMBINED = 500
"""How many filters `and`, `or` and `not` may hold in all."""
MAX_NAMED = 50
"""How many others one filter may name in all, each as often as it is named, and those that they name."""
MAX_VALUES = 5_000
"""How many values one filter may compare with in all; PostgreSQL takes 32,767 for a whole statement."""
MAX_TEXT = 2_000
"""Characters of a text that a filter compares with."""


@dataclass
class _Budget:
    """What a filter may still hold. Each method takes one away, and is false when there was none."""

    conditions: int = MAX_CONDITIONS
    combined: int = MAX_COMBINED
    named: Iterator[int] = field(default_factory=lambda: iter(range(MAX_NAMED)))
    """Those of the outermost one are for all."""

    def condition(self) -> bool:
        self.conditions -= 1
        return self.conditions >= 0

    def combination(self) -> bool:
        self.combined -= 1
        return self.combined >= 0

    def name(self) -> "_Budget | None":
        """What the named filter may hold: how deep it goes and what it holds counts anew."""
        return None if next(self.named, None) is None else _Budget(named=self.named)


def check_members(spec: FilterSpec, value: Any, context: "Context", may: Callable[[str], bool]) -> None:
    """Raises `RequestError` FORBIDDEN for members that need a permission which `may` denies.

    What a filter names is not looked at: who gave it the name vouched for it.
    """
    denied = {
        member.name: need
        for member in spec.members
        for need in (member.also, member.permission)
        if need is not None and not may(need)
    }
    found = [name for name in dict.fromkeys(_names(value)) if name in denied] if denied else []
    if found:
        raise context.refusal((f"{spec.name}.{name}", denied[name]) for name in found)


def _names(value: Any) -> Iterator[str]:
    if isinstance(value, list | tuple):
        for inner in value:
            yield from _names(inner)
    elif isinstance(value, Mapping):
        for name, inner in value.items():
            if name in COMBINE:
                yield from _names(inner)
            else:
                yield name


_NOTHING: Found = {}


def compile_filter(spec: FilterSpec, value: Filter, dialect: Dialect, found: Found = _NOTHING) -> Fragment:
    """The condition that a filter means, on the table `t`.

    `value` has the API's names and plain values: those of a request, coerced, or of stored JSON. `found` is
    what `look_up` gave for it. A comparison with NULL is false, and `not` is the complement. Raises
    `RequestError` BAD_INPUT with the path of what does not fit, and what a lookup that failed has raised.
    """
    condition = _Compiler(spec, dialect, found).group(value, (), _Budget(), 0)
    if len(condition.args) > MAX_VALUES:
        problem = f"{len(condition.args)} values are too many; {MAX_VALUES} may be compared with in all"
        raise refused((), problem)
    return condition


@dataclass(frozen=True)
class _Compiler:
    spec: FilterSpec
    dialect: Dialect
    found: Found

    @cached_property
    def members(self) -> Mapping[str, Member]:
        return {member.name: member for member in self.spec.members}

    def group(self, value: Any, path: tuple[str, ...], budget: _Budget, depth: int) -> Fragment:
        if not isinstance(value, Mapping):
            raise refused(path, "a filter is an object of members")
        if depth > MAX_DEPTH:
            raise refused(path, f"and, or and not are nested more than {MAX_DEPTH} deep")
        parts: list[Fragment] = []
        for key, given in value.items():
            here = (*path, key)
            if given is None:
                raise refused(here, "null is no condition; leave it out, or use isNull")
            if key in COMBINE:
                parts.append(self._combined(key, given, here, budget, depth + 1))
            elif key in self.members:
                if not budget.condition():
                    raise refused(here, f"a filter may hold {MAX_CONDITIONS} conditions at most")
                parts.append(self._member(self.members[key], given, here, budget))
            else:
                known = ", ".join(self.members)
                raise refused(here, f"there is no such member; {self.spec.name} has {known}, and, or, not")
        return all_of(parts)

    def _combined(self, key: str, given: Any, path: tuple[str, ...], budget: _Budget, depth: int) -> Fragment:
        if key == "not":
            return none_of(self.group(given, path, budget, depth))
        if not isinstance(given, list | tuple):
            raise refused(path, "a list of filters is expected")
        inner = []
        for i, one in enumerate(given):
            here = (*path, str(i))
            if not budget.combination():
                raise refused(here, f"and, or and not may hold {MAX_COMBINED} filters in all")
            inner.append(self.group(one, here, budget, depth))
        return all_of(inner) if key == "and" else any_of(inner)

    def _member(self, member: Member, given: Any, path: tuple[str, ...], budget: _Budget) -> Fragment:
        for place, length in long_texts(given, path):
            raise refused(place, f"{length} characters are too many; a text may have {MAX_TEXT}. Shorten it")
        if member.kind != "custom":
            return _comparisons(member, given, self.dialect, path)
        condition = member.condition or self.found.get(member.name)
        if condition is None:
            raise refused(path, "it rests on what cannot be looked up here")
        if isinstance(condition, Exception):
            raise condition
        try:
            with going_on():
                meant = condition(given, self.dialect)
        except RequestError as error:
            raise RequestError(error.code, f"{'.'.join(('filter', *path))}: {error.message}") from None
        if isinstance(meant, Fragment):
            return meant
        inner = budget.name()
        if inner is None:
            raise refused(path, f"the filter builds on more than {MAX_NAMED} others")
        return self.group(meant, path, inner, 0)


def long_texts(value: Any, path: tuple[str, ...] = ()) -> Iterator[tuple[tuple[str, ...], int]]:
    """The texts in a member's value that have too many characters: where each is, and how many those are."""
    if isinstance(value, str):
        if len(value) > MAX_TEXT:
            yield path, len(value)
    elif isinstance(value, Mapping):
        for name, inner in value.items():
            yield from long_texts(inner, (*path, str(name)))
    elif isinstance(value, list | tuple):
        for i, inner in enumerate(value):
            yield from long_texts(inner, (*path, str(i)))


def _comparisons(member: Member, given: Any, dialect: Dialect, path: tuple[str, ...]) -> Fragment:
    if not isinstance(given, Mapping):
        raise refused(path, "an object of comparisons is expected")
    parts: list[Fragment] = []
    for operator, operand in given.items():
        here = (*path, operator)
        if operator not in OPERATORS[member.kind]:
            known = ", ".join(OPERATORS[member.kind])
            raise refused(here, f"there is no such comparison; {member.name} has {known}")
        if operand is None:
            raise refused(here, "null is no value to compare with; leave it out, or use isNull")
        try:
            parts.append(compared(member, operator, operand, dialect))
        except (ValueError, TypeError, ArithmeticError, RequestError) as error:
            raise refused(here, str(error)) from None
    return all_of(parts)


COMBINE = ("and", "or", "not")


def refused(path: Iterable[str], problem: str) -> RequestError:
    """The error for a filter that does not fit."""
    return RequestError("BAD_INPUT", f"{'.'.join(('filter', *path))}: {problem}")
