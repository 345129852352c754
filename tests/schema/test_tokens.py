"""Tokens over the API: the secret is shown once, and nobody grants what they may not do."""

import json
from datetime import UTC, datetime
from typing import Any

import pytest

from crm_framework.security.actors import Actor, ActorKind
from crm_framework.security.verify import TokenVerifier
from crm_framework.storage.clock import frozen

from .conftest import Api

NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)
TOKEN = """token { id name hint kind permissions staff { name } customer { name }
    createdAt expiresAt revokedAt lastUsedAt }"""
CREATE = "mutation($input: CreateTokenInput!) { createToken(input: $input) { secret errors { code } } }"

CLERK = Actor(
    kind=ActorKind.INTEGRATION,
    id="clerk",
    name="clerk",
    permissions=frozenset({"tokens.manage", "customers.*", "staff.read"}),
)


async def test_create_shows_the_secret_once(api: Api) -> None:
    with frozen(NOON):
        made = await api.change(
            "createToken",
            {
                "name": " Shop ",
                "permissions": ["customers.write", "customers.read"],
                "expiresAt": "2027-01-01T00:00:00+01:00",
            },
            f"secret {TOKEN}",
        )
    token, secret = made["token"], made["secret"]
    assert token.pop("id")
    assert token == {
        "name": "Shop",
        "hint": secret[:9],
        "kind": "INTEGRATION",
        "permissions": ["customers.read", "customers.write"],
        "staff": None,
        "customer": None,
        "createdAt": "2026-03-01T12:00:00Z",
        "expiresAt": "2026-12-31T23:00:00Z",
        "revokedAt": None,
        "lastUsedAt": None,
    }
    verifier = TokenVerifier(api.database)
    with frozen(NOON):
        actor = await verifier.verify(secret)
    await verifier.close()
    assert actor.permissions == {"customers.read", "customers.write"}


async def test_secret_is_kept_nowhere(api: Api) -> None:
    made = await api.change(
        "createToken", {"name": "Shop", "permissions": ["customers.read"], "idempotencyKey": "k"}, "secret"
    )
    for table in ("crm_token", "crm_idempotency", "crm_event", "crm_audit"):
        rows = await api.database.fetch(f"SELECT * FROM {table}")
        assert len(rows) == 1
        assert made["secret"] not in json.dumps(rows, default=str)


async def test_repeat_gives_the_token_without_its_secret(api: Api) -> None:
    wanted = {"name": "Shop", "permissions": ["customers.read"], "idempotencyKey": "k"}
    first = await api.change("createToken", wanted, "secret token { id name }")
    again = await api.change("createToken", wanted, "secret token { id name }")
    assert first["secret"].startswith("crm_")
    assert again == {**first, "secret": None}
    assert await api.count("crm_token") == 1
    (error,) = await api.errors("createToken", {**wanted, "name": "Till"})
    assert (error["code"], error["path"]) == ("CONFLICT", ["idempotencyKey"])
    assert await api.count("crm_token") == 1


async def test_for_staff_and_for_a_customer(api: Api) -> None:
    ann = (await api.change("createStaff", {"name": "Ann"}, "staff { id }"))["staff"]["id"]
    zoe = (await api.change("createCustomer", {"name": "Zoe"}, "customer { id }"))["customer"]["id"]
    await api.change(
        "createToken", {"name": "A", "kind": "STAFF", "staff": ann, "permissions": ["*"]}, "secret"
    )
    await api.change("createToken", {"name": "B", "kind": "CUSTOMER", "customer": zoe}, "secret")
    everyone = "{ tokens { nodes { name kind permissions staff { name } customer { name } } totalCount } }"
    assert await api.data(everyone) == {
        "tokens": {
            "nodes": [
                {
                    "name": "A",
                    "kind": "STAFF",
                    "permissions": ["*"],
                    "staff": {"name": "Ann"},
                    "customer": None,
                },
                {
                    "name": "B",
                    "kind": "CUSTOMER",
                    "permissions": [],
                    "staff": None,
                    "customer": {"name": "Zoe"},
                },
            ],
            "totalCount": 2,
        }
    }
    assert len(api.statements) == 4  # tokens, their number, staff, customers
    of_zoe = "query($zoe: ID!) { tokens(filter: {customer: {eq: $zoe}}) { nodes { name } } }"
    assert await api.data(of_zoe, zoe=zoe) == {"tokens": {"nodes": [{"name": "B"}]}}


