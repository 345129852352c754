"""The words of tickets, for search: folded when they are written, and matched by their beginnings."""

import re
import unicodedata
from collections.abc import Sequence

from crm_framework import Fragment, UnitOfWork

MOST_LETTERS = 60_000
"""Letters of a text that are searched."""

LONGEST_SEARCH = 200

_WORD = re.compile(r"[^\W_]+")
_PLAIN = str.maketrans({"æ": "ae", "œ": "oe", "ø": "o", "ł": "l", "đ": "d", "ð": "d", "þ": "th", "ı": "i"})


def words_of(text: str) -> list[str]:
    """The words in lower case and without accents, each once, in order."""
    decomposed = unicodedata.normalize("NFKD", text[:MOST_LETTERS].casefold())
    bare = "".join(letter for letter in decomposed if not unicodedata.combining(letter))
    return list(dict.fromkeys(_WORD.findall(bare.casefold().translate(_PLAIN))))


def write_words(
    tx: UnitOfWork, ticket_id: str, text: str, *, message_id: str | None = None, internal: bool = False
) -> None:
    """Lets a ticket be found by these words; by internal ones, by staff alone."""
    found = words_of(text)
    if found:
        tx.insert(
            "ticketing_words",
            {
                "ticket_id": ticket_id,
                "message_id": message_id,
                "internal": internal,
                "folded": " ".join(found),
            },
        )


def condition(search: str, dialect: str, *, internal: bool) -> Fragment | None:
    """On the table `t` of tickets: each word of `search` begins a word of the subject or of a message.

    `None` if it holds no word. Words of internal notes count only with `internal`.
    """
    wanted = words_of(search)
    if not wanted:
        return None
    seen = "" if internal else " AND NOT w.internal"
    each = _postgres(seen) if dialect == "postgres" else _sqlite(seen)
    args: Sequence[object] = [f"'{word}':*" if dialect == "postgres" else f'"{word}"*' for word in wanted]
    return Fragment(" AND ".join([each] * len(wanted)), tuple(args))


def _postgres(seen: str) -> str:
    return (
        "t.id IN (SELECT w.ticket_id FROM ticketing_words AS w"
        f" WHERE to_tsvector('simple', w.folded) @@ to_tsquery('simple', ?){seen})"
    )


def _sqlite(seen: str) -> str:
    return (
        "t.id IN (SELECT w.ticket_id FROM ticketing_words_index AS s JOIN ticketing_words AS w"
        f" ON w.id = s.rowid WHERE ticketing_words_index MATCH ?{seen})"
    )
