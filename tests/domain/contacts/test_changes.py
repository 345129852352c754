"""Contact points of a stored customer: one primary per channel, and columns that follow it."""

from collections.abc import Awaitable, Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import pytest

from crm_framework.domain.contacts.changes import (
    ContactPointChange,
    add_contact_point,
    change_contact_point,
    remove_contact_point,
    set_consent,
)
from crm_framework.domain.contacts.points import NewContactPoint
from crm_framework.domain.customers.changes import CustomerChange, create_customer, update_customer
from crm_framework.domain.customers.draft import NewCustomer
from crm_framework.domain.customers.record import Changed
from crm_framework.errors import CrmError, ErrorCode
from crm_framework.storage.clock import frozen
from crm_framework.storage.database import Database

if TYPE_CHECKING:
    from tests.domain.conftest import Records

THEN = datetime(2026, 3, 1, 12, tzinfo=UTC)
LATER = THEN + timedelta(days=1)


async def do(database: Database, change: Callable[..., Awaitable[Any]], *args: Any, **fields: Any) -> Any:
    with frozen(LATER):
        async with database.unit_of_work() as tx:
            return await change(tx, *args, **fields)


async def anna(database: Database, **fields: Any) -> str:
    with frozen(THEN):
        async with database.unit_of_work() as tx:
            return (await create_customer(tx, NewCustomer(name="Anna", **fields))).id


async def listed(records: "Records") -> list[tuple[str, str, bool]]:
    rows = await records.database.fetch("SELECT * FROM crm_contact_point ORDER BY position, id")
    assert [row["position"] for row in rows] == list(range(len(rows)))
    return [(row["channel"], row["normalized"], bool(row["is_primary"])) for row in rows]


async def columns(records: "Records", key: str) -> tuple[str | None, ...]:
    row = await records.row("crm_customer", key)
    return row["email"], row["phone"], row["city"], row["country"]


async def test_the_first_point_of_a_channel_is_primary(database: Database, records: "Records") -> None:
    key = await anna(
        database,
        email="main@example.com",
        contact_points=[
            NewContactPoint(channel="email", value="a@example.com"),
            NewContactPoint(channel="phone", value="+49 30 1"),
            NewContactPoint(channel="phone", value="+49 30 123456"),
        ][:1],
    )
    assert await listed(records) == [("email", "a@example.com", False), ("email", "main@example.com", True)]
    point, changed = await do(
        database, add_contact_point, key, NewContactPoint(channel="phone", value="+49 30 123456")
    )
    assert changed == Changed(key, 2, True)
    assert (await listed(records))[2] == ("phone", "+4930123456", True)
    assert await columns(records, key) == ("main@example.com", "+4930123456", None, None)
    again, unchanged = await do(
        database, add_contact_point, key, NewContactPoint(channel="phone", value="+4930123456")
    )
    assert (again, unchanged) == (point, Changed(key, 2, False))


async def test_choosing_another_primary_moves_the_role(database: Database, records: "Records") -> None:
    key = await anna(database, email="a@example.com")
    other, _ = await do(
        database, add_contact_point, key, NewContactPoint(channel="email", value="b@example.com")
    )
    assert (await columns(records, key))[0] == "a@example.com"
    await do(database, change_contact_point, key, other, ContactPointChange(primary=True))
    assert await listed(records) == [("email", "a@example.com", False), ("email", "b@example.com", True)]
    assert (await columns(records, key))[0] == "b@example.com"
    kind, event = (await records.events())[-1]
    assert kind == "customer.updated"
    assert event["changes"]["email"] == ["a@example.com", "b@example.com"]
    assert [point["primary"] for point in event["changes"]["contact_points"][1]] == [False, True]
    await do(database, remove_contact_point, key, other)
    assert await listed(records) == [("email", "a@example.com", True)]
    assert (await columns(records, key))[0] == "a@example.com"
    assert (await records.row("crm_customer", key))["version"] == 4


