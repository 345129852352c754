"""Which ticket a message belongs to, by what it says of itself."""

import re

_NUMBER = re.compile(r"\[#([1-9]\d{0,8})\]")
_PREFIX = re.compile(
    r"(?i)^\s*(?:re|aw|antw|sv|vs|odp|rif|res|ynt|答复|回复|回覆|r|fwd?|wg|tr|rv|enc|vb|vl|i|pd)\s*(?:\[\d{1,3}\])?\s*[:\uff1a]\s*"
)


def subject_of_ticket(number: int, subject: str) -> str:
    """The subject of what we send about a ticket, by which answers are known."""
    bare = plain_subject(subject)
    return f"[#{number}] {bare}".strip()


def number_in(subject: str) -> int | None:
    """The number of the ticket that a subject names; the last, as forwarding puts others before."""
    found = _NUMBER.findall(subject)
    return int(found[-1]) if found else None


def plain_subject(subject: str) -> str:
    """The subject without the marks of answers, forwards and ticket numbers before it."""
    bare = subject
    for _ in range(10):
        shorter = _NUMBER.sub("", _PREFIX.sub("", bare, count=1)).strip()
        if shorter == bare:
            break
        bare = shorter
    return bare
