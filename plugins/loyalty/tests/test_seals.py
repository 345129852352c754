"""What the proof of the ledger finds of somebody who can write to the database as to the rest: without the
secrets that accounts are sealed with, and with an earlier state of an account at hand.
"""

from pathlib import Path
from typing import Any

import pytest
from crm_loyalty.ledger.accounts import SEALED, is_genuine
from crm_loyalty.ledger.digest import FIRST, digest
from crm_loyalty.ledger.verify import entries_of_accounts, verify

from crm_framework import UnitOfWork
from crm_framework.testing import CrmClient, run_jobs

from .shop import Shop, key
from .test_ledger_proof import without_guards

OWN, FORMER, THEIRS = b"a secret of sixteen", b"an earlier one of them", b"what somebody guesses"
ACCOUNT = ("id", "entries_number", "digest", "seal", "customer_id", "balance")


def keep(client: CrmClient, *secrets: bytes) -> None:
    """Has these be the audit keys."""
    database = client.service.database
    database.seals = type(database.seals)(secrets)


@pytest.fixture
def shop(client: CrmClient) -> Shop:
    keep(client, OWN)
    return Shop(client)


async def found(shop: Shop, *, keys: tuple[bytes, ...] = (OWN,)) -> list[str]:
    keep(shop.client, *keys)
    async with shop.client.service.database.unit_of_work() as tx:
        told = (await verify(tx)).differences
    keep(shop.client, OWN)
    return told


async def setting(shop: Shop) -> tuple[str, str, str]:
    program = await shop.program(pointsPerUnit=1, tierPeriod="LIFETIME")
    await shop.change("createTier", "tier { id }", program=program, name="Gold", threshold=30, benefits=[])
    ada, ben = await shop.customer(), await shop.customer("Ben")
    for customer in (ada, ben):
        await shop.buy(customer, "10.00")
        await shop.buy(customer, "20.00")
    await run_jobs(shop.client)
    assert await found(shop) == []
    return program, ada, ben


async def forge_chain(tx: UnitOfWork) -> None:
    """Computes the digests of all books anew, as who knows the code can."""
    rows = await tx.fetch("SELECT id FROM loyalty_account")
    books: dict[str, str] = {}
    for _, entry, _ in await entries_of_accounts(tx, [row["id"] for row in rows]):
        books[entry.book_id] = digest(books.get(entry.book_id, FIRST), entry)
        await tx.execute("UPDATE loyalty_entry SET digest = ? WHERE id = ?", [books[entry.book_id], entry.id])
    for book, last in books.items():
        await tx.execute("UPDATE loyalty_account SET digest = ? WHERE id = ?", [last, book])


async def forge(shop: Shop, *statements: str) -> None:
    async with shop.client.service.database.unit_of_work() as tx:
        await without_guards(tx)
        for statement in statements:
            assert await tx.execute(statement) > 0
        await forge_chain(tx)


MORE = (
    "UPDATE loyalty_entry SET points = points + 90 WHERE seq = 1",
    "UPDATE loyalty_lot SET points = points + 90, remaining = remaining + 90 WHERE points = 10",
    "UPDATE loyalty_account SET balance = balance + 90, lifetime = lifetime + 90",
)
"""More points for everybody, in all tables that know of them."""


async def test_a_whole_chain_that_is_computed_anew_has_no_seal(shop: Shop) -> None:
    _, ada, _ = await setting(shop)
    await forge(shop, *MORE)
    told = await found(shop)
    assert len(told) == 2
    assert all("was changed after it was sealed" in text for text in told)
    # without secrets there is nothing that could tell
    async with shop.client.service.database.unit_of_work() as tx:
        await tx.execute("UPDATE loyalty_account SET seal = ''")
    assert await found(shop, keys=()) == []
    assert all("is not sealed, and there are audit_keys" in text for text in await found(shop))
    # what is earned from then on does not hide it, and a seal of other secrets is none
    await shop.buy(ada, "5.00")
    assert len(await found(shop)) == 2
    keep(shop.client, THEIRS)
    async with shop.client.service.database.unit_of_work() as tx:
        for row in await tx.fetch(f"SELECT {SEALED} FROM loyalty_account"):
            said = await sealed_by(tx, row)
            await tx.execute("UPDATE loyalty_account SET seal = ? WHERE id = ?", [said, row["id"]])
    assert all("was changed after it was sealed" in text for text in await found(shop))


