"""Customers over the API: created, changed, found."""

from typing import Any

import pytest

from crm_framework.engine.ids import encode_id
from crm_framework.storage.ids import new_id

from .conftest import Api

CREATE = """
    customer {
      id version kind stage name email phone company city country tags attributes source reference locale
      timeZone confidential convertedAt mergedIds owner { name } backup { name }
      contactPoints { channel value normalized primary consent address { city postalCode } }
    }
"""


async def names(api: Api, **variables: Any) -> list[str]:
    """Names of the customers of a list, in order."""
    data = await api.data(
        """query($filter: CustomerFilter, $search: String, $orderBy: [CustomerOrder!], $first: Int) {
          customers(filter: $filter, search: $search, orderBy: $orderBy, first: $first)
              { nodes { name } } }""",
        **variables,
    )
    return [node["name"] for node in data["customers"]["nodes"]]


async def create(api: Api, name: str, **more: Any) -> str:
    """Id of a new customer."""
    made = await api.change("createCustomer", {"name": name, **more}, "customer { id }")
    found: str = made["customer"]["id"]
    return found


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


@pytest.mark.parametrize("search", ["zoe", "ZOË mül", "muller", "example", "zoe@exam", "4930", "mull berl"])
async def test_search_finds_words_and_their_beginnings(api: Api, search: str) -> None:
    await create(
        api, "Zoë Müller", company="Acme", email="zoe@example.com", phone="+49 30 123456", city="Berlin"
    )
    await create(api, "Ann Other")
    assert await names(api, search=search) == ["Zoë Müller"]


@pytest.mark.parametrize("search", ["oe", "zoe ann", "'\"*:&|!()", "zoe -ann NEAR/3", "\\"])
async def test_search_that_finds_nothing(api: Api, search: str) -> None:
    await create(api, "Zoë Müller")
    assert await names(api, search=search) == []


async def test_search_follows_changes_and_combines_with_filter_order_and_pages(api: Api) -> None:
    for number in range(5):
        await create(api, f"Ann {number}", city="Rome" if number % 2 else "Paris")
    await create(api, "Bea 9", city="Rome")
    assert await names(api, search=" ") == ["Ann 0", "Ann 1", "Ann 2", "Ann 3", "Ann 4", "Bea 9"]
    query = """query($after: String, $before: String, $first: Int, $last: Int) { customers(
        search: "ann", filter: {city: {in: ["Rome", "Paris"]}, not: {name: {eq: "ann 0"}}},
        orderBy: [{field: CITY}, {field: NAME, direction: DESC}],
        first: $first, last: $last, after: $after, before: $before) {
          nodes { name } totalCount pageInfo { hasNextPage hasPreviousPage startCursor endCursor } } }"""
    first = (await api.data(query, first=2))["customers"]
    assert [node["name"] for node in first["nodes"]] == ["Ann 4", "Ann 2"]
    assert first["totalCount"] == 4
    assert first["pageInfo"]["hasNextPage"] is True
    second = (await api.data(query, first=2, after=first["pageInfo"]["endCursor"]))["customers"]
    assert [node["name"] for node in second["nodes"]] == ["Ann 3", "Ann 1"]
    assert second["pageInfo"]["hasNextPage"] is False
    back = (await api.data(query, last=1, before=second["pageInfo"]["startCursor"]))["customers"]
    assert [node["name"] for node in back["nodes"]] == ["Ann 2"]
    changed = await api.data('{ customers(search: "bea") { nodes { id } } }')
    id = changed["customers"]["nodes"][0]["id"]
    await api.change("updateCustomer", {"id": id, "name": "Cleo"}, "customer { id }")
    assert await names(api, search="bea") == []
    assert await names(api, search="cleo") == ["Cleo"]


