"""The first key: an administrator's token for a database that has none."""

from pathlib import Path
from typing import TYPE_CHECKING

from crm_framework.errors import CrmError, ErrorCode

from .actors import EVERYTHING, Actor
from .permissions import Permissions
from .tokens import create_token
from .verify import TokenVerifier

if TYPE_CHECKING:
    from crm_framework.storage.database import Database

NAME = "Administrator"


async def administrators_token(
    database: "Database", permissions: Permissions, kept_in: Path | None = None
) -> str | None:
    """The secret of a token with every permission, for whoever starts the program to read.

    Without `kept_in`, one is made if there is no token at all, and None is returned otherwise. With it, the
    secret is kept in that file, readable by its owner only, and made anew when the one there no longer opens.
    """
    if kept_in is None:
        if await database.fetch("SELECT id FROM crm_token LIMIT 1"):
            return None
        return await _issue(database, permissions, only_first=True)
    kept = _read(kept_in)
    if kept and await _opens(database, kept):
        return kept
    secret = await _issue(database, permissions)
    assert secret is not None
    _write(kept_in, secret)
    return secret


def _read(file: Path) -> str:
    try:
        return file.read_text(encoding="ascii", errors="replace").strip() if file.exists() else ""
    except OSError as error:
        raise _unkept(file, error) from None


def _write(file: Path, secret: str) -> None:
    try:
        file.parent.mkdir(parents=True, exist_ok=True)
        file.unlink(missing_ok=True)
        file.touch(mode=0o600)
        file.write_text(f"{secret}\n", encoding="ascii")
    except OSError as error:
        raise _unkept(file, error) from None


def _unkept(file: Path, error: OSError) -> CrmError:
    return CrmError(
        ErrorCode.CONFIGURATION,
        f"The administrator's token cannot be kept in {file}: {error.strerror}.",
        hint="Name a file that this program may read and write.",
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


async def _issue(database: "Database", permissions: Permissions, *, only_first: bool = False) -> str | None:
    """A new token's secret; with `only_first`, None where another process made one meanwhile."""
    async with database.unit_of_work(Actor.system("first start")) as tx:
        if only_first:
            if tx.dialect == "postgres":
                await tx.execute("LOCK TABLE crm_token IN SHARE ROW EXCLUSIVE MODE")
            if await tx.fetch("SELECT id FROM crm_token LIMIT 1"):
                return None
        return (await create_token(tx, permissions, name=NAME, grants=[EVERYTHING])).secret
