"""What is refused over HTTP stands in the audit log, and the API shows it."""

from datetime import timedelta
from typing import Any

from crm_framework.engine.ids import decode_key
from crm_framework.security.actors import ActorKind
from crm_framework.security.permissions import Permissions
from crm_framework.security.tokens import create_token, revoke_token
from crm_framework.storage.clock import frozen, now
from crm_framework.testing.apps import OpenClient
from crm_framework.testing.client import CrmClient

ASK = """{ auditLog(filter: {action: {eq: "access.refused"}}, orderBy: [{field: AT}]) { nodes {
    actor { kind name } subject { type } reason changes token { name } erased } } }"""


async def knock(client: CrmClient, secret: str, query: str = "{ me { name } }") -> int:
    response = await client.http.post(
        "/graphql", json={"query": query}, headers={"Authorization": f"Bearer {secret}"}
    )
    return response.status_code


async def refused(client: CrmClient) -> list[dict[str, Any]]:
    await client.service.refusals._write(ended=True)
    nodes: list[dict[str, Any]] = (await client.data(ASK))["auditLog"]["nodes"]
    return nodes


async def token(client: CrmClient, name: str, expires: timedelta | None = None) -> tuple[str, str]:
    async with client.service.database.unit_of_work() as tx:
        made = await create_token(
            tx,
            Permissions.of(()),
            name=name,
            grants=["customers.read"],
            expires_at=tx.now + expires if expires else None,
        )
    return made.id, made.secret


async def test_tokens_that_open_nothing(client: CrmClient) -> None:
    id, dead = await token(client, "dead")
    _, old = await token(client, "old", timedelta(hours=1))
    async with client.service.database.unit_of_work() as tx:
        await revoke_token(tx, id)
    assert await knock(client, "crm_unknown-token-of-nobody") == 401
    assert await knock(client, "crm_unknown-too") == 401
    assert await knock(client, dead) == 401
    with frozen(now() + timedelta(hours=2)):
        assert await knock(client, old) == 401
    found = await refused(client)
    assert [(entry["actor"]["name"], entry["reason"], entry["changes"]["count"]) for entry in found] == [
        ("unknown", "The token is unknown.", [None, 2]),
        ("dead", "The token is revoked, or its holder is gone.", [None, 1]),
        ("old", "The token is expired.", [None, 1]),
    ]
    assert {entry["subject"]["type"] for entry in found} == {"Token"}
    assert "unknown-token-of-nobody" not in str(found)


async def test_permissions_that_are_missing(client: CrmClient) -> None:
    _, secret = await token(client, "reader")
    assert await knock(client, secret, "query Peek { auditLog { totalCount } }") == 200
    assert await knock(client, secret, "{ customers { totalCount } }") == 200
    (entry,) = await refused(client)
    assert (entry["actor"], entry["token"], entry["subject"]) == (
        {"kind": "INTEGRATION", "name": "reader"},
        {"name": "reader"},
        {"type": "Operation"},
    )
    assert "audit.read" in entry["reason"]
    assert entry["erased"] is False


async def test_the_name_stands_in_the_document(client: CrmClient) -> None:
    _, secret = await token(client, "reader")
    for query in (
        "query Peek { auditLog { totalCount } }",
        "# why\nquery Look { ...F } fragment F on Query { auditLog { totalCount } }",
        "{ auditLog { totalCount } }",
    ):
        assert await knock(client, secret, query) == 200
    await client.service.refusals._write(ended=True)
    rows = await client.service.database.fetch(
        "SELECT subject_id FROM crm_audit WHERE action = 'access.refused' ORDER BY id"
    )
    assert [row["subject_id"] for row in rows] == ["Peek", "Look", "(unnamed)"]


async def test_the_figures_are_among_what_is_refused(client: CrmClient) -> None:
    _, secret = await token(client, "reader")
    for bearer, status in ((secret, 403), ("crm_unknown-token-of-nobody", 401)):
        answer = await client.http.get("/metrics", headers={"Authorization": f"Bearer {bearer}"})
        assert answer.status_code == status
    await client.service.refusals._write(ended=True)
    rows = await client.service.database.fetch(
        "SELECT actor_name, subject_id, reason FROM crm_audit WHERE action = 'access.refused' ORDER BY id"
    )
    assert [(row["actor_name"], row["subject_id"], row["reason"]) for row in rows] == [
        ("reader", "GET /metrics", "The permission metrics.read is missing."),
        ("unknown", "crm_unkno", "The token is unknown."),
    ]


async def test_a_customers_own_token(client: CrmClient) -> None:
    made = await client.data('mutation { createCustomer(input: {name: "Ada"}) { customer { id } } }')
    customer = made["createCustomer"]["customer"]["id"]
    async with client.service.database.unit_of_work() as tx:
        own = await create_token(
            tx,
            Permissions.of(()),
            name="portal",
            grants=[],
            kind=ActorKind.CUSTOMER,
            customer_id=decode_key(customer, "Customer"),
        )
    assert await knock(client, own.secret, f'{{ customer(id: "{customer}") {{ name }} }}') == 200  # their own
    assert await knock(client, own.secret, "{ auditLog { totalCount } }") == 200
    (entry,) = await refused(client)
    assert entry["actor"] == {"kind": "CUSTOMER", "name": "portal"}


async def test_they_are_written_at_the_end_too(open_client: OpenClient) -> None:
    client = await open_client()
    assert await knock(client, "crm_unknown-token-of-nobody") == 401
    await client.service.refusals.close()
    rows = await client.service.database.fetch("SELECT at FROM crm_audit WHERE action = 'access.refused'")
    assert len(rows) == 1
