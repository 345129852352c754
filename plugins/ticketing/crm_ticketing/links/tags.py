"""Tags of tickets: words."""

import re
from collections.abc import Sequence

from crm_framework import CrmError, ErrorCode, UnitOfWork, new_id
from crm_ticketing.clocks.history import HappenedKind
from crm_ticketing.clocks.store import HeldTicket, record

MOST_TAGS = 50
_BLANKS = re.compile(r"\s+")


def checked_tags(tags: Sequence[str], path: str) -> list[str]:
    """Words, trimmed, each once. BAD_INPUT for one that is none."""
    found: dict[str, None] = {}
    for place, tag in enumerate(tags):
        word = _BLANKS.sub(" ", tag).strip()
        if not 1 <= len(word) <= 100 or not word.isprintable():
            raise CrmError(ErrorCode.BAD_INPUT, "A tag has 1 to 100 characters.", path=(path, place))
        found[word] = None
    if len(found) > MOST_TAGS:
        raise CrmError(ErrorCode.BAD_INPUT, f"A ticket has {MOST_TAGS} tags at most.", path=(path,))
    return list(found)


async def write_tags(tx: UnitOfWork, ticket: HeldTicket, tags: Sequence[str]) -> int:
    """Adds checked tags to a held ticket; how many it did not have."""
    added = 0
    for word in tags:
        fresh = await tx.execute(
            "INSERT INTO ticketing_ticket_tag (id, ticket_id, tag) VALUES (?, ?, ?) ON CONFLICT DO NOTHING",
            [new_id(), ticket.id, word],
        )
        if fresh:
            added += 1
            record(tx, ticket, HappenedKind.TAGGED, word)
    return added


async def remove_tags(tx: UnitOfWork, ticket: HeldTicket, tags: Sequence[str]) -> int:
    """Takes checked tags away; how many it had."""
    removed = 0
    for word in tags:
        gone = await tx.execute(
            "DELETE FROM ticketing_ticket_tag WHERE ticket_id = ? AND tag = ?", [ticket.id, word]
        )
        if gone:
            removed += 1
            record(tx, ticket, HappenedKind.UNTAGGED, word)
    return removed
