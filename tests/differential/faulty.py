"""A schema of which every part goes wrong now and then, as the seed and the place alone decide.

Objects and rows have fields of each type in each wrapping of lists and non-null; what they give is right most
of the time, and otherwise null, an exception, of a wrong type, or too short.
"""

from collections.abc import Callable, Sequence
from datetime import datetime
from enum import Enum
from random import Random
from types import GenericAlias
from typing import Annotated, Any

import strawberry
from strawberry.annotation import StrawberryAnnotation
from strawberry.types.field import StrawberryField

from crm_framework.engine import (
    PUBLIC,
    Batch,
    Connection,
    Context,
    EngineSchema,
    Fragment,
    Node,
    OrderField,
    Orders,
    RequestError,
    batch,
    children,
    column,
    computed,
    connection,
    load,
    load_where,
    node,
    reference,
    root,
)

THINGS = 6


class Chaos:
    """What goes wrong in this operation: set before each run, so that every executor meets the same."""

    seed: str = ""
    rate: float = 0.0

    def at(self, *place: object) -> Random:
        return Random(f"{self.seed}/{'/'.join(map(str, place))}")


CHAOS = Chaos()


@strawberry.enum(description="A colour.")
class Colour(Enum):
    RED = strawberry.enum_value("red", description="Red.")
    BLUE = strawberry.enum_value("blue", description="Blue.")


@strawberry.type(description="A plain object that an attribute, a function or a list holds.")
class Part:
    label: str = strawberry.field(description="Not null, though the object may have none.")
    size: int | None = strawberry.field(description="A number.")
    colour: Colour | None = strawberry.field(description="A colour.", default=None)
    inner: "Part | None" = strawberry.field(description="One within.", default=None)
    others: "list[Part]" = strawberry.field(description="Some within.", default_factory=list)
    maybe: "list[Part | None] | None" = strawberry.field(description="Perhaps some.", default=None)
    thing_id: strawberry.Private[str | None] = None
    thing: "Thing | None" = reference("thing_id", "The thing that it belongs to.")

    @strawberry.field(description="By an ordinary resolver.")  # type: ignore[untyped-decorator]  # Strawberry's own
    def plain(self) -> int:
        found: int = _raised(_value(CHAOS.at("Part.plain", self.label), _number))
        return found

    @strawberry.field(description="By an ordinary resolver that waits.")  # type: ignore[untyped-decorator]  # Strawberry's own
    async def later(self) -> "Part | None":
        found: Part | None = _raised(_value(CHAOS.at("Part.later", self.label), lambda rng: _part(rng, 2)))
        return found


@strawberry.type(description="Another plain object.")
class Poster:
    headline: str = strawberry.field(description="In large letters.")


@strawberry.type(description="An object that is in no union and implements nothing.")
class Stranger:
    name: str = strawberry.field(description="Unknown.")


@strawberry.type(description="An object that says itself what is of its type: graphql-core has to ask it.")
class Odd:
    name: str = strawberry.field(description="Not null, though the object may have none.")
    thing_id: strawberry.Private[str | None] = None
    thing: "Thing | None" = reference("thing_id", "The thing that it belongs to.")

    @classmethod
    def is_type_of(cls, value: Any, info: Any) -> bool:
        known = getattr(value, "_values", value)
        return isinstance(known, cls)


Found = Annotated["Part | Poster | Thing", strawberry.union("Found", description="Whatever was found.")]


@node(table="chaos_thing", permission=PUBLIC, hidden={"parent_id": str | None, "secret": str | None})
class Thing(Node):
    """A row; some of its columns hold NULL where their fields may not be null."""

    name: str = column("Not null here, but in the table.")
    amount: int = column("Not null here, but in the table.")
    note: str | None = column("Null or not.")
    at: datetime | None = column("A moment.")
    colour: Colour | None = column("Some value of the table that may be no colour.")
    parent: "Thing" = reference("parent_id", "Not null, though the row may be gone.")
    perhaps: "Thing | None" = reference("parent_id", "Null if the row is gone.")
    below: "list[Thing]" = children(key="parent_id", order=("name",), description="Those below.")
    paged: "Connection[Thing]" = connection(
        key="parent_id",
        orders=Orders("ThingOrder", [OrderField("NAME", "string", "By name.", column="name", nullable=True)]),
        default_order=("NAME",),
        description="Those below, in pages.",
    )

    @computed()
    @staticmethod
    def shout(name: str, amount: int) -> str:
        "Fails for what is null."
        return name.upper() + "!" * amount

    @computed()
    @staticmethod
    def whisper(name: str | None) -> str | None:
        "Fails now and then."
        return _raised(_value(CHAOS.at("whisper", name), lambda rng: "…"))  # type: ignore[no-any-return]  # or a fault

    @computed()
    @staticmethod
    def parts(id: str, amount: int | None) -> "list[Part | None]":
        "As many as it says; fails for null."
        assert amount is not None
        return [_value(CHAOS.at("parts", id, n), lambda rng: _part(rng, 1)) for n in range(amount)]