@pytest.mark.parametrize(
    ("filter", "found"),
    [
        ({"name": {"eq": "MÜLLER"}}, ["Müller"]),
        ({"name": {"contains": "ULL"}}, ["Müller"]),
        ({"name": {"in": ["Ann", "bea"]}}, ["Ann", "Bea"]),
        ({"stage": {"eq": "CUSTOMER"}}, ["Bea"]),
        ({"kind": {"eq": "ORGANISATION"}}, ["Müller"]),
        ({"email": {"eq": "ANN@example.com"}}, ["Ann"]),
        ({"email": {"isNull": True}}, ["Bea", "Müller"]),
        ({"phone": {"startsWith": "+49 30"}}, ["Bea"]),
        ({"city": {"eq": "Rome"}, "name": {"startsWith": "a"}}, ["Ann"]),
        ({"or": [{"city": {"eq": "Rome"}}, {"country": {"eq": "FR"}}]}, ["Ann", "Bea"]),
        ({"not": {"city": {"eq": "Rome"}}}, ["Bea", "Müller"]),
        ({"tags": {"any": ["A", "c"]}}, ["Ann", "Bea"]),
        ({"tags": {"all": ["a", "b"]}}, ["Ann"]),
        ({"tags": {"all": ["a", "b", "A", " b "] * 5}}, ["Ann"]),
        ({"tags": {"all": ["p", "q", "r", "s", "t"]}}, ["Bea"]),
        ({"tags": {"all": ["p", "q", "r", "s", "u"]}}, []),
        ({"tags": {"none": ["a"]}}, ["Bea", "Müller"]),
        ({"tags": {"any": []}}, []),
        ({"contactPoint": {"channel": "email", "value": "ann@example.com"}}, ["Ann"]),
        ({"contactPoint": {"channel": "phone", "consent": "UNKNOWN", "primary": True}}, ["Bea"]),
        ({"contactPoint": {"consent": "OPTED_IN"}}, []),
        ({"owner": {"isNull": True}}, ["Ann", "Bea", "Müller"]),
        ({"createdAt": {"gt": "2000-01-01T00:00:00Z"}}, ["Ann", "Bea", "Müller"]),
        ({"attributes": [{"name": "size", "eq": 38}]}, ["Ann"]),
        ({"attributes": [{"name": "size", "in": [38, 41.5]}]}, ["Ann", "Bea"]),
        ({"attributes": [{"name": "size", "in": []}]}, []),
        ({"attributes": [{"name": "size", "in": [True, "38", 38.0]}]}, ["Ann"]),
        ({"attributes": [{"name": "member", "in": [1, "true", False]}]}, ["Bea"]),
        ({"attributes": [{"name": "motto", "in": [38, "bb", "a b'c"]}]}, ["Ann", "Bea"]),
        ({"attributes": [{"name": "size", "in": [*range(1, 998), "x", True]}] * 5}, ["Ann"]),
        ({"attributes": [{"name": "size", "gt": 38, "lte": 41.5}]}, ["Bea"]),
        ({"attributes": [{"name": "size", "gte": "3"}]}, []),
        ({"attributes": [{"name": "size", "isNull": True}]}, ["Müller"]),
        ({"attributes": [{"name": "colours", "contains": "red"}]}, ["Bea"]),
        ({"attributes": [{"name": "motto", "contains": "b'"}]}, ["Ann"]),
        ({"attributes": [{"name": "motto", "gte": "b", "lt": "c"}]}, ["Bea"]),
        ({"attributes": [{"name": "member", "eq": True}]}, ["Ann"]),
        ({"attributes": [{"name": "member", "eq": 1}]}, []),
        ({"attributes": [{"name": "born", "lt": "1990-01-01"}]}, ["Bea"]),
        ({"attributes": [{"name": "size", "eq": 38}, {"name": "member", "eq": False}]}, []),
        ({"attributes": [{"name": "unknown", "eq": 38}]}, []),
    ],
)
async def test_filter(api: Api, filter: dict[str, Any], found: list[str]) -> None:
    for name, kind in {
        "size": "NUMBER",
        "motto": "TEXT",
        "member": "BOOLEAN",
        "born": "DATE",
    }.items():
        await api.change("defineAttribute", {"name": name, "type": kind}, "attributeDefinition { id }")
    await api.change(
        "defineAttribute",
        {"name": "colours", "type": "CHOICES", "choices": ["red", "blue"]},
        "attributeDefinition { id }",
    )
    await create(
        api,
        "Ann",
        email="ann@example.com",
        city="Rome",
        tags=["a", "b"],
        attributes={"size": 38, "motto": "a b'c", "member": True, "born": "1990-01-01"},
    )
    await create(
        api,
        "Bea",
        stage="CUSTOMER",
        phone="+4930123456",
        country="FR",
        tags=["c", "p", "q", "r", "s", "t"],
        attributes={"size": 41.5, "motto": "bb", "member": False, "born": "1989-12-31", "colours": ["red"]},
    )
    await create(api, "Müller", kind="ORGANISATION")
    assert await names(api, filter=filter) == found


