"""What a database must be set to so that a change is on disk before it is acknowledged; less is refused."""

import sqlite3
from collections.abc import Mapping

from crm_framework.errors import CrmError

from .failures import misconfigured
from .urls import PostgresTarget, SqliteTarget

DISPOSABLE = "crm.disposable"
"""`crm.disposable = on`: the server's own word that what it holds may be lost. It is the way for tests."""

POSTGRES_SETTINGS = (
    "SELECT current_setting('synchronous_commit') AS synchronous_commit, current_setting('fsync') AS fsync,"
    " current_setting('full_page_writes') AS full_page_writes,"
    f" current_setting('{DISPOSABLE}', TRUE) AS disposable"  # TRUE: it need not be there
)

SYNCHRONOUS = "FULL"
"""NORMAL keeps the file whole, and loses what was acknowledged since the last checkpoint."""
_FULL, _EXTRA = 2, 3


def flush_sqlite(connection: sqlite3.Connection) -> None:
    """Makes commits wait for the disk."""
    connection.execute(f"PRAGMA synchronous={SYNCHRONOUS}")
    # macOS flushes to the drive, but not out of its cache, unless told so; elsewhere these do nothing
    connection.execute("PRAGMA fullfsync=ON")
    connection.execute("PRAGMA checkpoint_fullfsync=ON")


def check_sqlite(connection: sqlite3.Connection, target: SqliteTarget) -> None:
    """Raises CrmError CONFIGURATION if the connection would acknowledge a change before it is on disk."""
    (mode,) = connection.execute("PRAGMA journal_mode").fetchone()
    if mode != "wal":
        raise misconfigured(
            f"{target} cannot use a write-ahead log (its journal mode stays {mode!r}).",
            "Put it on a local disk: network folders do not share memory between programs.",
        )
    (level,) = connection.execute("PRAGMA synchronous").fetchone()
    if level not in (_FULL, _EXTRA):
        raise misconfigured(
            f"{target} runs with synchronous={level} instead of {_FULL} (FULL),"
            " with which an acknowledged write could be lost.",
            "The SQLite library of this Python does not take the setting: use another build of it.",
        )


def check_postgres(settings: Mapping[str, str | None], target: PostgresTarget) -> None:
    """Raises CrmError CONFIGURATION for the first of `POSTGRES_SETTINGS` with which writes could be lost."""
    if settings["synchronous_commit"] == "off":
        raise _less_safe(
            target,
            "synchronous_commit=off, with which an acknowledged write could be lost",
            f'ALTER DATABASE "{target.database}" SET synchronous_commit = on;',
        )
    if settings["disposable"] == "on":
        return
    for name in ("fsync", "full_page_writes"):
        if settings[name] == "off":
            raise _less_safe(
                target,
                f"{name}=off, with which a power cut could destroy it",
                f"ALTER SYSTEM SET {name} = on; SELECT pg_reload_conf();"
                " For tests, on a server whose data may be lost:"
                f" ALTER ROLE CURRENT_USER SET {DISPOSABLE} = on;",
            )


def _less_safe(target: PostgresTarget, fault: str, hint: str) -> CrmError:
    return misconfigured(f"{target} has {fault}.", hint)
