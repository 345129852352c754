"""Raw rows: what differs between the databases in a value, and the statements that every table shares."""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from datetime import datetime
from typing import TYPE_CHECKING, Any, TypeVar

import orjson
from tortoise.exceptions import IntegrityError

from crm_framework.errors import CrmError, ErrorCode, cut
from crm_framework.storage.clock import parse_time
from crm_framework.storage.ids import is_key
from crm_framework.storage.turns import parts_in_turns

if TYPE_CHECKING:
    from crm_framework.storage.unit_of_work import UnitOfWork

T = TypeVar("T")

CHUNK = 500
"""Values in one IN list or rows in one statement: below the limits of both databases."""


def check_key(value: object, what: str, *, path: Sequence[str | int] = ()) -> str:
    """The key, or NOT_FOUND: what has not the form of a key names nothing."""
    if is_key(value):
        return value
    raise not_found(what, value, path=path)


def not_found(what: str, key: object, *, path: Sequence[str | int] = ()) -> CrmError:
    return CrmError(ErrorCode.NOT_FOUND, f"There is no {what} {cut(key)}.", path=path, hint="Check the id.")


def stale(what: str, expected: int, actual: int) -> CrmError:
    return CrmError(
        ErrorCode.CONFLICT,
        f"The {what} is at version {actual}, not at {expected}: it changed meanwhile.",
        path=("expectedVersion",),
        hint="Read it again, and repeat the change if it still fits.",
    )


def time_of(value: str | datetime | None) -> datetime | None:
    return None if value is None else parse_time(value)


def time_text(value: datetime | None) -> str | None:
    """A moment as events and JSON carry it."""
    return None if value is None else value.isoformat().replace("+00:00", "Z")


def json_of(value: Any) -> Any:
    """The value of a JSON column, which SQLite and PostgreSQL give as text."""
    return orjson.loads(value) if isinstance(value, str | bytes) else value


def json_text(value: object) -> str:
    return orjson.dumps(value).decode()


def marks(count: int) -> str:
    """`?, ?, ?`"""
    return ", ".join("?" * count)


def chunks(values: Sequence[T], size: int = CHUNK) -> Iterator[Sequence[T]]:
    for start in range(0, len(values), size):
        yield values[start : start + size]


def insert_sql(table: str, columns: Sequence[str], *, or_nothing: bool = False) -> str:
    """An INSERT of one row; `or_nothing` leaves rows that clash with a unique key out."""
    clash = " ON CONFLICT DO NOTHING" if or_nothing else ""
    return f"INSERT INTO {table} ({', '.join(columns)}) VALUES ({marks(len(columns))}){clash}"


async def insert(
    tx: "UnitOfWork", table: str, row: Mapping[str, object], *, or_nothing: bool = False
) -> bool:
    """Whether the row went in."""
    affected = await tx.execute(insert_sql(table, tuple(row), or_nothing=or_nothing), tuple(row.values()))
    return affected == 1


async def insert_new(
    tx: "UnitOfWork",
    table: str,
    columns: Sequence[str],
    make: Callable[[Sequence[T]], Sequence[Sequence[object]]],
    items: Sequence[T],
    *,
    unique: bool,
) -> bool:
    """Whether all rows that `make` makes of items went in. If not, those that clash with a unique key were
    left out.

    `unique` tells whether another transaction may have taken a key meanwhile; on SQLite none can.
    """
    if not unique or tx.dialect == "sqlite":
        await tx.insert_in_turns(table, columns, make, items)
        return True
    try:
        # hardly ever does one clash, and rows that must not are written much faster
        async with tx.savepoint():
            await tx.insert_in_turns(table, columns, make, items)
    except IntegrityError:
        rows = await parts_in_turns(make, items)
        await tx.execute_many(insert_sql(table, columns, or_nothing=True), rows)
        return False
    return True


async def update(
    tx: "UnitOfWork",
    table: str,
    key: str,
    values: Mapping[str, object],
    *,
    version: int | None = None,
    clash: CrmError | None = None,
) -> bool:
    """Whether the row was there (at this version). `clash` is raised where a unique value is taken."""
    columns = ", ".join(f"{name} = ?" for name in values)
    at_version = "" if version is None else " AND version = ?"
    versions = () if version is None else (version,)
    try:
        affected = await tx.execute(
            f"UPDATE {table} SET {columns} WHERE id = ?{at_version}", (*values.values(), key, *versions)
        )
    except IntegrityError:
        if clash is None:
            raise
        raise clash from None
    return affected == 1


async def select_in(
    tx: "UnitOfWork", select: str, column: str, values: Sequence[str], *, then: str = ""
) -> list[dict[str, Any]]:
    """Rows of `select` whose `column` is among `values`, a few hundred values a statement."""
    found: list[dict[str, Any]] = []
    for part in chunks(values):
        found += await tx.fetch(f"{select} WHERE {column} IN ({marks(len(part))}) {then}", part)
    return found


def among(dialect: str, column: str, keys: Iterable[str]) -> tuple[str, object]:
    """A condition that `column` is among `keys`, the same text for any number, and its one argument."""
    wanted = sorted(keys)
    if dialect == "sqlite":
        return f"{column} IN (SELECT value FROM json_each(?))", orjson.dumps(wanted).decode()
    return f"{column} = ANY(CAST(CAST(? AS text[]) AS uuid[]))", wanted


def for_update(tx: "UnitOfWork", strength: str = "UPDATE") -> str:
    """The end of a SELECT whose rows stay as they are until the end of the transaction.

    SQLite has one writer at a time and needs none. Rows must be taken in the order of their keys.
    """
    return f"FOR {strength}" if tx.dialect == "postgres" else ""