class _Fault(Exception):
    """What a resolver of somebody else's raises."""


def _raised(value: Any) -> Any:
    if isinstance(value, Exception):
        raise value
    return value


def _number(rng: Random) -> Any:
    return rng.randrange(100)


def _word(rng: Random) -> Any:
    return f"w{rng.randrange(100)}"


def _colour(rng: Random) -> Any:
    return rng.choice(list(Colour))


def _part(rng: Random, depth: int = 0) -> Part:
    """A part with parts; its own members go wrong as well."""
    more = depth < 2

    def below(inner: Random) -> Part:
        return _part(inner, depth + 1)

    return Part(
        label=_value(rng, _word),
        size=_value(rng, _number),
        colour=_value(rng, _colour),
        inner=_value(rng, below) if more and rng.random() < 0.5 else None,
        others=_value(rng, lambda r: [_value(r, below) for _ in range(2)]) if more else [],
        maybe=_value(rng, lambda r: [_value(r, below)]) if more else None,
        thing_id=rng.choice((None, key(rng.randrange(THINGS)), key(99))),
    )  # fmt: skip


def _odd(rng: Random) -> Any:
    if CHAOS.rate and rng.random() < 0.1:
        return Stranger(name="x")
    return Odd(name=_value(rng, _word), thing_id=rng.choice((None, key(1), key(99))))


def _found(rng: Random) -> Any:
    if CHAOS.rate and rng.random() < 0.1:
        return Stranger(name="x")
    return rng.choice((_part(rng, 2), Poster(headline="Read!")))


def _value(rng: Random, make: Callable[[Random], Any]) -> Any:
    """The value, or what goes wrong in its place."""
    if rng.random() >= CHAOS.rate:
        return make(rng)
    kind = rng.randrange(8)
    if kind < 3:
        return None
    if kind < 5:
        return _Fault("secret text")
    if kind == 5:
        return RequestError("BAD_INPUT", "this does not fit")
    return rng.choice(("text", 2**40, 1.5, object, [1], {"a": 1}, True))


def _perhaps(place: tuple[object, ...], value: Any) -> Any:
    return _value(CHAOS.at(*place), lambda rng: value)


LEAVES: dict[str, tuple[Any, Callable[[Random], Any]]] = {
    "int": (int, _number),
    "string": (str, _word),
    "colour": (Colour, _colour),
    "part": (Part, _part),
    "found": (Found, _found),
    "odd": (Odd, _odd),
}


def _list_of(kind: Any) -> Any:
    return GenericAlias(list, (kind,))


WRAPPINGS: dict[str, Callable[[Any], Any]] = {
    "One": lambda kind: kind,
    "Maybe": lambda kind: kind | None,
    "List": _list_of,
    "ListOfMaybe": lambda kind: _list_of(kind | None),
    "MaybeList": lambda kind: _list_of(kind) | None,
    "MaybeListOfMaybe": lambda kind: _list_of(kind | None) | None,
    "Grid": lambda kind: _list_of(_list_of(kind)),
    "GridOfMaybe": lambda kind: _list_of(_list_of(kind | None) | None) | None,
}


def _filled(rng: Random, wrapping: str, make: Callable[[Random], Any]) -> Any:
    """A value in a wrapping, wrong at any level of it."""
    if "Grid" in wrapping:
        inner = "ListOfMaybe" if "Maybe" in wrapping else "List"
        return _value(
            rng, lambda r: [_value(r, lambda s: _filled(s, inner, make)) for _ in range(r.randrange(3))]
        )
    if "List" in wrapping:
        return _value(rng, lambda r: [_value(r, make) for _ in range(r.randrange(4))])
    return _value(rng, make)  # fmt: skip


def _batched(name: str, annotation: Any, wrapping: str, make: Callable[[Random], Any]) -> StrawberryField:
    def given(parents: Batch[Any]) -> list[Any]:
        return [_filled(CHAOS.at(name, one), wrapping, make) for one in parents.column("id")]

    async def given_later(parents: Batch[Any]) -> list[Any]:
        return given(parents)

    function = given if len(name) % 2 else given_later
    function.__name__ = name
    function.__doc__ = "Right, or wrong."
    function.__annotations__["return"] = list[annotation]
    return batch()(function)


def _rooted(name: str, annotation: Any, wrapping: str, make: Callable[[Random], Any]) -> StrawberryField:
    def given() -> Any:
        return _raised(_filled(CHAOS.at(name), wrapping, make))

    async def given_later() -> Any:
        return given()

    function = given if len(name) % 2 else given_later
    function.__name__ = name
    function.__doc__ = "Right, or wrong."
    function.__annotations__["return"] = annotation
    return root(permission=PUBLIC)(function)


