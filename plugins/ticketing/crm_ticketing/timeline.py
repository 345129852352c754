"""Changes of a ticket's status, as entries of the customer's timeline. Its messages are interactions."""

from collections.abc import Sequence
from datetime import datetime

from crm_framework import Reader, TimelineEntry, among, parse_time

KIND = "ticket_status"


async def entries(
    customer_ids: Sequence[str],
    before: datetime | None,
    limit: int,
    kinds: Sequence[str] | None,
    reader: Reader,
) -> list[TimelineEntry]:
    """One statement for all customers."""
    if kinds is not None and KIND not in kinds:
        return []
    owners = among("t.customer_id", customer_ids, reader.dialect)
    until, moment = (" AND s.at <= ?", [before]) if before is not None else ("", [])
    rows = await reader.fetch(
        "SELECT * FROM (SELECT s.id, s.at, s.after AS status, t.customer_id, t.id AS ticket_id, "
        "t.number, t.subject,"
        " ROW_NUMBER() OVER (PARTITION BY t.customer_id ORDER BY s.at DESC, s.id DESC) AS place"
        " FROM ticketing_history s JOIN ticketing_ticket t ON t.id = s.ticket_id"
        f" WHERE {owners.sql} AND s.kind = 'STATUS'{until}) AS ranked WHERE place <= ? ORDER BY at "
        f"DESC, id DESC",
        [*owners.args, *moment, limit],
    )
    return [
        TimelineEntry(
            id=row["id"],
            customer_id=row["customer_id"],
            at=parse_time(row["at"]),
            kind=KIND,
            title=f"Ticket {row['number']} is {row['status'].replace('_', ' ').lower()}: {row['subject']}",
            detail={"ticketNumber": row["number"], "status": row["status"]},
        )
        for row in rows
    ]
