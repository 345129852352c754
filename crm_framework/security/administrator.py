"""The first key: an administrator's token for a database that has none."""

import os
from itertools import count
from pathlib import Path
from typing import TYPE_CHECKING

from crm_framework.errors import CrmError, ErrorCode
from crm_framework.storage.urls import SqliteTarget, parse_url

from .actors import EVERYTHING, Actor
from .permissions import Permissions
from .tokens import create_token
from .verify import TokenVerifier

if TYPE_CHECKING:
    from crm_framework.storage.database import Database

NAME = "Administrator"


async def administrators_token(
    database: "Database", permissions: Permissions, kept_in: Path | None = None, *, only_first: bool = False
) -> str | None:
    """The secret of a token with every permission, for whoever starts the program to read.

    With `kept_in`, it is kept in that file, readable by its owner only, and made anew when the one there no
    longer opens. With `only_first`, and without a file, one is made if there is no token at all, and None is
    returned otherwise; a file that is there, another database's perhaps, is kept beside as `….1` then.
    """
    if only_first or kept_in is None:
        if await database.fetch("SELECT id FROM crm_token LIMIT 1"):
            return None
        return await _issue(database, permissions, kept_in, only_first=True)
    kept = _read(kept_in)
    if kept and await _opens(database, kept):
        return kept
    return await _issue(database, permissions, kept_in)


def place_beside(database_url: str) -> Path:
    """Where the first token is kept if nothing else was said: beside SQLite's file, else in this folder."""
    target = parse_url(database_url)
    return (target.path.parent if isinstance(target, SqliteTarget) else Path()) / "administrator.token"


def _read(file: Path) -> str:
    try:
        return file.read_text(encoding="ascii", errors="replace").strip() if file.exists() else ""
    except OSError as error:
        raise _unkept(file, error) from None


def _put_aside(file: Path) -> None:
    try:
        if file.exists():
            others = (file.with_name(f"{file.name}.{number}") for number in count(1))
            file.rename(next(other for other in others if not other.exists()))
    except OSError as error:
        raise _unkept(file, error) from None


def _write(file: Path, secret: str) -> None:
    try:
        file.parent.mkdir(parents=True, exist_ok=True)
        file.unlink(missing_ok=True)
        descriptor = os.open(file, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with open(descriptor, "w", encoding="ascii") as stream:
            stream.write(f"{secret}\n")
    except OSError as error:
        raise _unkept(file, error) from None


def _unkept(file: Path, error: OSError) -> CrmError:
    return CrmError(
        ErrorCode.CONFIGURATION,
        f"The administrator's token cannot be kept in {file}: {error.strerror}.",
        hint="Name a file that this program may read and write: crm serve --token-file.",
    )


async def _opens(database: "Database", secret: str) -> bool:
    verifier = TokenVerifier(database)
    try:
        return EVERYTHING in (await verifier.verify(secret)).permissions
    except CrmError as error:
        if error.code is not ErrorCode.UNAUTHENTICATED:
            raise
        return False
    finally:
        await verifier.close()


async def _issue(
    database: "Database", permissions: Permissions, kept_in: Path | None, *, only_first: bool = False
) -> str | None:
    """A new token's secret; with `only_first`, None where another process made one meanwhile."""
    async with database.unit_of_work(Actor.system("first start")) as tx:
        if only_first:
            if tx.dialect == "postgres":
                await tx.execute("LOCK TABLE crm_token IN SHARE ROW EXCLUSIVE MODE")
            if await tx.fetch("SELECT id FROM crm_token LIMIT 1"):
                return None
        secret = (await create_token(tx, permissions, name=NAME, grants=[EVERYTHING])).secret
        if kept_in is not None:
            if only_first:
                _put_aside(kept_in)
            _write(kept_in, secret)  # before the commit: no token is left whose secret nobody has
        return secret
