"""Creating and changing customers."""

import asyncio
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import orjson
import pytest

from crm_framework.domain.contacts.points import NewContactPoint
from crm_framework.domain.customers.attributes import NewAttribute, define_attribute
from crm_framework.domain.customers.changes import (
    CustomerChange,
    create_customer,
    find_by_reference,
    update_customer,
)
from crm_framework.domain.customers.draft import NewCustomer
from crm_framework.domain.customers.record import Changed
from crm_framework.errors import CrmError, ErrorCode
from crm_framework.storage.clock import frozen
from crm_framework.storage.database import Database
from tests.domain.repeating import repeatably

if TYPE_CHECKING:
    from tests.domain.conftest import Records

THEN = datetime(2026, 3, 1, 12, tzinfo=UTC)
LATER = THEN + timedelta(days=1)


async def create(database: Database, name: str = "Anna Müller", **fields: Any) -> str:
    with frozen(THEN):
        return (
            await repeatably(database, lambda tx: create_customer(tx, NewCustomer(name=name, **fields)))
        ).id


async def update(
    database: Database, key: str, *, expected_version: int | None = None, **fields: Any
) -> Changed:
    with frozen(LATER):
        async with database.unit_of_work() as tx:
            return await update_customer(tx, key, CustomerChange(**fields), expected_version=expected_version)


async def test_a_new_customer(database: Database, records: "Records") -> None:
    owner = await records.staff()
    key = await create(
        database,
        " Anna  Müller ",
        company="Müller & Söhne",
        email="Anna@Example.COM",
        phone="030 123456",
        city="Köln",
        country="de",
        owner_id=owner,
        tags=["VIP", "vip", "Early Bird"],
        locale="de_de",
        time_zone="europe/berlin",
        source="shop",
        reference="4711",
    )
    row = await records.row("crm_customer", key)
    assert {name: row[name] for name in row if row[name] is not None and not name.endswith("_at")} == {
        "id": key,
        "version": 1,
        "kind": "PERSON",
        "stage": "PROSPECT",
        "name": "Anna  Müller",
        "sort_name": "anna muller",
        "company": "Müller & Söhne",
        "email": "anna@example.com",
        "phone": "+4930123456",
        "city": "Köln",
        "country": "DE",
        "owner_id": owner,
        "attributes": "{}",
        "locale": "de-DE",
        "time_zone": "Europe/Berlin",
        "source": "shop",
        "reference": "4711",
        "confidential": False,
        "search_text": "anna muller sohne example com 030 123456 4930123456 koln de",
    }
    points = await records.rows("crm_contact_point")
    assert [(p["channel"], p["value"], p["normalized"], bool(p["is_primary"])) for p in points] == [
        ("email", "Anna@Example.COM", "anna@example.com", True),
        ("phone", "030 123456", "+4930123456", True),
        ("address", "Köln, DE", "koln, de", True),
    ]
    assert [row["tag"] for row in await records.rows("crm_customer_tag")] == ["early bird", "vip"]
    ((kind, event),) = await records.events()
    assert kind == "customer.created"
    assert event["customer_id"] == key
    changes = event["changes"]
    assert changes.pop("contact_points")[1][0] == {
        "id": points[0]["id"],
        "channel": "email",
        "value": "Anna@Example.COM",
        "primary": True,
        "consent": "UNKNOWN",
    }
    assert changes == {
        "kind": [None, "PERSON"],
        "stage": [None, "PROSPECT"],
        "name": [None, "Anna  Müller"],
        "company": [None, "Müller & Söhne"],
        "email": [None, "anna@example.com"],
        "phone": [None, "+4930123456"],
        "city": [None, "Köln"],
        "country": [None, "DE"],
        "owner_id": [None, owner],
        "locale": [None, "de-DE"],
        "time_zone": [None, "Europe/Berlin"],
        "source": [None, "shop"],
        "reference": [None, "4711"],
        "confidential": [None, False],
        "tags": [None, ["early bird", "vip"]],
    }


async def test_the_smallest_customer_takes_one_read_at_most(database: Database) -> None:
    with database.counting() as statements:
        async with database.unit_of_work() as tx:
            await create_customer(tx, NewCustomer(name="Anna"))
    tables = ["crm_customer", "crm_event", "crm_audit"]
    assert statements[0].startswith("SELECT id, version, name, type")
    assert [s.split()[:3] for s in statements[1:]] == [["INSERT", "INTO", table] for table in tables]


