"""Interactions, purchases and refunds over the API."""

from typing import Any

import pytest

from crm_framework.engine.ids import encode_id
from crm_framework.storage.ids import new_id

from .conftest import Api, create

FIELDS = """interaction { id version kind channel direction subject outcome sentiment occurredAt duration
    followUpAt source reference total { amount currency } customer { name } staff { name }
    lines { position sku name category quantity
            unitPrice { amount currency } amount { amount currency } } }"""
BOOKS: list[dict[str, Any]] = [
    {"sku": "b1", "quantity": 2, "name": "Book", "unitPrice": {"amount": "12.50", "currency": "EUR"}},
    {"sku": "d", "category": "discount", "amount": {"amount": -5, "currency": "EUR"}},
]


async def test_log_and_correct(api: Api) -> None:
    ann = await create(api, "Ann")
    made = await api.change(
        "logInteraction",
        {
            "customer": ann,
            "kind": "call",
            "direction": "INBOUND",
            "subject": "Where is it?",
            "sentiment": "NEGATIVE",
            "occurredAt": "2025-03-01T10:00:00+01:00",
            "duration": "PT1H30M",
            "source": "pbx",
            "reference": "7",
        },
        FIELDS,
    )
    call = made["interaction"]
    id = call.pop("id")
    assert call == {
        "version": 1,
        "kind": "call",
        "channel": "phone",
        "direction": "INBOUND",
        "subject": "Where is it?",
        "outcome": None,
        "sentiment": "NEGATIVE",
        "occurredAt": "2025-03-01T09:00:00Z",
        "duration": "PT1H30M",
        "followUpAt": None,
        "source": "pbx",
        "reference": "7",
        "total": None,
        "customer": {"name": "Ann"},
        "staff": None,
        "lines": [],
    }
    changed = await api.change(
        "updateInteraction",
        {"id": id, "outcome": "Sent again", "sentiment": None, "expectedVersion": 1},
        FIELDS,
    )
    assert changed["interaction"] == {
        **call,
        "id": id,
        "version": 2,
        "outcome": "Sent again",
        "sentiment": None,
    }
    (error,) = await api.errors("updateInteraction", {"id": id, "outcome": "x", "expectedVersion": 1})
    assert error["code"] == "CONFLICT"
    again = await api.change(
        "logInteraction",
        {"customer": ann, "kind": "visit", "source": "pbx", "reference": "7"},
        "interaction { id }",
    )
    assert again["interaction"]["id"] == id
    found = await api.data('{ interaction(source: "pbx", reference: "7") { id } }')
    assert found == {"interaction": {"id": id}}


@pytest.mark.parametrize(
    ("input", "code", "path"),
    [
        ({"kind": "seance"}, "BAD_INPUT", ["kind"]),
        ({"kind": "purchase"}, "BAD_INPUT", ["kind"]),
        ({"channel": "pigeon"}, "BAD_INPUT", ["channel"]),
        ({"occurredAt": "2999-01-01T00:00:00Z"}, "BAD_INPUT", ["occurredAt"]),
        ({"source": "pbx"}, "BAD_INPUT", ["reference"]),
        ({"staff": "x"}, "BAD_INPUT", ["staff"]),
        ({"staff": encode_id("Staff", new_id())}, "NOT_FOUND", ["staff"]),
        ({"customer": encode_id("Customer", new_id())}, "NOT_FOUND", ["customer"]),
        ({"customer": encode_id("Staff", new_id())}, "BAD_INPUT", ["customer"]),
        ({"replyTo": encode_id("Interaction", new_id())}, "NOT_FOUND", ["replyTo"]),
    ],
)
async def test_log_refuses_what_does_not_fit(
    api: Api, input: dict[str, Any], code: str, path: list[str]
) -> None:
    ann = await create(api, "Ann")
    (error,) = await api.errors("logInteraction", {"customer": ann, "kind": "call", **input})
    assert (error["code"], error["path"]) == (code, path)
    assert await api.count("crm_interaction") == 0


