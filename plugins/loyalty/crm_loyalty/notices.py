"""Tells customers by e-mail that points are about to expire, as far as the contact policy lets us."""

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from crm_framework import (
    CrmError,
    ErrorCode,
    Event,
    Hold,
    JobRun,
    NewInteraction,
    OutgoingMessage,
    UnitOfWork,
    contact_decisions,
    live_customer,
    log_interaction,
    now,
    parse_time,
    send_message,
)

from .events import PointsExpiring
from .settings import LoyaltySettings

NOTICE = "loyalty.expiring_notice"
CHANNEL = "email"


def plan(events: Sequence[Event], tx: UnitOfWork, settings: LoyaltySettings) -> None:
    """A notice for each account whose points are about to expire, in a transaction of its own: what a
    customer was written before counts for the contact policy."""
    if not settings.expiring_email:
        return
    for event in events:
        if isinstance(event, PointsExpiring) and event.customer_id is not None:
            said = {"account": event.account_id, "points": event.points, "expires_at": event.expires_at}
            tx.defer(NOTICE, said, key=f"{event.account_id}:{event.expires_at}")


async def notify(job: JobRun) -> None:
    """Sends one notice, or puts it off to when the customer may be reached, if that is before the points
    expire. Whom the contact policy protects for good, or who has no address, gets none."""
    try:
        async with job.unit_of_work() as tx:
            await _notify(tx, job.payload, job.settings)
    except CrmError as error:
        if error.code not in (ErrorCode.NOT_FOUND, ErrorCode.REFUSED):
            raise  # else the customer was erased meanwhile


async def _notify(tx: UnitOfWork, told: Mapping[str, Any], settings: LoyaltySettings) -> None:
    if not settings.expiring_email:
        return
    # a merge leads to the winner's account in one step
    owners = await tx.fetch(
        "SELECT w.id, w.customer_id, p.name AS program, p.time_zone FROM loyalty_account a"
        " JOIN loyalty_account w ON w.id = COALESCE(a.merged_into_id, a.id)"
        " JOIN loyalty_program p ON p.id = w.program_id WHERE a.id = ? AND w.customer_id IS NOT NULL",
        [told["account"]],
    )
    if not owners:
        return
    [account] = owners
    # alone with the customer, so that of two notices the later one sees the earlier
    customer = (await live_customer(tx, str(account["customer_id"]), Hold.CHANGE)).id
    [named] = await tx.fetch("SELECT name, email FROM crm_customer WHERE id = ?", [customer])
    [left] = await tx.fetch(
        "SELECT SUM(remaining) AS points, MIN(expires_at) AS first FROM loyalty_lot WHERE account_id = ?"
        " AND remaining > 0 AND told_at IS NOT NULL AND expires_at > ? AND expires_at >= ?",
        [account["id"], tx.now, parse_time(told["expires_at"])],
    )
    if named["email"] is None or left["points"] is None:
        return
    first = parse_time(left["first"])
    decision = (await contact_decisions(tx, [customer], CHANNEL, now()))[customer]
    if not decision.allowed:
        again = decision.next_allowed_at
        if again is not None and again < first:
            at = max(again, tx.now + timedelta(minutes=1))
            tx.defer(NOTICE, told, at=at, key=f"{told['account']}:{told['expires_at']}")
        return
    said = {
        "name": named["name"],
        "points": min(told["points"], int(left["points"])),
        "program": account["program"],
        "day": _day(first, account["time_zone"]),
    }
    subject = _filled(settings.expiring_email_subject, said)
    await send_message(
        tx,
        OutgoingMessage(
            channel=CHANNEL,
            to=named["email"],
            customer_id=customer,
            subject=subject,
            text=_filled(settings.expiring_email_text, said),
            headers={"Auto-Submitted": "auto-generated"},
            key=f"loyalty.expiring:{told['account']}:{told['expires_at']}",
        ),
    )
    await log_interaction(
        tx,
        NewInteraction(
            customer_id=customer,
            kind="email",
            channel=CHANNEL,
            direction="OUTBOUND",
            subject=subject,
            outcome="told",
        ),
    )


def _day(moment: datetime, zone: str) -> str:
    return moment.astimezone(ZoneInfo(zone)).date().isoformat()


def _filled(text: str, said: Mapping[str, Any]) -> str:
    """With `{name}`, `{points}`, `{program}` and `{day}` in their places; all else stays as it is."""
    for name, value in said.items():
        text = text.replace(f"{{{name}}}", str(value))
    return text
