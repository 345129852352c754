import asyncio
from datetime import timedelta
from typing import TYPE_CHECKING

import pytest

from crm_framework.domain.customers.changes import create_customer
from crm_framework.domain.customers.draft import NewCustomer
from crm_framework.domain.idempotency import forget, recall, remember
from crm_framework.errors import CrmError, ErrorCode
from crm_framework.security.actors import Actor, ActorKind
from crm_framework.storage.clock import frozen, now
from crm_framework.storage.database import Database

if TYPE_CHECKING:
    from .conftest import Records

ANN = Actor(kind=ActorKind.STAFF, id="ann", name="Ann", permissions=frozenset())
BOB = Actor(kind=ActorKind.STAFF, id="bob", name="Bob", permissions=frozenset())


async def create(database: Database, key: str, print_: str = "f", *, actor: Actor | None = ANN) -> str:
    async with database.unit_of_work(actor) as tx:
        first = await recall(tx, "create_customer", key, print_)
        if first is not None:
            return str(first["customer_id"])
        made = await create_customer(tx, NewCustomer(name=f"Customer {print_}"))
        await remember(tx, "create_customer", key, print_, {"customer_id": made.id})
        return made.id


async def test_the_same_key_gives_the_first_result(database: Database, records: "Records") -> None:
    key = await create(database, "k")
    before = await records.everything()
    assert await create(database, " k ") == key
    assert await records.everything() == before


async def test_another_input_is_refused(database: Database, records: "Records") -> None:
    await create(database, "k")
    before = await records.everything()
    with pytest.raises(CrmError) as refused:
        await create(database, "k", "g")
    assert (refused.value.code, refused.value.path) == (ErrorCode.CONFLICT, ("idempotencyKey",))
    assert refused.value.message == "The idempotency key 'k' was used for another input."
    assert await records.everything() == before


@pytest.mark.parametrize("key", ["", " ", "k" * 201, "a\nb"])
async def test_a_bad_key_is_refused(database: Database, records: "Records", key: str) -> None:
    with pytest.raises(CrmError) as refused:
        await create(database, key)
    assert (refused.value.code, refused.value.path) == (ErrorCode.BAD_INPUT, ("idempotencyKey",))
    assert await records.count("crm_customer") == 0


async def test_keys_belong_to_their_actor_and_operation(database: Database, records: "Records") -> None:
    keys = [await create(database, "k", actor=actor) for actor in (ANN, BOB, Actor.system(), None)]
    assert len(set(keys)) == 4
    async with database.unit_of_work(ANN) as tx:
        assert await recall(tx, "create_staff", "k", "f") is None


async def test_a_failure_leaves_the_key_free(database: Database, records: "Records") -> None:
    with pytest.raises(CrmError):
        async with database.unit_of_work(ANN) as tx:
            assert await recall(tx, "create_customer", "k", "f") is None
            await create_customer(tx, NewCustomer(name=""))
    assert await records.count("crm_idempotency") == 0
    await create(database, "k", "another")
    assert await records.count("crm_customer") == 1


async def test_many_at_once_do_it_once(database: Database, records: "Records") -> None:
    keys = await asyncio.gather(*(create(database, "k") for _ in range(8)))
    assert len(set(keys)) == 1
    assert await records.count("crm_customer") == 1
    assert await records.count("crm_idempotency") == 1


async def test_old_keys_are_forgotten(database: Database, records: "Records") -> None:
    with frozen(now() - timedelta(days=31)):
        await create(database, "old")
    await create(database, "new")
    async with database.unit_of_work() as tx:
        assert await forget(tx) == 1
    assert [row["key_text"] for row in await records.rows("crm_idempotency")] == ["new"]
