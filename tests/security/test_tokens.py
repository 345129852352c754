import json
from datetime import UTC, datetime, timedelta

import pytest

from crm_framework.errors import CrmError, ErrorCode
from crm_framework.security.actors import Actor, ActorKind
from crm_framework.security.permissions import Permissions
from crm_framework.security.tokens import create_token, digest_of, list_tokens, revoke_token
from crm_framework.storage.clock import frozen
from crm_framework.storage.database import Database

NOON = datetime(2024, 5, 1, 12, tzinfo=UTC)
PERMISSIONS = Permissions.of([])
UNKNOWN = "01890000-0000-7000-8000-000000000000"


async def test_created_tokens_are_listed_without_their_secret(database: Database) -> None:
    with frozen(NOON):
        async with database.unit_of_work(Actor.system()) as tx:
            issued = await create_token(
                tx,
                PERMISSIONS,
                name=" Shop ",
                grants=["interactions.write", "customers.read"],
                expires_at=NOON + timedelta(days=1),
            )
    (listed,) = await list_tokens(database)
    assert issued.secret.startswith("crm_")
    assert len(issued.secret) == 4 + 43
    assert listed.id == issued.id
    assert listed.name == "Shop"
    assert listed.hint == issued.secret[:9]
    assert listed.kind is ActorKind.INTEGRATION
    assert listed.permissions == ("customers.read", "interactions.write")
    assert (listed.created_at, listed.expires_at) == (NOON, NOON + timedelta(days=1))
    assert (listed.revoked_at, listed.last_used_at) == (None, None)
    assert listed.usable(NOON) is True
    assert listed.usable(NOON + timedelta(days=1)) is False
    (row,) = await database.fetch("SELECT * FROM crm_token")
    assert row["digest"] == digest_of(issued.secret)
    assert issued.secret not in json.dumps(row, default=str)


async def test_making_and_ending_a_token_is_audited_without_its_secret(database: Database) -> None:
    async with database.unit_of_work(Actor.system()) as tx:
        issued = await create_token(tx, PERMISSIONS, name="Shop", grants=["*"])
    async with database.unit_of_work(Actor.system()) as tx:
        assert await revoke_token(tx, issued.id) is True
    entries = await database.fetch("SELECT action, subject_id, changes FROM crm_audit ORDER BY id")
    assert [(entry["action"], str(entry["subject_id"])) for entry in entries] == [
        ("setting.changed", issued.id),
        ("setting.changed", issued.id),
    ]
    assert json.loads(entries[0]["changes"]) == {
        "name": [None, "Shop"],
        "kind": [None, "INTEGRATION"],
        "permissions": [None, ["*"]],
        "expiresAt": [None, None],
    }
    assert list(json.loads(entries[1]["changes"])) == ["revokedAt"]


async def test_revoking_again_changes_nothing(database: Database) -> None:
    async with database.unit_of_work() as tx:
        issued = await create_token(tx, PERMISSIONS, name="Shop", grants=[])
    with frozen(NOON):
        async with database.unit_of_work() as tx:
            assert await revoke_token(tx, issued.id) is True
    async with database.unit_of_work() as tx:
        assert await revoke_token(tx, issued.id) is False
    (listed,) = await list_tokens(database)
    assert listed.revoked_at == NOON
    assert listed.usable(NOON - timedelta(days=1)) is False


async def test_revoking_an_unknown_token_is_refused(database: Database) -> None:
    with pytest.raises(CrmError, match="There is no such token") as refused:
        async with database.unit_of_work() as tx:
            await revoke_token(tx, UNKNOWN)
    assert refused.value.code is ErrorCode.NOT_FOUND


@pytest.mark.parametrize(
    ("arguments", "code", "path"),
    [
        ({"name": "  "}, ErrorCode.BAD_INPUT, ("name",)),
        ({"name": "x" * 201}, ErrorCode.BAD_INPUT, ("name",)),
        ({"grants": ["customers.raed"]}, ErrorCode.BAD_INPUT, ("permissions",)),
        ({"expires_at": datetime(2020, 1, 1, tzinfo=UTC)}, ErrorCode.BAD_INPUT, ("expiresAt",)),
        ({"expires_at": datetime(2120, 1, 1)}, ErrorCode.BAD_INPUT, ("expiresAt",)),
        ({"kind": ActorKind.SYSTEM}, ErrorCode.BAD_INPUT, ("kind",)),
        ({"kind": ActorKind.CUSTOMER}, ErrorCode.BAD_INPUT, ("customer",)),
        ({"customer_id": UNKNOWN}, ErrorCode.BAD_INPUT, ("customer",)),
        ({"staff_id": UNKNOWN}, ErrorCode.BAD_INPUT, ("staff",)),
        ({"kind": ActorKind.STAFF, "staff_id": UNKNOWN}, ErrorCode.NOT_FOUND, ("staff",)),
        ({"kind": ActorKind.CUSTOMER, "customer_id": UNKNOWN}, ErrorCode.NOT_FOUND, ("customer",)),
    ],
)
async def test_a_token_that_does_not_fit_is_refused(
    database: Database, arguments: dict[str, object], code: ErrorCode, path: tuple[str, ...]
) -> None:
    wanted: dict[str, object] = {"name": "Shop", "grants": [], **arguments}
    with pytest.raises(CrmError) as refused:
        async with database.unit_of_work() as tx:
            await create_token(tx, PERMISSIONS, **wanted)  # type: ignore[arg-type]  # wrong on purpose
    assert (refused.value.code, refused.value.path) == (code, path)
    assert await list_tokens(database) == []


async def test_a_customers_own_token_carries_no_permissions(database: Database, customer_id: str) -> None:
    with pytest.raises(CrmError) as refused:
        async with database.unit_of_work() as tx:
            await create_token(
                tx,
                PERMISSIONS,
                name="Ann",
                grants=["customers.read"],
                kind=ActorKind.CUSTOMER,
                customer_id=customer_id,
            )
    assert refused.value.code is ErrorCode.REFUSED
    assert await list_tokens(database) == []
