"""What calendars, policies and teams have in common: a name that no two share, and a version."""

from typing import Any

from tortoise.exceptions import IntegrityError

from crm_framework import CrmError, ErrorCode, UnitOfWork

NAME_LIMIT = 200


def checked_name(name: str) -> str:
    """The name with single spaces. BAD_INPUT for none, a long one, or one that cannot be kept."""
    name = " ".join(name.split())
    if not 1 <= len(name) <= NAME_LIMIT or "\0" in name:
        raise CrmError(ErrorCode.BAD_INPUT, f"A name has 1 to {NAME_LIMIT} characters.", path=("name",))
    return name


def taken(what: str, name: str) -> CrmError:
    """What is said where another one has the name."""
    return CrmError(
        ErrorCode.CONFLICT,
        f"There is a {what} {name!r} already.",
        path=("name",),
        hint="Choose another name.",
    )


async def insert_named(tx: UnitOfWork, table: str, what: str, row: dict[str, Any]) -> None:
    """Inserts the row. CONFLICT for a name that is taken."""
    places = ", ".join("?" for _ in row)
    written = await tx.execute(
        f"INSERT INTO {table} ({', '.join(row)}) VALUES ({places}) ON CONFLICT (name) DO NOTHING",
        list(row.values()),
    )
    if not written:
        raise taken(what, row["name"])


async def held_row(
    tx: UnitOfWork, table: str, what: str, key: str, columns: str, expected_version: int | None = None
) -> dict[str, Any]:
    """The row, held for a change. NOT_FOUND without one, CONFLICT for a stale version."""
    await tx.lock(table, [key])
    rows = await tx.fetch(f"SELECT id, version, name, {columns} FROM {table} WHERE id = ?", [key])
    if not rows:
        raise CrmError(ErrorCode.NOT_FOUND, f"There is no such {what}.", path=("id",))
    row: dict[str, Any] = rows[0]
    if expected_version is not None and expected_version != row["version"]:
        raise CrmError(
            ErrorCode.CONFLICT,
            f"The {what} is at version {row['version']}, not at {expected_version}: it changed meanwhile.",
            path=("expected_version",),
            hint="Read it again, and repeat the change if it still fits.",
        )
    return row


async def update_named(tx: UnitOfWork, table: str, what: str, key: str, values: dict[str, Any]) -> None:
    """Writes the columns, with the next version. CONFLICT for a name that is taken."""
    columns = ", ".join(f"{column} = ?" for column in values)
    try:
        async with tx.savepoint():
            await tx.execute(
                f"UPDATE {table} SET {columns}, version = version + 1 WHERE id = ?", [*values.values(), key]
            )
    except IntegrityError:
        raise taken(what, str(values.get("name", ""))) from None