@batch()
def whole(things: Batch[Thing]) -> list[int | None]:
    "Fails for all of them."
    if CHAOS.at("whole").random() < CHAOS.rate * 3:
        raise _Fault("secret text")
    return [len(one) for one in things.ids]


@batch()
async def friend(things: Batch[Thing], info: strawberry.Info, far: int = 1) -> list[Thing | None]:
    "Another row; some are gone, some fail."
    wanted = [key(CHAOS.at("friend", one).randrange(THINGS + far)) for one in things.ids]
    found: list[Any] = list(await load(info, Thing, wanted))
    return [_perhaps(("friend?", one), found[n]) for n, one in enumerate(things.ids)]


@batch()
async def friends(things: Batch[Thing], info: strawberry.Info) -> list[list[Thing]]:
    "Other rows, though some may be gone."
    wanted = [
        [key(CHAOS.at("friends", one, n).randrange(THINGS + 1)) for n in range(2)] for one in things.ids
    ]
    found: list[Any] = list(await load(info, Thing, [one for many in wanted for one in many]))
    return [found[2 * n : 2 * n + 2] for n in range(len(wanted))]


@batch()
async def ties(things: Batch[Thing], info: strawberry.Info) -> list[Node | None]:
    "Of any type that is a node, and now and then of one that is none."
    found: list[Any] = list(await load(info, Thing, things.ids))
    return [
        Stranger(name="x") if CHAOS.at("ties", one).random() < CHAOS.rate else found[n]  # type: ignore[misc]  # the fault
        for n, one in enumerate(things.ids)
    ]


@root(permission=PUBLIC)
async def things(info: strawberry.Info, limit: int = 3) -> list[Thing]:
    "Rows by name."
    return await load_where(info, Thing, Fragment("1 = 1"), order=("id",), limit=limit)


@root(permission=PUBLIC)
async def thing(info: strawberry.Info, number: int = 0) -> Thing | None:
    "One row, if it is there."
    return (await load(info, Thing, [key(number)]))[0]


@root(permission=PUBLIC)
async def mixed(info: strawberry.Info) -> list[Found | None]:
    "Rows and objects, one beside the other."
    rows = await load_where(info, Thing, Fragment("1 = 1"), order=("id",), limit=2)
    found: list[Any] = [rows[0], _found(CHAOS.at("mixed", 1)), None, rows[1], _part(CHAOS.at("mixed", 2))]
    return [_perhaps(("mixed", "each", n), one) for n, one in enumerate(found)]


ROW_ORDERS = Orders("RowOrder", [OrderField("ROW_NAME", "string", "By name.", column="name", nullable=True)])


class _Lists:
    rows: Connection[Thing] = connection(
        orders=ROW_ORDERS,
        default_order=("ROW_NAME",),
        description="All rows, in pages.",
        permission=PUBLIC,
    )  # fmt: skip


def key(number: int) -> str:
    return f"00000000-0000-7000-8000-{number:012d}"


TABLE = "CREATE TABLE chaos_thing (id {key} PRIMARY KEY, parent_id {key}, name {text}, amount INTEGER, note {text}, at {moment}, colour {text}, secret {text})"  # noqa: E501  # one statement
ROWS: Sequence[tuple[Any, ...]] = (
    (0, None, "a", 1, None, "red"),
    (1, 0, "b", None, "n", "blue"),
    (2, 0, None, 2, "n", None),
    (3, 1, "d", 0, None, "green"),
    (4, 77, "a", 3, "", "red"),
    (5, 5, "", 1, "n", "blue"),
)
"""Number, parent, name, amount, note, colour."""


class ChaosContext(Context):
    def may(self, permission: str) -> bool:
        return permission in (PUBLIC, "introspect")


def make_schema() -> EngineSchema:
    """The schema with a field of each type in each wrapping, on rows and at the root."""
    extended: list[StrawberryField] = [whole, friend, friends, ties]
    roots: list[StrawberryField] = [things, thing, mixed]
    for kind, (leaf, make) in LEAVES.items():
        for wrapping, wrap in WRAPPINGS.items():
            # quoted names are resolved here, before anything is wrapped around them
            inner = (
                StrawberryAnnotation(leaf, namespace=globals()).evaluate() if isinstance(leaf, str) else leaf
            )
            extended.append(_batched(f"{kind}{wrapping}", wrap(inner), wrapping, make))
            roots.append(_rooted(f"{kind}{wrapping}", wrap(inner), wrapping, make))
    query = strawberry.type(
        type("Query", (_Lists,), {"__annotations__": {}}), name="Query", description="Reads."
    )
    return EngineSchema(query, extend={Thing: extended, query: roots}, types=[Stranger])  # fmt: skip
