"""The address that takes raw messages, for a mail server that hands them over."""

import asyncio

from crm_framework import RouteAnswer, RouteRequest

from .content import read_mail
from .intake import take_in


async def take(request: RouteRequest) -> RouteAnswer:
    """POST of a message as it came (RFC 5322). The answer says what became of it; 201 for a new ticket."""
    mail = await asyncio.to_thread(read_mail, request.body)
    async with request.unit_of_work() as tx:
        taken = await take_in(tx, mail, request.settings)
        number = None
        if taken.ticket_id is not None:
            [row] = await tx.fetch("SELECT number FROM ticketing_ticket WHERE id = ?", [taken.ticket_id])
            number = row["number"]
    fresh = taken.outcome == "OPENED" and not taken.again
    body = {"outcome": taken.outcome, "ticket": number, "again": taken.again, "reason": taken.reason}
    return RouteAnswer(status=201 if fresh else 200, body=body)
