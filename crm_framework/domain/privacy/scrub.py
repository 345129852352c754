"""Takes what may name a person out of JSON that was kept about it, and leaves its shape and its figures."""

import re
from collections.abc import Collection
from typing import Any

from crm_framework.domain import kinds
from crm_framework.domain.values.currencies import EXPONENTS
from crm_framework.storage.ids import is_key

LEAST_TELLING = 4
"""Characters of a word that tells who is meant; shorter ones occur by accident."""

_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_.]{0,99}")


def scrubbed_payload(payload: dict[str, Any]) -> dict[str, Any]:
    """An event's fields: keys, numbers, currencies, kinds and channels stay; other text goes.

    A handler that has not seen the event yet can still read it.
    """
    return {
        name: scrubbed_changes(value) if name == "changes" else _harmless(value)
        for name, value in payload.items()
    }


def scrubbed_changes(changes: Any) -> dict[str, list[None]]:
    """Which fields changed, without the values."""
    return {name: [None, None] for name in changes if _NAME.fullmatch(name)} if changes else {}


def names_person(text: str, words: Collection[str]) -> bool:
    """Whether one of the words stands in the text, by itself and not as a part of a longer one."""
    folded = text.casefold()
    return any(
        re.search(rf"(?<!\w){re.escape(word.casefold())}(?!\w)", folded)
        for word in words
        if len(word) >= LEAST_TELLING
    )


def _harmless(value: Any) -> Any:
    if isinstance(value, str):
        known = kinds.current()
        told = is_key(value) or value in EXPONENTS or value in known.kinds or value in known.channels
        return value if told else ""
    if isinstance(value, list):
        return [item for item in value if not isinstance(item, str) or _harmless(item)]
    if isinstance(value, dict):
        return {name: _harmless(item) for name, item in value.items() if _NAME.fullmatch(name)}
    return value
