"""Keys: UUIDv7, so that rows sort by the time they were made and indexes grow at their end."""

from uuid_utils import uuid7


def new_id() -> str:
    """A new key, as 36 characters of text."""
    return str(uuid7())
