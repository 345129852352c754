"""Plans: what an operation selects, field by field, in the form in which it is run.

A plan depends on nothing of a request: not on who asks, nor on the values of its variables except of those
that `@skip` and `@include` look at. It is made once (`planner`) and run many times (`run`), and keeps of the
last run what the next may need again (`Last`), with all that this goes by.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from dataclasses import field as member
from typing import TYPE_CHECKING, Any, Literal

from graphql import (
    DocumentNode,
    FieldNode,
    FragmentDefinitionNode,
    GraphQLAbstractType,
    GraphQLField,
    GraphQLLeafType,
    GraphQLObjectType,
    OperationDefinitionNode,
)
from strawberry.types.field import StrawberryField

from .arguments import ArgumentPlan
from .declarations import Declaration, Source
from .last import Last
from .layouts import Layout

if TYPE_CHECKING:
    from .builders import Builder
    from .cost import Cost
    from .hanging import Hung
    from .json_texts import Texts
    from .listings import Asked
    from .straight import Straight
    from .whole import Whole

Kind = Literal[
    "typename",  # the object's type
    "column",  # of its row
    "identity",  # its global id
    "computed",  # a leaf by a function of columns
    "attribute",  # a leaf of a plain object
    "reference",  # one row by key
    "children",  # all rows that hold the parent's key
    "one",  # the first row that holds the parent's key
    "pages",  # a page of a list for each parent
    "batch",  # what a function gives for all parents
    "objects",  # what an attribute of plain objects leads to
    "ordinary",  # an ordinary Strawberry resolver, called for each object
    "root",  # a function of a root type
]
INLINE: frozenset[Kind] = frozenset({"typename", "column", "identity", "computed", "attribute"})
"""Kinds whose value is an expression over the object itself."""


@dataclass(frozen=True, slots=True)
class Shape:
    """Whether a value may be null, and the shape of its items if it is a list."""

    required: bool
    item: "Shape | None" = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Reading:
    """What must be read for a field, or for several that ask the same of one level and select differently.

    `layout` has the columns of the records that it leads to, `wanted` those of each type that a function may
    return the rows of. Of pages: whether their `rows` are needed at all, their `places` for cursors, whether
    more rows follow (`peek`), and their `count`.
    """

    layout: Layout | None = None
    wanted: Mapping[type, Layout] = member(default_factory=dict)
    rows: bool = False
    places: bool = False
    peek: bool = False
    count: bool = False

    def and_also(self, other: "Reading") -> "Reading":
        """What is needed for both."""
        layout = self.layout
        if layout is not None and other.layout is not None:
            layout = Layout(layout.source, (*layout.attributes, *other.layout.attributes))
        wanted = dict(self.wanted)
        for origin, more in other.wanted.items():
            known = wanted[origin].attributes if origin in wanted else ()
            wanted[origin] = Layout(more.source, (*known, *more.attributes))
        return Reading(
            layout=layout,
            wanted=wanted,
            rows=self.rows or other.rows,
            places=self.places or other.places,
            peek=self.peek or other.peek,
            count=self.count or other.count,
        )


@dataclass(eq=False, slots=True, kw_only=True)
class PlannedField:
    """A field of a selection. `place` is its path in the response, without the numbers of lists."""

    key: str
    kind: Kind
    name: str
    owner: GraphQLObjectType
    nodes: list[FieldNode]
    shape: Shape
    place: str
    definition: GraphQLField | None = None
    field: StrawberryField | None = None
    declaration: Declaration | None = None
    leaf: GraphQLLeafType | None = None
    target: "Selection | Choice | None" = None
    arguments: ArgumentPlan | None = None
    reading: Reading = Reading()
    pages: bool = False
    """Whether its values are pages."""
    asked: "Last[Asked]" = member(default_factory=Last)
    """See `asking`."""

    @property
    def selection(self) -> "Selection":
        """What is selected of the objects of a field that leads to one type."""
        assert isinstance(self.target, Selection)
        return self.target

    @property
    def title(self) -> str:
        """`Type.field`."""
        return f"{self.owner.name}.{self.name}"


@dataclass(eq=False, slots=True, kw_only=True)
class Selection:
    """What is selected of the objects of one type, in the order of the response.

    `layout` has the columns that this takes, for a type whose objects are rows.
    """

    of: GraphQLObjectType
    origin: type | None
    source: Source | None
    fields: list[PlannedField] = member(default_factory=list)
    layout: Layout | None = None
    filled: list[PlannedField] = member(default_factory=list)
    """The fields whose values are found for all objects at once, before these are built."""
    repeats: bool = False
    """Whether one of them is there under several keys."""
    recent: "Last[Builder]" = member(default_factory=Last)
    """The builder that was used last."""
    builders: dict[Any, "Builder"] = member(default_factory=dict)
    """What makes the output of rows of one layout; made when such rows first come."""
    texts: "Texts | None" = None
    """How the database writes the objects itself, once it is known whether it can."""
    texts_known: bool = False
    whole: "Whole | None" = None
    """How it writes the objects with the lists that hang on them, likewise."""
    whole_known: bool = False
    joined: "Sequence[Hung] | None" = None
    """Fields whose one record SQLite reads with the objects, once it is known which."""
    hung: Last[Any] = member(default_factory=Last)
    """What was made of the records that were last read with the objects: see `hanging`."""

    def add(self, one: PlannedField) -> None:
        """One more field."""
        self.fields.append(one)
        if one.kind not in INLINE:
            self.repeats = self.repeats or any(one.name == other.name for other in self.filled)
            self.filled.append(one)


@dataclass(eq=False, slots=True, kw_only=True)
class Choice:
    """What is selected of objects that can be of several types: of each type its own."""

    of: GraphQLAbstractType
    options: Mapping[str, Selection]


@dataclass(frozen=True, slots=True)
class Fallback:
    """A root field that graphql-core runs, and why."""

    key: str
    reason: str
    document: DocumentNode
    """The operation with this field alone."""


@dataclass(eq=False, slots=True, kw_only=True)
class Plan:
    """How one operation is run. `fallbacks` are the root fields that the engine does not take, `size` is how
    many fields were planned.
    """

    operation: OperationDefinitionNode
    document: DocumentNode
    fragments: dict[str, FragmentDefinitionNode]
    root: Selection
    fallbacks: Mapping[str, Fallback]
    size: int
    cost: "Cost" = member(init=False)
    """How many objects it may lead to: see `cost`."""
    straight: "Straight | None" = None
    """The short way to run it, for one record by its id."""
