"""What happens to tickets when customers are merged, exported and erased."""

from collections.abc import Mapping, Sequence
from typing import Any

from crm_framework import UnitOfWork, among


async def merge(winner: str, losers: Sequence[str], tx: UnitOfWork) -> Mapping[str, int]:
    where = among("customer_id", losers, tx.dialect)
    moved = await tx.execute(
        f"UPDATE ticketing_ticket SET customer_id = ?, version = version + 1 WHERE {where.sql}",
        [winner, *where.args],
    )
    return {"ticketing_ticket": moved}


async def export(customer_id: str, tx: UnitOfWork) -> Mapping[str, Any]:
    """Tickets with their messages and what happened to them."""
    tickets = await tx.fetch(
        "SELECT id, number, subject, category, status, priority, created_at, resolved_at"
        " FROM ticketing_ticket WHERE customer_id = ? ORDER BY number",
        [customer_id],
    )
    where = among("ticket_id", [ticket["id"] for ticket in tickets], tx.dialect)
    messages = await tx.fetch(
        f"SELECT ticket_id, author, body, at FROM ticketing_message WHERE {where.sql} ORDER BY at, id",
        where.args,
    )
    history = await tx.fetch(
        f"SELECT ticket_id, at, kind, before, after, actor_kind FROM ticketing_history WHERE {where.sql}"
        " ORDER BY at, id",
        where.args,
    )
    return {
        "tickets": [
            {
                "number": ticket["number"],
                "subject": ticket["subject"],
                "category": ticket["category"],
                "status": ticket["status"],
                "priority": ticket["priority"],
                "createdAt": str(ticket["created_at"]),
                "resolvedAt": str(ticket["resolved_at"]) if ticket["resolved_at"] else None,
                "messages": [
                    {"author": message["author"], "body": message["body"], "at": str(message["at"])}
                    for message in messages
                    if message["ticket_id"] == ticket["id"]
                ],
                "history": [
                    {
                        "at": str(entry["at"]),
                        "kind": entry["kind"],
                        "before": entry["before"],
                        "after": entry["after"],
                        "by": entry["actor_kind"],
                    }
                    for entry in history
                    if entry["ticket_id"] == ticket["id"]
                ],
            }
            for ticket in tickets
        ]
    }


async def erase(customer_id: str, tx: UnitOfWork) -> Mapping[str, int]:
    """Words go, and moments stay: how fast tickets were answered is still known."""
    messages = await tx.execute(
        "UPDATE ticketing_message SET body = '' WHERE ticket_id IN"
        " (SELECT id FROM ticketing_ticket WHERE customer_id = ?)",
        [customer_id],
    )
    tickets = await tx.execute(
        "UPDATE ticketing_ticket SET subject = '', version = version + 1, updated_at = ?"
        " WHERE customer_id = ?",
        [tx.now, customer_id],
    )
    return {"ticketing_ticket": tickets, "ticketing_message": messages}
