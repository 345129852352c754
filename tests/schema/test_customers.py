"""Customers over the API: created and changed."""

from typing import Any

import pytest

from crm_framework.engine.ids import encode_id
from crm_framework.storage.ids import new_id

from .conftest import Api, create, names

CREATE = """
    customer {
      id version kind stage name email phone company city country tags attributes source reference locale
      timeZone confidential convertedAt mergedIds owner { name } backup { name }
      contactPoints { channel value normalized primary consent address { city postalCode } }
    }
"""


async def test_create_gives_the_whole_customer(api: Api) -> None:
    await api.change("defineAttribute", {"name": "shoeSize", "type": "NUMBER"}, "attributeDefinition { id }")
    ann = (await api.change("createStaff", {"name": "Ann"}, "staff { id }"))["staff"]["id"]
    made = await api.change(
        "createCustomer",
        {
            "name": "Zoë Müller",
            "company": "Müller AG",
            "email": "Zoe@Example.com",
            "phone": "+49 30 123456",
            "contactPoints": [
                {"channel": "address", "address": {"city": "Berlin", "postalCode": "10115", "country": "de"}}
            ],
            "owner": ann,
            "tags": ["VIP", "north"],
            "attributes": {"shoeSize": 38},
            "locale": "de-DE",
            "timeZone": "Europe/Berlin",
            "source": "shop",
            "reference": "17",
        },
        CREATE,
    )
    customer = made["customer"]
    assert customer.pop("id")
    assert customer == {
        "version": 1,
        "kind": "PERSON",
        "stage": "PROSPECT",
        "name": "Zoë Müller",
        "email": "zoe@example.com",
        "phone": "+4930123456",
        "company": "Müller AG",
        "city": "Berlin",
        "country": "DE",
        "tags": ["north", "vip"],
        "attributes": {"shoeSize": 38},
        "source": "shop",
        "reference": "17",
        "locale": "de-DE",
        "timeZone": "Europe/Berlin",
        "confidential": False,
        "convertedAt": None,
        "mergedIds": [],
        "owner": {"name": "Ann"},
        "backup": None,
        "contactPoints": [
            {
                "channel": "address",
                "value": "10115 Berlin, DE",
                "normalized": "10115 berlin, de",
                "primary": True,
                "consent": "UNKNOWN",
                "address": {"city": "Berlin", "postalCode": "10115"},
            },
            {
                "channel": "email",
                "value": "Zoe@Example.com",
                "normalized": "zoe@example.com",
                "primary": True,
                "consent": "UNKNOWN",
                "address": None,
            },
            {
                "channel": "phone",
                "value": "+49 30 123456",
                "normalized": "+4930123456",
                "primary": True,
                "consent": "UNKNOWN",
                "address": None,
            },
        ],
    }


@pytest.mark.parametrize(
    ("input", "code", "path"),
    [
        ({"name": " "}, "BAD_INPUT", ["name"]),
        ({"name": "A", "email": "nobody"}, "BAD_INPUT", ["email"]),
        ({"name": "A", "phone": "12"}, "BAD_INPUT", ["phone"]),
        ({"name": "A", "timeZone": "Mars/North"}, "BAD_INPUT", ["timeZone"]),
        ({"name": "A", "country": "Germany"}, "BAD_INPUT", ["country"]),
        ({"name": "A", "attributes": {"shoeSize": "big"}}, "BAD_INPUT", ["attributes", "shoeSize"]),
        ({"name": "A", "source": "shop"}, "BAD_INPUT", ["reference"]),
        ({"name": "A", "tags": ["a,b"]}, "BAD_INPUT", ["tags", "0"]),
        ({"name": "A", "owner": "nonsense"}, "BAD_INPUT", ["owner"]),
        ({"name": "A", "owner": encode_id("Customer", new_id())}, "BAD_INPUT", ["owner"]),
        ({"name": "A", "owner": encode_id("Staff", new_id())}, "BAD_INPUT", ["owner"]),
        (
            {"name": "A", "contactPoints": [{"channel": "email", "value": "nobody"}]},
            "BAD_INPUT",
            ["contactPoints", "0", "value"],
        ),
        (
            {"name": "A", "contactPoints": [{"channel": "pigeon", "value": "x"}]},
            "BAD_INPUT",
            ["contactPoints", "0", "channel"],
        ),
        (
            {"name": "A", "contactPoints": [{"channel": "address", "address": {"country": "Mars"}}]},
            "BAD_INPUT",
            ["contactPoints", "0", "address", "country"],
        ),
    ],
)
async def test_create_refuses_what_does_not_fit(
    api: Api, input: dict[str, Any], code: str, path: list[str]
) -> None:
    await api.change("defineAttribute", {"name": "shoeSize", "type": "NUMBER"}, "attributeDefinition { id }")
    (error,) = await api.errors("createCustomer", input)
    assert (error["code"], error["path"]) == (code, path)
    assert error["message"]
    assert await api.count("crm_customer") == 0


