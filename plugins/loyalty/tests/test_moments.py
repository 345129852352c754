from datetime import UTC, datetime
from zoneinfo import ZoneInfo

import pytest
from crm_loyalty.moments import NEVER, add_months, month_of, year_start

BERLIN = ZoneInfo("Europe/Berlin")


@pytest.mark.parametrize(
    ("moment", "months", "expected"),
    [
        (datetime(2025, 1, 31, 12, tzinfo=UTC), 1, datetime(2025, 2, 28, 12, tzinfo=UTC)),
        (datetime(2024, 1, 31, 12, tzinfo=UTC), 1, datetime(2024, 2, 29, 12, tzinfo=UTC)),
        (datetime(2024, 2, 29, tzinfo=UTC), 12, datetime(2025, 2, 28, tzinfo=UTC)),
        (datetime(2025, 10, 31, tzinfo=UTC), 4, datetime(2026, 2, 28, tzinfo=UTC)),
        (datetime(2025, 12, 5, tzinfo=UTC), 1, datetime(2026, 1, 5, tzinfo=UTC)),
        (datetime(2025, 12, 5, tzinfo=UTC), 0, datetime(2025, 12, 5, tzinfo=UTC)),
    ],
)
def test_a_month_later_is_the_last_day_where_there_is_no_such_day(
    moment: datetime, months: int, expected: datetime
) -> None:
    assert add_months(moment, months, ZoneInfo("UTC")) == expected


def test_months_go_by_the_wall_clock_of_the_zone() -> None:
    noon = datetime(2025, 3, 1, 12, tzinfo=BERLIN)
    assert add_months(noon, 1, BERLIN) == datetime(2025, 4, 1, 12, tzinfo=BERLIN)
    # half an hour before midnight in UTC is February in Berlin already
    assert add_months(datetime(2025, 1, 31, 23, 30, tzinfo=UTC), 1, BERLIN) == datetime(
        2025, 2, 28, 23, 30, tzinfo=UTC
    )
    assert month_of(datetime(2025, 1, 31, 23, 30, tzinfo=UTC), BERLIN) == (2025, 2)
    assert year_start(2026, BERLIN) == datetime(2025, 12, 31, 23, tzinfo=UTC)


def test_beyond_the_calendar_is_never() -> None:
    assert add_months(datetime(9990, 1, 1, tzinfo=UTC), 1_200, BERLIN) == NEVER
