"""Spoils what a client sends: documents, values, members of the body, bytes."""

import re
from random import Random
from typing import Any

from tests.differential.values import wrong

STRANGE: tuple[Any, ...] = (
    None, True, False, 0, -1, 2**31, -(2**31) - 1, 2**53 + 1, 2**63, -(2**63) - 1, 2**64, 10**30, 1e308, -1e-308, -0.0, 0.1,
    "", " ", "\u0000", "a\u0000b", "\ufeff", "\u202e", "\uffff", "\U0010ffff", "\x1b[31m", "a\nb\r\nc", "é" * 300, "x" * 5_000, "9" * 6_000, "0." + "9" * 6_000, {f"a{n}": n for n in range(2_000)},
    "NaN", "Infinity", "1e999", "0x10", "١٢", "1_000", "9" * 400, "-9" * 30, "--", "'; DROP TABLE x; --", "%", "\\", "*",
    "2026-02-30", "0000-00-00", "0001-01-01T00:00:00Z", "0001-01-01T00:00:00+23:59", "9999-12-31T23:59:59.999999Z",
    "9999-12-31T23:59:59-23:59", "10000-01-01T00:00:00Z", "2026-03-01T25:00:00Z", "2026-03-01T12:00:60Z",
    "2026-03-01T12:00:00.1234567890Z", "-2026-03-01", "2026-W10-1", "P9999999999D", "PT-1S", "P1Y", "P", "PT", "PT1e5S",
    "EUR", "eur", "XXX", "ZZZ", "a@b", "@", "+", "+" + "1" * 60, "Europe/Nowhere", "../etc/passwd", "de_DE@euro", "\ud7ff",
    "Q3VzdG9tZXI6", "Q3VzdG9tZXI6MQ==", "====", "Og==", "Q3VzdG9tZXI6AA==",
    [], [[]], [None], {}, {"": 1}, {"__proto__": {}}, {"a": {"b": {"c": [{"d": 1}]}}}, {"eq": None}, {"and": []}, {"not": {}},
    {"or": [{}, {}]}, {"amount": "1e400", "currency": "EUR"}, {"amount": "NaN", "currency": "EUR"},
    {"amount": 10**25, "currency": "JPY"}, {"amount": "0.0000000001", "currency": "EUR"}, [1] * 300,
)  # fmt: skip


def value(rng: Random, given: Any) -> Any:
    """The value with something strange somewhere in it."""
    if isinstance(given, dict) and given and rng.random() < 0.8:
        key = rng.choice(list(given))
        return {**given, key: value(rng, given[key])}
    if isinstance(given, list) and given and rng.random() < 0.6:
        place = rng.randrange(len(given))
        return [*given[:place], value(rng, given[place]), *given[place + 1 :]]
    if isinstance(given, str) and given and rng.random() < 0.3:
        place = rng.randrange(len(given))
        return given[:place] + rng.choice("\u0000é😀\n\\\"'%_ A9-:.") + given[place + rng.randrange(2) :]
    return wrong(rng, given) if rng.random() < 0.2 else rng.choice(STRANGE)


_TOKEN = re.compile(r'"(?:[^"\\]|\\.)*"|[\w$]+|\.\.\.|\S')
_TOKENS = (
    "{", "}", "(", ")", "[", "]", "!", "$", ":", "=", "@", "...", "&", "|", "null", "true", "0", "-1", "99999999999", "1e400", "9" * 65, "9" * 6_000, "0." + "9" * 6_000, "1e" + "9" * 6_000,
    '"x"', '"\\u0000"', '"\\uD83D\\uDE00"', '"\\u{1F600}"', '"\\u{110000}"', '"\\uD800"', '""""""', '"""a\n  b"""', "[]", "{}", "id",
    "__typename", "__schema", "on", "fragment", "query", "mutation", "subscription", "@include(if: true)", "@skip(if: $x)",
    "@defer", "@stream", "Customer", "Int", "String!", "[ID!]!", "first: 0", "first: -1", "last: 1", 'after: "x"', "#", "\ufeff",
)  # fmt: skip


def document(rng: Random, text: str) -> str:
    """The text with a few of its tokens dropped, doubled, swapped or put in."""
    tokens = _TOKEN.findall(text)
    for _ in range(rng.choice((1, 1, 1, 2, 3, 6))):
        if not tokens:
            break
        place = rng.randrange(len(tokens))
        what = rng.randrange(5)
        if what == 0:
            del tokens[place]
        elif what == 1:
            tokens.insert(place, rng.choice(_TOKENS))
        elif what == 2:
            tokens[place] = rng.choice(_TOKENS)
        elif what == 3:
            tokens[place] = rng.choice(tokens)
        else:
            end = min(len(tokens), place + rng.randrange(1, 8))
            tokens[place:end] = tokens[place:end] * 2
    return " ".join(tokens)


def octets(rng: Random, sent: bytes) -> bytes:
    """The bytes with some of them changed, dropped, doubled or put in."""
    for _ in range(rng.choice((1, 1, 2, 4, 10))):
        if not sent:
            break
        place = rng.randrange(len(sent))
        what = rng.randrange(6)
        if what == 0:
            sent = sent[:place] + bytes([rng.randrange(256)]) + sent[place + 1 :]
        elif what == 1:
            sent = sent[:place]
        elif what == 2:
            sent = sent[:place] + sent[place + rng.randrange(1, 20) :]
        elif what == 3:
            sent = sent[:place] + sent[place : place + rng.randrange(1, 60)] + sent[place:]
        elif what == 4:
            sent = sent[:place] + rng.choice(_OCTETS) + sent[place:]
        else:
            sent = sent[:place] + bytes([sent[place] ^ (1 << rng.randrange(8))]) + sent[place + 1 :]
    return sent


_OCTETS = (
    b"\x00", b"\xff", b"\xc3\x28", b"\xed\xa0\x80", b"\xf4\x90\x80\x80", b"\xef\xbb\xbf", b"\r\n", b"\n", b"\r", b"\r\n\r\n", b": ",
    b"%00", b"%0a", b"%ff", b"%", b"\x1b[2J", b"\\ud800", b"\\u0000", b"NaN", b"1e999", b"9" * 6_000, b'"', b"{", b"[" * 2_000, b"A" * 70_000,
)  # fmt: skip
