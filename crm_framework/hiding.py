"""What must not be read in a log, wherever it came from: tokens, and passwords within addresses."""

import math
import re
from collections.abc import Mapping
from typing import Any

from .secret import HIDDEN

MARKS = ("crm_", "whsec_", "eyJ", "://", "k_live_", "k_test_")
"""One of them stands in every text that holds a secret: looking for these is quicker than for those."""

SECRETS = re.compile(
    r"(\bcrm_)[A-Za-z0-9_-]{40,}"  # tokens of our own, which are longer than any name
    r"|(\bwhsec_)[A-Za-z0-9+/=_-]{16,}"  # what webhooks are signed with
    r"|(\beyJ)[A-Za-z0-9_-]{8,}\.[A-Za-z0-9_-]+\.[A-Za-z0-9_-]*"  # tokens of an issuer
    r"|(\b[sr]k_(?:live|test)_)[A-Za-z0-9]+"  # keys of payment services
    r"|(://[^\s:/@]*:)[^\s/@]+(?=@)"  # the password of an address
)
NAMES = re.compile(r"passw|secret|authorization|cookie|api_?key|(^|_)token$", re.IGNORECASE)
"""Fields whose value is nobody's business, whatever it looks like."""

DEEPEST = 5


def without_secrets(text: str) -> str:
    """The text with asterisks for the secrets in it."""
    if not any(mark in text for mark in MARKS):
        return text
    return SECRETS.sub(lambda found: next(filter(None, found.groups())) + HIDDEN, text)


def shown(value: object, name: str = "", depth: int = 0) -> Any:
    """A value as JSON can say it, without secrets; what JSON has no form for is its text."""
    if value is None or isinstance(value, bool):
        return value
    if name and NAMES.search(name):
        return HIDDEN
    if isinstance(value, int) and abs(value) < 2**63:
        return int(value)
    if isinstance(value, float) and math.isfinite(value):
        return float(value)
    if depth < DEEPEST and isinstance(value, Mapping):
        return {str(key): shown(one, str(key), depth + 1) for key, one in value.items()}
    if depth < DEEPEST and isinstance(value, (list, tuple, set, frozenset)):
        return [shown(one, "", depth + 1) for one in value]
    return without_secrets(str(value))
