"""Which database a URL names, and the options that are refused."""

from pathlib import Path

import pytest

from crm_framework.errors import CrmError, ErrorCode
from crm_framework.storage.urls import PostgresTarget, SqliteTarget, parse_url


@pytest.mark.parametrize(
    ("url", "path"),
    [
        ("sqlite:///var/crm.db", "/var/crm.db"),
        ("sqlite:////var/crm.db", "/var/crm.db"),
        ("sqlite:crm.db", f"{Path.cwd()}/crm.db"),
        ("sqlite:data/crm.db", f"{Path.cwd()}/data/crm.db"),
        ("sqlite:/var/crm.db", "/var/crm.db"),
        ("sqlite://crm.db", f"{Path.cwd()}/crm.db"),
        ("crm.db", f"{Path.cwd()}/crm.db"),
        ("/var/my crm.db", "/var/my crm.db"),
        ("sqlite:///var/my%20crm.db", "/var/my crm.db"),
        ("~/crm.db", f"{Path.home()}/crm.db"),
    ],
)
def test_files(url: str, path: str) -> None:
    assert parse_url(url) == SqliteTarget(Path(path))


@pytest.mark.parametrize("scheme", ["postgres", "postgresql"])
def test_servers(scheme: str) -> None:
    target = parse_url(f"{scheme}://ada:p%40ss%3A@db.example.com:6543/crm?sslmode=require")
    assert isinstance(target, PostgresTarget)
    assert (target.host, target.port, target.user, target.database) == ("db.example.com", 6543, "ada", "crm")
    assert target.dsn == "postgresql://ada:p%40ss%3A@db.example.com:6543/crm?sslmode=require"
    assert str(target) == "postgres://ada@db.example.com:6543/crm"
    assert "p%40" not in repr(target)


def test_a_server_on_a_socket_and_by_default() -> None:
    target = parse_url("postgres:///crm?host=/run/postgresql")
    assert isinstance(target, PostgresTarget)
    assert (target.host, target.port, target.user) == ("/run/postgresql", 5432, None)
    assert str(parse_url("postgres://localhost/crm")) == "postgres://localhost:5432/crm"


@pytest.mark.parametrize(
    "url",
    [
        "sqlite:///crm.db?synchronous=off",
        "sqlite:///crm.db?journal_mode=MEMORY",
        "sqlite:crm.db?SYNCHRONOUS=NORMAL",
        "sqlite:crm.db?immutable=1",
        "postgres://h/crm?synchronous_commit=off",
        "postgres://h/crm?options=-c%20synchronous_commit%3Doff",
        "postgres://h/crm?fsync=off",
    ],
)
def test_options_that_lower_durability_are_refused(url: str) -> None:
    with pytest.raises(CrmError, match="an acknowledged write could be lost") as caught:
        parse_url(url)
    assert caught.value.code == ErrorCode.CONFIGURATION


@pytest.mark.parametrize(
    ("url", "told"),
    [
        ("", "The database URL is empty."),
        ("mysql://u:s3cr3t@h/crm", "begins with 'mysql'"),
        ("sqlite://:memory:", "names no file"),
        (":memory:", "names no file"),
        ("sqlite:", "names no file"),
        ("sqlite:crm.db?cache=shared", "unknown option 'cache'"),
        ("postgres://u:s3cr3t@h/crm?colour=red", "unknown option 'colour'"),
        ("postgres://u:s3cr3t@h", "names no database"),
        ("postgres://u:s3cr3t@h:port/crm", "cannot be read"),
        ("postgres://u:s3cr3t@[h/crm", "cannot be read"),
    ],
)
def test_what_cannot_be_understood(url: str, told: str) -> None:
    with pytest.raises(CrmError) as caught:
        parse_url(url)
    assert caught.value.code == ErrorCode.CONFIGURATION
    assert told in caught.value.message
    assert caught.value.hint
    assert "s3cr3t" not in str(caught.value)
