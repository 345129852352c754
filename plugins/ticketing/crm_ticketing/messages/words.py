"""The words of tickets, for search: folded when they are written, and matched by their beginnings."""

from crm_framework import Fragment, UnitOfWork, found_customers, words
from crm_ticketing.models import LARGEST_NUMBER

MOST_LETTERS = 60_000
"""Letters of a text that are searched."""

LONGEST_SEARCH = 200


def words_of(text: str) -> list[str]:
    """The words in lower case and without accents, each once, in order."""
    return list(dict.fromkeys(words(text[:MOST_LETTERS])))


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


def condition(search: str, dialect: str, *, internal: bool, customers: bool) -> Fragment:
    """On the table `t` of tickets: each word of `search` begins a word of the subject, of a message or, with
    `customers`, of what the customer is known by; or it is the ticket's number.

    None is found where `search` holds no word. Words of internal notes count only with `internal`.
    """
    found = [_with_word(word, dialect, internal=internal, customers=customers) for word in words_of(search)]
    args = tuple(arg for one in found for arg in one.args)
    return Fragment(" AND ".join(one.sql for one in found) or "1 = 0", args)


def _with_word(word: str, dialect: str, *, internal: bool, customers: bool) -> Fragment:
    """One subselect, not several conditions of which one holds: only that is found along the indexes."""
    seen = "" if internal else " AND NOT w.internal"
    parts = [
        Fragment(f"{_POSTGRES}{seen}", (f"'{word}':*",))
        if dialect == "postgres"
        else Fragment(f"{_SQLITE}{seen}", (f'"{word}"*',))
    ]
    if customers:
        known = found_customers([word], "postgres" if dialect == "postgres" else "sqlite")
        parts.append(Fragment(f"{_OF_CUSTOMERS} ({_KNOWN} WHERE {known.sql})", known.args))
    if word.isascii() and word.isdigit() and int(word) <= LARGEST_NUMBER:
        parts.append(Fragment(_NUMBERED, (int(word),)))
    sql = " UNION ALL ".join(part.sql for part in parts)
    return Fragment(f"t.id IN ({sql})", tuple(arg for part in parts for arg in part.args))


_POSTGRES = (
    "SELECT w.ticket_id FROM ticketing_words AS w"
    " WHERE to_tsvector('simple', w.folded) @@ to_tsquery('simple', ?)"
)
_SQLITE = (
    "SELECT w.ticket_id FROM ticketing_words_index AS s JOIN ticketing_words AS w ON w.id = s.rowid"
    " WHERE ticketing_words_index MATCH ?"
)
_OF_CUSTOMERS = "SELECT c.id FROM ticketing_ticket AS c WHERE c.customer_id IN"
_KNOWN = "SELECT t.id FROM crm_customer AS t"
_NUMBERED = "SELECT n.id FROM ticketing_ticket AS n WHERE n.number = ?"
