"""What drivers raise, as what the rest of the program expects.

A broken constraint becomes Tortoise's `IntegrityError` whichever way the statement was sent, so that one
`except` serves both. A database that is full, locked, read-only or away becomes a CrmError that says what
to do. The rest are faults of a statement: Tortoise's `OperationalError`.
"""

import sqlite3

import asyncpg
from tortoise.exceptions import IntegrityError, OperationalError

from crm_framework.errors import CrmError, ErrorCode

from .urls import PostgresTarget, SqliteTarget

IN_USE = "Another program holds the database for too long; try again, or stop it."


LOST = (
    asyncpg.PostgresConnectionError,
    asyncpg.InternalClientError,  # what asyncpg makes of an answer that broke off
    asyncpg.AdminShutdownError,
    asyncpg.CrashShutdownError,
    asyncpg.IdleSessionTimeoutError,
    OSError,
)
"""What a statement fails with when its connection is gone."""


class Unconfirmed(CrmError):
    """UNAVAILABLE: the connection broke off while a change was being stored."""


def unconfirmed(target: PostgresTarget) -> Unconfirmed:
    return Unconfirmed(
        ErrorCode.UNAVAILABLE,
        f"{target} did not confirm the change: it may be stored, or not.",
        hint="Look before you repeat it, or repeat it with the same idempotency key.",
    )


def unavailable(message: str, hint: str) -> CrmError:
    return CrmError(ErrorCode.UNAVAILABLE, message, hint=hint)


def misconfigured(message: str, hint: str) -> CrmError:
    return CrmError(ErrorCode.CONFIGURATION, message, hint=hint)


def changing_read() -> CrmError:
    return CrmError(
        ErrorCode.INTERNAL,
        "A read tried to change the database.",
        hint="Changes go through `async with database.unit_of_work() as tx:`.",
    )


def sqlite_failure(error: sqlite3.Error, target: SqliteTarget) -> Exception:
    """The exception to raise instead of `error`."""
    code = getattr(error, "sqlite_errorname", "") or ""
    if isinstance(error, sqlite3.IntegrityError):
        return IntegrityError(str(error))
    if code.startswith("SQLITE_FULL"):
        return unavailable(f"The disk of {target} is full.", "Free some space and try again.")
    if code.startswith("SQLITE_READONLY"):
        return unavailable(
            f"{target} is read-only.", "Make the file and its folder writable for this program."
        )
    if code.startswith(("SQLITE_BUSY", "SQLITE_LOCKED")):
        return unavailable(f"{target} is locked by another program.", IN_USE)
    if code.startswith("SQLITE_NOTADB"):
        return misconfigured(
            f"{target} is not an SQLite database.", "Name another file, or move this one out of the way."
        )
    if code.startswith("SQLITE_CORRUPT"):
        return unavailable(f"{target} is damaged.", "Restore it from a backup, or try sqlite3's `.recover`.")
    if code.startswith("SQLITE_CANTOPEN"):
        return unavailable(
            f"{target} cannot be opened.", "Check that it is a file that this program may read."
        )
    if code.startswith("SQLITE_IOERR"):
        return unavailable(f"Reading or writing {target} failed ({code}).", "Check the disk.")
    return OperationalError(str(error))


def postgres_failure(error: Exception, target: PostgresTarget) -> Exception:
    """The exception to raise instead of `error`, for a statement on an open connection."""
    match error:
        case asyncpg.IntegrityConstraintViolationError():
            return IntegrityError(error)
        case asyncpg.DeadlockDetectedError() | asyncpg.SerializationError():
            return unavailable("Two changes waited for each other; this one gave way.", "Try again.")
        case asyncpg.LockNotAvailableError():
            return unavailable("Another change holds these records for too long.", "Try again.")
        case asyncpg.CharacterNotInRepertoireError() | asyncpg.UntranslatableCharacterError():
            return CrmError(
                ErrorCode.BAD_INPUT,
                "A text holds the character U+0000, which PostgreSQL cannot keep.",
                hint="Remove it.",
            )
        case asyncpg.QueryCanceledError():
            return unavailable(f"{target} cancelled the statement: {error}.", "Try again.")
        case asyncpg.DiskFullError():
            return unavailable(f"The disk of {target} is full.", "Free some space and try again.")
        case asyncpg.ReadOnlySQLTransactionError():
            return unavailable(f"{target} is read-only.", "Connect to the primary server.")
        case asyncpg.TooManyConnectionsError() | asyncpg.CannotConnectNowError():
            return unavailable(f"{target} takes no connection now: {error}.", "Try again.")
        case asyncpg.InterfaceError() if isinstance(error, ValueError):
            return OperationalError(error)  # a value that does not fit its column
        case _ if isinstance(error, (*LOST, asyncpg.InterfaceError)):
            return unavailable(f"The connection to {target} was lost.", "Check the server and try again.")
        case asyncpg.PostgresError():
            return OperationalError(error)
    return error


def postgres_refused_it(error: Exception) -> bool:
    """Whether a statement certainly did nothing: the server said so, or never got it."""
    if isinstance(error, asyncpg.InterfaceError):
        return isinstance(error, ValueError)  # a value that does not fit its column
    return isinstance(error, asyncpg.PostgresError) and not isinstance(error, LOST)


def postgres_refusal(error: Exception, target: PostgresTarget) -> CrmError:
    """The error for a connection that could not be made. Never holds the password."""
    match error:
        case asyncpg.InvalidPasswordError() | asyncpg.InvalidAuthorizationSpecificationError():
            return misconfigured(
                f"{target} refuses this user or password.", "Check both in the database URL, and pg_hba.conf."
            )
        case asyncpg.InvalidCatalogNameError():
            return misconfigured(
                f"The database {target.database!r} does not exist on {target.host}:{target.port}.",
                f"Create it: createdb -h {target.host} -p {target.port} {target.database}",
            )
        case TimeoutError():
            return unavailable(f"{target} did not answer in time.", "Check the server and the network.")
        case asyncpg.TooManyConnectionsError() | asyncpg.CannotConnectNowError():
            return unavailable(f"{target} takes no connection now: {error}.", "Try again.")
        case OSError() | asyncpg.PostgresConnectionError():
            return unavailable(
                f"{target} cannot be reached.",
                "Check host and port in the database URL, and that the server runs.",
            )
    return misconfigured(
        f"{target} refuses the connection ({type(error).__name__}).", "Check the database URL."
    )
