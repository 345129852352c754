"""Bytes to the standard library's message, in bounded time whatever they hold.

Sizes are bounded before anything is parsed, as some of what the library does grows faster than its input.
"""

import re
from contextlib import suppress
from email import message_from_bytes
from email.message import EmailMessage, Message
from email.policy import EmailPolicy

from crm_framework import stream_safe

from .charsets import decoded

LONGEST_HEADER = 16_000
"""Characters of a header that are read."""

LONGEST_PARAMETERS = 4_000
"""Characters of a header that describes a part; the library reads these again for each question."""

LONGEST_HEAD = 256_000
"""Bytes of all headers of the message together that are read."""

MOST_BOUNDARIES = 40
MOST_PARTS = 2_000
MOST_LINES = 600_000
MOST_LOOKS = 5_000_000
"""Boundaries times lines: each nested part costs a look at every line within it. A message beyond one of
these bounds is read as plain text."""

LONGEST_TEXT = 400_000
"""Characters of a text that are read."""

_BLANKS = re.compile(r"\s+")
_CONTROL = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f\ud800-\udfff]")


class _Bounded(EmailPolicy):
    """The default policy, over headers that are cut, in whatever encoding, and that may be nonsense."""

    def header_source_parse(self, sourcelines: list[str]) -> tuple[str, str]:
        name, _, rest = sourcelines[0][: LONGEST_HEADER + 100].partition(":")
        value, length = [rest], len(rest)
        newest_last = name.lower() == "references"
        for line in sourcelines[1:]:
            if length > LONGEST_HEADER and not newest_last:
                break
            value.append(line)
            length += len(line)
        longest = LONGEST_PARAMETERS if name[:8].lower() == "content-" else LONGEST_HEADER
        text = "".join(value)[-longest:] if newest_last else "".join(value)[:longest]
        text = text.lstrip(" \t").rstrip("\r\n")
        return name, decoded(text.encode("ascii", "surrogateescape"), None)

    def header_fetch_parse(self, name: str, value: str) -> str:
        try:
            found: str = super().header_fetch_parse(name, value)
            return found
        except Exception:  # the library's parser has failed on nonsense in many ways over the years
            return _BLANKS.sub(" ", value)


_POLICY = _Bounded()


def parsed(raw: bytes) -> Message:
    """The message; one of plain text where the bytes are not simple enough."""
    head, gap, body = split(raw)
    if len(head) > LONGEST_HEAD:
        head = _shorter(head)
        raw = head + gap + body
    if _is_simple(raw):
        with suppress(Exception):
            return message_from_bytes(raw, EmailMessage, policy=_POLICY)
    message = Message(policy=_POLICY)
    with suppress(Exception):
        message = message_from_bytes(_without_structure(head) + b"\n\n", EmailMessage, policy=_POLICY)
    message.set_payload(decoded(body[: LONGEST_TEXT * 4], None))
    return message


def _is_simple(raw: bytes) -> bool:
    boundaries, lines = raw.lower().count(b"boundary"), raw.count(b"\n")
    return (
        boundaries <= MOST_BOUNDARIES
        and lines <= MOST_LINES
        and lines * (boundaries + 1) <= MOST_LOOKS
        and (not boundaries or raw.count(b"\n--") <= MOST_PARTS)
    )


def split(raw: bytes) -> tuple[bytes, bytes, bytes]:
    """Headers, the gap below them, and the body."""
    places = [(place, gap) for gap in (b"\r\n\r\n", b"\n\n") if (place := raw.find(gap)) >= 0]
    return raw.partition(min(places)[1]) if places else (raw, b"", b"")


def _shorter(head: bytes) -> bytes:
    kept: list[bytes] = []
    length = 0
    for line in head.splitlines():
        kept.append(line[:LONGEST_HEADER])
        length += len(kept[-1])
        if length > LONGEST_HEAD:
            break
    return b"\n".join(kept)


def _without_structure(head: bytes) -> bytes:
    kept: list[bytes] = []
    drop = False
    for line in head.splitlines():
        if line[:1] not in (b" ", b"\t"):
            drop = line.lower().startswith((b"content-", b"mime-version"))
        if not drop:
            kept.append(line)
    return b"\n".join(kept)


def line_of(text: str, limit: int) -> str:
    """The text in one line, cut, without what cannot be seen or reorders the letters around it."""
    shown = "".join(letter if letter.isprintable() else " " for letter in clean(text[: limit * 8]))
    return _BLANKS.sub(" ", shown).strip()[:limit].strip()


def clean(text: str) -> str:
    """The text without control characters, but with its line ends and tabs, and its runs of marks cut."""
    return stream_safe(_CONTROL.sub("", text.replace("\r\n", "\n").replace("\r", "\n")))
