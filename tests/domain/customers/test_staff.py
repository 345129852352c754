import asyncio
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import pytest

from crm_framework.domain.customers.ownership import deactivate_staff
from crm_framework.domain.customers.staff import (
    Member,
    NewStaff,
    StaffChange,
    StaffSaved,
    create_staff,
    members,
    reactivate_staff,
    update_staff,
)
from crm_framework.errors import CrmError, ErrorCode
from crm_framework.storage.database import Database

if TYPE_CHECKING:
    from tests.domain.conftest import Records

THEN = datetime(2026, 3, 1, 12, tzinfo=UTC)


async def do(database: Database, change: Callable[..., Awaitable[Any]], *args: Any, **fields: Any) -> Any:
    async with database.unit_of_work() as tx:
        return await change(tx, *args, **fields)


async def create(database: Database, name: str = "Grace", **fields: Any) -> str:
    saved: StaffSaved = await do(database, create_staff, NewStaff(name=name, **fields))
    return saved.id


async def member(database: Database, key: str) -> Member:
    found: Member = (await do(database, members, [key]))[key]
    return found


async def test_a_member_of_staff(database: Database, records: "Records") -> None:
    key = await create(database, " Grace ", email="Grace@Example.com", source="hr", reference="7")
    assert await member(database, key) == Member(
        id=key, name="Grace", email="grace@example.com", source="hr", reference="7"
    )
    again = await do(database, create_staff, NewStaff(name="X", source="hr", reference="7"))
    assert again == StaffSaved(key, 1, False)
    ((kind, event),) = await records.events()
    assert (kind, event["kind"], event["record_id"]) == ("setting.changed", "staff", key)
    assert event["changes"]["email"] == [None, "grace@example.com"]


async def test_absence(database: Database, records: "Records") -> None:
    key = await create(database)
    until = THEN + timedelta(days=7)
    change = StaffChange(away_from=THEN, away_until=until)
    assert await do(database, update_staff, key, change) == StaffSaved(key, 2, True)
    assert await do(database, update_staff, key, change) == StaffSaved(key, 2, False)
    away = await member(database, key)
    assert [away.away(at) for at in (THEN - timedelta(1), THEN, until - timedelta(seconds=1), until)] == [
        False,
        True,
        True,
        False,
    ]
    assert (await records.events())[-1][1]["changes"] == {
        "away_from": [None, "2026-03-01T12:00:00Z"],
        "away_until": [None, "2026-03-08T12:00:00Z"],
    }
    await do(database, update_staff, key, StaffChange(away_from=None))
    back = await member(database, key)
    assert (back.away_from, back.away_until, back.away(THEN)) == (None, None, False)
    await do(database, update_staff, key, StaffChange(away_from=THEN))
    assert (await member(database, key)).away(THEN + timedelta(days=9999))


@pytest.mark.parametrize(
    ("change", "path", "code"),
    [
        (StaffChange(name=""), ("name",), ErrorCode.BAD_INPUT),
        (StaffChange(email="nobody"), ("email",), ErrorCode.BAD_INPUT),
        (StaffChange(email="taken@example.com"), ("email",), ErrorCode.CONFLICT),
        (StaffChange(away_from=datetime(2026, 1, 1)), ("awayFrom",), ErrorCode.BAD_INPUT),
        (StaffChange(away_until=THEN), ("awayFrom",), ErrorCode.BAD_INPUT),
        (StaffChange(away_from=THEN, away_until=THEN), ("awayUntil",), ErrorCode.BAD_INPUT),
    ],
)
async def test_a_bad_change_is_refused(
    database: Database, records: "Records", change: StaffChange, path: tuple[str, ...], code: ErrorCode
) -> None:
    await create(database, email="taken@example.com")
    key = await create(database)
    before = await records.everything()
    with pytest.raises(CrmError) as refused:
        await do(database, update_staff, key, change)
    assert (refused.value.code, refused.value.path) == (code, path)
    with pytest.raises(CrmError) as refused:
        await do(database, update_staff, key, StaffChange(name="B"), expected_version=2)
    assert refused.value.message == "The member of staff is at version 1, not at 2: it changed meanwhile."
    with pytest.raises(CrmError) as refused:
        await do(database, update_staff, "none", StaffChange(name="B"))
    assert refused.value.code is ErrorCode.NOT_FOUND
    assert await records.everything() == before


async def test_of_two_with_one_address_at_once_one_is_made(database: Database, records: "Records") -> None:
    results = await asyncio.gather(
        *(create(database, email="a@example.com") for _ in range(4)), return_exceptions=True
    )
    assert sorted(type(result).__name__ for result in results) == ["CrmError"] * 3 + ["str"]
    assert await records.count("crm_staff") == 1


async def test_leaving_and_coming_back(database: Database) -> None:
    key = await create(database)
    assert await do(database, deactivate_staff, key, expected_version=1) == StaffSaved(key, 2, True)
    assert await do(database, deactivate_staff, key) == StaffSaved(key, 2, False)
    assert not (await member(database, key)).active
    assert await do(database, reactivate_staff, key) == StaffSaved(key, 3, True)
    assert (await member(database, key)).active


async def test_of_two_who_take_one_address_at_once_one_gets_it(
    database: Database, records: "Records"
) -> None:
    keys = [await create(database) for _ in range(4)]
    change = StaffChange(email="a@example.com")
    results = await asyncio.gather(
        *(do(database, update_staff, key, change) for key in keys), return_exceptions=True
    )
    lost = [result for result in results if isinstance(result, CrmError)]
    assert ({error.code for error in lost}, len(lost)) == ({ErrorCode.CONFLICT}, 3)
    emails = [row["email"] for row in await records.rows("crm_staff")]
    assert [email for email in emails if email] == ["a@example.com"]