async def sealed_by(tx: UnitOfWork, row: dict[str, Any]) -> str:
    from crm_loyalty.ledger.accounts import seal_of

    seal = seal_of(tx, row)
    assert is_genuine(tx, row | {"seal": seal})
    return seal


async def test_whose_an_account_is_is_sealed_too_and_changes_of_ours_are_sealed_anew(shop: Shop) -> None:
    program, ada, ben = await setting(shop)
    cid = await shop.customer("Cid")
    async with shop.client.service.database.unit_of_work() as tx:
        await tx.execute(
            "UPDATE loyalty_account SET customer_id = ? WHERE customer_id = ?", [key(cid), key(ada)]
        )
    [told] = await found(shop)
    assert "was changed after it was sealed: whose it is" in told
    async with shop.client.service.database.unit_of_work() as tx:
        await tx.execute(
            "UPDATE loyalty_account SET customer_id = ? WHERE customer_id = ?", [key(ada), key(cid)]
        )
    assert await found(shop) == []
    await shop.change("mergeCustomers", "customer { id }", winner=cid, losers=[ada])  # moves the account
    await shop.change("mergeCustomers", "customer { id }", winner=ben, losers=[cid])  # joins two
    member = {"program": program, "customer": ben}
    await shop.change("adjustPoints", "account { id }", **member, points=-45, reason="a mistake")
    assert await shop.balance(ben) == 15
    assert await found(shop) == []
    await shop.change("eraseCustomer", "receipt", id=ben)
    assert await found(shop) == []
    # another secret in front: what was sealed with the former one still is
    assert await found(shop, keys=(THEIRS, OWN)) == []
    assert len(await found(shop, keys=(FORMER,))) >= 1


@pytest.mark.parametrize(
    "forged",
    [
        "UPDATE loyalty_share SET points = points + 1",
        "UPDATE loyalty_share SET because = 'a friend of mine'",
        "UPDATE loyalty_share SET day = '2020-01-01'",
        "DELETE FROM loyalty_share",
        "UPDATE loyalty_share SET account_id = (SELECT MAX(CAST(id AS TEXT)) FROM loyalty_account)",
        "UPDATE loyalty_account SET tier_id = NULL",
        "UPDATE loyalty_account SET tier_since = NULL",
        "UPDATE loyalty_account SET tier_review_at = tier_judged_at",
        "DELETE FROM loyalty_tier_change",
        "UPDATE loyalty_tier_change SET previous_id = tier_id",
    ],
)
async def test_what_rules_gave_and_tiers_are_proved_too(shop: Shop, forged: str) -> None:
    await setting(shop)
    if shop.client.service.database.dialect == "postgres":
        forged = forged.replace(
            "(SELECT MAX(CAST(id AS TEXT)) FROM", "(SELECT CAST(MAX(CAST(id AS TEXT)) AS UUID) FROM"
        )
    async with shop.client.service.database.unit_of_work() as tx:
        await without_guards(tx)
        assert await tx.execute(forged) > 0
        assert (await verify(tx)).differences
    if "loyalty_share" in forged:  # they are in the digests, which are sealed
        await forge(shop, "UPDATE loyalty_entry SET shares_digest = NULL WHERE shares_digest IS NOT NULL")
        assert await found(shop)


async def test_the_database_refuses_to_change_what_rules_gave(shop: Shop) -> None:
    await setting(shop)
    for statement in ("UPDATE loyalty_share SET points = 11", "DELETE FROM loyalty_share"):
        with pytest.raises(Exception, match="append-only"):
            async with shop.client.service.database.unit_of_work() as tx:
                await tx.execute(statement)