async def test_purchase_converts_and_refund_gives_back(api: Api) -> None:
    ann = await create(api, "Ann")
    bought = await api.change(
        "recordPurchase", {"customer": ann, "lines": BOOKS, "occurredAt": "2025-01-01T00:00:00Z"}, FIELDS
    )
    purchase = bought["interaction"]
    assert purchase["total"] == {"amount": "20.00", "currency": "EUR"}
    assert purchase["lines"] == [
        {
            "position": 0,
            "sku": "b1",
            "name": "Book",
            "category": None,
            "quantity": 2,
            "unitPrice": {"amount": "12.50", "currency": "EUR"},
            "amount": {"amount": "25.00", "currency": "EUR"},
        },
        {
            "position": 1,
            "sku": "d",
            "name": None,
            "category": "discount",
            "quantity": 1,
            "unitPrice": None,
            "amount": {"amount": "-5.00", "currency": "EUR"},
        },
    ]
    stage = await api.data("query($id: ID) { customer(id: $id) { stage } }", id=ann)
    assert stage == {"customer": {"stage": "CUSTOMER"}}
    back = {"purchase": purchase["id"], "amount": {"amount": "15", "currency": "EUR"}}
    refund = await api.change("recordRefund", back, "interaction { kind total { amount } refundOf { id } }")
    assert refund["interaction"] == {
        "kind": "refund",
        "total": {"amount": "-15.00"},
        "refundOf": {"id": purchase["id"]},
    }
    (error,) = await api.errors("recordRefund", back)
    assert (error["code"], error["path"]) == ("REFUSED", ["amount"])
    (error,) = await api.errors("recordRefund", {**back, "amount": {"amount": "1", "currency": "USD"}})
    assert (error["code"], error["path"]) == ("BAD_INPUT", ["amount", "currency"])
    refunds = await api.data(
        "query($id: ID) { interaction(id: $id) { refunds { total { amount } } } }", id=purchase["id"]
    )
    assert refunds == {"interaction": {"refunds": [{"total": {"amount": "-15.00"}}]}}


@pytest.mark.parametrize(
    ("input", "path"),
    [
        ({}, ["total"]),
        ({"total": {"amount": "1.005", "currency": "EUR"}}, ["total", "amount"]),
        ({"total": {"amount": "1", "currency": "XXX1"}}, ["total", "currency"]),
        ({"total": {"amount": "-1", "currency": "EUR"}}, ["total"]),
        ({"lines": BOOKS, "total": {"amount": "21", "currency": "EUR"}}, ["total"]),
        (
            {"lines": BOOKS, "total": {"amount": "20", "currency": "USD"}},
            ["lines", "0", "unitPrice", "currency"],
        ),
        ({"lines": BOOKS, "currency": "USD"}, ["lines", "0", "unitPrice", "currency"]),
        (
            {"lines": [BOOKS[0], {"sku": "x", "amount": {"amount": 1, "currency": "USD"}}]},
            ["lines", "1", "amount", "currency"],
        ),
        ({"lines": [{**BOOKS[0], "quantity": -1}]}, ["lines", "0", "quantity"]),
        ({"lines": [{"sku": "x"}], "currency": "EUR"}, ["lines", "0", "unitPrice"]),
        ({"lines": [{**BOOKS[0], "sku": " "}]}, ["lines", "0", "sku"]),
    ],
)
async def test_purchase_that_does_not_add_up_is_refused(
    api: Api, input: dict[str, Any], path: list[str]
) -> None:
    ann = await create(api, "Ann")
    (error,) = await api.errors("recordPurchase", {"customer": ann, **input})
    assert (error["code"], error["path"]) == ("BAD_INPUT", path)
    assert await api.count("crm_interaction") == 0


async def log(api: Api, customer: str, **more: Any) -> str:
    made = await api.change(
        "logInteraction", {"customer": customer, "kind": "note", **more}, "interaction { id }"
    )
    found: str = made["interaction"]["id"]
    return found


