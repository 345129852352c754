"""Tells customers by e-mail that points are about to expire, where the contact policy allows it."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any
from zoneinfo import ZoneInfo

from crm_framework import Event, OutgoingMessage, UnitOfWork, among, send_messages

from .events import PointsExpiring
from .settings import LoyaltySettings


async def notify(events: Sequence[Event], tx: UnitOfWork, settings: LoyaltySettings) -> None:
    """A message for each account whose points are about to expire, once. Whom the contact policy protects, or
    who has no address, gets none; the event is told all the same.
    """
    told = [event for event in events if isinstance(event, PointsExpiring) and event.customer_id is not None]
    if not told or not settings.expiring_email:
        return
    where = among("a.id", sorted({event.account_id for event in told}), tx.dialect)
    rows = await tx.fetch(
        "SELECT a.id, c.id AS customer_id, c.name, c.email, p.name AS program, p.time_zone"
        " FROM loyalty_account a"
        " JOIN crm_customer c ON c.id = a.customer_id JOIN loyalty_program p ON p.id = a.program_id"
        f" WHERE {where.sql} AND c.email IS NOT NULL",
        where.args,
    )
    accounts = {str(row["id"]): row for row in rows}
    messages = [
        _message(event, accounts[event.account_id], settings)
        for event in told
        if event.account_id in accounts
    ]
    # what the policy refuses is in the answer, and is no failure
    await send_messages(tx, messages)


def _message(event: PointsExpiring, row: dict[str, Any], settings: LoyaltySettings) -> OutgoingMessage:
    day = datetime.fromisoformat(event.expires_at).astimezone(ZoneInfo(row["time_zone"])).date()
    said = {"name": row["name"], "points": event.points, "program": row["program"], "day": day.isoformat()}
    return OutgoingMessage(
        channel="email",
        to=row["email"],
        customer_id=str(row["customer_id"]),
        subject=_filled(settings.expiring_email_subject, said),
        text=_filled(settings.expiring_email_text, said),
        key=f"loyalty.expiring:{event.account_id}:{event.expires_at}",
    )


def _filled(text: str, said: dict[str, Any]) -> str:
    """With `{name}`, `{points}`, `{program}` and `{day}` in their places; all else stays as it is."""
    for name, value in said.items():
        text = text.replace(f"{{{name}}}", str(value))
    return text