async def test_the_same_reference_again_is_the_same_customer(api: Api) -> None:
    one = await create(api, "Ann", source="shop", reference="1")
    assert await create(api, "Bea", source="shop", reference="1") == one
    assert await names(api) == ["Ann"]
    found = await api.data('{ customer(source: "shop", reference: "1") { id } }')
    assert found == {"customer": {"id": one}}
    assert await api.data('{ customer(source: "shop", reference: "2") { id } }') == {"customer": None}


async def test_the_same_idempotency_key_is_the_same_customer(api: Api) -> None:
    one = await create(api, "Ann", idempotencyKey="k1")
    assert await create(api, "Ann", idempotencyKey="k1") == one
    (error,) = await api.errors("createCustomer", {"name": "Bea", "idempotencyKey": "k1"})
    assert (error["code"], error["path"]) == ("CONFLICT", ["idempotencyKey"])
    assert await names(api) == ["Ann"]


async def test_a_refused_mutation_frees_its_idempotency_key(api: Api) -> None:
    assert await api.errors("createCustomer", {"name": "Ann", "email": "no", "idempotencyKey": "k"})
    assert await create(api, "Ann", idempotencyKey="k")


async def test_update_changes_what_is_given(api: Api) -> None:
    id = await create(api, "Ann", company="A", email="ann@example.com", tags=["old"])
    changed = await api.change(
        "updateCustomer",
        {"id": id, "company": None, "city": "Rome", "tags": ["new"], "expectedVersion": 1},
        "customer { version name company email city tags }",
    )
    assert changed["customer"] == {
        "version": 2,
        "name": "Ann",
        "company": None,
        "email": "ann@example.com",
        "city": "Rome",
        "tags": ["new"],
    }


async def test_a_stale_version_is_refused_naming_both(api: Api) -> None:
    id = await create(api, "Ann")
    await api.change("updateCustomer", {"id": id, "name": "Anna"}, "customer { id }")
    (error,) = await api.errors("updateCustomer", {"id": id, "name": "Annie", "expectedVersion": 1})
    assert error == {
        "code": "CONFLICT",
        "message": "The customer is at version 2, not at 1: it changed meanwhile.",
        "path": ["expectedVersion"],
        "hint": "Read it again, and repeat the change if it still fits.",
    }
    assert await names(api) == ["Anna"]


@pytest.mark.parametrize(
    "mutation",
    [
        "updateCustomer",
        "convertProspect",
        "lapseCustomer",
        "returnCustomer",
        "archiveCustomer",
        "assignOwner",
    ],
)
async def test_changes_of_an_unknown_customer_are_refused(api: Api, mutation: str) -> None:
    (unknown,) = await api.errors(mutation, {"id": encode_id("Customer", new_id())})
    assert (unknown["code"], unknown["path"]) == ("NOT_FOUND", ["id"])
    for wrong in ("", "nonsense", encode_id("Staff", new_id()), encode_id("Customer", "5")):
        (error,) = await api.errors(mutation, {"id": wrong})
        assert (error["code"], error["path"]) == ("BAD_INPUT", ["id"])


