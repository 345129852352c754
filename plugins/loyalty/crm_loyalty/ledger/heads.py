"""Where the books of accounts end, to be kept elsewhere: an account that was put back to an earlier state of
its own, with all that belongs to it, shows against them, and against nothing else.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass

from crm_framework import CrmError, ErrorCode, UnitOfWork, among

HEADS = 5_000
"""That are read at once."""


@dataclass(frozen=True)
class Head:
    """Where a book ends. Written `BOOK:ENTRIES:DIGEST`."""

    book: str
    entries: int
    digest: str

    def __str__(self) -> str:
        return f"{self.book}:{self.entries}:{self.digest}"

    @classmethod
    def read(cls, text: str) -> "Head":
        """Raises CrmError BAD_INPUT."""
        text = text.strip()
        match = _HEAD.fullmatch(text)
        if match is None:
            raise CrmError(
                ErrorCode.BAD_INPUT,
                f"{text[:100]!r} is no head of an account's book.",
                hint="Give the lines as `crm loyalty heads` printed them.",
            )
        return cls(match[1], int(match[2]), match[3])


_HEAD = re.compile(r"([0-9a-f-]{36}):(\d{1,18}):((?:[0-9a-f]{64})?)", re.ASCII)


async def heads(tx: UnitOfWork, last: str) -> list[Head]:
    """Where the books of the accounts that follow `last` end, of some at once; none when all were told."""
    after, args = (" WHERE id > ?", [last]) if last else ("", [])
    rows = await tx.fetch(
        f"SELECT id, entries_number, digest FROM loyalty_account{after} ORDER BY id LIMIT {HEADS}", args
    )
    return [Head(row["id"], row["entries_number"], row["digest"]) for row in rows]


async def behind(tx: UnitOfWork, kept: Sequence[Head]) -> list[str]:
    """Which books do not go on from where these heads, which were noted earlier, were."""
    wanted = [head for head in kept if head.entries]
    books = among("book_id", sorted({head.book for head in wanted}), tx.dialect)
    numbers = among("seq", sorted({head.entries for head in wanted}), tx.dialect)
    rows = await tx.fetch(
        f"SELECT book_id, seq, digest FROM loyalty_entry WHERE {books.sql} AND {numbers.sql}",
        [*books.args, *numbers.args],
    )
    found = {(row["book_id"], row["seq"]): row["digest"] for row in rows}
    return [
        f"the book {head.book} had {head.entries} entries, and ends before, or has others by now"
        for head in wanted
        if found.get((head.book, head.entries)) != head.digest
    ]