@pytest.mark.parametrize("way", ["point", "short form", "list", "add"])
async def test_the_role_moves_up_the_list_too(database: Database, records: "Records", way: str) -> None:
    first, second = (NewContactPoint(channel="email", value=f"{name}@example.com") for name in "ab")
    key = await anna(database, contact_points=[first, replace(second, primary=True)])
    if way == "point":
        (row,) = await records.rows("crm_contact_point", "normalized = ?", "a@example.com")
        await do(database, change_contact_point, key, row["id"], ContactPointChange(primary=True))
    elif way == "short form":
        await do(database, update_customer, key, CustomerChange(email="a@example.com"))
    elif way == "list":
        given = [replace(first, primary=True), second]
        await do(database, update_customer, key, CustomerChange(contact_points=given))
    else:
        await do(database, add_contact_point, key, replace(first, primary=True))
    assert await listed(records) == [("email", "a@example.com", True), ("email", "b@example.com", False)]
    assert (await columns(records, key))[0] == "a@example.com"


async def test_adding_a_primary_one_moves_the_role_too(database: Database, records: "Records") -> None:
    key = await anna(database, city="Bonn", country="DE")
    address = {"street": "Rue 1", "city": "Paris", "country": "FR"}
    await do(
        database, add_contact_point, key, NewContactPoint(channel="address", address=address, primary=True)
    )
    assert await columns(records, key) == (None, None, "Paris", "FR")
    assert (await records.row("crm_customer", key))["search_text"] == "anna bonn de rue 1 paris fr"


async def test_changing_a_point_keeps_its_key_and_ends_an_opt_in(
    database: Database, records: "Records"
) -> None:
    key = await anna(
        database,
        contact_points=[NewContactPoint(channel="email", value="a@example.com", consent="OPTED_IN")],
    )
    (point,) = await records.rows("crm_contact_point")
    await do(
        database,
        change_contact_point,
        key,
        point["id"],
        ContactPointChange(value="b@example.com", label="work"),
    )
    (changed,) = await records.rows("crm_contact_point")
    assert changed["id"] == point["id"]
    assert (changed["value"], changed["label"], changed["consent"], changed["consent_at"]) == (
        "b@example.com",
        "work",
        "UNKNOWN",
        None,
    )


@pytest.mark.parametrize(
    ("change", "path", "code"),
    [
        (ContactPointChange(value="nothing"), ("value",), ErrorCode.BAD_INPUT),
        (ContactPointChange(value="b@example.com"), ("1", "value"), ErrorCode.BAD_INPUT),
        (ContactPointChange(address={"city": "Bonn"}), ("address",), ErrorCode.BAD_INPUT),
        (ContactPointChange(label="l" * 101), ("label",), ErrorCode.BAD_INPUT),
    ],
)
async def test_a_bad_change_of_a_point_changes_nothing(
    database: Database,
    records: "Records",
    change: ContactPointChange,
    path: tuple[str, ...],
    code: ErrorCode,
) -> None:
    key = await anna(database, email="a@example.com")
    await do(database, add_contact_point, key, NewContactPoint(channel="email", value="b@example.com"))
    before = await records.everything()
    with pytest.raises(CrmError) as refused:
        await do(database, change_contact_point, key, before["crm_contact_point"][0]["id"], change)
    assert (refused.value.code, refused.value.path) == (code, path)
    assert await records.everything() == before


async def test_another_customers_point_is_not_found(database: Database, records: "Records") -> None:
    await anna(database, email="a@example.com")
    (point,) = await records.rows("crm_contact_point")
    other = await anna(database)
    before = await records.everything()
    with pytest.raises(CrmError) as refused:
        await do(database, remove_contact_point, other, point["id"])
    assert (refused.value.code, refused.value.path) == (ErrorCode.NOT_FOUND, ("contactPoint",))
    assert await records.everything() == before


async def test_the_short_forms_write_the_primary_points(database: Database, records: "Records") -> None:
    key = await anna(database, email="a@example.com", phone="+49 30 123456", city="Bonn", country="DE")
    ids = [row["id"] for row in await records.rows("crm_contact_point")]
    await do(
        database,
        update_customer,
        key,
        CustomerChange(email="b@example.com", phone="0221 123456", city="Köln", country=None),
    )
    assert await columns(records, key) == ("b@example.com", "+49221123456", "Köln", None)
    assert [row["id"] for row in await records.rows("crm_contact_point")] == ids
    await do(database, update_customer, key, CustomerChange(email=None, phone=" ", city=None))
    assert await columns(records, key) == (None, None, None, None)
    assert await listed(records) == []


