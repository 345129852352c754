from datetime import UTC, date, datetime, timedelta, timezone
from decimal import Decimal
from typing import Any

import pytest
import strawberry

from crm_framework.engine.decode import reader

from .library import Binding

MOMENT = datetime(2024, 3, 1, 9, 30, 0, 250000, tzinfo=UTC)


@pytest.mark.parametrize(
    ("kind", "raw", "value"),
    [
        (datetime, "2024-03-01 09:30:00.250000+00:00", MOMENT),
        (datetime, "2024-03-01T09:30:00.25", MOMENT),
        (datetime, "2024-03-01 11:30:00.250000+02:00", MOMENT),
        (date, "2024-02-29", date(2024, 2, 29)),
        (date, "2024-02-29 00:00:00", date(2024, 2, 29)),
        (bool, 1, True),
        (bool, 0, False),
        (strawberry.scalars.JSON, '{"a": [1]}', {"a": [1]}),
        (list, '["a"]', ["a"]),
        (Decimal, "12.50", Decimal("12.50")),
        (Decimal, 3, Decimal(3)),
        (timedelta, 90, timedelta(seconds=90)),
        (Binding, "hard", Binding.HARD),
        (str, "x", "x"),
        (int, 3, 3),
    ],
)
def test_columns_of_sqlite(kind: Any, raw: Any, value: Any) -> None:
    read = reader(0, kind, "sqlite")
    assert read((raw,)) == value
    assert type(read((raw,))) is type(value)
    assert read((None,)) is None


@pytest.mark.parametrize(
    ("kind", "raw", "value"),
    [
        (datetime, MOMENT, MOMENT),
        (date, date(2024, 2, 29), date(2024, 2, 29)),
        (bool, True, True),
        (strawberry.scalars.JSON, '"text"', "text"),
        (Decimal, Decimal("12.50"), Decimal("12.50")),
        (timedelta, timedelta(seconds=5), timedelta(seconds=5)),
        (timedelta, 5, timedelta(seconds=5)),
        (Binding, "soft", Binding.SOFT),
    ],
)
def test_columns_of_postgres(kind: Any, raw: Any, value: Any) -> None:
    read = reader(0, kind, "postgres")
    assert read((raw,)) == value
    assert read((None,)) is None


def test_a_moment_is_shown_in_utc() -> None:
    read = reader(0, datetime, "sqlite")
    found = read((MOMENT.astimezone(timezone(timedelta(hours=5))),))
    assert (found, found.tzinfo) == (MOMENT, UTC)


def test_an_unknown_kind_is_refused() -> None:
    with pytest.raises(TypeError, match="no column holds a <class 'complex'>"):
        reader(0, complex, "sqlite")
