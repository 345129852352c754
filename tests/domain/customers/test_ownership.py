"""Owner and backup, and what happens to customers when staff leave."""

import asyncio
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import pytest

from crm_framework.domain.customers.ownership import (
    assign_owner,
    choose,
    deactivate_staff,
    responsible,
    responsibles,
)
from crm_framework.domain.customers.record import Changed
from crm_framework.domain.customers.staff import Member, StaffChange, StaffSaved, update_staff
from crm_framework.errors import CrmError, ErrorCode
from crm_framework.storage.database import Database

if TYPE_CHECKING:
    from tests.domain.conftest import Records

THEN = datetime(2026, 3, 1, 12, tzinfo=UTC)


async def assign(database: Database, key: str, **roles: Any) -> Changed:
    async with database.unit_of_work() as tx:
        return await assign_owner(tx, key, **roles)


async def roles(records: "Records", key: str) -> tuple[str | None, str | None, int]:
    row = await records.row("crm_customer", key)
    return row["owner_id"], row["backup_id"], row["version"]


async def test_assigning(database: Database, records: "Records") -> None:
    key = await records.customer()
    a, b = await records.staff("A"), await records.staff("B")
    assert await assign(database, key, owner_id=a, backup_id=b, expected_version=1) == Changed(key, 2, True)
    assert await roles(records, key) == (a, b, 2)
    assert await assign(database, key, owner_id=a) == Changed(key, 2, False)
    await assign(database, key, owner_id=b)
    assert await roles(records, key) == (b, None, 3)
    await assign(database, key, backup_id=a)
    await assign(database, key, owner_id=None)
    assert await roles(records, key) == (None, None, 5)
    assert [(kind, event["changes"]) for kind, event in await records.events()] == [
        ("customer.owner_assigned", {"owner_id": [None, a], "backup_id": [None, b]}),
        ("customer.owner_assigned", {"owner_id": [a, b], "backup_id": [b, None]}),
        ("customer.owner_assigned", {"backup_id": [None, a]}),
        ("customer.owner_assigned", {"owner_id": [b, None], "backup_id": [a, None]}),
    ]


async def test_who_cannot_be_assigned(database: Database, records: "Records") -> None:
    key = await records.customer()
    a, gone = await records.staff("A"), await records.staff("Gone")
    async with database.unit_of_work() as tx:
        await deactivate_staff(tx, gone)
    before = await records.everything()
    for given, path in (
        ({"owner_id": gone}, "owner"),
        ({"owner_id": "nobody"}, "owner"),
        ({"owner_id": a, "backup_id": a}, "backup"),
        ({"owner_id": a, "backup_id": gone}, "backup"),
        ({"backup_id": a}, "backup"),
        ({"owner_id": a, "expected_version": 4}, "expectedVersion"),
    ):
        with pytest.raises(CrmError) as refused:
            await assign(database, key, **given)
        assert refused.value.path == (path,)
    assert await records.everything() == before


@pytest.mark.parametrize(
    ("owner", "backup", "chosen"),
    [
        ({}, {}, "owner"),
        ({"away_from": THEN}, {}, "backup"),
        ({"away_from": THEN}, None, "owner"),
        ({"away_from": THEN}, {"away_from": THEN}, "owner"),
        ({"away_from": THEN}, {"active": False}, "owner"),
        ({"active": False}, {}, "backup"),
        ({"away_from": THEN - timedelta(2), "away_until": THEN}, {}, "owner"),
        ({"away_from": THEN + timedelta(1)}, {}, "owner"),
        (None, {}, None),
        (None, None, None),
    ],
)
def test_who_is_responsible(
    owner: dict[str, Any] | None, backup: dict[str, Any] | None, chosen: str | None
) -> None:
    def member(key: str, fields: dict[str, Any] | None) -> Member | None:
        return None if fields is None else Member(id=key, name=key, **fields)

    assert choose(member("owner", owner), member("backup", backup), THEN) == chosen


