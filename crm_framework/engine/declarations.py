"""What a type and its fields are made of, as data: to execute it, to explain it, and to check it."""

import inspect
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any, TypeVar

from strawberry.annotation import StrawberryAnnotation
from strawberry.types.base import (
    StrawberryContainer,
    get_object_definition,
    has_object_definition,
)
from strawberry.types.field import StrawberryField
from strawberry.types.info import Info
from strawberry.types.lazy_type import LazyType
from strawberry.types.union import StrawberryUnion

from .decode import kind_of
from .errors import DeclarationError
from .layouts import Layout
from .rows import Level, Row, type_name
from .sql import Fragment, name

DECLARATION = "engine.declaration"
"""Key of a field's declaration in its metadata."""
PUBLIC = ""
"""The permission that every actor has."""

EVERY_RECORD = "@all:"
"""Before a permission: that, and that none of the records that it is about is out of the actor's reach."""
AS_FAR = "@within:"
"""Before two permissions and a colon between them: that the first reaches as far as the second."""

ROW_NUMBER = "rowid"
"""SQLite's own number of a row, the shortest way to it; views and some tables have none."""

_SOURCE = "__engine_source__"
S = TypeVar("S")


@dataclass(frozen=True, kw_only=True)
class Declaration:
    """Base of what a field can be. `permission` `None` means that its type's permission is enough; `also` is
    needed besides. `most` tells from the field's arguments how long its list may become.
    """

    permission: str | None = None
    also: str | None = None
    most: Callable[..., int] | None = None

    def resolve(self, field: "DeclaredField", parent: Any, info: Info, arguments: dict[str, Any]) -> Any:
        """The field's value for one parent, or an awaitable of it."""
        raise NotImplementedError

    def needs_of(self) -> tuple[str, ...]:
        """Names of the parent's columns that the field is computed from."""
        return ()

    def permissions_on(self, source: "Source | None") -> tuple[str, ...]:
        """What selecting it needs, on a type that is read from `source` (None: made by functions)."""
        return tuple(need for need in (self.permission, self.also) if need is not None)


class DeclaredField(StrawberryField):
    """A Strawberry field that carries its declaration in its metadata, and is resolved by it."""

    def __init__(self, **options: Any) -> None:
        super().__init__(**options)
        # no one builds a type from its fields' values: rows come from the database
        self.init = self.repr = self.compare = False

    @property
    def declaration(self) -> Declaration:
        found: Declaration = self.metadata[DECLARATION]
        return found

    @property
    def is_basic_field(self) -> bool:
        return False

    def get_result(self, source: Any, info: Info | None, args: list[Any], kwargs: Any) -> Any:
        assert info is not None  # Strawberry leaves it out for basic fields only
        return self.declaration.resolve(self, source, info, kwargs)

    @cached_property
    def is_composite(self) -> bool:
        """Whether its values are objects that have fields themselves."""
        return isinstance(inner := named(self.type), StrawberryUnion) or has_object_definition(inner)

    @cached_property
    def target(self) -> type:
        """The object type that it leads to."""
        found = named(self.type)
        definition = get_object_definition(found)
        if definition is None:
            raise DeclarationError(
                self.python_name, f"it leads to {found!r}", "Let its type be an object type or a list of one"
            )
        return definition.origin

    @cached_property
    def listed(self) -> "Source":
        """Where the records come from that a connection lists; kept, as it is asked for in each request."""
        definition = get_object_definition(named(self.type))
        node = definition.type_var_map.get("T") if definition is not None else None
        if node is None:
            raise DeclarationError(
                self.python_name, "a connection's type is no Connection[…]", "Annotate it Connection[TheType]"
            )
        return require_source(named(node))


def named(annotation: Any) -> Any:
    """The type itself, out of optionals, lists and lazy references."""
    while True:
        if isinstance(annotation, LazyType):
            annotation = StrawberryAnnotation(annotation.resolve_type()).resolve()
        elif isinstance(annotation, StrawberryContainer):
            annotation = annotation.of_type
        else:
            return annotation


@dataclass(frozen=True)
class Through:
    """Whose a record is, by way of another table: `column` holds the key of a row of `table`, whose `owner`
    holds the owner's key.
    """

    column: str
    table: str
    owner: str = "customer_id"
    key: str = "id"

    def __post_init__(self) -> None:
        for one in (self.column, self.table, self.owner, self.key):
            name(one)


@dataclass(frozen=True, kw_only=True)
class Column(Declaration):
    """A column of the type's table. `sql` is its name there, where it differs from the field's."""

    sql: str | None = None

    def resolve(self, field: DeclaredField, parent: Any, info: Info, arguments: dict[str, Any]) -> Any:
        return getattr(parent, field.python_name)


