"""Tags of tickets: words, in small letters as those of customers."""

from collections.abc import Sequence

from crm_framework import CrmError, ErrorCode, UnitOfWork, new_id
from crm_ticketing.clocks.history import HappenedKind
from crm_ticketing.clocks.store import HeldTicket, record

MOST_TAGS = 50
LONGEST_TAG = 100


def tag_of(text: str) -> str:
    """The tag that a text means."""
    return " ".join(text.lower().split())


def checked_tags(tags: Sequence[str], path: str) -> list[str]:
    """Tags, each once. BAD_INPUT for a text that is none."""
    found: dict[str, None] = {}
    for place, tag in enumerate(tags):
        word = tag_of(tag)
        if not 1 <= len(word) <= LONGEST_TAG or not word.isprintable():
            raise CrmError(
                ErrorCode.BAD_INPUT, f"A tag has 1 to {LONGEST_TAG} characters.", path=(path, place)
            )
        found[word] = None
    if len(found) > MOST_TAGS:
        raise CrmError(ErrorCode.BAD_INPUT, f"A ticket has {MOST_TAGS} tags at most.", path=(path,))
    return list(found)


def check_apart(add: Sequence[str], remove: Sequence[str]) -> None:
    """BAD_INPUT for what is to be added and taken away at once, be it tags or followers."""
    for place, one in enumerate(remove):
        if one in add:
            raise CrmError(
                ErrorCode.BAD_INPUT,
                "The same cannot be added and taken away in one change.",
                path=("remove", place),
            )


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
