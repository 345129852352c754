"""Changing a table of SQLite by making it anew, without losing what hangs on it.

The caller's connection has foreign keys off and is inside a transaction: with them on, dropping the old table
would delete the rows that refer to it.
"""

import sqlite3
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from crm_framework.errors import CrmError, ErrorCode


@dataclass(frozen=True)
class _Index:
    name: str
    unique: bool
    partial: bool
    columns: tuple[str | None, ...]
    """None stands for an expression."""


async def rebuild(
    client: Any,
    table: str,
    definition: str,
    *,
    removed: Collection[str] = (),
    fill: Mapping[str, str] | None = None,
    without: Collection[tuple[bool, tuple[str, ...]]] = (),
) -> None:
    """Replaces `table` by the one of `definition` (its CREATE TABLE and CREATE INDEX), rows kept.

    `removed` names the columns that are meant to go; any other loss is refused. `fill` maps a column to the
    SQL that stands in for NULL. Indexes and triggers come back as they were, except an index over a removed
    column and those in `without` (unique or not, columns).
    """
    create, *model_indexes = statements_of(definition)
    quoted, temporary = f'"{table}"', f"crm_new__{table}"
    if not create.startswith(f"CREATE TABLE {quoted} "):
        raise CrmError(ErrorCode.INTERNAL, f"Cannot make {table} anew: its definition begins unexpectedly.")
    old_columns = await _columns(client, table)
    attached = await client.execute_query_dict(
        "SELECT type, name, sql FROM sqlite_master"
        " WHERE tbl_name = ? AND type IN ('index', 'trigger') AND sql IS NOT NULL ORDER BY rowid",
        [table],
    )
    old_indexes = {index.name: index for index in await _indexes(client, table)}
    sequence = await _sequence(client, table)

    # Views, and triggers of other tables, keep naming the table while it is away.
    await client.execute_query("PRAGMA legacy_alter_table=ON")
    try:
        await client.execute_query(create.replace(quoted, f'"{temporary}"', 1))
        new_columns = await _columns(client, temporary)
        _refuse_loss(table, set(old_columns) - set(new_columns) - set(removed))
        common = [column for column in new_columns if column in old_columns]
        into = ", ".join(f'"{column}"' for column in common)
        values = ", ".join(
            f'COALESCE("{column}", {fill[column]})' if fill and column in fill else f'"{column}"'
            for column in common
        )
        await client.execute_query(f'INSERT INTO "{temporary}" ({into}) SELECT {values} FROM {quoted}')
        await client.execute_query(f"DROP TABLE {quoted}")
        await client.execute_query(f'ALTER TABLE "{temporary}" RENAME TO {quoted}')
    finally:
        await client.execute_query("PRAGMA legacy_alter_table=OFF")

    constraints = {index.columns for index in await _indexes(client, table) if not index.partial}
    gone = set(old_columns) - set(new_columns)
    for row in attached:
        index = old_indexes.get(row["name"]) if row["type"] == "index" else None
        if index is not None:
            if gone.intersection(index.columns):
                continue
            if not index.partial and (index.unique, index.columns) in without:
                continue
            if index.unique and not index.partial and index.columns in constraints:
                continue
        await client.execute_query(row["sql"])
    plain = {index.columns for index in await _indexes(client, table) if not index.partial}
    for statement in model_indexes:
        name = f"crm_probe_{table}"
        await client.execute_query(statement.replace(statement.split('"')[1], name, 1))
        (probe,) = [index for index in await _indexes(client, table) if index.name == name]
        await client.execute_query(f'DROP INDEX "{name}"')
        if probe.columns not in plain:
            await client.execute_query(statement)
    await _restore_sequence(client, table, sequence)
    await _compile_triggers(client, table, new_columns)


def statements_of(script: str) -> Iterator[str]:
    """The statements of a script, one by one; a semicolon in a text, a comment or a trigger ends none."""
    start = 0
    end = script.find(";")
    while end != -1:
        piece = script[start : end + 1]
        if sqlite3.complete_statement(piece):
            yield piece.strip()
            start = end + 1
        end = script.find(";", end + 1)
    if script[start:].strip():
        yield script[start:].strip()


def _refuse_loss(table: str, lost: Collection[str]) -> None:
    if lost:
        raise CrmError(
            ErrorCode.CONFIGURATION,
            f"Table {table} has columns that no model knows: {', '.join(sorted(lost))}. "
            "Making the table anew would lose them.",
            hint="Add them to the model with AddField, or drop them with DialectSQL before this operation.",
        )


async def _columns(client: Any, table: str) -> list[str]:
    # Not table_xinfo: generated columns cannot be inserted into.
    return [row["name"] for row in await client.execute_query_dict(f'PRAGMA table_info("{table}")')]


async def _indexes(client: Any, table: str) -> list[_Index]:
    found = []
    for row in await client.execute_query_dict(f'PRAGMA index_list("{table}")'):
        members = await client.execute_query_dict(f'PRAGMA index_info("{row["name"]}")')
        found.append(
            _Index(
                name=row["name"],
                unique=bool(row["unique"]),
                partial=bool(row["partial"]),
                columns=tuple(member["name"] for member in members),
            )
        )
    return found


async def _sequence(client: Any, table: str) -> int | None:
    if not await client.execute_query_dict("SELECT 1 FROM sqlite_master WHERE name = 'sqlite_sequence'"):
        return None
    rows = await client.execute_query_dict("SELECT seq FROM sqlite_sequence WHERE name = ?", [table])
    return rows[0]["seq"] if rows else None


async def _restore_sequence(client: Any, table: str, sequence: int | None) -> None:
    if sequence is None:
        return
    await client.execute_query("DELETE FROM sqlite_sequence WHERE name = ?", [table])
    await client.execute_query("INSERT INTO sqlite_sequence (name, seq) VALUES (?, ?)", [table, sequence])


async def _compile_triggers(client: Any, table: str, columns: Collection[str]) -> None:
    """SQLite reads the body of a trigger when it first fires: let a wrong one fail here instead."""
    assignments = ", ".join(f'"{column}" = "{column}"' for column in columns)
    try:
        await client.execute_query(f'EXPLAIN INSERT INTO "{table}" DEFAULT VALUES')
        await client.execute_query(f'EXPLAIN UPDATE "{table}" SET {assignments}')
        await client.execute_query(f'EXPLAIN DELETE FROM "{table}"')
    except Exception as error:
        raise CrmError(
            ErrorCode.CONFIGURATION,
            f"A trigger of table {table} does not fit its new columns: {error}",
            hint="Drop the trigger with DialectSQL before this operation and create the new one after it.",
        ) from error
