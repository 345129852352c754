"""What a process remembers of tokens on PostgreSQL, and when it no longer does. SQLite remembers nothing."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from crm_framework.domain.customers.ownership import deactivate_staff
from crm_framework.domain.privacy.erasure import erase_customer
from crm_framework.domain.privacy.merge import merge_customers
from crm_framework.errors import CrmError, ErrorCode
from crm_framework.security import verify
from crm_framework.security.actors import ActorKind
from crm_framework.security.permissions import Permissions
from crm_framework.security.tokens import IssuedToken, create_token, revoke_token
from crm_framework.security.verify import REFUSED, TokenVerifier
from crm_framework.storage.clock import frozen
from crm_framework.storage.database import Database
from crm_framework.testing.fixtures import CORE_APPS

LONG = 60_000
WINDOW = 200


@pytest.fixture
async def verifier(database: Database) -> AsyncIterator[TokenVerifier]:
    """One that remembers for as long as these tests take."""
    made = TokenVerifier(database, LONG)
    yield made
    await made.close()


async def issue(database: Database, **arguments: object) -> IssuedToken:
    wanted: dict[str, object] = {"name": "Shop", "grants": ["customers.read"], **arguments}
    async with database.unit_of_work() as tx:
        return await create_token(tx, Permissions.of([]), **wanted)  # type: ignore[arg-type]  # by name


async def refused(verifier: TokenVerifier, secret: str) -> None:
    with pytest.raises(CrmError) as raised:
        await verifier.verify(secret)
    assert (raised.value.code, raised.value.message) == (ErrorCode.UNAUTHENTICATED, REFUSED)


async def reads(verifier: TokenVerifier, database: Database, secret: str) -> int:
    """How often a check of the token reads."""
    with database.counting() as statements:
        await verifier.verify(secret)
    return len([text for text in statements if text.startswith("SELECT t.digest")])


async def test_postgres_is_not_asked_again_within_the_window(
    verifier: TokenVerifier, database: Database
) -> None:
    issued = await issue(database)
    first = await verifier.verify(issued.secret)
    again = 0 if database.dialect == "postgres" else 1
    assert [await reads(verifier, database, issued.secret) for _ in range(2)] == [again, again]
    assert await verifier.verify(issued.secret) is first


async def test_postgres_is_asked_again_after_the_window(database: Database) -> None:
    verifier = TokenVerifier(database, WINDOW)
    issued = await issue(database)
    await verifier.verify(issued.secret)
    await asyncio.gather(*verifier._writing)  # the row says now when it was used
    await asyncio.sleep(WINDOW / 1000)
    second = await verifier.verify(issued.secret)
    await asyncio.sleep(WINDOW / 1000)
    assert await reads(verifier, database, issued.secret) == 1
    assert await verifier.verify(issued.secret) is second  # the same row is not taken apart again
    await verifier.close()


async def test_without_a_window_every_check_reads(database: Database) -> None:
    verifier = TokenVerifier(database, 0)
    issued = await issue(database)
    assert [await reads(verifier, database, issued.secret) for _ in range(3)] == [1, 1, 1]
    await verifier.close()


async def test_a_revocation_by_this_process_holds_at_once(
    verifier: TokenVerifier, database: Database
) -> None:
    issued = await issue(database)
    await verifier.verify(issued.secret)
    async with database.unit_of_work() as tx:
        await revoke_token(tx, issued.id)
    await refused(verifier, issued.secret)


async def test_a_member_of_staff_who_left_is_out_at_once(
    verifier: TokenVerifier, database: Database, staff_id: str
) -> None:
    issued = await issue(database, kind=ActorKind.STAFF, staff_id=staff_id)
    await verifier.verify(issued.secret)
    async with database.unit_of_work() as tx:
        await deactivate_staff(tx, staff_id)
    await refused(verifier, issued.secret)


async def test_an_erased_customer_is_out_at_once(
    verifier: TokenVerifier, database: Database, customer_id: str
) -> None:
    issued = await issue(database, grants=[], kind=ActorKind.CUSTOMER, customer_id=customer_id)
    await verifier.verify(issued.secret)
    async with database.unit_of_work() as tx:
        await erase_customer(tx, customer_id)
    await refused(verifier, issued.secret)


async def test_a_merged_customer_acts_as_the_winner_at_once(
    verifier: TokenVerifier, database: Database, customer_id: str, other_customer_id: str
) -> None:
    issued = await issue(database, grants=[], kind=ActorKind.CUSTOMER, customer_id=customer_id)
    assert (await verifier.verify(issued.secret)).customer_id == customer_id
    async with database.unit_of_work() as tx:
        await merge_customers(tx, other_customer_id, [customer_id])
    actor = await verifier.verify(issued.secret)
    assert (actor.customer_id, actor.id) == (other_customer_id, other_customer_id)


async def test_what_does_not_concern_tokens_empties_nothing(
    verifier: TokenVerifier, database: Database
) -> None:
    issued = await issue(database)
    first = await verifier.verify(issued.secret)
    async with database.unit_of_work() as tx:
        await tx.execute("UPDATE crm_token SET name = 'Till' WHERE id = ?", (issued.id,))
    after = await verifier.verify(issued.secret)
    assert (after is first) == (database.dialect == "postgres")


async def test_a_change_that_is_rolled_back_changes_nothing(
    verifier: TokenVerifier, database: Database
) -> None:
    issued = await issue(database)
    first = await verifier.verify(issued.secret)
    with pytest.raises(ZeroDivisionError):
        async with database.unit_of_work() as tx:
            await revoke_token(tx, issued.id)
            raise ZeroDivisionError
    assert await verifier.verify(issued.secret) is first


async def test_a_revocation_on_another_node_holds_within_the_window(database: Database) -> None:
    verifier = TokenVerifier(database, WINDOW)
    issued = await issue(database)
    await verifier.verify(issued.secret)
    async with await Database.open(database.url, apps=CORE_APPS) as other, other.unit_of_work() as tx:
        await revoke_token(tx, issued.id)
    await asyncio.sleep(WINDOW / 1000)
    await refused(verifier, issued.secret)
    await verifier.close()


async def test_using_a_token_does_not_keep_it_alive(database: Database) -> None:
    """The window is of the age of what was read, not of the last use."""
    verifier = TokenVerifier(database, WINDOW)
    issued = await issue(database)
    await verifier.verify(issued.secret)
    async with await Database.open(database.url, apps=CORE_APPS) as other, other.unit_of_work() as tx:
        await revoke_token(tx, issued.id)
    until = asyncio.get_running_loop().time() + WINDOW / 1000
    while asyncio.get_running_loop().time() < until:
        try:
            await verifier.verify(issued.secret)
        except CrmError:
            break
        await asyncio.sleep(0.01)
    await refused(verifier, issued.secret)
    await verifier.close()


async def test_a_token_that_is_remembered_expires_to_the_moment(
    verifier: TokenVerifier, database: Database
) -> None:
    end = datetime.now(UTC) + timedelta(hours=1)
    issued = await issue(database, expires_at=end)
    with frozen(end - timedelta(microseconds=1)):
        await verifier.verify(issued.secret)
    with frozen(end):
        await refused(verifier, issued.secret)


async def test_what_is_refused_is_not_remembered(verifier: TokenVerifier, database: Database) -> None:
    issued = await issue(database)
    async with database.unit_of_work() as tx:
        await tx.execute("UPDATE crm_token SET revoked_at = ?", (tx.now,))
    await refused(verifier, issued.secret)
    await refused(verifier, "crm_" + "x" * 43)
    async with database.unit_of_work() as tx:  # without an event: nothing is emptied
        await tx.execute("UPDATE crm_token SET revoked_at = NULL")
    await verifier.verify(issued.secret)
    assert len(verifier._remembered) == 1


async def test_it_remembers_a_bounded_number(
    verifier: TokenVerifier, database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(verify, "MAX_KEPT", 2)
    issued = [await issue(database) for _ in range(3)]
    for token in issued:
        await verifier.verify(token.secret)
    assert len(verifier._remembered) == 2
    again = 0 if database.dialect == "postgres" else 1
    assert await reads(verifier, database, issued[2].secret) == again
    assert await reads(verifier, database, issued[0].secret) == 1
    assert len(verifier._remembered) == 2


class Slow:
    """A database whose answer to a check is on its way until `go` is set."""

    def __init__(self, database: Database) -> None:
        self.dialect = database.dialect
        self.watchers = database.watchers
        self.unit_of_work = database.unit_of_work
        self.read = asyncio.Event()
        self.go = asyncio.Event()
        self._database = database

    async def rows(self, sql: str, args: Sequence[object], *, bounded: bool) -> Sequence[Sequence[Any]]:
        found = await self._database.rows(sql, args, bounded=bounded)
        self.read.set()
        await self.go.wait()
        return found


async def test_what_was_read_before_a_revocation_is_not_remembered_after_it(database: Database) -> None:
    issued = await issue(database)
    slow = Slow(database)
    verifier = TokenVerifier(slow, LONG)  # type: ignore[arg-type]  # stands in for a database
    early = asyncio.create_task(verifier.verify(issued.secret))
    await slow.read.wait()
    async with database.unit_of_work() as tx:
        await revoke_token(tx, issued.id)
    slow.go.set()
    assert (await early).token_id == issued.id  # it came before the revocation
    await refused(verifier, issued.secret)
    await verifier.close()


async def test_a_plugin_that_fails_does_not_hold_a_revocation_up(
    verifier: TokenVerifier, database: Database
) -> None:
    class Failing:
        name = "failing"

        async def __call__(self, events: object, tx: object) -> None:
            raise RuntimeError("no")

    issued = await issue(database)
    await verifier.verify(issued.secret)
    database.handlers = [Failing()]
    async with database.unit_of_work() as tx:
        await revoke_token(tx, issued.id)
    await refused(verifier, issued.secret)


async def test_many_at_once(verifier: TokenVerifier, database: Database) -> None:
    issued = await issue(database)
    actors = await asyncio.gather(*(verifier.verify(issued.secret) for _ in range(50)))
    assert {actor.token_id for actor in actors} == {issued.id}
    async with database.unit_of_work() as tx:
        await revoke_token(tx, issued.id)
    ended = await asyncio.gather(*(verifier.verify(issued.secret) for _ in range(50)), return_exceptions=True)
    assert all(isinstance(error, CrmError) for error in ended)


async def test_a_closed_verifier_hears_nothing_more(database: Database) -> None:
    before = len(database.watchers)
    verifier = TokenVerifier(database, LONG)
    assert len(database.watchers) == before + 1
    await verifier.close()
    assert len(database.watchers) == before
