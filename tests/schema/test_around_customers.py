"""Timelines, contact decisions, duplicates, merging, export and erasure over the API."""

from typing import Any

import pytest

from crm_framework.engine.ids import encode_id
from crm_framework.storage.ids import new_id

from .conftest import Api
from .test_customers import create, names
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
        ('after: "abc"', "The cursor does not belong to a timeline."),
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


MERGE = """customer { id name email tags mergedIds } losers moved { owner table rows } conflicts { field kept
    givenUp loser } dryRun"""


async def test_merge_moves_all_and_ids_of_losers_lead_to_the_winner(api: Api) -> None:
    ann = await create(api, "Ann", tags=["a"], city="Rome")
    other = await create(
        api, "Anna", email="ann@example.com", tags=["b"], city="Oslo", source="x", reference="1"
    )
    third = await create(api, "Annie")
    note = await log(api, other, subject="x")
    before = await api.change("mergeCustomers", {"winner": ann, "losers": [other], "dryRun": True}, MERGE)
    assert before["dryRun"] is True
    assert before["losers"] == [other]
    assert {"owner": "core", "table": "crm_interaction", "rows": 1} in before["moved"]
    assert await names(api) == ["Ann", "Anna", "Annie"]
    merged = await api.change("mergeCustomers", {"winner": ann, "losers": [other]}, MERGE)
    assert merged["moved"] == before["moved"]
    assert merged["customer"] == {
        "id": ann,
        "name": "Ann",
        "email": "ann@example.com",
        "tags": ["a", "b"],
        "mergedIds": [other],
    }
    assert {"field": "name", "kept": "Ann", "givenUp": "Anna", "loser": other} in merged["conflicts"]
    await api.change("mergeCustomers", {"winner": third, "losers": [ann]}, MERGE)
    assert await names(api) == ["Annie"]
    found = await api.data(
        """query($a: ID!, $b: ID!, $n: ID!) { customer(id: $a) { id } node(id: $b) { id }
          nodes(ids: [$a, $n]) { id ... on Interaction { customer { id mergedIds } } }
          byReference: customer(source: "x", reference: "1") { id } }""",
        a=other,
        b=ann,
        n=note,
    )
    assert found == {
        "customer": {"id": third},
        "node": {"id": third},
        "nodes": [{"id": third}, {"id": note, "customer": {"id": third, "mergedIds": [ann, other]}}],
        "byReference": {"id": third},
    }


@pytest.mark.parametrize("which", ["self", "unknown", "none", "malformed"])
async def test_merge_that_makes_no_sense_changes_nothing(api: Api, which: str) -> None:
    ann = await create(api, "Ann")
    losers = {"self": [ann], "unknown": [encode_id("Customer", new_id())], "none": [], "malformed": ["x"]}[
        which
    ]
    (error,) = await api.errors("mergeCustomers", {"winner": ann, "losers": losers})
    assert error["code"] == ("NOT_FOUND" if which == "unknown" else "BAD_INPUT")
    assert error["path"][0] == "losers"
    assert await names(api) == ["Ann"]


async def test_export_and_erase(api: Api) -> None:
    ann = await create(api, "Ann Smith", email="ann@example.com", tags=["vip"])
    await log(api, ann, subject="Secret")
    exported = (await api.change("exportCustomer", {"id": ann}, "data"))["data"]
    assert exported["customer"]["name"] == "Ann Smith"
    assert [one["subject"] for one in exported["interactions"]] == ["Secret"]
    assert exported["tags"] == ["vip"]
    select = "receipt erasedAt erasedBefore counts { owner table rows }"
    receipt = await api.change("eraseCustomer", {"id": ann, "reason": "asked"}, select)
    assert receipt["receipt"]
    assert receipt["erasedBefore"] is False
    assert {"owner": "core", "table": "crm_contact_point", "rows": 1} in receipt["counts"]
    data = await api.data(
        """query($id: ID) { customer(id: $id) {
          name email tags erasedAt interactions { nodes { subject } } } }""",
        id=ann,
    )
    assert data["customer"]["email"] is None
    assert data["customer"]["tags"] == []
    assert data["customer"]["erasedAt"] == receipt["erasedAt"]
    assert "Ann" not in data["customer"]["name"]
    assert data["customer"]["interactions"]["nodes"] == [{"subject": None}]
    again = await api.change("eraseCustomer", {"id": ann}, select)
    assert (again["erasedBefore"], again["receipt"]) == (True, receipt["receipt"])
    for mutation in ("exportCustomer", "eraseCustomer"):
        (error,) = await api.errors(mutation, {"id": encode_id("Customer", new_id())})
        assert (error["code"], error["path"]) == ("NOT_FOUND", ["id"])


async def test_answers_of_failed_mutations_are_empty(api: Api) -> None:
    text: Any = """mutation($id: ID!) { mergeCustomers(input: {winner: $id, losers: []}) {
        customer { id } losers moved { rows } conflicts { field } dryRun errors { code } }
        eraseCustomer(input: {id: $id}) { receipt erasedAt counts { rows } errors { code } }
        tagCustomers(input: {customers: [$id], add: ["x"]}) { changed customers { id } errors { code } } }"""
    data = await api.data(text, id=encode_id("Customer", new_id()))
    assert data["mergeCustomers"]["customer"] is None
    assert data["mergeCustomers"]["errors"] == [{"code": "BAD_INPUT"}]
    assert data["eraseCustomer"] == {
        "receipt": None,
        "erasedAt": None,
        "counts": [],
        "errors": [{"code": "NOT_FOUND"}],
    }
    assert data["tagCustomers"] == {"changed": 0, "customers": [], "errors": [{"code": "NOT_FOUND"}]}
