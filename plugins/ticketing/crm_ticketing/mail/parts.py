"""The parts of a message: its text, and the files that came with it."""

import hashlib
import re
from contextlib import suppress
from dataclasses import dataclass
from email.message import Message

from .bounded import LONGEST_TEXT, line_of
from .charsets import decoded
from .html import text_of_html

DEEPEST = 12
MOST_ATTACHMENTS = 50
LONGEST_NAME = 200


@dataclass(frozen=True, kw_only=True)
class Attachment:
    """A file that came with a message."""

    name: str
    media_type: str
    content: bytes

    @property
    def sha256(self) -> str:
        return hashlib.sha256(self.content).hexdigest()


def gather(part: Message, texts: list[str], files: list[Attachment], depth: int) -> None:
    """Adds the texts and the files of a part and of those within it."""
    kind = media_type(part)
    payload = part.get_payload()
    if depth > DEEPEST or len(files) >= MOST_ATTACHMENTS:
        return
    if kind.startswith("multipart/") and isinstance(payload, list):
        parts = [one for one in payload if isinstance(one, Message)]
        if kind == "multipart/alternative":
            _gather_best(parts, texts, files, depth)
        else:
            for one in parts:
                if not media_type(one).endswith(("pgp-signature", "pkcs7-signature")):
                    gather(one, texts, files, depth + 1)
        return
    if kind in ("message/rfc822", "message/global") and isinstance(payload, list):
        inner = next((one for one in payload if isinstance(one, Message)), None)
        if inner is not None:
            name = line_of(str(inner.get("subject", "")), LONGEST_NAME - 4) or "message"
            with suppress(Exception):
                files.append(_file(f"{name}.eml", kind, inner.as_bytes()))
        return
    name = _file_name(part)
    if name or part.get_content_disposition() == "attachment" or not _is_text(kind):
        files.append(_file(name or "attachment", kind, _bytes(part)))
    else:
        texts.append(_text(part, kind))


def _gather_best(parts: list[Message], texts: list[str], files: list[Attachment], depth: int) -> None:
    """Of several forms of one text the plain one, unless it is empty, which some programs send."""
    forms: list[tuple[int, list[str]]] = []
    for one in parts:
        form: list[str] = []
        gather(one, form, files, depth + 1)
        if any(text.strip() for text in form):
            forms.append((0 if media_type(one) == "text/plain" else 1, form))
    if forms:
        texts.extend(min(forms, key=lambda form: form[0])[1])


def _is_text(kind: str) -> bool:
    return kind in ("text/plain", "text/html", "text/enriched", "text/markdown")


def _text(part: Message, kind: str) -> str:
    content = _bytes(part)[: LONGEST_TEXT * 4]
    text = decoded(content, _parameter(part, "charset"))
    if kind == "text/html":
        return text_of_html(text[: LONGEST_TEXT * 2])
    if _parameter(part, "format").lower() == "flowed":
        return _unflowed(text, joined=_parameter(part, "delsp").lower() == "yes")
    return text


def _unflowed(text: str, *, joined: bool) -> str:
    """Paragraphs whose lines end in a blank as one line each (RFC 3676)."""
    lines: list[str] = []
    open_ = False
    for line in text.splitlines():
        if open_ and not line.startswith(">") and line != "-- ":
            lines[-1] += line.removeprefix(" ")
        else:
            lines.append(line if line.startswith(">") else line.removeprefix(" "))
        open_ = line.endswith(" ") and line != "-- " and not line.startswith(">")
        if open_ and joined:
            lines[-1] = lines[-1][:-1]
    return "\n".join(lines)


def _bytes(part: Message) -> bytes:
    content: object = None
    with suppress(Exception):
        content = part.get_payload(decode=True)
    if isinstance(content, bytes):
        return content
    whole = part.get_payload()
    return whole.encode("utf-8", "replace") if isinstance(whole, str) else b""


def _file(name: str, kind: str, content: bytes) -> Attachment:
    plain = re.split(r"[/\\]", name)[-1].strip(". ")
    return Attachment(name=plain[:LONGEST_NAME] or "attachment", media_type=kind[:120], content=content)


def _file_name(part: Message) -> str:
    with suppress(Exception):
        return line_of(part.get_filename() or "", LONGEST_NAME)
    return ""


def media_type(part: Message) -> str:
    """Such as `text/plain`, in lower case."""
    with suppress(Exception):
        kind = part.get_content_type().lower()
        if re.fullmatch(r"[a-z0-9.+_-]{1,60}/[a-z0-9.+_-]{1,100}", kind):
            return kind
    return "text/plain"


def _parameter(part: Message, name: str) -> str:
    with suppress(Exception):
        value = part.get_param(name, "")
        return str(value[2] if isinstance(value, tuple) else value or "")
    return ""