@pytest.mark.parametrize(
    ("fields", "path", "message"),
    [
        ({"name": " "}, ("name",), "The name is empty."),
        ({"name": "a\x00b"}, ("name",), "The name holds the control character U+0000."),
        ({"name": "a" * 301}, ("name",), "The name has 301 characters; 300 are allowed."),
        ({"kind": "ROBOT"}, ("kind",), "'ROBOT' is no kind of a customer."),
        ({"stage": "LEAD"}, ("stage",), "'LEAD' is no stage of a customer."),
        ({"company": "c" * 301}, ("company",), "The company has 301 characters; 300 are allowed."),
        ({"phone": "030 123456"}, ("phone",), "'030 123456' has no country code, and the customer's"),
        ({"email": "anna"}, ("email",), "'anna' is no e-mail address."),
        ({"country": "Germany"}, ("country",), "'Germany' is no country."),
        ({"city": "B" * 201}, ("city",), "The city of the address has 201 characters; 200 are allowed."),
        ({"locale": "german"}, ("locale",), "'german' is no language tag."),
        ({"time_zone": "Europe/Berln"}, ("timeZone",), "'Europe/Berln' is no time zone."),
        ({"source": "shop"}, ("reference",), "A source needs a reference."),
        ({"reference": "1"}, ("source",), "A reference needs a source."),
        (
            {"source": "s" * 101, "reference": "1"},
            ("source",),
            "The source has 101 characters; 100 are allowed.",
        ),
        ({"owner_id": "nobody"}, ("owner",), "The owner 'nobody' is no active member of staff."),
        ({"attributes": {"size": 1}}, ("attributes", "size"), "There is no attribute 'size'."),
        ({"attributes": ["size"]}, ("attributes",), "Attributes must be an object, not a list."),
        ({"tags": ["ok", "a,b"]}, ("tags", "1"), "The tag 'a,b' holds a comma."),
        ({"tags": "vip"}, ("tags",), "Tags must be a list, not a str."),
        (
            {"tags": [f"t{n}" for n in range(101)]},
            ("tags",),
            "The customer would have 101 tags; 100 are allowed.",
        ),
        ({"confidential": "no"}, ("confidential",), "confidential must be true or false, not a str."),
        ({"converted_at": THEN}, ("convertedAt",), "A prospect has not been converted yet."),
        (
            {"stage": "CUSTOMER", "converted_at": LATER},
            ("convertedAt",),
            "2026-03-02T12:00:00+00:00 lies in the",
        ),
        (
            {"stage": "CUSTOMER", "converted_at": datetime(2026, 1, 1)},
            ("convertedAt",),
            "2026-01-01 00:00:00 names no moment: it has no time zone.",
        ),
        (
            {"contact_points": [NewContactPoint(channel="fax", value="1")]},
            ("contactPoints", "0", "channel"),
            "'fax' is no channel.",
        ),
        (
            {
                "contact_points": [
                    NewContactPoint(channel="email", value="a@example.com"),
                    NewContactPoint(channel="email", value="A@example.com"),
                ]
            },
            ("contactPoints", "1", "value"),
            "The email 'A@example.com' is given twice.",
        ),
        (
            {
                "contact_points": [
                    NewContactPoint(channel="email", value="a@example.com", primary=True),
                    NewContactPoint(channel="email", value="b@example.com", primary=True),
                ]
            },
            ("contactPoints", "1", "primary"),
            "Two contact points are primary for the channel 'email'.",
        ),
        (
            {"contact_points": [NewContactPoint(channel="chat", value=f"@u{n}") for n in range(101)]},
            ("contactPoints",),
            "The customer would have 101 contact points; 100 are allowed.",
        ),
    ],
)
async def test_what_does_not_fit_is_refused(
    database: Database, records: "Records", fields: dict[str, Any], path: tuple[str, ...], message: str
) -> None:
    with pytest.raises(CrmError) as refused:
        await create(database, **fields)
    assert (refused.value.code, refused.value.path) == (ErrorCode.BAD_INPUT, path)
    assert refused.value.message.startswith(message)
    assert set(map(len, (await records.everything()).values())) == {0}