class Source:
    """Where the records of a type come from.

    `hidden` are columns that no field shows, with their Python types. `where` holds for each record that
    exists as far as the API is concerned; it calls the table `t`. `key_type` is the key's SQL type on
    PostgreSQL.

    `owner` says whose a record is: the column with the owner's key, or `Through` another table; `shared` that
    it is nobody's. `own_where` holds, besides, for the records that owners themselves may see of theirs.
    `history` says that records keep the key of the owner they had, whoever stands for that one today.
    """

    def __init__(
        self,
        type_: type,
        table: str,
        *,
        permission: str,
        key: str = "id",
        key_type: str = "uuid",
        hidden: Mapping[str, Any] | None = None,
        where: str | None = None,
        owner: str | Through | None = None,
        shared: bool = False,
        own_where: str | None = None,
        history: bool = False,
    ) -> None:
        if shared and (owner is not None or own_where is not None):
            raise DeclarationError(
                type_.__name__, "what is shared has no owner", "Leave out the one or the other"
            )
        self.type = type_
        self.table = name(table)
        self.permission = permission
        self.key = name(key)
        self.key_type = key_type
        self.hidden = dict(hidden or {})
        self.where = where
        self.row_number = ROW_NUMBER
        self.visible = Fragment(where) if where else None
        self.shared = shared
        self.history = history
        self.own = Fragment(own_where) if own_where else None
        self._owner = owner

    def __repr__(self) -> str:
        return f"<source of {self.name}: {self.table}>"

    @property
    def name(self) -> str:
        """The type's name in the schema."""
        return type_name(self.type)

    @cached_property
    def owner(self) -> str | Through | None:
        """The column with the owner's key, `customer_id` where nothing else was said, or the way to it."""
        if self._owner is None and not self.shared and "customer_id" in self.columns:
            return self.columns["customer_id"][0]
        return name(self._owner) if isinstance(self._owner, str) else self._owner

    @cached_property
    def columns(self) -> Mapping[str, tuple[str, object]]:
        """Attribute of a row → (column, kind of its values)."""
        found: dict[str, tuple[str, object]] = {"id": (self.key, str)}
        for attribute, kind in self.hidden.items():
            found[attribute] = (name(attribute), kind_of(StrawberryAnnotation(kind).resolve()))
        definition = get_object_definition(self.type, strict=True)
        for field in definition.fields:
            declared = declaration_of(field)
            if isinstance(declared, Column):
                kind = kind_of(field.resolve_type(type_definition=definition))
                found[field.python_name] = (name(declared.sql or field.python_name), kind)
        return found

    @cached_property
    def layout(self) -> Layout:
        """All columns."""
        return Layout(self, self.columns)


def declare(type_: type[S], source: Source) -> type[S]:
    """Ties a type to its source."""
    setattr(type_, _SOURCE, source)
    return type_


def source_of(type_: Any) -> Source | None:
    """The source of a type; `None` for a type whose objects are made by functions."""
    found = vars(type_).get(_SOURCE) if isinstance(type_, type) else None
    return found if isinstance(found, Source) else None


def require_source(type_: Any) -> Source:
    """The source of a type. Raises `DeclarationError` where it has none."""
    source = source_of(type_)
    if source is None:
        shown = getattr(type_, "__name__", repr(type_))
        raise DeclarationError(shown, "it has no table to read from", "Declare it with @node or @record")
    return source


def declaration_of(field: StrawberryField) -> Declaration | None:
    """The declaration that a field carries; `None` for an ordinary Strawberry field."""
    found = field.metadata.get(DECLARATION)
    return found if isinstance(found, Declaration) else None


def level_of(parent: Any, info: Info) -> tuple[Level, int]:
    """The level that a parent is in. An object that came from elsewhere is a level of its own."""
    if not isinstance(parent, Row):
        level = Level(info.context, type(parent))
        level.add(parent)
        return level, 0
    if info.context.one_by_one:
        level = Level(info.context, parent._type, parent._level.layout)
        level.add(parent._values)
        return level, 0
    return parent._level, parent._index


def described(function: Callable[..., Any], kind: str) -> str:
    """The docstring, as the field's description. Raises `DeclarationError` where there is none."""
    text = inspect.getdoc(function)
    if not text:
        where = getattr(function, "__qualname__", repr(function))
        raise DeclarationError(where, f"a {kind} field has no description", "Give the function a docstring")
    return text


def unwrapped(function: Any) -> Callable[..., Any]:
    """The function in a `staticmethod`, which tells mypy in a class body that it is no method."""
    found: Callable[..., Any] = function.__func__ if isinstance(function, staticmethod) else function
    return found
