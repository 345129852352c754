"""Seals accounts that were there before there was a secret to seal with."""

from crm_framework import CrmError, ErrorCode, UnitOfWork, among

from .accounts import PURPOSE, SEALED, seal_of
from .verify import CHUNK, MOST, Proof, look


async def seal_some(tx: UnitOfWork, proof: Proof, last: str) -> str | None:
    """Seals accounts that follow `last` and have no seal, some at once, if they are what their entries come
    to; the last of them, or None when all were looked at. How many were sealed, and what does not fit, is
    added to `proof`. CONFIGURATION where there are no `audit_keys`.
    """
    if not tx.seal("", purpose=PURPOSE):
        raise CrmError(
            ErrorCode.CONFIGURATION, "There are no audit_keys to seal with.", hint="Set them in crm.toml."
        )
    after, args = ("AND id > ?", [last]) if last else ("", [])
    rows = await tx.fetch(
        "SELECT id FROM loyalty_account WHERE seal = '' AND entries_number > 0"
        f" AND (merged_into_id IS NULL) IS TRUE {after} ORDER BY id LIMIT {CHUNK}",
        args,
    )
    keys = [str(row["id"]) for row in rows]
    if not keys:
        return None
    await tx.lock("loyalty_account", keys)
    found = await look(tx, keys, sealed=False)
    whole = among("id", [key for key in keys if not found.differences[key]], tx.dialect)
    books = among("account_id", [key for key in keys if not found.differences[key]], tx.dialect)
    # with those that were merged into them, whose books were proved with theirs
    proved = await tx.fetch(
        f"SELECT {SEALED} FROM loyalty_account WHERE {whole.sql} OR (seal = '' AND merged_into_id IS NOT NULL"
        f" AND id IN (SELECT book_id FROM loyalty_entry WHERE {books.sql}))",
        [*whole.args, *books.args],
    )
    await tx.execute_many(
        "UPDATE loyalty_account SET seal = ? WHERE id = ?", [(seal_of(tx, row), row["id"]) for row in proved]
    )
    proof.accounts += len(proved)
    told = [text for texts in found.differences.values() for text in texts]
    proof.differences = [*proof.differences, *told][:MOST]
    return keys[-1]
