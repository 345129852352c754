import asyncio
import logging
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta

import pytest

from crm_framework.errors import CrmError, ErrorCode
from crm_framework.security.actors import ActorKind
from crm_framework.security.permissions import Permissions
from crm_framework.security.tokens import IssuedToken, create_token, list_tokens, revoke_token
from crm_framework.security.verify import REFUSED, TokenVerifier
from crm_framework.storage.clock import frozen
from crm_framework.storage.database import Database

NOON = datetime(2024, 5, 1, 12, tzinfo=UTC)
MINUTE = timedelta(minutes=1)


@pytest.fixture
async def verifier(database: Database) -> AsyncIterator[TokenVerifier]:
    made = TokenVerifier(database)
    yield made
    await made.close()


async def issue(database: Database, **arguments: object) -> IssuedToken:
    wanted: dict[str, object] = {"name": "Shop", "grants": ["customers.read"], **arguments}
    with frozen(NOON):
        async with database.unit_of_work() as tx:
            return await create_token(tx, Permissions.of([]), **wanted)  # type: ignore[arg-type]  # by name


async def test_a_token_stands_for_its_actor(database: Database, verifier: TokenVerifier) -> None:
    issued = await issue(database)
    actor = await verifier.verify(issued.secret)
    assert actor.kind is ActorKind.INTEGRATION
    assert (actor.id, actor.token_id, actor.name) == (issued.id, issued.id, "Shop")
    assert actor.permissions == frozenset({"customers.read"})
    assert (actor.staff_id, actor.customer_id) == (None, None)


async def test_a_member_of_staff_acts_under_their_own_name(
    database: Database, verifier: TokenVerifier, staff_id: str
) -> None:
    issued = await issue(database, kind=ActorKind.STAFF, staff_id=staff_id)
    actor = await verifier.verify(issued.secret)
    assert (actor.kind, actor.id, actor.name) == (ActorKind.STAFF, staff_id, "Sam Seller")
    async with database.unit_of_work() as tx:
        await tx.execute("UPDATE crm_staff SET active = ? WHERE id = ?", (False, staff_id))
    await refused(verifier, issued.secret)


async def test_a_customer_acts_without_permissions(
    database: Database, verifier: TokenVerifier, customer_id: str
) -> None:
    issued = await issue(database, grants=[], kind=ActorKind.CUSTOMER, customer_id=customer_id)
    actor = await verifier.verify(issued.secret)
    assert (actor.kind, actor.id, actor.customer_id) == (ActorKind.CUSTOMER, customer_id, customer_id)
    assert actor.permissions == frozenset()
    async with database.unit_of_work() as tx:
        await tx.execute("UPDATE crm_customer SET erased_at = ? WHERE id = ?", (tx.now, customer_id))
    await refused(verifier, issued.secret)


@pytest.mark.parametrize(
    "secret", ["", "crm_", "crm_" + "x" * 43, "x" * 47, "crm_" + "x" * 500, "crm_é", "crm_' OR 1=1 --"]
)
async def test_what_is_no_token_is_refused(verifier: TokenVerifier, secret: str) -> None:
    await refused(verifier, secret)


async def test_a_token_ends_when_it_expires(database: Database, verifier: TokenVerifier) -> None:
    issued = await issue(database, expires_at=NOON + MINUTE)
    with frozen(NOON + MINUTE - timedelta(microseconds=1)):
        await verifier.verify(issued.secret)
    with frozen(NOON + MINUTE):
        await refused(verifier, issued.secret)


async def test_a_revocation_holds_at_once(database: Database, verifier: TokenVerifier) -> None:
    issued = await issue(database)
    await verifier.verify(issued.secret)
    async with database.unit_of_work() as tx:
        await revoke_token(tx, issued.id)
    await refused(verifier, issued.secret)


async def test_verifying_reads_once_and_writes_nothing_on_its_way(
    database: Database, verifier: TokenVerifier
) -> None:
    issued = await issue(database)
    async with database.unit_of_work() as blocking:  # the only writer of SQLite is taken
        await blocking.execute("UPDATE crm_token SET name = name")
        with database.counting() as statements:
            actor = await asyncio.wait_for(asyncio.create_task(verifier.verify(issued.secret)), 5)
        assert actor.id == issued.id
        assert len([text for text in statements if text.startswith("SELECT")]) == 1


async def test_use_is_noted_once_a_minute(database: Database, verifier: TokenVerifier) -> None:
    issued = await issue(database)
    for seconds, noted in ((0, 0), (59, 0), (60, 60), (61, 60)):
        with frozen(NOON + timedelta(seconds=seconds)):
            await verifier.verify(issued.secret)
        await verifier.close()
        (listed,) = await list_tokens(database)
        assert listed.last_used_at == NOON + timedelta(seconds=noted)


async def test_another_process_does_not_note_the_same_minute(database: Database) -> None:
    issued = await issue(database)
    for process, second in ((TokenVerifier(database), 0), (TokenVerifier(database), 30)):
        with frozen(NOON + timedelta(seconds=second)):
            await process.verify(issued.secret)
        await process.close()
    (listed,) = await list_tokens(database)
    assert listed.last_used_at == NOON


async def test_a_use_that_cannot_be_noted_is_logged_only(
    database: Database, caplog: pytest.LogCaptureFixture
) -> None:
    issued = await issue(database)

    class ReadOnly:
        dialect = database.dialect
        watchers = database.watchers
        rows = database.rows

        def unit_of_work(self) -> None:
            raise CrmError(ErrorCode.UNAVAILABLE, "The disk is full.")

    verifier = TokenVerifier(ReadOnly())  # type: ignore[arg-type]  # stands in for a database that is full
    with caplog.at_level(logging.WARNING):
        actor = await verifier.verify(issued.secret)
        await verifier.close()
    assert actor.id == issued.id
    assert caplog.messages == [f"The last use of token {issued.id} could not be noted: The disk is full."]


async def refused(verifier: TokenVerifier, secret: str) -> None:
    with pytest.raises(CrmError) as raised:
        await verifier.verify(secret)
    assert (raised.value.code, raised.value.message) == (ErrorCode.UNAUTHENTICATED, REFUSED)
