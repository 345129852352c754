"""Which columns of a source a statement reads, in which order, and how attributes are read from its rows."""

from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING

from .decode import Read, reader
from .sql import Dialect

if TYPE_CHECKING:
    from .declarations import Source


class Layout:
    """The rows of one statement: tuples that begin with these columns, the key first.

    `columns` are their names, `places` maps each attribute to its place in the tuple; `selected` is the
    `SELECT` list over the table `t`, `outer` the same over a query of these columns that is called `x`.
    """

    __slots__ = (
        "_readers",
        "attributes",
        "columns",
        "outer",
        "places",
        "selected",
        "source",
        "texts",
        "width",
    )

    def __init__(self, source: "Source", attributes: Iterable[str]) -> None:
        self.source = source
        self.attributes = tuple(dict.fromkeys(("id", *attributes)))
        found: dict[str, int] = {}
        for attribute in self.attributes:
            found.setdefault(source.columns[attribute][0], len(found))
        self.places: Mapping[str, int] = {
            attribute: found[source.columns[attribute][0]] for attribute in self.attributes
        }
        self.columns = tuple(found)
        # asyncpg calls Python for each uuid that is to be text; the server makes text of one in no time
        key = f"t.{source.key}::text AS {source.key}" if source.key_type == "uuid" else f"t.{source.key}"
        self.selected: Mapping[Dialect, str] = {
            "sqlite": ", ".join(f"t.{column}" for column in found),
            "postgres": ", ".join(key if column == source.key else f"t.{column}" for column in found),
        }
        self.outer = ", ".join(f"x.{column}" for column in found)
        self.width = len(found)
        self.texts: dict[object, str] = {}
        """Statements that read these columns, by what else they depend on."""
        self._readers: dict[Dialect, Mapping[str, Read]] = {}

    def readers(self, dialect: Dialect) -> Mapping[str, Read]:
        """Attribute → what reads it, decoded, from a tuple of these rows."""
        found = self._readers.get(dialect)
        if found is None:
            found = self._readers[dialect] = {
                attribute: reader(place, self.source.columns[attribute][1], dialect)
                for attribute, place in self.places.items()
            }
        return found

    def __repr__(self) -> str:
        return f"<{self.source.name}: {', '.join(self.attributes)}>"
