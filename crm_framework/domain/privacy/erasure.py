"""Erasing a person: everything that names it goes, in the core and in every plugin; sums and counts stay.

What book-keeping needs stays: purchases and refunds with their lines, amounts, dates and order numbers. What
names the person goes: names, contact points, attributes, tags, words of interactions, references in other
systems, and their traces in the audit log, in events and in remembered results. Records that were merged into
the customer are erased with it.
"""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Protocol

from crm_framework.domain.customers.locks import hold_with_losers
from crm_framework.domain.customers.record import resolve_id
from crm_framework.domain.interactions.touches import PURCHASE, REFUND
from crm_framework.domain.messages.privacy import empty_messages
from crm_framework.domain.privacy.absent_plugins import refuse_absent_plugins
from crm_framework.domain.privacy.scrub import LEAST_TELLING, names_person, scrubbed_changes, scrubbed_payload
from crm_framework.domain.rows import check_key, for_update, insert, json_of, json_text, marks, time_of
from crm_framework.domain.values.text import optional_line
from crm_framework.events import CustomerErased
from crm_framework.storage.audit import PERSONAL_KIND, erased_digest, personal_digest
from crm_framework.storage.ids import new_id

if TYPE_CHECKING:
    from crm_framework.storage.unit_of_work import UnitOfWork

ERASED = "Erased"
"""What an erased customer is called."""


class ErasurePlugins(Protocol):
    """The part of the host that is used here."""

    async def erase_customer(self, customer_id: str, tx: "UnitOfWork") -> Mapping[str, Mapping[str, int]]: ...


@dataclass(frozen=True, kw_only=True)
class ErasureReport:
    """The receipt: rows removed or anonymised, by owner (`core`, or a plugin) and table."""

    receipt_id: str
    customer_id: str
    erased_at: datetime
    counts: Mapping[str, Mapping[str, int]]
    erased_before: bool


async def erase_customer(
    tx: "UnitOfWork", customer_id: str, *, reason: str | None = None, plugins: ErasurePlugins | None = None
) -> ErasureReport:
    """Erases the customer (the winner, for a merged one). Again it changes nothing and returns the receipt.

    `reason` stays on the receipt and must not name the person. NOT_FOUND; what a plugin raises aborts all.
    """
    why = optional_line(reason, "The reason", 500, path=("reason",))
    keys, erased_at = await _held(tx, check_key(customer_id, "customer", path=("id",)))
    if erased_at is not None:
        return await _receipt(tx, keys[0], erased_at)
    await refuse_absent_plugins(tx, keys, "an erasure")
    by_plugin = await _erase_in_plugins(tx, keys, plugins)
    words = await _words(tx, keys)
    receipt_id = new_id()
    emptied = await _scrub_audit(tx, keys, receipt_id)
    messages = await empty_messages(tx, keys)  # while the contact points tell whose they are
    core = {
        "crm_message": messages,
        "crm_contact_point": await _delete(tx, "crm_contact_point", keys),
        "crm_customer_tag": await _delete(tx, "crm_customer_tag", keys),
        "crm_interaction": await _silence_interactions(tx, keys, words),
        "crm_token": await _revoke_tokens(tx, keys),
        "crm_audit": len(emptied),
        "crm_event": await _scrub_events(tx, keys),
        "crm_idempotency": await _forget_results(tx, keys, words),
        "crm_customer": await _anonymise(tx, keys),
    }
    counts = {"core": {table: count for table, count in core.items() if count}, **by_plugin}
    actor = tx.actor
    receipt = {
        "id": receipt_id,
        "customer_id": keys[0],
        "erased_at": tx.now,
        "actor_name": "system" if actor is None else ERASED if actor.id in keys else actor.name,
        "reason": why,
        "counts": json_text(counts),
    }
    await insert(tx, "crm_erasure", receipt)
    tx.emit(
        CustomerErased(
            customer_id=keys[0],
            changes={
                "receipt": (None, receipt_id),
                "auditEntries": (None, len(emptied)),
                "auditDigest": (None, erased_digest(emptied)),
            },
        )
    )
    return ErasureReport(
        receipt_id=receipt_id,
        customer_id=keys[0],
        erased_at=tx.now,
        counts=counts,
        erased_before=False,
    )


