"""The proof of the ledger finds what was changed or removed, and the database refuses to do so."""

from datetime import timedelta

import pytest
from crm_loyalty.ledger.verify import verify

from crm_framework import UnitOfWork
from crm_framework.testing import CrmClient

from .accounts import START, shop


async def test_the_proof_finds_what_was_changed_and_what_is_gone(client: CrmClient) -> None:
    store = await shop(client)
    ada = await store.customer()
    for number in range(4):
        await store.earn(ada, 10, START + timedelta(days=number), reason="bought")
    await store.redeem(ada, 15)
    verified = "mutation { verifyLoyalty { accounts entries differences errors { message } } }"
    assert (await client.data(verified))["verifyLoyalty"] == {
        "accounts": 1, "entries": 5, "differences": [], "errors": [],
    }  # fmt: skip
    entry = "(SELECT id FROM loyalty_entry WHERE seq = 2)"
    for forged in (
        f"UPDATE loyalty_entry SET points = 11 WHERE id = {entry}",
        f"UPDATE loyalty_entry SET reason = 'given' WHERE id = {entry}",
        f"UPDATE loyalty_entry SET reason = NULL, reason_salt = NULL WHERE id = {entry}",
        f"UPDATE loyalty_entry SET at = created_at, created_at = at WHERE id = {entry}",
        "DELETE FROM loyalty_allocation WHERE points = -5",
        "UPDATE loyalty_lot SET remaining = remaining + 1 WHERE remaining = 10",
        "UPDATE loyalty_account SET balance = balance + 1",
        "UPDATE loyalty_account SET balance = balance + 1, deficit = deficit - 1",
        "UPDATE loyalty_account SET lifetime = lifetime + 1",
    ):
        assert await differences_after(client, forged), forged
    if client.service.database.dialect == "sqlite":  # PostgreSQL knows better than to let it go
        [gone, *_] = await differences_after(client, "DELETE FROM loyalty_account")
        assert gone.endswith("is of an account that is not there")
    # the last one, with all that belongs to it
    gone = "SELECT id FROM loyalty_entry WHERE kind = 'REDEEMED'"
    assert await differences_after(
        client,
        f"DELETE FROM loyalty_allocation WHERE entry_id IN ({gone})",
        "UPDATE loyalty_lot SET remaining = points",
        "DELETE FROM loyalty_entry WHERE kind = 'REDEEMED'",
        "UPDATE loyalty_account SET balance = 40",
    )


async def test_what_nobody_has_any_more_is_found(client: CrmClient) -> None:
    store = await shop(client)
    ada, ben = await store.customer(), await store.customer()
    await store.earn(ada, 10, START, reason="bought")
    await store.earn(ben, 10, START)
    await store.redeem(ada, 5)
    async with client.service.database.unit_of_work() as tx:
        await client.service.host.merge_customers(ada, [ben], tx)
    assert await differences_after(client, "UPDATE loyalty_account SET balance = balance") == []
    merged = "UPDATE loyalty_account SET balance = 500 WHERE merged_into_id IS NOT NULL"
    [said] = await differences_after(client, merged)
    assert said.endswith("was merged into another, and has points or a tier again")
    if client.service.database.dialect == "sqlite":  # PostgreSQL knows better than to let them go
        lost = "UPDATE loyalty_allocation SET entry_id = '01a22488-1738-76b6-bcb9-1612b0857e59'"
        assert any("took from a lot" in said for said in await differences_after(client, lost))
        assert await differences_after(client, "UPDATE loyalty_account SET seal = x'ff00'")


async def test_an_entry_that_was_put_into_another_programme_is_found(client: CrmClient) -> None:
    store = await shop(client)
    await store.earn(await store.customer(), 10, START)
    other = await shop(client, name="Others")
    [said] = await differences_after(client, f"UPDATE loyalty_entry SET program_id = '{other.program_key}'")
    assert said.endswith(": 1 of its entries are of another programme than the account")


