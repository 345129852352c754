"""What happens to tickets when customers are merged, exported and erased."""

from collections.abc import Mapping, Sequence
from typing import Any

from crm_framework import UnitOfWork, among, encode_id, parse_time

from .attributes.rules import attributes_of
from .clocks.naming import told


async def merge(winner: str, losers: Sequence[str], tx: UnitOfWork) -> Mapping[str, int]:
    where = among("customer_id", losers, tx.dialect)
    moved = await tx.execute(
        f"UPDATE ticketing_ticket SET customer_id = ?, version = version + 1 WHERE {where.sql}",
        [winner, *where.args],
    )
    return {"ticketing_ticket": moved}


async def export(customer_id: str, tx: UnitOfWork) -> Mapping[str, Any]:
    """Tickets with all that is tied to them: messages, notes, files, tags, attributes, ratings, history."""
    tickets = await tx.fetch(
        "SELECT id, number, subject, category, status, priority, created_at, resolved_at, attributes"
        " FROM ticketing_ticket WHERE customer_id = ? ORDER BY number",
        [customer_id],
    )
    keys = [str(ticket["id"]) for ticket in tickets]
    messages = await _of(
        tx, keys, "message", "author, internal, body, at, channel, sender, rest, id", "at, id"
    )
    files = await _of(
        tx, keys, "attachment", "message_id, name, media_type, size, sha256, url, id, kept", "name, id"
    )
    of_message: dict[str, list[dict[str, Any]]] = {}
    for rows in files.values():
        for row in rows:
            of_message.setdefault(str(row["message_id"]), []).append(_file(row))
    tags = await _of(tx, keys, "ticket_tag", "tag", "tag")
    surveys = await _of(tx, keys, "survey", "invited_at, answered_at, rating, comment", "created_at, id")
    history = await _of(tx, keys, "history", "at, kind, before, after, actor_kind", "at, id")
    return {
        "tickets": [
            {
                "number": ticket["number"],
                "subject": ticket["subject"],
                "category": ticket["category"],
                "status": ticket["status"],
                "priority": ticket["priority"],
                "createdAt": _time(ticket["created_at"]),
                "resolvedAt": _time(ticket["resolved_at"]),
                "attributes": attributes_of(ticket["attributes"]),
                "tags": [row["tag"] for row in tags[str(ticket["id"])]],
                "messages": [
                    {
                        "author": message["author"],
                        "internal": bool(message["internal"]),
                        "body": message["body"],
                        "at": _time(message["at"]),
                        "channel": message["channel"],
                        "sender": message["sender"],
                        "rest": message["rest"],
                        "attachments": of_message.get(str(message["id"]), []),
                    }
                    for message in messages[str(ticket["id"])]
                ],
                "ratings": [
                    {
                        "invitedAt": _time(survey["invited_at"]),
                        "answeredAt": _time(survey["answered_at"]),
                        "rating": survey["rating"],
                        "comment": survey["comment"],
                    }
                    for survey in surveys[str(ticket["id"])]
                ],
                "history": [
                    {
                        "at": _time(entry["at"]),
                        "kind": entry["kind"],
                        "before": told(entry["kind"], entry["before"]),
                        "after": told(entry["kind"], entry["after"]),
                        "by": entry["actor_kind"],
                    }
                    for entry in history[str(ticket["id"])]
                ],
            }
            for ticket in tickets
        ]
    }


async def _of(
    tx: UnitOfWork, keys: Sequence[str], table: str, columns: str, order: str
) -> dict[str, list[dict[str, Any]]]:
    where = among("ticket_id", keys, tx.dialect)
    rows = await tx.fetch(
        f"SELECT ticket_id, {columns} FROM ticketing_{table} WHERE {where.sql} ORDER BY {order}", where.args
    )
    found: dict[str, list[dict[str, Any]]] = {key: [] for key in keys}
    for row in rows:
        found[str(row["ticket_id"])].append(row)
    return found


def _file(row: Mapping[str, Any]) -> dict[str, Any]:
    return {
        "name": row["name"],
        "mediaType": row["media_type"],
        "size": row["size"],
        "sha256": row["sha256"],
        "url": row["url"],
        "id": encode_id("TicketAttachment", str(row["id"])) if row["kept"] else None,
    }


def _time(value: Any) -> str | None:
    return None if value is None else parse_time(value).isoformat()


_OWN = "ticket_id IN (SELECT id FROM ticketing_ticket WHERE customer_id = ?)"


async def erase(customer_id: str, tx: UnitOfWork) -> Mapping[str, int]:
    """Words go, and moments stay: how fast tickets were answered, and how they were rated, is still known."""
    own = [customer_id]
    await tx.execute(
        "DELETE FROM ticketing_attachment_content WHERE attachment_id IN"
        f" (SELECT id FROM ticketing_attachment WHERE {_OWN})",
        own,
    )
    counts: dict[str, int] = {}
    for table in ("attachment", "words", "mail", "ticket_tag"):
        counts[f"ticketing_{table}"] = await tx.execute(f"DELETE FROM ticketing_{table} WHERE {_OWN}", own)
    if tx.dialect == "sqlite" and counts["ticketing_words"]:
        # what was deleted stays in the index until it is put in order
        await tx.execute("INSERT INTO ticketing_words_index (ticketing_words_index) VALUES ('optimize')")
    counts["ticketing_message"] = await tx.execute(
        f"UPDATE ticketing_message SET body = '', sender = NULL, rest = NULL, reference = NULL, source = NULL"
        f" WHERE {_OWN}",
        own,
    )
    counts["ticketing_survey"] = await tx.execute(
        f"UPDATE ticketing_survey SET comment = NULL WHERE comment IS NOT NULL AND {_OWN}", own
    )
    await tx.execute(
        "UPDATE ticketing_history SET before = NULL, after = NULL"
        f" WHERE kind IN ('TAGGED', 'UNTAGGED') AND {_OWN}",
        own,
    )
    counts["ticketing_ticket"] = await tx.execute(
        "UPDATE ticketing_ticket SET subject = '', folded_subject = '', attributes = '{}',"
        " version = version + 1, updated_at = ?"
        " WHERE customer_id = ?",
        [tx.now, customer_id],
    )
    return counts
