"""Retries: the same key with the same input gives the first result, and nothing happens twice."""

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any

from crm_framework.domain.rows import for_update, insert, json_of, json_text
from crm_framework.domain.values.text import line
from crm_framework.errors import CrmError, ErrorCode, cut
from crm_framework.storage.ids import new_id

if TYPE_CHECKING:
    from crm_framework.storage.unit_of_work import UnitOfWork

KEY_LIMIT = 200
"""Characters of a key."""

KEPT = timedelta(days=30)
"""How long a key is remembered at least."""


async def recall(
    tx: "UnitOfWork",
    operation: str,
    key: str,
    fingerprint: str,
    *,
    path: Sequence[str | int] = ("idempotencyKey",),
) -> dict[str, Any] | None:
    """What this actor's operation gave when it first came with this key; None if it comes for the first time.

    After None the key is claimed: whoever sends it at the same moment waits for this transaction, which must
    `remember` its result. A failed one leaves no trace, so that the key may be sent again. `fingerprint` (64
    characters) stands for the input. CONFLICT if the key came with another one.
    """
    text = line(key, "The idempotency key", KEY_LIMIT, path=path)
    row: dict[str, object] = {
        "id": new_id(),
        "actor": _actor(tx),
        "operation": operation,
        "key_text": text,
        "fingerprint": fingerprint,
        "result": "null",
        "created_at": tx.now,
    }
    if await insert(tx, "crm_idempotency", row, or_nothing=True):
        return None
    first = await tx.fetch(
        "SELECT fingerprint, result FROM crm_idempotency WHERE actor = ? AND operation = ? AND key_text = ?",
        (row["actor"], operation, text),
    )
    if first[0]["fingerprint"] != fingerprint:
        raise CrmError(
            ErrorCode.CONFLICT,
            f"The idempotency key {cut(text, 80)} was used for another input.",
            path=path,
            hint="Send the first input again, or choose a new key.",
        )
    result: dict[str, Any] | None = json_of(first[0]["result"])
    return result


async def remember(
    tx: "UnitOfWork", operation: str, key: str, fingerprint: str, result: Mapping[str, Any]
) -> None:
    """Keeps the result of a key that `recall` claimed in this transaction.

    It holds keys of records rather than their content: a person's data must not outlive its erasure here.
    """
    await tx.execute(
        "UPDATE crm_idempotency SET result = ? "
        "WHERE actor = ? AND operation = ? AND key_text = ? AND fingerprint = ?",
        (json_text(result), _actor(tx), operation, key.strip(), fingerprint),
    )


async def forget(tx: "UnitOfWork", before: datetime | None = None, *, most: int = 1_000) -> int:
    """Removes what was remembered before that moment (30 days ago), so many at once; the number removed."""
    return await tx.execute(
        "DELETE FROM crm_idempotency WHERE id IN"
        f" (SELECT id FROM crm_idempotency WHERE created_at < ? ORDER BY id LIMIT ? {for_update(tx)})",
        (before or tx.now - KEPT, most),
    )


def _actor(tx: "UnitOfWork") -> str:
    """Keys of one actor are no concern of another's."""
    actor = tx.actor
    return "SYSTEM:" if actor is None else f"{actor.kind}:{actor.id or actor.name}"[:140]
