"""The one error that crosses every room: what happened, where, and what to do."""

import asyncio
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from enum import StrEnum
from reprlib import Repr


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
        text, stop = self.message.removesuffix("."), "." if self.message.endswith(".") else ""
        return f"{text}{where}{stop}{todo}"


_SHORT = Repr()
"""Writes the beginnings of lists and objects: of all that a request may hold, a message needs no more."""
_SHORT.maxlevel, _SHORT.maxstring, _SHORT.maxother = 3, 100, 100


def cut(value: object, limit: int = 60) -> str:
    """A value for a message, as Python writes it, of which at most so many characters are shown."""
    if isinstance(value, str):
        return repr(value if len(value) <= limit else f"{value[: limit - 1]}…")
    text = _SHORT.repr(value)
    return text if len(text) <= limit else f"{text[: limit - 1]}…"


class PluginCrash(CrmError):
    """A plugin failed in a hook that an operation cannot do without. The message names it and says no more.

    What it raised is in the log already, under the request's id.
    """


class Undelivered(CrmError):
    """A message was not sent. `lasting` says that another attempt would fare no better.

    `message` names nobody, so that it may be logged; `detail` is what the other side said, which may.
    """

    def __init__(self, message: str, *, detail: str = "", lasting: bool = False) -> None:
        super().__init__(ErrorCode.UNAVAILABLE, message)
        self.detail = detail
        self.lasting = lasting


@contextmanager
def contained() -> Iterator[None]:
    """Makes what a plugin raises and is no `Exception` a RuntimeError: in a task it may end the event loop.

    Only the cancellation of the task that it runs in goes on as one. Outside an event loop Ctrl-C raises
    KeyboardInterrupt wherever the program is, so there it goes on too; inside one the loop sees to Ctrl-C.
    """
    try:
        yield
    except (Exception, GeneratorExit):  # the latter closes a coroutine, which must not go on
        raise
    except asyncio.CancelledError:
        task = _task()
        if task is not None and task.cancelling():
            raise
        raise RuntimeError("it raised CancelledError though nobody cancelled it") from None
    except SystemExit as error:
        raise RuntimeError(f"it called sys.exit({error.code!r})") from error
    except BaseException as error:
        if isinstance(error, KeyboardInterrupt) and _task() is None:
            raise
        raise RuntimeError(f"it raised {type(error).__name__}: {error}".rstrip(": ")) from error


def _task() -> "asyncio.Task[object] | None":
    try:
        return asyncio.current_task()
    except RuntimeError:
        return None
