"""Segments over the API: saved filters, their members, and lists filtered by them."""

from dataclasses import replace
from typing import Any

import pytest

from crm_framework.engine.ids import encode_id
from crm_framework.security.actors import Actor, ActorKind
from crm_framework.storage.ids import new_id

from .conftest import Api, create, names

SELECT = """segment { id version name description filter previewCount
    members(first: 2) { totalCount nodes { name } pageInfo { hasNextPage endCursor } } }"""


async def fill(api: Api) -> None:
    await create(api, "Ann", city="Rome", tags=["a"])
    await create(api, "Bea", city="Rome")
    await create(api, "Cy", city="Rome", stage="CUSTOMER")
    await create(api, "Dan", city="Oslo", tags=["a"])


async def segment(api: Api, name: str, filter: dict[str, Any]) -> str:
    made = await api.change("createSegment", {"name": name, "filter": filter}, "segment { id }")
    found: str = made["segment"]["id"]
    return found


async def test_create_evaluate_and_page(api: Api) -> None:
    await fill(api)
    filter = {
        "city": {"in": ["Rome"]},
        "createdAt": {"gt": "2020-01-01T00:00:00+01:00"},
        "kind": {"eq": "PERSON"},
    }
    made = await api.change("createSegment", {"name": "Rome", "filter": filter, "description": "All"}, SELECT)
    romans = made["segment"]
    assert {**romans, "id": "", "members": ""} == {
        "id": "",
        "version": 1,
        "name": "Rome",
        "description": "All",
        "filter": {**filter, "createdAt": {"gt": "2019-12-31T23:00:00Z"}},
        "previewCount": 3,
        "members": "",
    }
    assert romans["members"]["totalCount"] == 3
    assert [node["name"] for node in romans["members"]["nodes"]] == ["Ann", "Bea"]
    rest = await api.data(
        """query($id: ID!, $after: String) { node(id: $id) { ... on Segment {
             members(first: 2, after: $after) { nodes { name } pageInfo { hasNextPage hasPreviousPage } }
             back: members(last: 1, orderBy: [{field: NAME, direction: DESC}]) { nodes { name } } } } }""",
        id=romans["id"],
        after=romans["members"]["pageInfo"]["endCursor"],
    )
    assert rest["node"]["members"] == {
        "nodes": [{"name": "Cy"}],
        "pageInfo": {"hasNextPage": False, "hasPreviousPage": True},
    }
    assert rest["node"]["back"]["nodes"] == [{"name": "Ann"}]
    await create(api, "Eva", city="Rome")
    again = await api.data("{ segments { nodes { previewCount } totalCount } }")
    assert again == {"segments": {"nodes": [{"previewCount": 4}], "totalCount": 1}}


async def test_customers_filtered_by_segments_that_build_on_others(api: Api) -> None:
    await fill(api)
    romans = await segment(api, "Rome", {"city": {"eq": "Rome"}})
    tagged = await segment(api, "Tagged", {"or": [{"tags": {"any": ["a"]}}, {"stage": {"eq": "CUSTOMER"}}]})
    both = await segment(api, "Both", {"segment": romans, "and": [{"segment": tagged}]})
    assert await names(api, filter={"segment": romans}) == ["Ann", "Bea", "Cy"]
    assert await names(api, filter={"segment": both}) == ["Ann", "Cy"]
    assert await names(api, filter={"not": {"segment": both}}) == ["Bea", "Dan"]
    assert await names(api, filter={"segment": both, "name": {"eq": "cy"}}, search="c") == ["Cy"]
    # two depths of segments, then the customers
    assert len(api.statements) == 3
    data = await api.data("{ segments { nodes { name filter members { nodes { name } } } } }")
    assert data["segments"]["nodes"][0] == {
        "name": "Both",
        "filter": {"segment": romans, "and": [{"segment": tagged}]},
        "members": {"nodes": [{"name": "Ann"}, {"name": "Cy"}]},
    }
    (error,) = await api.errors("deleteSegment", {"id": romans})
    assert (error["code"], error["path"]) == ("REFUSED", ["id"])
    (error,) = await api.errors("updateSegment", {"id": romans, "filter": {"segment": both}})
    assert (error["code"], error["path"]) == ("REFUSED", ["filter"])
    await api.change("deleteSegment", {"id": both}, "segment { id }")
    code, text = await api.refused(
        "query($f: CustomerFilter) { customers(filter: $f) { totalCount } }", f={"segment": both}
    )
    assert (code, text) == ("BAD_INPUT", "filter.segment: there is no such segment")


async def test_segments_build_on_others_ten_levels_deep_and_each_may_be_as_deep_as_a_filter(api: Api) -> None:
    await fill(api)
    deep: dict[str, Any] = {"city": {"eq": "Rome"}}
    for _ in range(3):
        deep = {"not": {"not": deep}}
    top = await segment(api, "0", deep)
    for level in range(1, 10):
        top = await segment(api, str(level), {"and": [{"or": [{"segment": top}]}]})
    assert await names(api, filter={"segment": top}) == ["Ann", "Bea", "Cy"]
    (error,) = await api.errors("createSegment", {"name": "10", "filter": {"segment": top}})
    assert (error["code"], error["path"]) == ("REFUSED", ["filter"])
    assert error["message"].startswith("The segment '10' would build on too many others: 11 levels and 11")
    assert await api.count("crm_segment") == 10