async def test_an_account_that_is_put_back_shows_against_heads_that_were_kept(
    shop: Shop, tmp_path: Path
) -> None:
    """By the commands: with the secrets of the settings, of which there are none here."""
    keep(shop.client)
    program = await shop.program(pointsPerUnit=1)
    ada = await shop.customer()
    await shop.buy(ada, "10.00")
    async with shop.client.service.database.unit_of_work() as tx:
        [before] = await tx.fetch(f"SELECT {', '.join(ACCOUNT)} FROM loyalty_account")
        lots = await tx.fetch("SELECT id, remaining FROM loyalty_lot")
    await shop.change(
        "adjustPoints", "account { id }", program=program, customer=ada, points=-4, reason="a mistake"
    )
    kept = tmp_path / "heads"
    printed = (await shop.client.command("loyalty", "heads")).output
    assert len(printed.splitlines()) == 1
    kept.write_text(printed)
    await shop.buy(ada, "1.00")
    told = await shop.client.command("loyalty", "verify", "--heads", str(kept))
    assert (told.code, told.errors) == (0, "")
    async with shop.client.service.database.unit_of_work() as tx:
        await without_guards(tx)
        gone = "(SELECT id FROM loyalty_entry WHERE seq > 1)"
        for table in ("loyalty_allocation", "loyalty_share", "loyalty_lot"):
            await tx.execute(f"DELETE FROM {table} WHERE entry_id IN {gone}")
        await tx.execute("DELETE FROM loyalty_entry WHERE seq > 1")
        await tx.execute(
            "UPDATE loyalty_lot SET remaining = ? WHERE id = ?", [lots[0]["remaining"], lots[0]["id"]]
        )
        await tx.execute(
            "UPDATE loyalty_account SET entries_number = ?, digest = ?, balance = 10, lifetime = 10",
            [before["entries_number"], before["digest"]],
        )
    assert (await shop.client.command("loyalty", "verify")).code == 0
    told = await shop.client.command("loyalty", "verify", "--heads", str(kept))
    assert told.code == 1
    assert "had 2 entries, and ends before, or has others by now" in told.errors
    kept.write_text("nonsense\n")
    told = await shop.client.command("loyalty", "verify", "--heads", str(kept))
    assert told.code == 1
    assert "'nonsense' is no head of an account's book." in told.errors
    assert "There are no audit_keys to seal with." in (await shop.client.command("loyalty", "seal")).errors


async def test_accounts_that_were_there_before_the_secret_are_sealed_if_they_fit(shop: Shop) -> None:
    from crm_loyalty.ledger.sealing import seal_some
    from crm_loyalty.ledger.verify import Proof

    keep(shop.client)
    _, ada, ben = await setting_without(shop)
    await shop.change("mergeCustomers", "customer { id }", winner=ben, losers=[ada])
    cid = await shop.customer("Cid")
    await shop.buy(cid, "10.00")
    async with shop.client.service.database.unit_of_work() as tx:
        await tx.execute("UPDATE loyalty_account SET balance = 11 WHERE customer_id = ?", [key(cid)])
    keep(shop.client, OWN)
    proof = Proof()
    async with shop.client.service.database.unit_of_work() as tx:
        last = await seal_some(tx, proof, "")
        assert last is not None
        assert await seal_some(tx, proof, last) is None
    assert proof.accounts == 2  # the one of Ben, and that of Ada, which it took over
    assert any("balance is 11" in text for text in proof.differences)
    async with shop.client.service.database.unit_of_work() as tx:
        await tx.execute("UPDATE loyalty_account SET balance = 10 WHERE customer_id = ?", [key(cid)])
    [told] = await found(shop)
    assert "is not sealed" in told


async def setting_without(shop: Shop) -> tuple[str, str, str]:
    program = await shop.program(pointsPerUnit=1)
    ada, ben = await shop.customer(), await shop.customer("Ben")
    for customer in (ada, ben):
        await shop.buy(customer, "10.00")
    return program, ada, ben