async def test_the_backup_answers_while_the_owner_is_away(database: Database, records: "Records") -> None:
    a, b = await records.staff("A"), await records.staff("B")
    key, other, loner = [await records.customer() for _ in range(3)]
    loser = await records.customer(merged_into_id=key)
    await assign(database, key, owner_id=a, backup_id=b)
    await assign(database, other, owner_id=b)
    async with database.unit_of_work() as tx:
        await update_staff(tx, a, StaffChange(away_from=THEN, away_until=THEN + timedelta(days=1)))
    async with database.unit_of_work() as tx:
        assert await responsible(tx, loser, THEN) == b
        assert await responsible(tx, key, THEN + timedelta(days=1)) == a
        with database.counting() as statements:
            found = await responsibles(tx, [key, other, loner], THEN)
        assert (found, len(statements)) == ({key: b, other: b, loner: None}, 2)
        with pytest.raises(CrmError) as refused:
            await responsible(tx, "nobody", THEN)
        assert refused.value.code is ErrorCode.NOT_FOUND


async def test_staff_with_customers_do_not_leave_without_a_successor(
    database: Database, records: "Records"
) -> None:
    a, b = await records.staff("Ann"), await records.staff("Bob")
    owned, backed = await records.customer(), await records.customer()
    await assign(database, owned, owner_id=a, backup_id=b)
    await assign(database, backed, owner_id=b, backup_id=a)
    before = await records.everything()
    with pytest.raises(CrmError) as refused:
        async with database.unit_of_work() as tx:
            await deactivate_staff(tx, a)
    assert refused.value.code is ErrorCode.REFUSED
    assert refused.value.message == "Ann owns 1 customers and is the backup for 1."
    for successor in (a, "nobody"):
        with pytest.raises(CrmError) as refused:
            async with database.unit_of_work() as tx:
                await deactivate_staff(tx, a, successor_id=successor)
        assert (refused.value.code, refused.value.path) == (ErrorCode.BAD_INPUT, ("successor",))
    assert await records.everything() == before


async def test_a_successor_takes_the_customers_over(database: Database, records: "Records") -> None:
    a, b, c = await records.staff("Ann"), await records.staff("Bob"), await records.staff("Cem")
    both, backed, plain, others = [await records.customer() for _ in range(4)]
    await assign(database, both, owner_id=a, backup_id=b)
    await assign(database, backed, owner_id=b, backup_id=a)
    await assign(database, plain, owner_id=a, backup_id=c)
    await assign(database, others, owner_id=c, backup_id=b)
    before = len(await records.events())
    async with database.unit_of_work() as tx:
        assert await deactivate_staff(tx, a, successor_id=b) == StaffSaved(a, 2, True)
    assert await roles(records, both) == (b, None, 3)
    assert await roles(records, backed) == (b, None, 3)
    assert await roles(records, plain) == (b, c, 3)
    assert await roles(records, others) == (c, b, 2)
    assert {
        event["customer_id"]: event["changes"]
        for kind, event in (await records.events())[before:]
        if kind == "customer.owner_assigned"
    } == {
        both: {"owner_id": [a, b], "backup_id": [b, None]},
        backed: {"backup_id": [a, None]},
        plain: {"owner_id": [a, b]},
    }


async def test_nobody_is_assigned_to_who_leaves_at_that_moment(
    database: Database, records: "Records"
) -> None:
    a = await records.staff("A")
    keys = [await records.customer() for _ in range(5)]

    async def leave() -> None:
        async with database.unit_of_work() as tx:
            await deactivate_staff(tx, a)

    results = await asyncio.gather(
        *(assign(database, key, owner_id=a) for key in keys[:3]),
        leave(),
        *(assign(database, key, owner_id=a) for key in keys[3:]),
        return_exceptions=True,
    )
    owned = [row for row in await records.rows("crm_customer") if row["owner_id"] == a]
    active = (await records.row("crm_staff", a))["active"]
    assert (not owned) or active
    assert isinstance(results[3], CrmError) is bool(active)
