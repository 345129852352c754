"""Placeholders and values."""

from datetime import UTC, date, datetime, timedelta, timezone
from decimal import Decimal
from enum import StrEnum
from uuid import UUID

import pytest

from crm_framework.errors import CrmError
from crm_framework.storage.sql import is_read, name, numbered, postgres_args, returns_rows, sqlite_args


@pytest.mark.parametrize(
    ("sql", "expected"),
    [
        ("SELECT ?, ?", "SELECT $1, $2"),
        ("SELECT '?', ?", "SELECT '?', $1"),
        ("SELECT 'it''s ?', ?", "SELECT 'it''s ?', $1"),
        ('SELECT "a?""b", ?', 'SELECT "a?""b", $1'),
        ("SELECT ? -- why?\n, ?", "SELECT $1 -- why?\n, $2"),
        ("SELECT /* ? */ ?", "SELECT /* ? */ $1"),
        ("SELECT $$ ? $$, $x$ ? $$ ? $x$, ?", "SELECT $$ ? $$, $x$ ? $$ ? $x$, $1"),
        ("SELECT a ?? ?", "SELECT a ? $1"),
        ("SELECT 1", "SELECT 1"),
    ],
)
def test_placeholders_are_numbered(sql: str, expected: str) -> None:
    assert numbered(sql) == expected


class Stage(StrEnum):
    PROSPECT = "PROSPECT"


def test_values_for_sqlite() -> None:
    key = UUID("0190a0a0-0000-7000-8000-000000000001")
    at = datetime(2024, 3, 1, 1, 30, tzinfo=timezone(timedelta(hours=2)))
    values = [None, True, 7, 1.5, "x", b"x", at, date(2024, 3, 1), key, Decimal("1.10"), Stage.PROSPECT]
    utc = "2024-02-29 23:30:00.000000+00:00"
    assert sqlite_args(values) == [
        None, True, 7, 1.5, "x", b"x", utc, "2024-03-01", str(key), "1.10", "PROSPECT",
    ]  # fmt: skip


def test_values_for_postgres() -> None:
    key = UUID("0190a0a0-0000-7000-8000-000000000001")
    at = datetime(2024, 3, 1, tzinfo=UTC)
    assert postgres_args([None, at, key, Stage.PROSPECT, [key, "a"]]) == [
        None,
        at,
        str(key),
        "PROSPECT",
        [str(key), "a"],
    ]


@pytest.mark.parametrize("convert", [sqlite_args, postgres_args])
def test_what_no_column_can_hold_is_refused(convert: object) -> None:
    assert callable(convert)
    for value in (datetime(2024, 1, 1), {"a": 1}, object()):
        with pytest.raises(CrmError):
            convert([value])


def test_what_a_statement_does() -> None:
    assert is_read(" select 1")
    assert not is_read("WITH x AS (SELECT 1) INSERT INTO t SELECT * FROM x")
    assert returns_rows("WITH x AS (SELECT 1) SELECT * FROM x")
    assert returns_rows("insert into t values (1) returning id")
    assert not returns_rows("DELETE FROM t")


def test_names_are_checked() -> None:
    assert name("crm_staff") == "crm_staff"
    for text in ("", "a b", 'a"', "a;", "a\n", "1a"):
        with pytest.raises(CrmError):
            name(text)
