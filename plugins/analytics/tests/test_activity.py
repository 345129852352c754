"""Months as bits, against sets of months."""

import sqlite3
from contextlib import closing
from datetime import date

from crm_analytics.rollups.activity import active, rows_of
from crm_analytics.rollups.counted import MonthSums
from hypothesis import given, settings
from hypothesis import strategies as st

MONTHS = st.integers(1998 * 12, 2033 * 12)


def month(number: int) -> date:
    return date(number // 12, number % 12 + 1, 1)


@settings(max_examples=300, deadline=None)
@given(st.sets(MONTHS, max_size=6), MONTHS, st.integers(0, 90), st.integers(1, 60))
def test_rows_tell_who_bought_in_some_months(own: set[int], since: int, before: int, length: int) -> None:
    start, end = since + before, since + before + length
    parts = rows_of(month(since), month(start), month(end))
    if parts is None:
        assert (end - 1) // 60 - since // 60 > 1
        return
    kept = active({(month(one), "", "EUR"): MonthSums(1) for one in own}, "[]")
    found = []
    with closing(sqlite3.connect(":memory:")) as database:
        database.execute("CREATE TABLE m (block, earlier, months, followed)")
        database.executemany(
            "INSERT INTO m VALUES (?, ?, ?, ?)",
            [(block, one.earlier, one.months, one.followed) for block, one in kept.items()],
        )
        for part in parts:
            found += database.execute(
                f"SELECT {part.first.sql}, {part.then.sql} FROM m WHERE {part.where.sql}",
                [*part.first.args, *part.then.args, *part.where.args],
            ).fetchall()
    assert len(found) <= 1
    assert (found[0] if found else (0, 0)) == (
        any(since <= one < start for one in own),
        any(start <= one < end for one in own),
    )


def test_a_month_of_refunds_alone_is_none() -> None:
    assert active({(date(2024, 1, 1), "", "EUR"): MonthSums(0, 1, 0, 100)}, "[]") == {}
