"""Customers over the API: searched, filtered, ordered and paged."""

from typing import Any

import pytest

from .conftest import Api, create, names


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
        (
            {"attributes": [{"name": "size", "gt": float("inf")}]},
            "filter.attributes: size.gt: a text, a number or",
        ),
        ({"attributes": [{"name": "size", "gt": True}]}, "filter.attributes: size.gt: a number or a text"),
        (
            {"attributes": [{"name": "size", "eq": 1}] * 51},
            "filter.attributes: 51 conditions on attributes are too many; list 50 at most",
        ),
        ({"owner": {"eq": "nonsense"}}, "filter.owner.eq: 'nonsense' is no id of this API"),
        ({"segment": "nonsense"}, "filter.segment: 'nonsense' is no id of this API"),
        ({"segment": None}, "filter.segment: null is no condition; leave it out"),
        ({"tags": {"any": ["x"] * 101}}, "filter.tags: any: 101 tags are too many"),
        ({"name": {"eq": "x" * 2001}}, "filter.name.eq: 2001 characters are too many; a text may have 2000"),
        ({"city": {"in": ["x", "x" * 2001]}}, "filter.city.in.1: 2001 characters are too many"),
        ({"tags": {"any": ["x" * 2001]}}, "filter.tags.any.0: 2001 characters are too many"),
        ({"contactPoint": {"value": "x" * 2001}}, "filter.contactPoint.value: 2001 characters are too many"),
        (
            {"not": {"attributes": [{"name": "size", "in": [1, "x" * 2001]}]}},
            "filter.not.attributes.0.in.1: 2001 characters are too many",
        ),
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
