"""Rows that a unit of work will insert, kept back until something has to see them: then they go together.

On PostgreSQL that is one statement, and so one round trip; alone in its transaction it needs no BEGIN and no
COMMIT either. On SQLite it is one visit to the writer's thread.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any

from .sql import name, numbered

FEW = 24
"""Rows that go in one statement on PostgreSQL. Each number of rows is another text to prepare, so that many
rows rather go table by table."""


class Outdated(Exception):
    """What a repeatable unit of work assumed is not so. Nothing was changed; it is to be run again."""


@dataclass(slots=True)
class Insert:
    """Rows of one table, their values as the driver takes them."""

    table: str
    columns: tuple[str, ...]
    rows: list[Sequence[Any]]

    @property
    def sql(self) -> str:
        """For one row, with `?` placeholders."""
        return insert_sql(self.table, self.columns)


@dataclass(slots=True)
class Gathered:
    """Inserts in their order, and the conditions without which none of them is to happen."""

    assumed: list[tuple[str, list[Any]]] = field(default_factory=list)
    """SELECTs that must find a row, with `?` placeholders, and their values."""
    inserts: list[Insert] = field(default_factory=list)

    def __bool__(self) -> bool:
        return bool(self.inserts or self.assumed)

    def add(self, table: str, columns: tuple[str, ...], rows: list[Sequence[Any]]) -> None:
        last = self.inserts[-1] if self.inserts else None
        if last is not None and (last.table, last.columns) == (table, columns):
            last.rows += rows
        else:
            self.inserts.append(Insert(table, columns, rows))

    def in_one(self) -> tuple[str, list[Any]] | None:
        """All of it as one statement for PostgreSQL and its values; None if that would be none or too long.

        It inserts rows, into the last table at least one, if all that is assumed is so, and else none.
        """
        if not self.inserts or sum(len(insert.rows) for insert in self.inserts) > FEW:
            return None
        shape = tuple((insert.table, insert.columns, len(insert.rows)) for insert in self.inserts)
        values = [value for _, values in self.assumed for value in values]
        values += [value for insert in self.inserts for row in insert.rows for value in row]
        return _in_one(tuple(sql for sql, _ in self.assumed), shape), values


@lru_cache(maxsize=2048)
def insert_sql(table: str, columns: tuple[str, ...]) -> str:
    return f"INSERT INTO {name(table)} ({_listed(columns)}) VALUES ({_marks(columns)})"


@lru_cache(maxsize=512)
def _in_one(assumed: tuple[str, ...], shape: tuple[tuple[str, tuple[str, ...], int], ...]) -> str:
    # MATERIALIZED: once for all the inserts, and before any of them
    parts = [f"a{number} AS MATERIALIZED ({sql})" for number, sql in enumerate(assumed)]
    condition = " AND ".join(f"EXISTS (SELECT 1 FROM a{number})" for number in range(len(assumed)))
    inserts: list[str] = []
    for table, columns, count in shape:
        into = f"INSERT INTO {name(table)} ({_listed(columns)})"
        if assumed:
            inserts += [f"{into} SELECT {_marks(columns)} WHERE {condition}"] * count
        else:
            inserts.append(f"{into} VALUES {', '.join([f'({_marks(columns)})'] * count)}")
    parts += [f"w{number} AS ({insert})" for number, insert in enumerate(inserts[:-1])]
    return numbered(f"WITH {', '.join(parts)} {inserts[-1]}" if parts else inserts[-1])


def _listed(columns: Sequence[str]) -> str:
    return ", ".join(name(column) for column in columns)


def _marks(columns: Sequence[str]) -> str:
    return ", ".join("?" * len(columns))
