"""Bytes to text in the charset that a message names, or, where that is wrong, in the likeliest."""

import codecs

# They are no charsets, or can be made to take quadratic time.
_NEVER = frozenset({"punycode", "idna", "unicode_escape", "raw_unicode_escape", "undefined", "mbcs", "oem"})

# What is written in the one is nearly always meant in the other, which has its characters and more.
_WIDER = {
    "ascii": "utf-8",
    "iso8859-1": "cp1252",
    "gb2312": "gb18030",
    "gbk": "gb18030",
    "shift_jis": "cp932",
}


def decoded(content: bytes, charset: str | None) -> str:
    """The text. A charset that is unknown or does not fit gives way to UTF-8, and that, unless it
    fits for the most part, to Windows-1252."""
    for name in (_codec(charset), "utf-8-sig"):
        if name is not None:
            try:
                return content.decode(name)
            except (UnicodeError, ValueError):
                continue
    lenient = content.decode("utf-8", "replace")
    spoilt = lenient.count("\ufffd")
    right = sum(1 for letter in lenient if letter > "\x7f") - spoilt
    return lenient if right > spoilt else content.decode("cp1252", "replace")


def _codec(charset: str | None) -> str | None:
    if not charset or len(charset) > 40:
        return None
    try:
        found = codecs.lookup(charset.strip("\"' "))
    except (LookupError, ValueError, UnicodeError):
        return None
    if found.name.replace("-", "_") in _NEVER or not getattr(found, "_is_text_encoding", True):
        return None
    return _WIDER.get(found.name, found.name)