async def test_stages(api: Api) -> None:
    id = await create(api, "Ann")
    select = "customer { stage convertedAt formerAt returnedAt archivedAt }"
    moment = "2025-01-01T00:00:00Z"
    made = await api.change("convertProspect", {"id": id, "at": moment}, select)
    assert made["customer"]["stage"] == "CUSTOMER"
    assert made["customer"]["convertedAt"] == moment
    (error,) = await api.errors("convertProspect", {"id": id, "at": "2999-01-01T00:00:00Z"})
    assert error["path"] == ["at"]
    assert (await api.change("lapseCustomer", {"id": id}, select))["customer"]["stage"] == "FORMER"
    assert (await api.change("returnCustomer", {"id": id}, select))["customer"]["stage"] == "CUSTOMER"
    assert (await api.change("archiveCustomer", {"id": id}, select))["customer"]["archivedAt"]
    assert (await api.change("unarchiveCustomer", {"id": id}, select))["customer"]["archivedAt"] is None


async def test_owner_and_backup(api: Api) -> None:
    id = await create(api, "Ann")
    owner, backup = [
        (await api.change("createStaff", {"name": name}, "staff { id }"))["staff"]["id"] for name in "XY"
    ]
    select = "customer { owner { name } backup { name } }"
    made = await api.change("assignOwner", {"id": id, "owner": owner, "backup": backup}, select)
    assert made["customer"] == {"owner": {"name": "X"}, "backup": {"name": "Y"}}
    made = await api.change("assignOwner", {"id": id, "owner": None}, select)
    assert made["customer"] == {"owner": None, "backup": None}
    (error,) = await api.errors("assignOwner", {"id": id, "owner": owner, "backup": owner})
    assert error["path"] == ["backup"]


async def test_tags_of_many(api: Api) -> None:
    ids = [await create(api, name, tags=["a"]) for name in ("Ann", "Bea")]
    made = await api.change(
        "tagCustomers",
        {"customers": ids[::-1], "add": ["b"], "remove": ["a"]},
        "changed customers { name tags }",
    )
    assert made["changed"] == 2
    assert made["customers"] == [{"name": "Bea", "tags": ["b"]}, {"name": "Ann", "tags": ["b"]}]
    wrong = [ids[0], encode_id("Customer", new_id())]
    (error,) = await api.errors("tagCustomers", {"customers": wrong, "add": ["c"]})
    assert error["code"] == "NOT_FOUND"
    assert error["path"][0] == "customers"
    assert await api.count("crm_customer_tag") == 2


async def test_contact_points_and_consent(api: Api) -> None:
    id = await create(api, "Ann", email="ann@example.com")
    select = "contactPoint { id value consent primary } customer { email }"
    added = await api.change(
        "addContactPoint",
        {"customer": id, "contactPoint": {"channel": "email", "value": "new@example.com", "primary": True}},
        select,
    )
    point = added["contactPoint"]["id"]
    assert added["customer"] == {"email": "new@example.com"}
    consented = await api.change(
        "setConsent", {"customer": id, "contactPoint": point, "consent": "OPTED_IN", "source": "form"}, select
    )
    assert consented["contactPoint"]["consent"] == "OPTED_IN"
    changed = await api.change(
        "updateContactPoint", {"customer": id, "contactPoint": point, "value": "third@example.com"}, select
    )
    assert changed["contactPoint"] == {
        "id": point,
        "value": "third@example.com",
        "consent": "UNKNOWN",
        "primary": True,
    }
    removed = await api.change("removeContactPoint", {"customer": id, "contactPoint": point}, select)
    assert removed == {"contactPoint": None, "customer": {"email": "ann@example.com"}, "errors": []}
    (error,) = await api.errors("removeContactPoint", {"customer": id, "contactPoint": point})
    assert (error["code"], error["path"]) == ("NOT_FOUND", ["contactPoint"])
    wrong = {"customer": id, "contactPoint": {"channel": "email", "value": "nobody"}}
    (error,) = await api.errors("addContactPoint", wrong)
    assert error["path"] == ["contactPoint", "value"]
    (error,) = await api.errors("setConsent", {"customer": id, "consent": "OPTED_IN"})
    assert error["path"] == ["channel"]
    (error,) = await api.errors(
        "setConsent", {"customer": encode_id("Customer", new_id()), "consent": "OPTED_IN", "channel": "email"}
    )
    assert (error["code"], error["path"]) == ("NOT_FOUND", ["customer"])
