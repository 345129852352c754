"""Text as it is stored and compared: folding for search and order, and what a line of input may hold."""

import re
import unicodedata
from collections.abc import Sequence
from difflib import get_close_matches

from crm_framework.domain.values.marks import MOST_MARKS, has_long_run, stream_safe
from crm_framework.errors import CrmError, ErrorCode

# Letters that Unicode does not decompose into a base letter and a mark.
_PLAIN = str.maketrans(
    {"æ": "ae", "œ": "oe", "ø": "o", "ł": "l", "đ": "d", "ð": "d", "þ": "th", "ħ": "h", "ı": "i", "ŧ": "t"}
)

_WORD = re.compile(r"[^\W_]+")

# They reorder the text around them, so that what is shown is not what is stored.
_DIRECTION = frozenset("\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069")
_LINE_END = re.compile("\r\n|[\r\v\f\x85\u2028\u2029]")

_SHRINKS = 4
"""How many characters of a text composing it makes one of, at most: a letter and three marks."""


def fold(text: str) -> str:
    """Lower case, without accents, runs of white space as one blank: for search, order and comparison."""
    if text.isascii():
        return " ".join(text.lower().split())
    decomposed = unicodedata.normalize("NFKD", stream_safe(text).casefold())
    bare = "".join(c for c in decomposed if not unicodedata.combining(c))
    return " ".join(bare.casefold().translate(_PLAIN).split())


def words(text: str) -> list[str]:
    """The folded words of a text, in order; whatever is neither letter nor digit separates them."""
    return _WORD.findall(fold(text))


def line(value: object, what: str, limit: int, *, path: Sequence[str | int] = ()) -> str:
    """One line of text, trimmed and composed (NFC). `what` names it in errors; `limit` is in characters.

    Refused with BAD_INPUT: what is no text, is empty, is longer than `limit`, or holds control characters or
    more than 30 combining marks after each other.
    """
    return _checked(value, what, limit, path, allowed="")


def optional_line(value: object, what: str, limit: int, *, path: Sequence[str | int] = ()) -> str | None:
    """`line`, or None for None and for text that is blank."""
    if value is None or (isinstance(value, str) and not value.strip()):
        return None
    return _checked(value, what, limit, path, allowed="")


def optional_lines(value: object, what: str, limit: int, *, path: Sequence[str | int] = ()) -> str | None:
    """Text over several lines (tabs and line ends allowed), or None for None and for text that is blank."""
    if value is None or (isinstance(value, str) and not value.strip()):
        return None
    return _checked(value, what, limit, path, allowed="\t\n\r")


def without_controls(text: str) -> str:
    """A text of several lines as a record may hold it, for what somebody typed or pasted who never saw the
    rest: trimmed, its line ends as "\\n", without control characters and marks of direction, and with 30
    combining marks after each other at most. "" where nothing of it can be seen.
    """
    found = "".join(c for c in _LINE_END.sub("\n", text) if c in "\t\n" or not _is_control(c)).strip()
    return stream_safe(found) if _is_seen(found) else ""


def nearest(word: str, known: Sequence[str]) -> str | None:
    """The known word that was probably meant, if one is near."""
    folded = {fold(name): name for name in known}
    close = get_close_matches(fold(word[:100]), list(folded), n=1)
    return folded[close[0]] if close else None


def _checked(value: object, what: str, limit: int, path: Sequence[str | int], *, allowed: str) -> str:
    if not isinstance(value, str):
        raise CrmError(ErrorCode.BAD_INPUT, f"{what} must be text, not {kind_of(value)}.", path=path)
    text = value.strip()
    # as most is: in bulk, looking at each character costs more than all the rest
    if 0 < len(text) <= limit and text.isascii() and text.isprintable():
        return text
    # what costs more comes after what costs less: the text may be as long as a request
    if len(text) > _SHRINKS * limit:
        raise _too_long(len(text), what, limit, path)
    if has_long_run(text):
        raise CrmError(
            ErrorCode.BAD_INPUT,
            f"{what} holds more than {MOST_MARKS} combining marks after each other.",
            path=path,
            hint="Leave marks out.",
        )
    text = unicodedata.normalize("NFC", text)
    if len(text) > limit:
        raise _too_long(len(text), what, limit, path)
    for c in text:
        if c in allowed:
            continue
        if _is_control(c):
            raise CrmError(
                ErrorCode.BAD_INPUT,
                f"{what} holds the control character U+{ord(c):04X}.",
                path=path,
                hint="Remove it." if not allowed else "Remove it; only tabs and line ends are allowed.",
            )
    if not _is_seen(text):
        raise CrmError(ErrorCode.BAD_INPUT, f"{what} is empty.", path=path, hint="Give some text.")
    return text


def _too_long(length: int, what: str, limit: int, path: Sequence[str | int]) -> CrmError:
    return CrmError(
        ErrorCode.BAD_INPUT,
        f"{what} has {length} characters; {limit} are allowed.",
        path=path,
        hint="Shorten it.",
    )


def _is_control(c: str) -> bool:
    return unicodedata.category(c) in ("Cc", "Cs", "Zl", "Zp") or c in _DIRECTION


def _is_seen(text: str) -> bool:
    return any(unicodedata.category(c)[0] not in "ZCM" for c in text)


def kind_of(value: object) -> str:
    """What a value is, in the words of a reader of JSON: "a number", "null" …"""
    names: tuple[tuple[type, str], ...] = (
        (bool, "a boolean"),
        (int, "a number"),
        (float, "a number"),
        (list, "a list"),
        (tuple, "a list"),
        (dict, "an object"),
    )
    if value is None:
        return "null"
    return next((name for kind, name in names if isinstance(value, kind)), f"a {type(value).__name__}")