async def _held(tx: "UnitOfWork", customer_id: str) -> tuple[list[str], datetime | None]:
    """The winner's key and those of the records merged into it, held until the end; when it was erased."""

    async def named() -> list[str]:
        return [await resolve_id(tx, customer_id, path=("id",))]

    (key,), losers = await hold_with_losers(tx, named)
    rows = await tx.fetch("SELECT erased_at FROM crm_customer WHERE id = ?", [key])
    return [key, *losers], time_of(rows[0]["erased_at"])


async def _receipt(tx: "UnitOfWork", key: str, erased_at: datetime) -> ErasureReport:
    rows = await tx.fetch("SELECT id, counts FROM crm_erasure WHERE customer_id = ? ORDER BY id", [key])
    return ErasureReport(
        receipt_id=str(rows[0]["id"]) if rows else "",
        customer_id=key,
        erased_at=erased_at,
        counts=json_of(rows[0]["counts"]) if rows else {},
        erased_before=True,
    )


async def _erase_in_plugins(
    tx: "UnitOfWork", keys: Sequence[str], plugins: ErasurePlugins | None
) -> dict[str, dict[str, int]]:
    """First, while they can still find what is the customer's by its contact points."""
    counts: dict[str, Counter[str]] = {}
    if plugins is not None:
        for key in keys:
            for name, tables in (await plugins.erase_customer(key, tx)).items():
                counts.setdefault(name, Counter()).update(tables)
    return {name: dict(tables) for name, tables in counts.items()}


async def _words(tx: "UnitOfWork", keys: Sequence[str]) -> list[str]:
    """Names, addresses and numbers of the person, to know it by in keys that other systems chose."""
    customers = await tx.fetch(f"SELECT name FROM crm_customer WHERE id IN ({marks(len(keys))})", keys)
    points = await tx.fetch(
        f"SELECT value, normalized FROM crm_contact_point WHERE customer_id IN ({marks(len(keys))})", keys
    )
    words = {str(value) for row in (*customers, *points) for value in row.values()}
    return sorted(words | {part for row in customers for part in row["name"].split()})


async def _delete(tx: "UnitOfWork", table: str, keys: Sequence[str]) -> int:
    return await tx.execute(f"DELETE FROM {table} WHERE customer_id IN ({marks(len(keys))})", keys)


async def _silence_interactions(tx: "UnitOfWork", keys: Sequence[str], words: Sequence[str]) -> int:
    """Takes words and references. A purchase keeps its order number, unless it names the person: so an import
    that is run again does not add its sum again."""
    count = await tx.execute(
        "UPDATE crm_interaction SET subject = NULL, body = NULL, outcome = NULL, follow_up_at = NULL,"
        " source = CASE WHEN kind IN (?, ?) THEN source END,"
        " reference = CASE WHEN kind IN (?, ?) THEN reference END, version = version + 1"
        f" WHERE customer_id IN ({marks(len(keys))})",
        [PURCHASE, REFUND, PURCHASE, REFUND, *keys],
    )
    kept = await tx.fetch(
        f"SELECT id, reference FROM crm_interaction WHERE customer_id IN ({marks(len(keys))})"
        " AND reference IS NOT NULL",
        keys,
    )
    await tx.execute_many(
        "UPDATE crm_interaction SET source = NULL, reference = NULL WHERE id = ?",
        [(row["id"],) for row in kept if names_person(row["reference"], words)],
    )
    return count


async def _revoke_tokens(tx: "UnitOfWork", keys: Sequence[str]) -> int:
    return await tx.execute(
        "UPDATE crm_token SET name = ?, revoked_at = COALESCE(revoked_at, ?)"
        f" WHERE customer_id IN ({marks(len(keys))})",
        [ERASED, tx.now, *keys],
    )


