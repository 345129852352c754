"""Database URLs: which database is meant, and no option that makes an acknowledged write less safe."""

import os
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import parse_qsl, quote, unquote, urlsplit

from crm_framework.errors import CrmError, ErrorCode

from .sql import Dialect

_POSTGRES_OPTIONS = frozenset(
    {"sslmode", "sslrootcert", "sslcert", "sslkey", "application_name", "host", "target_session_attrs"}
)
_DURABILITY = ("synchronous", "journal_mode", "fsync", "full_page_writes", "mode", "nolock", "immutable")


@dataclass(frozen=True)
class SqliteTarget:
    """A database file."""

    path: Path
    dialect: Dialect = "sqlite"

    def __str__(self) -> str:
        return str(self.path)

    def make_private(self) -> None:
        """Makes the file, if there is none, for its owner's eyes only; its log beside it has the same rights.

        A file that is there keeps the rights that it has.
        """
        with suppress(OSError):  # SQLite says what is wrong with the place
            os.close(os.open(self.path, os.O_CREAT | os.O_EXCL | os.O_RDWR, 0o600))


@dataclass(frozen=True)
class PostgresTarget:
    """A database on a server. `dsn` holds the password and is never printed; `str()` leaves it out."""

    dsn: str = field(repr=False)
    host: str
    port: int
    user: str | None
    database: str
    dialect: Dialect = "postgres"

    def __str__(self) -> str:
        who = f"{self.user}@" if self.user else ""
        return f"postgres://{who}{self.host}:{self.port}/{self.database}"


def parse_url(url: str) -> SqliteTarget | PostgresTarget:
    """What the URL names.

    `postgres://user:password@host:5432/name`, `postgresql://…`; `sqlite:///absolute/path`,
    `sqlite:relative/path` or a plain path. Raises CrmError CONFIGURATION for anything else, and for options
    that lower durability.
    """
    scheme, separator, rest = url.partition(":")
    if separator and scheme in ("postgres", "postgresql"):
        return _postgres(url)
    if separator and scheme == "sqlite":
        return _sqlite(rest)
    if "://" in url:
        raise _refused(
            f"The database URL begins with {scheme!r}, which is not supported.",
            "Use sqlite:///path/to/crm.db or postgres://user:password@host/name.",
        )
    if not url:
        raise _refused("The database URL is empty.", "Name a file, or postgres://user:password@host/name.")
    return _sqlite_path(url)


def _sqlite(rest: str) -> SqliteTarget:
    path, _, query = rest.partition("?")
    for option, value in parse_qsl(query, keep_blank_values=True):
        if option.lower() in _DURABILITY:
            raise _less_safe(f"{option}={value}")
        raise _refused(
            f"The database URL has an unknown option {option!r}.", "A SQLite URL takes no options."
        )
    if path.startswith("//"):
        path = path[2:]
    return _sqlite_path(unquote(path))


def _sqlite_path(path: str) -> SqliteTarget:
    if path.strip("/") in ("", ":memory:"):
        raise _refused(
            "The database URL names no file; a database in memory would be lost at the end.",
            "Name a file, such as sqlite:///var/lib/crm/crm.db or sqlite:crm.db.",
        )
    if path.startswith("//"):
        path = "/" + path.lstrip("/")  # sqlite:////path, as some write an absolute one
    return SqliteTarget(Path(os.path.abspath(os.path.expanduser(path))))


def _postgres(url: str) -> PostgresTarget:
    # urlsplit's own errors quote the whole URL, and with it the password
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError:
        raise _refused(
            "The PostgreSQL URL cannot be read.",
            "Write it as postgres://user:password@host:5432/name, with special characters as %XX.",
        ) from None
    options = dict(parse_qsl(parts.query, keep_blank_values=True))
    for option, value in options.items():
        if option in ("synchronous_commit", *_DURABILITY) or (
            option == "options" and any(word in value for word in ("synchronous_commit", "fsync"))
        ):
            raise _less_safe(f"{option}={value}")
        if option not in _POSTGRES_OPTIONS:
            raise _refused(
                f"The PostgreSQL URL has an unknown option {option!r}.",
                f"Known are: {', '.join(sorted(_POSTGRES_OPTIONS))}.",
            )
    database = unquote(parts.path.lstrip("/"))
    if not database:
        raise _refused(
            "The PostgreSQL URL names no database.", "Write it as postgres://user:password@host:5432/name."
        )
    host = options.get("host") or (unquote(parts.hostname) if parts.hostname else "localhost")
    user = unquote(parts.username) if parts.username else None
    login = quote(user, safe="") if user else ""
    if parts.password is not None:
        login += f":{quote(unquote(parts.password), safe='')}"
    at = parts.netloc.rpartition("@")[2]
    dsn = f"postgresql://{login}{'@' if login else ''}{at}/{quote(database, safe='')}"
    if parts.query:
        dsn += f"?{parts.query}"
    return PostgresTarget(dsn=dsn, host=host, port=port or 5432, user=user, database=database)


def _refused(message: str, hint: str) -> CrmError:
    return CrmError(ErrorCode.CONFIGURATION, message, hint=hint)


def _less_safe(option: str) -> CrmError:
    return _refused(
        f"The database URL asks for {option}, with which an acknowledged write could be lost.",
        "Take the option out of the URL: writes are always flushed before they are acknowledged.",
    )
