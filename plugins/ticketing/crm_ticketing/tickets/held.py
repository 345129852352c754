"""Tickets that are held for a change, and texts and words that they take."""

from collections.abc import Sequence

from crm_framework import CrmError, ErrorCode, Hold, Reader, UnitOfWork, among, live_customers
from crm_ticketing.clocks.store import HeldTicket, moment_for

SUBJECT_LIMIT = 500
BODY_LIMIT = 100_000


async def change_column(tx: UnitOfWork, ticket: HeldTicket, column: str, value: object) -> None:
    """Writes one column of a held ticket, with the next version."""
    await tx.execute(
        f"UPDATE ticketing_ticket SET {column} = ?, version = version + 1, updated_at = ? WHERE id = ?",
        [value, ticket.at, ticket.id],
    )
    ticket.row[column] = value


async def touch(tx: UnitOfWork, ticket: HeldTicket) -> None:
    """Notes that a held ticket changed in what is not a column of it: its messages, its tags."""
    await tx.execute(
        "UPDATE ticketing_ticket SET version = version + 1, updated_at = ? WHERE id = ?",
        [ticket.at, ticket.id],
    )


async def customer_of(tx: UnitOfWork, ticket_id: str) -> str | None:
    """Key of the customer whose ticket it is; None where there is no such ticket."""
    rows = await tx.fetch("SELECT customer_id FROM ticketing_ticket WHERE id = ?", [ticket_id])
    return rows[0]["customer_id"] if rows else None


async def follows(reader: Reader, ticket_id: str, staff_id: str) -> bool:
    """Whether the member of staff follows the ticket."""
    found = await reader.fetch(
        "SELECT 1 AS one FROM ticketing_follower WHERE ticket_id = ? AND staff_id = ?",
        [ticket_id, staff_id],
        bounded=True,
    )
    return bool(found)


HELD_COLUMNS = (
    "id, number, customer_id, subject, category, status, priority, channel, assignee_id, team_id, version,"
    " policy_version_id, created_at, resolved_at, clock_at, alarms_until, alarm_at, merged_into_id,"
    " attributes"
)


async def hold_ticket(tx: UnitOfWork, ticket_id: str, *, expected_version: int | None = None) -> HeldTicket:
    """The ticket as it stays until the end of the transaction. CONFLICT for a stale version."""
    held = (await hold_tickets(tx, [ticket_id]))[ticket_id]
    if held is None:
        raise no_ticket()
    if expected_version is not None and expected_version != held["version"]:
        raise CrmError(
            ErrorCode.CONFLICT,
            f"The ticket is at version {held['version']}, not at {expected_version}: it changed meanwhile.",
            path=("expected_version",),
            hint="Read it again, and repeat the change if it still fits.",
        )
    return held


async def hold_tickets(tx: UnitOfWork, ticket_ids: Sequence[str]) -> dict[str, HeldTicket | None]:
    """The tickets as they stay until the end of the transaction; None for one that is not there, or out of
    reach.

    Their customers are held first: a merge holds the customer when it comes to the tickets.
    """
    keys = list(dict.fromkeys(ticket_ids))
    where = among("id", keys, tx.dialect)
    owners = await tx.fetch(f"SELECT customer_id FROM ticketing_ticket WHERE {where.sql}", where.args)
    held = await live_customers(tx, {str(row["customer_id"]) for row in owners}, Hold.ADD)
    out_of_reach = {
        key for key, one in held.items() if isinstance(one, CrmError) and one.code is ErrorCode.NOT_FOUND
    }
    await tx.lock("ticketing_ticket", keys)
    rows = await tx.fetch(f"SELECT {HELD_COLUMNS} FROM ticketing_ticket WHERE {where.sql}", where.args)
    found: dict[str, HeldTicket | None] = dict.fromkeys(ticket_ids)
    for row in rows:
        owner = str(row["customer_id"])
        if owner not in out_of_reach:
            outcome = held[owner]
            erased = outcome if isinstance(outcome, CrmError) else None
            found[str(row["id"])] = HeldTicket(row, moment_for(tx.now, row["clock_at"]), erased)
    return found


Path = tuple[str | int, ...]


def refuse_erased(ticket: HeldTicket) -> None:
    """REFUSED where the customer was erased: what tells of them would be there again."""
    if ticket.erased is not None:
        raise CrmError(ticket.erased.code, ticket.erased.message, path=("ticket",), hint=ticket.erased.hint)


async def hold_named(tx: UnitOfWork, named: Sequence[tuple[Path, str]]) -> list[HeldTicket]:
    """Several tickets, each (place in the input, key), held in that order. NOT_FOUND at the place."""
    held = await hold_tickets(tx, [key for _, key in named])
    found = []
    for path, key in named:
        ticket = held.get(key)
        if ticket is None:
            raise CrmError(ErrorCode.NOT_FOUND, "There is no such ticket.", path=path)
        found.append(ticket)
    return found


def check_category(category: str, categories: Sequence[str]) -> None:
    """BAD_INPUT for a category that the settings do not have."""
    if category not in categories:
        raise CrmError(
            ErrorCode.BAD_INPUT,
            f"{category!r:.60} is no category of tickets.",
            path=("category",),
            hint=f"Known are: {', '.join(categories)}.",
        )


def no_ticket() -> CrmError:
    """What is said of a ticket that is not there, or out of reach."""
    return CrmError(ErrorCode.NOT_FOUND, "There is no such ticket.", path=("ticket",))


def checked_text(value: str, name: str, limit: int) -> str:
    """The text without space around it. BAD_INPUT for one that cannot be kept."""
    text = value.strip()
    if not 1 <= len(text) <= limit:
        raise CrmError(
            ErrorCode.BAD_INPUT, f"The {name} of a ticket has 1 to {limit} characters.", path=(name,)
        )
    if "\0" in text:  # which PostgreSQL cannot keep
        raise CrmError(
            ErrorCode.BAD_INPUT,
            f"The {name} holds the control character U+0000.",
            path=(name,),
            hint="Remove it.",
        )
    return text