async def differences_after(client: CrmClient, *statements: str) -> list[str]:
    """What the proof says after a forgery, which is undone."""

    class Undone(Exception):
        pass

    said: list[str] = []
    try:
        async with client.service.database.unit_of_work() as tx:
            await without_guards(tx)
            if tx.dialect == "sqlite":
                await tx.execute("PRAGMA defer_foreign_keys = ON")
            for statement in statements:
                assert await tx.execute(statement) > 0
            said = (await verify(tx)).differences
            raise Undone
    except Undone:
        return said


async def without_guards(tx: UnitOfWork) -> None:
    guards = {
        "sqlite": [
            "DROP TRIGGER IF EXISTS loyalty_entry_guard_delete",
            "DROP TRIGGER IF EXISTS loyalty_entry_guard_update",
            "DROP TRIGGER IF EXISTS loyalty_allocation_guard_delete",
            "DROP TRIGGER IF EXISTS loyalty_allocation_guard_update",
            "DROP TRIGGER IF EXISTS loyalty_share_guard_delete",
            "DROP TRIGGER IF EXISTS loyalty_share_guard_update",
        ],
        "postgres": [
            "ALTER TABLE loyalty_entry DISABLE TRIGGER USER",
            "ALTER TABLE loyalty_allocation DISABLE TRIGGER USER",
            "ALTER TABLE loyalty_share DISABLE TRIGGER USER",
        ],
    }
    for statement in guards[tx.dialect]:
        await tx.execute(statement)


async def test_the_database_refuses_to_change_or_remove_an_entry(client: CrmClient) -> None:
    store = await shop(client)
    ada = await store.customer()
    await store.earn(ada, 10, START, reason="bought")
    await store.redeem(ada, 5)
    for statement in (
        "UPDATE loyalty_entry SET points = 11",
        "UPDATE loyalty_entry SET reason = 'given'",
        "UPDATE loyalty_allocation SET points = -1",
        "DELETE FROM loyalty_allocation",
        "DELETE FROM loyalty_entry WHERE kind = 'REDEEMED'",
    ):
        with pytest.raises(Exception, match="append-only"):
            async with client.service.database.unit_of_work() as tx:
                await tx.execute(statement)


async def test_an_erasure_takes_the_words_and_the_proof_still_holds(client: CrmClient) -> None:
    store = await shop(client)
    ada = await store.customer()
    await store.earn(ada, 10, START, reason="bought by Ada")
    await store.redeem(ada, 4)
    async with client.service.database.unit_of_work() as tx:
        host = client.service.host
        assert (await host.export_customer(ada, tx))["loyalty"]["accounts"][0]["balance"] == 6
        await host.erase_customer(ada, tx)
    async with client.service.database.unit_of_work() as tx:
        assert (await verify(tx)).differences == []
        [row] = await tx.fetch(
            "SELECT a.customer_id, a.balance, e.reason, e.reason_salt, e.points FROM loyalty_account a"
            " JOIN loyalty_entry e ON e.account_id = a.id WHERE e.kind = 'EARNED'"
        )
        assert row == {
            "customer_id": None, "balance": 6, "reason": None, "reason_salt": None, "points": 10,
        }  # fmt: skip


async def test_the_command_tells_what_was_changed(client: CrmClient) -> None:
    store = await shop(client)
    await store.earn(await store.customer(), 10, START)
    told = await client.command("loyalty", "verify")
    assert (told.code, told.output) == (0, "1 accounts, 1 entries: nothing was changed or removed.\n")
    async with client.service.database.unit_of_work() as tx:
        await tx.execute("UPDATE loyalty_account SET balance = 11")
    told = await client.command("loyalty", "verify")
    assert (told.code, told.output) == (1, "1 accounts, 1 entries: 2 differences.\n")
    assert "balance is 11, the entries come to 10" in told.errors
