"""Keys: UUIDv7, so that rows sort by the time they were made and indexes grow at their end."""

import re
from typing import TypeGuard

from uuid_utils import uuid7

_KEY = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}")


def new_id() -> str:
    """A new key, as 36 characters of text."""
    return str(uuid7())


def is_key(value: object) -> TypeGuard[str]:
    """Whether the value has the form of a key. PostgreSQL would fail on one that has not."""
    return isinstance(value, str) and _KEY.fullmatch(value) is not None
