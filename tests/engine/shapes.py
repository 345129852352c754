"""A schema with input types of every shape, also of such as nothing in the project uses."""

from dataclasses import dataclass
from decimal import Decimal
from enum import Enum
from typing import Annotated

import strawberry
from strawberry.relay import GlobalID
from strawberry.schema.config import StrawberryConfig

from crm_framework.engine import BigInt
from crm_framework.engine.orders import as_given
from crm_framework.schema.scalars import SCALARS


@strawberry.enum
class Colour(Enum):
    RED = "r"
    GREEN = strawberry.enum_value("g", name="VERDE")


@strawberry.input
class Point:
    x: int
    y: float = 0.5
    label: str | None = None
    colour: Colour = Colour.RED


@strawberry.input
class Tree:
    name: str
    children: list["Tree"] | None = strawberry.UNSET
    lines: list[list[int]] = strawberry.field(default_factory=lambda: [[1], [2]])
    points: list[Point | None] = strawberry.field(default_factory=lambda: [Point(x=1)])
    corner: Point | None = strawberry.field(default_factory=lambda: Point(x=7, label="c"))
    colours: list[Colour | None] | None = None
    total: Decimal | None
    wide: BigInt = BigInt(3)
    in_: str | None = strawberry.field(name="in", default=strawberry.UNSET)
    some_name: strawberry.ID = strawberry.ID("i")
    json: strawberry.scalars.JSON = strawberry.field(default_factory=lambda: {"a": [1]})


@strawberry.input
class Checked:
    """Checks itself when it is made."""

    number: int = 3
    double: strawberry.Private[int] = 0

    def __post_init__(self) -> None:
        self.double = self.number * 2


@strawberry.input
class Condition:
    point: Point | None = strawberry.UNSET
    all: list["Condition"] | None = strawberry.UNSET
    limit: int = 3
    note: str | None


as_given(Condition)


@strawberry.input
class Holder:
    condition: Condition | None = None
    conditions: list[Condition] = strawberry.field(default_factory=list)
    checked: Checked | None = strawberry.UNSET


@strawberry.input(one_of=True)
class Choice:
    number: int | None = strawberry.UNSET
    point: Point | None = strawberry.UNSET


@strawberry.input
class Exotic:
    """What structs cannot say."""

    maybe: strawberry.Maybe[int | None]
    node: GlobalID | None = None
    choices: list[Choice] | None = strawberry.UNSET
    point: Point | None = strawberry.UNSET


@dataclass
class Answer:
    shown: str


@strawberry.type
class Query:
    @strawberry.field
    def leaves(
        self,
        a: int,
        b: float | None = 1.5,
        c: bool = True,
        d: str | None = strawberry.UNSET,
        colour: Colour = Colour.GREEN,
        ids: list[strawberry.ID] | None = None,
        total: Decimal = Decimal(3),
    ) -> str:
        return ""

    @strawberry.field
    def objects(
        self,
        point: Point | None = None,
        tree: Tree | None = strawberry.UNSET,
        trees: Annotated[list[Tree], strawberry.argument(name="many")] = [],  # noqa: B006 # a default like any other
        holder: Holder | None = None,
        condition: Condition | None = None,
        conditions: list[Condition | None] | None = None,
        checked: Checked | None = None,
    ) -> str:
        return ""

    @strawberry.field
    def exotic(
        self,
        exotic: Exotic | None = None,
        choice: Choice | None = strawberry.UNSET,
        node: GlobalID | None = None,
        point: Point | None = None,
    ) -> str:
        return ""


def make_schema() -> strawberry.Schema:
    config = StrawberryConfig(scalar_map={BigInt: SCALARS[BigInt]})
    return strawberry.Schema(Query, config=config)
