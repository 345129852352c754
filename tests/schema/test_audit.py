"""The audit log over the API."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from crm_framework.domain.privacy.merge import merge_customers
from crm_framework.engine.ids import decode_key, encode_id
from crm_framework.security.actors import Actor, ActorKind
from crm_framework.storage.clock import frozen
from crm_framework.storage.ids import new_id

from .conftest import ADMIN, Api

NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)
FOUND = "query($filter: AuditFilter) { auditLog(filter: $filter) { nodes { action subject { type } } } }"


async def add_staff(api: Api, name: str) -> str:
    made = await api.change("createStaff", {"name": name}, "staff { id }")
    id: str = made["staff"]["id"]
    return id


async def add_customer(api: Api, name: str) -> str:
    made = await api.change("createCustomer", {"name": name}, "customer { id }")
    id: str = made["customer"]["id"]
    return id


async def test_an_entry(api: Api) -> None:
    ann = await add_staff(api, "Ann")
    made = await api.change("createToken", {"name": "A", "permissions": ["*"]}, "token { id }")
    token = decode_key(made["token"]["id"], "Token")
    zoe = await add_customer(api, "Zoe")
    staff = decode_key(ann, "Staff")
    api.actor = Actor(
        kind=ActorKind.STAFF,
        id=staff,
        name="Ann then",
        permissions=frozenset({"*"}),
        token_id=token,
        staff_id=staff,
    )
    with frozen(NOON):
        await api.change("updateCustomer", {"id": zoe, "company": "Müller AG"}, "customer { id }")
    ask = """{ auditLog(first: 1) { nodes { id at action requestId changes
        actor { kind name staff { name } } token { name } subject { type id } customer { id name } } } }"""
    (entry,) = (await api.data(ask))["auditLog"]["nodes"]
    assert len(api.statements) == 4  # entries, staff, tokens, customers
    assert entry.pop("id")
    assert len(entry.pop("requestId")) == 32
    assert entry == {
        "at": "2026-03-01T12:00:00Z",
        "action": "customer.updated",
        "changes": {"company": [None, "Müller AG"]},
        "actor": {"kind": "STAFF", "name": "Ann then", "staff": {"name": "Ann"}},
        "token": {"name": "A"},
        "subject": {"type": "Customer", "id": zoe},
        "customer": {"id": zoe, "name": "Zoe"},
    }


async def test_settings_are_told_apart(api: Api) -> None:
    made: list[str] = []
    for mutation, input, record in (
        ("createStaff", {"name": "Ann"}, "staff"),
        ("createToken", {"name": "A", "permissions": ["*"]}, "token"),
        ("createContactRule", {"maxTouches": 0}, "contactRule"),
        ("defineAttribute", {"name": "size", "type": "NUMBER"}, "attributeDefinition"),
    ):
        answer = await api.change(mutation, input, f"{record} {{ id }}")
        made.append(answer[record]["id"])
    ask = """{ auditLog { nodes { action actor { kind name staff { name } } subject { type id }
        customer { id } } } }"""
    entries = (await api.data(ask))["auditLog"]["nodes"]
    assert [entry["subject"]["type"] for entry in entries] == [
        "AttributeDefinition",
        "ContactRule",
        "Token",
        "Staff",
    ]
    assert [entry["subject"]["id"] for entry in entries] == made[::-1]
    assert {entry["action"] for entry in entries} == {"setting.changed"}
    assert entries[0]["actor"] == {"kind": "INTEGRATION", "name": "tests", "staff": None}
    assert entries[0]["customer"] is None


async def test_filters(api: Api) -> None:
    with frozen(NOON):
        ann = await add_staff(api, "Ann")
    with frozen(NOON + timedelta(hours=1)):
        zoe = await add_customer(api, "Zoe")
    api.actor = Actor(kind=ActorKind.SYSTEM, id=None, name="job", permissions=frozenset({"*"}))
    with frozen(NOON + timedelta(hours=2)):
        await api.change("updateCustomer", {"id": zoe, "company": "X"}, "customer { id }")

    async def found(**filter: Any) -> list[str]:
        nodes = (await api.data(FOUND, ADMIN, filter=filter))["auditLog"]["nodes"]
        return [node["action"] for node in nodes]

    created, updated, setting = "customer.created", "customer.updated", "setting.changed"
    assert await found() == [updated, created, setting]
    assert await found(action={"eq": created}) == [created]
    assert await found(action={"startsWith": "customer."}) == [updated, created]
    assert await found(actorName={"eq": "job"}) == [updated]
    assert await found(actorKind={"in": ["SYSTEM"]}) == [updated]
    assert await found(subjectType={"eq": "Staff"}) == [setting]
    assert await found(subjectId={"eq": zoe}) == [updated, created]
    assert await found(subjectId={"in": [zoe, ann]}) == [updated, created, setting]
    assert await found(subjectId={"in": []}) == []
    assert await found(subjectId={"eq": ann, "in": [zoe]}) == []
    assert await found(subjectId={"eq": encode_id("Customer", decode_key(ann, "Staff"))}) == []
    assert await found(customer={"eq": zoe}) == [updated, created]
    assert await found(at={"gte": "2026-03-01T13:00:00Z"}) == [updated, created]
    assert await found(at={"gt": "2026-03-01T12:00:00Z", "lt": "2026-03-01T14:00:00Z"}) == [created]
    assert await found(**{"not": {"customer": {"eq": zoe}}}) == [setting]


@pytest.mark.parametrize(
    ("filter", "message"),
    [
        ({"subjectId": {"eq": "nonsense"}}, "filter.subjectId: 'nonsense' is no id of this API"),
        ({"subjectId": {"eq": encode_id("Customer", "a\0")}}, "is no id of this API"),
        ({"subjectId": {"in": [encode_id("Customer", "a")] * 1001}}, "1001 ids are too many"),
        ({"customer": {"eq": encode_id("Staff", new_id())}}, "the id of a Customer is expected here"),
    ],
)
async def test_filters_refuse(api: Api, filter: dict[str, Any], message: str) -> None:
    code, text = await api.refused(FOUND, filter=filter)
    assert code == "BAD_INPUT"
    assert message in text


async def test_pages_both_ways_and_a_fixed_number_of_statements(api: Api) -> None:
    for n in range(5):
        await add_customer(api, f"Customer {n}")
    ask = """query($first: Int, $after: String, $last: Int, $order: [AuditOrder!]) {
        auditLog(first: $first, after: $after, last: $last, orderBy: $order) { totalCount
        nodes { customer { name } actor { staff { name } } token { name } }
        pageInfo { hasNextPage hasPreviousPage endCursor } } }"""
    names: list[str] = []
    after, counts = None, []
    while True:
        page = (await api.data(ask, first=2, after=after))["auditLog"]
        counts.append(len(api.statements))
        names += [node["customer"]["name"] for node in page["nodes"]]
        assert page["totalCount"] == 5
        after = page["pageInfo"]["endCursor"]
        if not page["pageInfo"]["hasNextPage"]:
            break
    assert names == [f"Customer {n}" for n in (4, 3, 2, 1, 0)]
    assert counts == [3, 3, 3]  # entries, their number, customers; there are no staff and tokens to read
    first = (await api.data(ask, last=1))["auditLog"]["nodes"]
    assert [node["customer"]["name"] for node in first] == ["Customer 0"]
    oldest = (await api.data(ask, first=2, order=[{"field": "AT"}]))["auditLog"]["nodes"]
    assert [node["customer"]["name"] for node in oldest] == ["Customer 0", "Customer 1"]
    code, message = await api.refused(ask, first=2, after=after, order=[{"field": "AT"}])
    assert code == "BAD_INPUT"
    assert "order" in message


async def test_a_merged_customer_leads_to_the_winner(api: Api) -> None:
    winner, loser = await add_customer(api, "Winner"), await add_customer(api, "Loser")
    async with api.database.unit_of_work(ADMIN) as tx:
        await merge_customers(tx, decode_key(winner, "Customer"), [decode_key(loser, "Customer")])
    ask = """{ auditLog(filter: {action: {eq: "customer.created"}}) {
        nodes { subject { id } customer { name } } } }"""
    assert (await api.data(ask))["auditLog"]["nodes"] == [
        {"subject": {"id": loser}, "customer": {"name": "Winner"}},
        {"subject": {"id": winner}, "customer": {"name": "Winner"}},
    ]


async def test_needs_the_permission(api: Api) -> None:
    reader = Actor(
        kind=ActorKind.INTEGRATION, id="n", name="n", permissions=frozenset({"customers.*", "tokens.manage"})
    )
    code, message = await api.refused("{ auditLog { nodes { action } totalCount } }", reader)
    assert code == "FORBIDDEN"
    assert "audit.read" in message
    assert api.statements == []
    auditor = Actor(kind=ActorKind.INTEGRATION, id="a", name="a", permissions=frozenset({"audit.read"}))
    assert await api.data("{ auditLog { totalCount } }", auditor) == {"auditLog": {"totalCount": 0}}
    code, message = await api.refused("{ auditLog { nodes { token { hint } } } }", auditor)
    assert (code, "tokens.manage" in message) == ("FORBIDDEN", True)


async def test_too_many_customers_are_not_looked_up(api: Api) -> None:
    ids = [encode_id("Customer", new_id()) for _ in range(900)]
    refused = await api.refused(FOUND, filter={"or": [{"customer": {"in": ids}}] * 6})
    assert refused == ("BAD_INPUT", "filter: 5400 values are too many; 5000 may be compared with in all")
    assert api.statements == []