async def test_the_same_source_and_reference_give_the_first_customer(
    database: Database, records: "Records"
) -> None:
    key = await create(database, source="shop", reference="1")
    before = await records.everything()
    async with database.unit_of_work() as tx:
        again = await create_customer(
            tx, NewCustomer(name="Another", email="none", source=" shop ", reference="1")
        )
        other = await find_by_reference(tx, "shop", "2")
    assert (again.id, again.created, other) == (key, False, None)
    assert await records.everything() == before


async def test_a_resend_for_a_merged_customer_leads_to_the_winner(
    database: Database, records: "Records"
) -> None:
    winner = await records.customer()
    loser = await records.customer(source="shop", reference="1", merged_into_id=winner)
    assert await create(database, source="shop", reference="1") == winner != loser


async def test_two_creations_of_one_reference_at_once_make_one_customer(
    database: Database, records: "Records"
) -> None:
    async def one(n: int) -> tuple[str, bool]:
        async with database.unit_of_work() as tx:
            made = await create_customer(
                tx,
                NewCustomer(
                    name=f"Anna {n}", email=f"a{n}@example.com", tags=["t"], source="s", reference="1"
                ),
            )
            return made.id, made.created

    made = await asyncio.gather(*(one(n) for n in range(8)))
    assert len({key for key, _ in made}) == 1
    assert [created for _, created in made].count(True) == 1
    assert await records.count("crm_customer") == 1
    assert await records.count("crm_contact_point") == 1
    assert await records.count("crm_customer_tag") == 1
    assert [kind for kind, _ in await records.events()] == ["customer.created"]


async def test_an_update_tells_what_changed(database: Database, records: "Records") -> None:
    key = await create(database, email="anna@example.com", company="Müller", tags=["b"])
    changed = await update(
        database, key, expected_version=1, name="Anna Schmidt", company=None, tags=["C", "b"], kind="PERSON"
    )
    assert changed == Changed(key, 2, True)
    row = await records.row("crm_customer", key)
    assert (row["name"], row["sort_name"], row["company"], row["version"]) == (
        "Anna Schmidt",
        "anna schmidt",
        None,
        2,
    )
    assert row["search_text"] == "anna schmidt example com"
    assert (await records.events())[-1] == (
        "customer.updated",
        {
            "customer_id": key,
            "changes": {
                "name": ["Anna Müller", "Anna Schmidt"],
                "company": ["Müller", None],
                "tags": [["b"], ["b", "c"]],
            },
        },
    )


async def test_an_update_that_changes_nothing_leaves_no_trace(database: Database, records: "Records") -> None:
    async with database.unit_of_work() as tx:
        await define_attribute(tx, NewAttribute(name="size", type="NUMBER"))
    key = await create(
        database, email="anna@example.com", city="Bonn", tags=["b"], attributes={"size": 1}, locale="de"
    )
    before = await records.everything()
    changed = await update(
        database,
        key,
        name=" Anna Müller ",
        email="anna@example.com",
        city="Bonn",
        tags=["B"],
        attributes={"size": "1.0"},
        locale="DE",
        contact_points=[
            NewContactPoint(channel="email", value="anna@example.com"),
            NewContactPoint(channel="address", address={"city": "Bonn"}),
        ],
    )
    assert changed == Changed(key, 1, False)
    assert await update(database, key) == Changed(key, 1, False)
    assert await records.everything() == before


async def test_a_stale_version_is_refused(database: Database, records: "Records") -> None:
    key = await create(database)
    await update(database, key, company="A")
    before = await records.everything()
    with pytest.raises(CrmError) as refused:
        await update(database, key, expected_version=1, company="B")
    assert (refused.value.code, refused.value.path) == (ErrorCode.CONFLICT, ("expectedVersion",))
    assert refused.value.message == "The customer is at version 2, not at 1: it changed meanwhile."
    assert await records.everything() == before


async def test_a_bad_part_spoils_the_whole_update(database: Database, records: "Records") -> None:
    key = await create(database, email="anna@example.com")
    before = await records.everything()
    with pytest.raises(CrmError) as refused:
        await update(database, key, name="New", tags=["t"], email="bad")
    assert refused.value.path == ("email",)
    assert await records.everything() == before


@pytest.mark.parametrize("key", ["nonsense", "01a20e0a-90ef-7129-85f2-ff52d03611f5", ""])
async def test_an_unknown_customer_is_not_found(database: Database, key: str) -> None:
    with pytest.raises(CrmError) as refused:
        await update(database, key, name="New")
    assert (refused.value.code, refused.value.path) == (ErrorCode.NOT_FOUND, ("id",))