async def _scrub_audit(tx: "UnitOfWork", keys: Sequence[str], receipt_id: str) -> list[tuple[str, str, str]]:
    """Who changed what and when stays; from which value to which goes, with the salt of its digest.

    Key, name and changes of the emptied entries as they are left: the erasure vouches for them in its own.
    """
    among = marks(len(keys))
    which = f"customer_id IN ({among}) OR (subject_type = 'Customer' AND subject_id IN ({among}))"
    args = [*keys, *keys]
    tokens = await tx.fetch(f"SELECT id FROM crm_token WHERE customer_id IN ({among})", keys)
    if tokens:  # the person may have acted, under its name
        which += f" OR actor_id IN ({among}) OR token_id IN ({marks(len(tokens))})"
        args += [*keys, *(row["id"] for row in tokens)]
    rows = await tx.fetch(
        f"SELECT id, actor_kind, actor_name, changes, salt FROM crm_audit WHERE ({which})"
        f" AND erased_by IS NULL AND action <> ? ORDER BY id {for_update(tx)}",
        [*args, CustomerErased.type],
    )
    emptied = [
        (
            row["id"],
            ERASED if row["actor_kind"] == PERSONAL_KIND else row["actor_name"],
            json_text(scrubbed_changes(json_of(row["changes"]))),
        )
        for row in rows
    ]
    await tx.execute_many(
        "UPDATE crm_audit SET actor_name = ?, changes = ?, salt = NULL, erased_by = ?, erased_digest = ?"
        " WHERE id = ?",
        [
            (name, changes, receipt_id, personal_digest(row), key)
            for row, (key, name, changes) in zip(rows, emptied, strict=True)
        ],
    )
    return emptied


async def _scrub_events(tx: "UnitOfWork", keys: Sequence[str]) -> int:
    among = marks(len(keys))
    rows = await tx.fetch(f"SELECT id, payload FROM crm_event WHERE customer_id IN ({among})", keys)
    await tx.execute_many(
        "UPDATE crm_event SET payload = ? WHERE id = ?",
        [(json_text(scrubbed_payload(json_of(row["payload"]))), row["id"]) for row in rows],
    )
    # What a plugin said about it may hold anything. What it still owes is kept, and reads the scrubbed event.
    await tx.execute(f"UPDATE crm_delivery SET error = NULL WHERE customer_id IN ({among})", keys)
    # Receivers of webhooks may have answered with it. What is still to be sent is made of the scrubbed event.
    await tx.execute(
        f"UPDATE crm_webhook_delivery SET response_text = NULL WHERE customer_id IN ({among})", keys
    )
    return len(rows)


async def _forget_results(tx: "UnitOfWork", keys: Sequence[str], words: Sequence[str]) -> int:
    """Remembered results that are about the person, and those under a key that names it."""
    find = "instr" if tx.dialect == "sqlite" else "strpos"
    told = {form for word in words if len(word) >= LEAST_TELLING for form in (word, word.casefold())}
    conditions = [f"{find}(CAST(result AS text), ?) > 0"] * len(keys)
    conditions += [f"{find}(key_text, ?) > 0"] * len(told)
    # In order, because a key may name two persons who are erased at the same moment.
    return await tx.execute(
        "DELETE FROM crm_idempotency WHERE id IN (SELECT id FROM crm_idempotency"
        f" WHERE {' OR '.join(conditions)} ORDER BY id {for_update(tx)})",
        [*keys, *sorted(told)],
    )


async def _anonymise(tx: "UnitOfWork", keys: Sequence[str]) -> int:
    nothing = (
        *("company", "email", "phone", "city", "country", "locale", "time_zone", "source", "reference"),
    )
    count = await tx.execute(
        f"UPDATE crm_customer SET name = ?, sort_name = ?, {', '.join(f'{name} = NULL' for name in nothing)},"
        " attributes = '{}', search_text = '', erased_at = ?, updated_at = ?, version = version + 1"
        f" WHERE id IN ({marks(len(keys))})",
        [ERASED, ERASED.casefold(), tx.now, tx.now, *keys],
    )
    if tx.dialect == "sqlite":
        # The index of words keeps deleted ones until it is rewritten.
        await tx.execute("INSERT INTO crm_customer_search (crm_customer_search) VALUES ('optimize')")
    return count