@pytest.mark.parametrize(
    ("input", "code", "path"),
    [
        ({"name": " "}, "BAD_INPUT", ["name"]),
        ({"name": "A", "permissions": ["customers.raed"]}, "BAD_INPUT", ["permissions"]),
        ({"name": "A", "expiresAt": "2020-01-01T00:00:00Z"}, "BAD_INPUT", ["expiresAt"]),
        ({"name": "A", "kind": "SYSTEM"}, "BAD_INPUT", ["kind"]),
        ({"name": "A", "kind": "CUSTOMER"}, "BAD_INPUT", ["customer"]),
        ({"name": "A", "kind": "STAFF", "staff": "nonsense"}, "BAD_INPUT", ["staff"]),
        (
            {
                "name": "A",
                "kind": "STAFF",
                "staff": "U3RhZmY6MDAwMDAwMDAtMDAwMC0wMDAwLTAwMDAtMDAwMDAwMDAwMDAw",
            },
            "NOT_FOUND",
            ["staff"],
        ),
    ],
)
async def test_create_refuses(api: Api, input: dict[str, Any], code: str, path: list[str]) -> None:
    (error,) = await api.errors("createToken", {**input, "idempotencyKey": "k"})
    assert (error["code"], error["path"]) == (code, path)
    assert (await api.count("crm_token"), await api.count("crm_idempotency")) == (0, 0)


@pytest.mark.parametrize("beyond", ["*", "audit.read", "staff.*", "tokens.*", "staff.write"])
async def test_nobody_grants_what_they_may_not_do(api: Api, beyond: str) -> None:
    wanted = {"name": "A", "permissions": ["customers.read", beyond]}
    assert await api.refused(CREATE, CLERK, input=wanted) == (
        "FORBIDDEN",
        f"Nobody passes on what they may not do themselves, on all customers: {beyond} (at permissions)."
        " Leave it out, or let somebody do it who has it.",
    )
    assert (await api.count("crm_token"), await api.count("crm_audit")) == (0, 0)


async def test_what_one_may_do_can_be_granted(api: Api) -> None:
    wanted = {"name": "A", "permissions": ["customers.*", "customers.erase", "staff.read", "tokens.manage"]}
    made = (await api.data(CREATE, CLERK, input=wanted))["createToken"]
    assert made["errors"] == []
    assert made["secret"].startswith("crm_")


async def test_revoke_ends_at_once_and_twice_is_no_error(api: Api) -> None:
    made = await api.change("createToken", {"name": "A", "permissions": ["*"]}, "token { id }")
    id = made["token"]["id"]
    with frozen(NOON):
        revoked = await api.change("revokeToken", {"id": id}, "token { id revokedAt }")
    assert revoked["token"] == {"id": id, "revokedAt": "2026-03-01T12:00:00Z"}
    again = await api.change("revokeToken", {"id": id}, "token { id revokedAt }")
    assert again == revoked
    valid = "{ tokens(filter: {revokedAt: {isNull: true}}) { totalCount } }"
    assert await api.data(valid) == {"tokens": {"totalCount": 0}}


@pytest.mark.parametrize(
    ("id", "code"),
    [
        ("nonsense", "BAD_INPUT"),
        ("VG9rZW46MDAwMDAwMDAtMDAwMC0wMDAwLTAwMDAtMDAwMDAwMDAwMDAw", "NOT_FOUND"),
    ],
)
async def test_revoke_refuses(api: Api, id: str, code: str) -> None:
    (error,) = await api.errors("revokeToken", {"id": id})
    assert (error["code"], error["path"]) == (code, ["id"])
    assert await api.count("crm_audit") == 0


async def test_needs_the_permission(api: Api) -> None:
    nobody = Actor(kind=ActorKind.INTEGRATION, id="n", name="n", permissions=frozenset())
    code, message = await api.refused("{ tokens { nodes { name } } }", nobody)
    assert code == "FORBIDDEN"
    assert "tokens.manage" in message
    assert api.statements == []
    assert (await api.refused(CREATE, nobody, input={"name": "A"}))[0] == "FORBIDDEN"
    assert await api.count("crm_token") == 0


async def test_pages(api: Api) -> None:
    for name in "CAB":
        await api.change("createToken", {"name": name, "permissions": ["*"]}, "secret")
    ask = """query($after: String) { tokens(first: 2, after: $after, orderBy: [{field: NAME}]) {
        nodes { name } pageInfo { hasNextPage endCursor } } }"""
    page = (await api.data(ask))["tokens"]
    assert page["nodes"] == [{"name": "A"}, {"name": "B"}]
    assert page["pageInfo"]["hasNextPage"] is True
    rest = (await api.data(ask, after=page["pageInfo"]["endCursor"]))["tokens"]
    assert (rest["nodes"], rest["pageInfo"]["hasNextPage"]) == ([{"name": "C"}], False)