async def test_segments_cannot_multiply(api: Api) -> None:
    await fill(api)
    one = await segment(api, "One", {"city": {"eq": "Rome"}})
    seven = await segment(api, "Seven", {"or": [{"segment": one}] * 6})
    many = {"or": [{"segment": seven}] * 7}
    whole = await segment(api, "Fifty", many)
    assert await names(api, filter={"segment": whole}) == ["Ann", "Bea", "Cy"]
    (error,) = await api.errors("createSegment", {"name": "More", "filter": {"or": [{"segment": whole}]}})
    assert (error["code"], error["path"]) == ("REFUSED", ["filter"])
    (error,) = await api.errors(
        "updateSegment", {"id": one, "filter": {"segment": await segment(api, "Two", {})}}
    )
    assert error["message"].startswith("The segment 'Fifty' would build on too many others")
    code, text = await api.refused(
        "query($f: CustomerFilter) { customers(filter: $f) { totalCount } }",
        f={"or": [{"segment": whole}, {"segment": one}]},
    )
    assert (code, text) == ("BAD_INPUT", "filter.or.1.segment: the filter builds on more than 50 others")


async def test_update(api: Api) -> None:
    await fill(api)
    id = await segment(api, "Rome", {"city": {"eq": "Rome"}})
    changed = await api.change(
        "updateSegment", {"id": id, "filter": {"city": {"eq": "Oslo"}}, "expectedVersion": 1}, SELECT
    )
    assert (changed["segment"]["version"], changed["segment"]["previewCount"]) == (2, 1)
    (error,) = await api.errors("updateSegment", {"id": id, "name": "x", "expectedVersion": 1})
    assert error["code"] == "CONFLICT"


@pytest.mark.parametrize(
    ("input", "code", "path"),
    [
        ({"name": " "}, "BAD_INPUT", ["name"]),
        ({"name": "Taken"}, "CONFLICT", ["name"]),
        ({"filter": {"owner": {"eq": "x"}}}, "BAD_INPUT", ["filter"]),
        ({"filter": {"attributes": [{"name": "a b", "eq": 1}]}}, "BAD_INPUT", ["filter"]),
        ({"filter": {"segment": "x"}}, "BAD_INPUT", ["filter", "segment"]),
        ({"filter": {"segment": encode_id("Segment", new_id())}}, "NOT_FOUND", ["filter", "segment"]),
    ],
)
async def test_create_refuses_what_does_not_fit(
    api: Api, input: dict[str, Any], code: str, path: list[str]
) -> None:
    await segment(api, "Taken", {})
    (error,) = await api.errors("createSegment", {"name": "New", "filter": {}, **input})
    assert (error["code"], error["path"]) == (code, path)
    assert await api.count("crm_segment") == 1


async def test_a_filter_that_fits_no_more_fails_alone(api: Api) -> None:
    await fill(api)
    await segment(api, "Good", {"city": {"eq": "Oslo"}})
    await segment(api, "Old", {"city": {"eq": "Oslo"}})
    async with api.database.unit_of_work() as tx:
        await tx.execute(
            "UPDATE crm_segment SET condition = ? WHERE name = 'Old'", ('{"tier": {"eq": "x"}}',)
        )
    result = await api.ask("{ segments { nodes { name previewCount members { totalCount } } } }")
    assert {tuple(error["path"]) for error in result.errors} == {
        ("segments", "nodes", 1, "previewCount"),
        ("segments", "nodes", 1, "members", "totalCount"),
    }
    assert result.data == {
        "segments": {
            "nodes": [
                {"name": "Good", "previewCount": 1, "members": {"totalCount": 1}},
                {"name": "Old", "previewCount": None, "members": None},
            ]
        }
    }
    assert result.errors[0]["message"].startswith(
        "the segment's filter does not fit any more: filter.tier: there is no such member"
    )
    result = await api.ask('{ segments(filter: {name: {eq: "Good"}}) { nodes { members { totalCount } } } }')
    assert result.data == {"segments": {"nodes": [{"members": {"totalCount": 1}}]}}


@pytest.mark.parametrize("count", [1, 10, 50])
async def test_members_of_many_segments_are_read_once(api: Api, count: int) -> None:
    await fill(api)
    for number in range(count):
        await segment(api, f"S{number:02}", {"name": {"startsWith": "ABCD"[number % 4]}})
    data = await api.data(
        """{ segments(first: 50) { nodes {
             previewCount members(first: 1) { totalCount nodes { name tags } } } } }"""
    )
    nodes = data["segments"]["nodes"]
    assert [node["members"]["nodes"][0]["name"] for node in nodes[:4]] == ["Ann", "Bea", "Cy", "Dan"][:count]
    assert {node["previewCount"] for node in nodes} == {1}
    # segments, members, their numbers twice, tags
    assert len(api.statements) == 5


async def test_a_filter_by_a_segment_needs_the_sight_of_segments(api: Api) -> None:
    """Otherwise a segment would tell of fields that cannot be filtered by themselves."""
    await fill(api)
    romans = await segment(api, "Rome", {"city": {"eq": "Rome"}})
    query = "query($f: CustomerFilter) { customers(filter: $f) { totalCount } }"
    rights = frozenset({"customers.read", "customers.confidential"})
    plain = Actor(kind=ActorKind.INTEGRATION, id="p", name="p", permissions=rights)
    for filter in ({"segment": romans}, {"or": [{"not": {"segment": romans}}]}):
        code, text = await api.refused(query, plain, f=filter)
        assert (code, text) == (
            "FORBIDDEN",
            "permission is missing for CustomerFilter.segment (settings.read)",
        )
    seeing = replace(plain, permissions=rights | {"settings.read"})
    assert await api.data(query, seeing, f={"segment": romans}) == {"customers": {"totalCount": 3}}
    making = replace(plain, permissions=rights | {"settings.write"})
    result = await api.ask(
        'mutation($f: CustomerFilter!) { createSegment(input: {name: "B", filter: $f}) { errors { code } } }',
        making,
        f={"segment": romans},
    )
    assert result.errors[0]["extensions"]["code"] == "FORBIDDEN"