@pytest.mark.parametrize(
    ("filter", "found"),
    [
        ({"kind": {"eq": "call"}}, ["call"]),
        ({"channel": {"in": ["phone", "email"]}}, ["call"]),
        ({"direction": {"eq": "OUTBOUND"}}, ["call"]),
        ({"subject": {"contains": "ello"}}, ["note"]),
        ({"outcome": {"isNull": False}}, []),
        ({"occurredAt": {"lt": "2025-01-02T00:00:00Z"}}, ["note"]),
        ({"durationSeconds": {"gte": 60}}, ["call"]),
        ({"total": {"currency": "EUR"}}, ["purchase"]),
        ({"total": {"currency": "EUR", "gt": "20"}}, []),
        ({"total": {"currency": "EUR", "gte": "20", "lte": 20}}, ["purchase"]),
        ({"total": {"currency": "USD", "lt": "100"}}, []),
        ({"line": {"sku": "b1"}}, ["purchase"]),
        ({"line": {"sku": "b1", "category": "x"}}, []),
        ({"not": {"kind": {"in": ["note", "call"]}}}, ["purchase"]),
    ],
)
async def test_filter(api: Api, filter: dict[str, Any], found: list[str]) -> None:
    ann = await create(api, "Ann")
    await log(api, ann, subject="Hello", occurredAt="2025-01-01T00:00:00Z")
    await log(api, ann, kind="call", direction="OUTBOUND", duration="PT1M", occurredAt="2025-01-02T00:00:00Z")
    bought = {"customer": ann, "lines": BOOKS, "occurredAt": "2025-01-03T00:00:00Z"}
    await api.change("recordPurchase", bought, "interaction { id }")
    query = """query($f: InteractionFilter, $id: ID) { interactions(filter: $f) { nodes { kind } totalCount }
        customer(id: $id) { interactions(filter: $f) { nodes { kind } totalCount } } }"""
    data = await api.data(query, f=filter, id=ann)
    assert [node["kind"] for node in data["interactions"]["nodes"]] == found
    assert data["interactions"]["totalCount"] == len(found)
    assert data["customer"]["interactions"] == data["interactions"]


@pytest.mark.parametrize(
    ("filter", "message"),
    [
        ({"total": {"currency": "XXX1"}}, "filter.total: 'XXX1' is no currency."),
        ({"total": {"currency": "EUR", "gt": "1.005"}}, "filter.total: 1.005 has 3 decimals"),
    ],
)
async def test_filter_that_does_not_fit(api: Api, filter: dict[str, Any], message: str) -> None:
    query = "query($f: InteractionFilter) { interactions(filter: $f) { totalCount } }"
    code, text = await api.refused(query, f=filter)
    assert code == "BAD_INPUT"
    assert text.startswith(message)


@pytest.mark.parametrize("count", [1, 10, 50])
async def test_latest_of_many_customers_reads_each_level_once(api: Api, count: int) -> None:
    for number in range(count):
        ann = await create(api, f"C{number:02}")
        for day in range(1, 4):
            bought = {"customer": ann, "lines": BOOKS, "occurredAt": f"2025-01-0{day}T00:00:00Z"}
            await api.change("recordPurchase", bought, "interaction { id }")
    data = await api.data(
        """{ customers(first: 50) { nodes { name interactions(first: 2) { totalCount pageInfo { hasNextPage }
             nodes { occurredAt total { amount } lines { sku amount { amount } } customer { name }
                     staff { name } refundOf { id } refunds { id } } } } } }"""
    )
    nodes = data["customers"]["nodes"]
    assert len(nodes) == count
    assert nodes[-1]["interactions"]["totalCount"] == 3
    latest = nodes[-1]["interactions"]["nodes"]
    assert [one["occurredAt"] for one in latest] == ["2025-01-03T00:00:00Z", "2025-01-02T00:00:00Z"]
    assert [line["sku"] for line in latest[0]["lines"]] == ["b1", "d"]
    # customers, interactions, their numbers, lines, customers, refunds; no staff, no purchases to read
    assert len(api.statements) == 6
