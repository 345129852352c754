"""Bulk imports over the API."""

import asyncio
import gc
from collections.abc import Iterator
from typing import Any

import pytest

from crm_framework.engine.ids import encode_id
from crm_framework.storage.ids import new_id

from .conftest import Api, create, names

SELECT = "created existing failed dryRun rows { index id created error { code message path } }"
EUR = {"amount": "10.00", "currency": "EUR"}


def outline(answer: Any) -> list[Any]:
    """Per row whether it is new, or where the error lies."""
    return [row["error"]["path"] if row["error"] else row["created"] for row in answer["rows"]]


async def test_customers_good_rows_go_in_and_bad_ones_are_reported(api: Api) -> None:
    rows = [
        {"name": "Ann", "source": "crm", "reference": "1", "tags": ["a"]},
        {"name": "Bad", "email": "nobody"},
        {"name": "Owned", "owner": encode_id("Customer", new_id())},
        {"name": "Again", "source": "crm", "reference": "1"},
        {"name": "Cy", "contactPoints": [{"channel": "email", "value": "cy@example.com"}]},
        {"name": "Dan", "contactPoints": [{"channel": "email", "value": "x"}]},
    ]
    dry = await api.change("importCustomers", {"rows": rows, "dryRun": True}, SELECT)
    assert (dry["created"], dry["existing"], dry["failed"], dry["dryRun"]) == (2, 1, 3, True)
    assert await names(api) == []
    done = await api.change("importCustomers", {"rows": rows}, SELECT)
    assert (done["created"], done["existing"], done["failed"], done["dryRun"]) == (2, 1, 3, False)
    assert outline(done) == [
        True,
        ["rows", "1", "email"],
        ["rows", "2", "owner"],
        False,
        True,
        ["rows", "5", "contactPoints", "0", "value"],
    ]
    assert [row["index"] for row in done["rows"]] == [0, 1, 2, 3, 4, 5]
    assert done["rows"][0]["id"] == done["rows"][3]["id"]
    assert await names(api) == ["Ann", "Cy"]
    again = await api.change("importCustomers", {"rows": rows[:1]}, SELECT)
    assert (again["created"], again["existing"]) == (0, 1)


async def test_interactions_of_every_kind(api: Api) -> None:
    ann = await create(api, "Ann", source="shop", reference="1")
    rows = [
        {"kind": "call", "customer": ann, "duration": "PT5M"},
        {"kind": "purchase", "customerReference": "1", "source": "shop", "reference": "o1", "total": EUR},
        {"kind": "refund", "refundOfSource": "shop", "refundOfReference": "o1", "total": EUR},
        {"kind": "purchase", "customer": ann, "lines": [{"sku": "b", "quantity": 0, "amount": EUR}]},
        {
            "kind": "purchase",
            "customer": ann,
            "lines": [{"sku": "b", "amount": EUR}],
            "total": {**EUR, "currency": "USD"},
        },
        {"kind": "call", "customer": encode_id("Customer", new_id())},
        {"kind": "call", "customer": ann, "staff": encode_id("Staff", new_id())},
        {"kind": "seance", "customer": ann},
        {"kind": "note", "customerSource": "shop", "customerReference": "2", "customerName": "Bea"},
    ]
    input = {"rows": rows, "createMissingCustomers": True}
    dry = await api.change("importInteractions", {**input, "dryRun": True}, SELECT)
    assert (dry["created"], dry["failed"]) == (4, 5)
    assert await api.count("crm_interaction") == 0
    done = await api.change("importInteractions", input, SELECT)
    assert outline(done) == [
        True,
        True,
        True,
        ["rows", "3", "lines", "0", "quantity"],
        ["rows", "4", "lines", "0", "amount", "currency"],
        ["rows", "5", "customer"],
        ["rows", "6", "staff"],
        ["rows", "7", "kind"],
        True,
    ]
    data = await api.data(
        "query($id: ID) { customer(id: $id) { stage interactions { nodes { kind total { amount } } } } }",
        id=ann,
    )
    assert data["customer"]["stage"] == "CUSTOMER"
    kinds = sorted(
        (node["kind"], node["total"] and node["total"]["amount"])
        for node in data["customer"]["interactions"]["nodes"]
    )
    assert kinds == [("call", None), ("purchase", "10.00"), ("refund", "-10.00")]
    assert await names(api) == ["Ann", "Bea"]
    again = await api.change("importInteractions", {"rows": rows[1:2]}, SELECT)
    assert (again["created"], again["existing"], again["failed"]) == (0, 1, 0)


async def test_more_rows_than_allowed(api: Api) -> None:
    (error,) = await api.errors("importCustomers", {"rows": [{"name": "x"}] * 10_001})
    assert (error["code"], error["path"]) == ("BAD_INPUT", ["rows"])
    assert await api.count("crm_customer") == 0


@pytest.fixture
def without_collections() -> Iterator[None]:
    """Collecting garbage takes as long as the whole suite's objects make it take."""
    gc.collect()
    gc.disable()
    yield
    gc.enable()


@pytest.mark.parametrize("kind", ["customers", "interactions"])
async def test_others_go_on_during_an_import(api: Api, kind: str, without_collections: None) -> None:
    ann = await create(api, "Ann", source="shop", reference="1")
    if kind == "customers":
        rows = [
            {"name": f"Name {n}", "source": "crm", "reference": f"{n}", "city": "Bonn"} for n in range(10_000)
        ]
    else:
        call = {"kind": "call", "customer": ann, "subject": "Hello", "occurredAt": "2026-03-01T09:30:00Z"}
        rows = [{**call, "source": "shop", "reference": f"{n}", "duration": "PT5M"} for n in range(10_000)]
    name = f"import{kind.capitalize()}"
    importing = asyncio.create_task(api.change(name, {"rows": rows}, "created failed"))
    answers = 0
    while not importing.done():
        found = await api.data("query($id: ID!) { customer(id: $id) { name } }", id=ann)
        assert found == {"customer": {"name": "Ann"}}
        answers += 1
        await asyncio.sleep(0.005)  # a short read on SQLite never waits: the import would get no turn
    assert (await importing) == {"created": 10_000, "failed": 0, "errors": []}
    assert answers > 30  # an import that keeps the loop for itself lets two or three through