async def test_an_erased_customer_refuses_changes(database: Database, records: "Records") -> None:
    key = await records.customer(erased_at=THEN)
    before = await records.everything()
    with pytest.raises(CrmError) as refused:
        await update(database, key, name="New")
    assert refused.value.code is ErrorCode.REFUSED
    assert refused.value.message == "The customer was erased on 2026-03-01 and cannot be changed."
    assert await records.everything() == before


async def test_a_merged_customers_id_means_the_winner(database: Database, records: "Records") -> None:
    winner = await records.customer("Winner")
    middle = await records.customer("Middle", merged_into_id=winner)
    loser = await records.customer("Loser", merged_into_id=middle)
    assert await update(database, loser, company="X") == Changed(winner, 2, True)
    assert (await records.row("crm_customer", winner))["company"] == "X"
    assert (await records.row("crm_customer", loser))["company"] is None


async def test_two_updates_at_once_lose_nothing(database: Database, records: "Records") -> None:
    async with database.unit_of_work() as tx:
        for n in range(20):
            await define_attribute(tx, NewAttribute(name=f"a{n}", type="NUMBER"))
    key = await create(database)

    await asyncio.gather(*(update(database, key, attributes={f"a{n}": n}) for n in range(20)))
    row = await records.row("crm_customer", key)
    assert row["version"] == 21
    assert orjson.loads(row["attributes"]) == {f"a{n}": n for n in range(20)}


async def test_of_updates_at_once_that_expect_one_version_one_wins(
    database: Database, records: "Records"
) -> None:
    key = await create(database)
    results = await asyncio.gather(
        *(update(database, key, expected_version=1, company=f"C{n}") for n in range(6)),
        return_exceptions=True,
    )
    won = [result for result in results if isinstance(result, Changed)]
    lost = [result for result in results if isinstance(result, CrmError)]
    assert (won, len(lost)) == ([Changed(key, 2, True)], 5)
    assert {error.code for error in lost} == {ErrorCode.CONFLICT}
    assert (await records.row("crm_customer", key))["version"] == 2


async def test_a_reference_can_be_given_later_but_not_taken_from_another(
    database: Database, records: "Records"
) -> None:
    first = await create(database, source="shop", reference="1")
    second = await create(database)
    assert (await update(database, second, source="shop", reference="2")).changed
    before = await records.everything()
    with pytest.raises(CrmError) as refused:
        await update(database, second, reference="1")
    assert (refused.value.code, refused.value.path) == (ErrorCode.CONFLICT, ("reference",))
    assert first not in refused.value.message  # it may be out of the reach of whoever asks
    assert await records.everything() == before


async def test_attributes_change_one_by_one(database: Database, records: "Records") -> None:
    async with database.unit_of_work() as tx:
        await define_attribute(tx, NewAttribute(name="size", type="NUMBER"))
        await define_attribute(tx, NewAttribute(name="note", type="TEXT"))
        await define_attribute(tx, NewAttribute(name="vip", type="BOOLEAN", required=True))
    key = await create(database, attributes={"size": 1, "vip": True})
    await update(database, key, attributes={"note": "x", "size": None, "vip": False})
    assert orjson.loads((await records.row("crm_customer", key))["attributes"]) == {"note": "x", "vip": False}
    assert (await records.events())[-1][1]["changes"] == {
        "attributes.note": [None, "x"],
        "attributes.size": [1, None],
        "attributes.vip": [True, False],
    }
    before = await records.everything()
    for given in ({"vip": None}, {"nte": "x"}):
        with pytest.raises(CrmError):
            await update(database, key, attributes=given)
    with pytest.raises(CrmError) as refused:
        await create(database)
    assert refused.value.message == "The attribute 'vip' is required."
    assert refused.value.hint == "Give true or false."
    assert await records.everything() == before


async def test_of_two_that_take_one_reference_at_once_one_gets_it(
    database: Database, records: "Records"
) -> None:
    keys = [await create(database) for _ in range(4)]
    results = await asyncio.gather(
        *(update(database, key, source="s", reference="1") for key in keys), return_exceptions=True
    )
    lost = [result for result in results if isinstance(result, CrmError)]
    assert [(error.code, error.path) for error in lost] == [(ErrorCode.CONFLICT, ("reference",))] * 3
    references = [row["reference"] for row in await records.rows("crm_customer")]
    assert sorted(references, key=str) == ["1", None, None, None]
