"""Timelines over the API."""

import pytest

from .conftest import Api, create
from .test_interactions import BOOKS, log

TIMELINE = """query($id: ID, $first: Int, $after: String, $filter: TimelineFilter) { customer(id: $id) {
  timeline(first: $first, after: $after, filter: $filter) {
    edges { cursor node { kind } } nodes { id at kind title detail plugin interaction { id subject } }
    pageInfo { hasNextPage hasPreviousPage startCursor endCursor } missing { plugin reason } } } }"""


async def test_timeline_pages_over_all_kinds(api: Api) -> None:
    ann = await create(api, "Ann")
    first = await log(api, ann, subject="One", occurredAt="2025-01-01T00:00:00Z")
    await log(api, ann, kind="call", direction="OUTBOUND", occurredAt="2025-01-02T00:00:00Z")
    bought = {"customer": ann, "lines": BOOKS, "occurredAt": "2025-01-03T00:00:00Z"}
    await api.change("recordPurchase", bought, "interaction { id }")
    page = (await api.data(TIMELINE, id=ann, first=2))["customer"]["timeline"]
    assert [(node["kind"], node["title"], node["detail"]) for node in page["nodes"]] == [
        ("purchase", "purchase", {"total": {"amount": "20.00", "currency": "EUR"}}),
        ("call", "call", {"channel": "phone", "direction": "OUTBOUND"}),
    ]
    assert [edge["node"]["kind"] for edge in page["edges"]] == ["purchase", "call"]
    assert page["pageInfo"]["endCursor"] == page["edges"][1]["cursor"]
    assert (page["pageInfo"]["hasNextPage"], page["pageInfo"]["hasPreviousPage"]) == (True, False)
    assert page["missing"] == []
    rest = (await api.data(TIMELINE, id=ann, after=page["pageInfo"]["endCursor"]))["customer"]["timeline"]
    assert rest["nodes"] == [
        {
            "id": first,
            "at": "2025-01-01T00:00:00Z",
            "kind": "note",
            "title": "One",
            "detail": {},
            "plugin": None,
            "interaction": {"id": first, "subject": "One"},
        }
    ]
    assert (rest["pageInfo"]["hasNextPage"], rest["pageInfo"]["hasPreviousPage"]) == (False, True)
    chosen = await api.data(TIMELINE, id=ann, filter={"kinds": ["call"]})
    assert [node["kind"] for node in chosen["customer"]["timeline"]["nodes"]] == ["call"]
    none = await api.data(TIMELINE, id=ann, filter={"kinds": []})
    assert none["customer"]["timeline"]["nodes"] == []


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ("first: 100000", "first: 100000 is more than a page may hold"),
        ('after: "abc"', "The cursor does not belong to a timeline (at after)."),
    ],
)
async def test_timeline_refuses(api: Api, arguments: str, message: str) -> None:
    ann = await create(api, "Ann")
    query = f'{{ customer(id: "{ann}") {{ timeline({arguments}) {{ nodes {{ id }} }} }} }}'
    code, text = await api.refused(query)
    assert code == "BAD_INPUT"
    assert text.startswith(message)


@pytest.mark.parametrize("count", [1, 10, 50])
async def test_timelines_and_decisions_of_many_read_once(api: Api, count: int) -> None:
    for number in range(count):
        ann = await create(api, f"C{number:02}")
        await log(api, ann, subject="x")
    query = """{ customers(first: 50) { nodes { timeline(first: 3) { nodes { title interaction { kind } } }
        canContact(channel: "email") { allowed } } } }"""
    data = await api.data(query)
    assert len(data["customers"]["nodes"]) == count
    assert all(len(node["timeline"]["nodes"]) == 1 for node in data["customers"]["nodes"])
    # customers, timelines, interactions of their entries; rules, zones, consents and touches of the decisions
    assert len(api.statements) == 7
