"""Merging, export and erasure over the API."""

from typing import Any

import pytest

from crm_framework.engine.ids import encode_id
from crm_framework.storage.ids import new_id

from .conftest import Api, create, names
from .test_interactions import log

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
