"""The time, running and held still."""

import asyncio
from datetime import UTC, datetime, timedelta, timezone

import pytest

from crm_framework.storage.clock import frozen, now, parse_time

AT = datetime(2024, 3, 1, 12, tzinfo=UTC)


async def test_held_still_for_this_task_and_those_it_starts() -> None:
    assert now().tzinfo is UTC
    with frozen(AT.astimezone(timezone(timedelta(hours=5)))):
        assert now() == AT
        assert now().tzinfo is UTC
        assert list(await asyncio.gather(told(), told())) == [AT, AT]
        with frozen(AT + timedelta(days=1)):
            assert now() == AT + timedelta(days=1)
        assert now() == AT
    assert now() > AT


async def told() -> datetime:
    await asyncio.sleep(0)
    return now()


def test_a_moment_needs_a_zone() -> None:
    with pytest.raises(ValueError, match="aware"), frozen(datetime(2024, 3, 1)):
        pass


@pytest.mark.parametrize(
    "value",
    ["2024-03-01 12:00:00.000000+00:00", "2024-03-01 12:00:00", "2024-03-01T14:00:00+02:00", AT],
)
def test_times_of_rows(value: str | datetime) -> None:
    assert parse_time(value) == AT
    assert parse_time(value).tzinfo is UTC