async def test_the_new_country_tells_how_to_read_the_new_number(
    database: Database, records: "Records"
) -> None:
    key = await anna(database, country="DE")
    await do(database, update_customer, key, CustomerChange(country="US", phone="(212) 555-0100"))
    assert await columns(records, key) == (None, "+12125550100", None, "US")


async def test_a_whole_list_keeps_what_is_in_both(database: Database, records: "Records") -> None:
    key = await anna(
        database,
        contact_points=[
            NewContactPoint(
                channel="email", value="a@example.com", consent="OPTED_IN", consent_source="form"
            ),
            NewContactPoint(channel="email", value="b@example.com"),
            NewContactPoint(channel="chat", value="@anna"),
        ],
    )
    first = (await records.rows("crm_contact_point"))[0]
    await do(
        database,
        update_customer,
        key,
        CustomerChange(
            contact_points=[
                NewContactPoint(channel="email", value="c@example.com", primary=True),
                NewContactPoint(channel="email", value="A@example.com"),
            ]
        ),
    )
    assert await listed(records) == [("email", "c@example.com", True), ("email", "a@example.com", False)]
    kept = await records.row("crm_contact_point", first["id"])
    assert (kept["value"], kept["consent"], kept["consent_source"]) == ("A@example.com", "OPTED_IN", "form")


async def test_consent_is_dated_and_told(database: Database, records: "Records") -> None:
    key = await anna(database, email="a@example.com")
    await do(database, add_contact_point, key, NewContactPoint(channel="email", value="b@example.com"))
    changed = await do(database, set_consent, key, "OPTED_IN", channel="email", source="web form", at=THEN)
    assert changed == Changed(key, 3, True)
    rows = await records.rows("crm_contact_point")
    assert [(row["consent"], row["consent_source"]) for row in rows] == [("OPTED_IN", "web form")] * 2
    assert [event for kind, event in await records.events() if kind == "customer.consent_changed"] == [
        {
            "customer_id": key,
            "channel": "email",
            "contact_point_id": row["id"],
            "changes": {
                "consent": ["UNKNOWN", "OPTED_IN"],
                "consent_at": [None, "2026-03-01T12:00:00Z"],
                "consent_source": [None, "web form"],
            },
        }
        for row in rows
    ]
    before = await records.everything()
    again = await do(database, set_consent, key, "OPTED_IN", channel="email", source="elsewhere")
    assert again == Changed(key, 3, False)
    assert await records.everything() == before
    await do(database, set_consent, key, "OPTED_OUT", point_id=rows[0]["id"])
    assert [row["consent"] for row in await records.rows("crm_contact_point")] == ["OPTED_OUT", "OPTED_IN"]


@pytest.mark.parametrize(
    ("given", "code", "path"),
    [
        ({"channel": "email", "at": THEN - timedelta(days=1)}, ErrorCode.CONFLICT, ("at",)),
        ({"channel": "email", "at": LATER + timedelta(days=1)}, ErrorCode.BAD_INPUT, ("at",)),
        ({"channel": "phone"}, ErrorCode.NOT_FOUND, ("channel",)),
        ({"channel": "fax"}, ErrorCode.BAD_INPUT, ("channel",)),
        ({"point_id": "nonsense"}, ErrorCode.NOT_FOUND, ("contactPoint",)),
        ({}, ErrorCode.BAD_INPUT, ("channel",)),
        ({"channel": "email", "consent": "MAYBE"}, ErrorCode.BAD_INPUT, ("consent",)),
        ({"channel": "email", "source": "s" * 201}, ErrorCode.BAD_INPUT, ("source",)),
        ({"channel": "email", "expected_version": 9}, ErrorCode.CONFLICT, ("expectedVersion",)),
    ],
)
async def test_a_consent_that_cannot_be_is_refused(
    database: Database, records: "Records", given: dict[str, Any], code: ErrorCode, path: tuple[str, ...]
) -> None:
    key = await anna(
        database,
        contact_points=[NewContactPoint(channel="email", value="a@example.com", consent="OPTED_OUT")],
    )
    before = await records.everything()
    with pytest.raises(CrmError) as refused:
        await do(database, set_consent, key, **{"consent": "OPTED_IN", **given})
    assert (refused.value.code, refused.value.path) == (code, path)
    assert await records.everything() == before