@pytest.mark.parametrize(
    ("filter", "message"),
    [
        ({"attributes": [{"name": "a b", "eq": 1}]}, "filter.attributes: 'a b' is no name of an attribute"),
        ({"attributes": [{"name": "size"}]}, "filter.attributes: size: no comparison is given"),
        ({"attributes": [{"name": "size", "eq": [1]}]}, "filter.attributes: size.eq: a text, a number or"),
        ({"attributes": [{"name": "size", "gt": True}]}, "filter.attributes: size.gt: a number or a text"),
        (
            {"attributes": [{"name": "size", "eq": 1}] * 51},
            "filter.attributes: 51 conditions on attributes are too many; list 50 at most",
        ),
        ({"owner": {"eq": "nonsense"}}, "filter.owner.eq: 'nonsense' is no id of this API"),
        ({"segment": "nonsense"}, "filter.segment: 'nonsense' is no id of this API"),
        ({"tags": {"any": ["x"] * 101}}, "filter.tags: any: 101 tags are too many"),
    ],
)
async def test_filter_that_does_not_fit(api: Api, filter: dict[str, Any], message: str) -> None:
    code, text = await api.refused(
        "query($f: CustomerFilter) { customers(filter: $f) { totalCount } }", f=filter
    )
    assert code == "BAD_INPUT"
    assert text.startswith(message)


@pytest.mark.parametrize(
    ("query", "message"),
    [
        (
            "{ customers(first: 100000) { totalCount nodes { id } } }",
            "first: 100000 is more than a page may hold",
        ),
        ("{ customers(first: -1) { nodes { id } } }", "first: -1 is negative"),
        ('{ customers(after: "abc") { nodes { id } } }', "after: the cursor is damaged"),
        ('{ customer(id: "abc") { id } }', "'abc' is no id of this API"),
        (
            '{ customer(id: "U3RhZmY6MQ==") { id } }',
            "'U3RhZmY6MQ==' is the id of a Staff; the id of a Customer is expected here",
        ),
        ("{ customer { id } }", "customer: give either id, or source and reference"),
        ("{ customers { nodes { nothing } } }", "Cannot query field 'nothing' on type 'Customer'."),
        ("{ customers { ", "Syntax Error: Expected Name, found <EOF>."),
    ],
)
async def test_bad_queries(api: Api, query: str, message: str) -> None:
    code, text = await api.refused(query)
    assert code == "BAD_INPUT"
    assert text.startswith(message)


async def test_a_cursor_of_another_order_is_refused(api: Api) -> None:
    await create(api, "Ann")
    data = await api.data("{ customers { edges { cursor } } }")
    cursor = data["customers"]["edges"][0]["cursor"]
    code, text = await api.refused(
        "query($c: String) { customers(after: $c, orderBy: [{field: CREATED_AT}]) { nodes { id } } }",
        c=cursor,
    )
    assert code == "BAD_INPUT"
    assert text.startswith("after: this cursor belongs to the order NAME,id")


@pytest.mark.parametrize("count", [1, 10, 50])
async def test_a_page_of_customers_reads_each_level_once(api: Api, count: int) -> None:
    ann = (await api.change("createStaff", {"name": "Ann"}, "staff { id }"))["staff"]["id"]
    for number in range(count):
        await create(api, f"C{number:02}", owner=ann, tags=["t"], email=f"c{number}@example.com")
    data = await api.data(
        """{ customers(first: 50) { totalCount nodes { name tags attribute(name: "x") mergedIds
             owner { name } backup { name } contactPoints { value customer { name } } } } }"""
    )
    assert len(data["customers"]["nodes"]) == count
    assert data["customers"]["nodes"][0]["contactPoints"] == [
        {"value": "c0@example.com", "customer": {"name": "C00"}}
    ]
    # customers, their number, tags, losers, owners, contact points, their customers; no backups to read
    assert len(api.statements) == 7
