from collections.abc import Awaitable, Callable
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import pytest

from crm_framework.domain.customers.changes import create_customer
from crm_framework.domain.customers.draft import NewCustomer
from crm_framework.domain.customers.record import Changed
from crm_framework.domain.customers.stages import (
    archive_customer,
    convert_prospect,
    lapse_customer,
    return_customer,
    unarchive_customer,
)
from crm_framework.errors import CrmError, ErrorCode
from crm_framework.storage.clock import frozen, parse_time
from crm_framework.storage.database import Database

if TYPE_CHECKING:
    from tests.domain.conftest import Records

DAY = [datetime(2026, 3, day, 12, tzinfo=UTC) for day in range(1, 11)]


async def on(
    day: int, database: Database, change: Callable[..., Awaitable[Any]], *args: Any, **kw: Any
) -> Any:
    with frozen(DAY[day]):
        async with database.unit_of_work() as tx:
            return await change(tx, *args, **kw)


async def stage(records: "Records", key: str) -> dict[str, Any]:
    row = await records.row("crm_customer", key)
    dates = {
        name: parse_time(row[name])
        for name in ("converted_at", "former_at", "returned_at", "archived_at")
        if row[name] is not None
    }
    return {"stage": row["stage"], "version": row["version"], **dates}


async def test_a_life(database: Database, records: "Records") -> None:
    key = (await on(0, database, create_customer, NewCustomer(name="Anna"))).id
    assert await stage(records, key) == {"stage": "PROSPECT", "version": 1}
    assert await on(1, database, convert_prospect, key, expected_version=1) == Changed(key, 2, True)
    assert await on(2, database, convert_prospect, key) == Changed(key, 2, False)
    assert await stage(records, key) == {"stage": "CUSTOMER", "version": 2, "converted_at": DAY[1]}
    assert await on(3, database, lapse_customer, key) == Changed(key, 3, True)
    assert await on(4, database, lapse_customer, key) == Changed(key, 3, False)
    assert await stage(records, key) == {
        "stage": "FORMER",
        "version": 3,
        "converted_at": DAY[1],
        "former_at": DAY[3],
    }
    assert await on(6, database, return_customer, key, at=DAY[5]) == Changed(key, 4, True)
    assert await on(6, database, return_customer, key) == Changed(key, 4, False)
    assert await stage(records, key) == {
        "stage": "CUSTOMER",
        "version": 4,
        "converted_at": DAY[1],
        "returned_at": DAY[5],
    }
    told = [(kind, event.get("returned"), event["changes"]) for kind, event in (await records.events())[1:]]
    assert told == [
        (
            "customer.converted",
            False,
            {"stage": ["PROSPECT", "CUSTOMER"], "converted_at": [None, "2026-03-02T12:00:00Z"]},
        ),
        (
            "customer.lapsed",
            None,
            {"stage": ["CUSTOMER", "FORMER"], "former_at": [None, "2026-03-04T12:00:00Z"]},
        ),
        (
            "customer.converted",
            True,
            {
                "stage": ["FORMER", "CUSTOMER"],
                "former_at": ["2026-03-04T12:00:00Z", None],
                "returned_at": [None, "2026-03-06T12:00:00Z"],
            },
        ),
    ]


@pytest.mark.parametrize(
    ("given", "change", "kw", "code", "path"),
    [
        ("FORMER", convert_prospect, {}, ErrorCode.REFUSED, ("id",)),
        ("PROSPECT", lapse_customer, {}, ErrorCode.REFUSED, ("id",)),
        ("PROSPECT", return_customer, {}, ErrorCode.REFUSED, ("id",)),
        ("PROSPECT", convert_prospect, {"at": DAY[9]}, ErrorCode.BAD_INPUT, ("at",)),
        ("PROSPECT", convert_prospect, {"at": datetime(2026, 1, 1)}, ErrorCode.BAD_INPUT, ("at",)),
        ("CUSTOMER", lapse_customer, {"at": DAY[0] - timedelta(1)}, ErrorCode.BAD_INPUT, ("at",)),
        ("FORMER", return_customer, {"at": DAY[0] - timedelta(1)}, ErrorCode.BAD_INPUT, ("at",)),
        ("PROSPECT", convert_prospect, {"expected_version": 7}, ErrorCode.CONFLICT, ("expectedVersion",)),
        ("PROSPECT", archive_customer, {"expected_version": 7}, ErrorCode.CONFLICT, ("expectedVersion",)),
    ],
)
async def test_no_stage_is_skipped(
    database: Database,
    records: "Records",
    given: str,
    change: Callable[..., Awaitable[Any]],
    kw: dict[str, Any],
    code: ErrorCode,
    path: tuple[str, ...],
) -> None:
    key = (await on(0, database, create_customer, NewCustomer(name="Anna", stage=given))).id
    before = await records.everything()
    with pytest.raises(CrmError) as refused:
        await on(2, database, change, key, **kw)
    assert (refused.value.code, refused.value.path) == (code, path)
    assert await records.everything() == before


async def test_dates_of_customers_who_are_entered_late(database: Database, records: "Records") -> None:
    new = NewCustomer(name="A", stage="CUSTOMER", converted_at=DAY[0])
    assert (await stage(records, (await on(2, database, create_customer, new)).id))["converted_at"] == DAY[0]
    new = NewCustomer(name="A", stage="CUSTOMER")
    assert (await stage(records, (await on(2, database, create_customer, new)).id))["converted_at"] == DAY[2]
    new = NewCustomer(name="A", stage="FORMER", converted_at=DAY[0], former_at=DAY[1])
    assert await stage(records, (await on(2, database, create_customer, new)).id) == {
        "stage": "FORMER",
        "version": 1,
        "converted_at": DAY[0],
        "former_at": DAY[1],
    }
    for wrong in (
        {"stage": "FORMER", "converted_at": DAY[1], "former_at": DAY[0]},
        {"stage": "CUSTOMER", "former_at": DAY[0]},
    ):
        with pytest.raises(CrmError) as refused:
            await on(2, database, create_customer, NewCustomer(name="A", **wrong))  # type: ignore[arg-type]  # short
        assert refused.value.path == ("formerAt",)


async def test_the_archive_can_be_undone(database: Database, records: "Records") -> None:
    key = (await on(0, database, create_customer, NewCustomer(name="Anna"))).id
    assert await on(1, database, archive_customer, key) == Changed(key, 2, True)
    assert await on(2, database, archive_customer, key) == Changed(key, 2, False)
    assert (await stage(records, key))["archived_at"] == DAY[1]
    assert await on(3, database, unarchive_customer, key) == Changed(key, 3, True)
    assert await on(3, database, unarchive_customer, key) == Changed(key, 3, False)
    assert await stage(records, key) == {"stage": "PROSPECT", "version": 3}
    assert [(kind, event["changes"]) for kind, event in (await records.events())[1:]] == [
        ("customer.archived", {"archived_at": [None, "2026-03-02T12:00:00Z"]}),
        ("customer.archived", {"archived_at": ["2026-03-02T12:00:00Z", None]}),
    ]
