"""The one error that crosses every room: what happened, where, and what to do."""

from collections.abc import Sequence
from enum import StrEnum


class ErrorCode(StrEnum):
    """Codes of expected failures, as they appear in a payload's `errors { code }`."""

    BAD_INPUT = "BAD_INPUT"
    """A value does not fit: wrong type, out of range, malformed, unknown currency …"""
    NOT_FOUND = "NOT_FOUND"
    """An id or a reference names nothing that this actor may see."""
    CONFLICT = "CONFLICT"
    """The record changed meanwhile, or a key is taken by another record."""
    FORBIDDEN = "FORBIDDEN"
    """The actor lacks a permission; the message names it."""
    UNAUTHENTICATED = "UNAUTHENTICATED"
    """No token, or one that is unknown, expired or revoked."""
    REFUSED = "REFUSED"
    """A business rule or a plugin refused the change."""
    UNAVAILABLE = "UNAVAILABLE"
    """The database is full, read-only, locked or away; trying again later may help."""
    CONFIGURATION = "CONFIGURATION"
    """A setting, a plugin or the database does not fit this program."""
    INTERNAL = "INTERNAL"
    """A fault of the program itself."""


class CrmError(Exception):
    """An expected failure.

    `path` leads to the value at fault inside the input (`("contactPoints", "0", "value")`); `hint` says what
    to do about it. Raised inside a unit of work it rolls back everything.
    """

    def __init__(
        self,
        code: ErrorCode,
        message: str,
        *,
        path: Sequence[str | int] = (),
        hint: str | None = None,
    ) -> None:
        super().__init__(message)
        self.code = code
        self.message = message
        self.path: tuple[str, ...] = tuple(str(part) for part in path)
        self.hint = hint

    def under(self, *prefix: str | int) -> "CrmError":
        """The same error, seen from a caller whose input holds the faulty value below `prefix`."""
        return type(self)(self.code, self.message, path=(*prefix, *self.path), hint=self.hint)

    def __str__(self) -> str:
        where = f" (at {'.'.join(self.path)})" if self.path else ""
        todo = f" {self.hint}" if self.hint else ""
        return f"{self.message}{where}{todo}"


class PluginCrash(CrmError):
    """A plugin failed in a hook that an operation cannot do without. The message names it and says no more.

    What it raised is in the log already, under the request's id.
    """
