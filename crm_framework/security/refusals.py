"""Refused attempts, for the audit log: by a token that lacks a permission, and by one that opens nothing.

They are written after the answer and never hold it up. The same attempt again within a minute is counted, and
no more than a few of an actor are told apart a minute, of a bounded number of actors: so nobody can fill the
disk by knocking, nor hide what others do.
"""

import asyncio
import logging
import time
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import datetime
from typing import TYPE_CHECKING, NamedTuple

from crm_framework.storage.audit import AuditRecord, Who, audit_row, who_acts
from crm_framework.storage.clock import now
from crm_framework.storage.sessions import to_the_end

from .actors import Actor

if TYPE_CHECKING:
    from crm_framework.storage.database import Database

log = logging.getLogger(__name__)

ACTION = "access.refused"

MAX_KINDS = 5
"""Attempts of one actor, with one token, that have entries of their own in a minute and process. Those beyond
share an entry, under the same name and token: operations are named by the client as it likes."""
MAX_ACTORS = 50
"""Known actors that have entries of their own. Those beyond share one."""
MAX_UNKNOWN = 20
"""Attempts by unknown ones that have entries of their own. Those beyond share one."""
WINDOW_SECONDS = 60.0
WRITE_SECONDS = 1.0
"""How long after the first attempt of its kind an entry is written; how often it came again, after the
window."""

MAX_REASON = 500

NOBODY: Who = ("SYSTEM", None, "unknown", None)
SEVERAL: Who = ("SYSTEM", None, "several", None)
OTHERS = "These and more: too many in this minute to be told apart."
OTHERS_OF_ACTOR = "Other operations: too many in this minute to be told apart."


class Attempt(NamedTuple):
    """What was refused, as far as it makes a difference."""

    who: Who
    subject_type: str
    subject_id: str | None
    reason: str
    source: str | None


@dataclass
class _Seen:
    """An attempt: when and on what it came first, and how often since it was last written."""

    at: datetime
    subject_id: str
    request_id: str | None
    count: int = 1
    written: bool = False


KNOWN_OTHERS = Attempt(SEVERAL, "Operation", None, OTHERS, None)
UNKNOWN_OTHERS = Attempt(NOBODY, "Token", None, OTHERS, None)


@dataclass
class Refusals:
    """Notes refused attempts and writes them a moment later; `close` writes the rest."""

    database: "Database"
    _seen: dict[Attempt, _Seen] = field(default_factory=dict)
    _window_ends: float = 0.0
    _task: "asyncio.Task[None] | None" = None
    _closed: bool = False

    def forbidden(
        self,
        actor: Actor,
        reason: str,
        *,
        operation: str | None,
        request_id: str | None = None,
        source: str | None = None,
    ) -> None:
        """An actor asked for what it may not see or do. `operation` is the client's name for
        it."""
        named = (operation or "(unnamed)")[:100]
        attempt = Attempt(who_acts(actor), "Operation", named, reason[:MAX_REASON], source)
        self._note(attempt, request_id, named)

    def unauthenticated(
        self,
        *,
        why: str,
        hint: str,
        holder: Actor | None = None,
        request_id: str | None = None,
        source: str | None = None,
    ) -> None:
        """A token opened nothing. `holder` is whose it was, `hint` how it begins where nobody's."""
        who, subject = NOBODY, hint or "(none)"
        if holder is not None:
            who, subject = who_acts(holder), holder.token_id or subject
        # one who tries out tokens begins each differently: the first of them stands for all
        key = Attempt(who, "Token", subject if holder else None, f"The token is {why}.", source)
        self._note(key, request_id, subject)

    def _note(self, attempt: Attempt, request_id: str | None, subject: str) -> None:
        if self._closed:
            return
        if attempt not in self._seen:
            shared = self._shared(attempt.who)
            if shared is not None:
                attempt, subject = shared, "(several)"
        seen = self._seen.get(attempt)
        if seen is not None:
            seen.count += 1
            return
        if not self._seen:
            self._window_ends = time.monotonic() + WINDOW_SECONDS
        self._seen[attempt] = _Seen(now(), subject, request_id)
        if self._task is None:
            self._task = asyncio.create_task(self._write_on())

    def _shared(self, who: Who) -> Attempt | None:
        """What one more attempt counts as, if it gets no entry of its own."""
        own = sum(one.who == who for one in self._seen)
        if who == NOBODY:
            return UNKNOWN_OTHERS if own >= MAX_UNKNOWN else None
        if own >= MAX_KINDS:
            return Attempt(who, "Operation", None, OTHERS_OF_ACTOR, None)
        if own == 0 and len({one.who for one in self._seen} - {NOBODY, SEVERAL}) >= MAX_ACTORS:
            return KNOWN_OTHERS
        return None

    async def _write_on(self) -> None:
        while self._seen:
            await asyncio.sleep(WRITE_SECONDS)
            ended = time.monotonic() >= self._window_ends
            try:
                await self._write(ended=ended)
            except Exception as error:
                log.warning("Refused attempts could not be written to the audit log yet: %s", error)
            else:
                if ended:
                    self._seen = {one: seen for one, seen in self._seen.items() if seen.count}
                    self._window_ends = time.monotonic() + WINDOW_SECONDS
        self._task = None

    async def _write(self, *, ended: bool) -> None:
        """Those that are new, and, when the window has ended, those that came again."""
        due = [
            (attempt, seen, seen.count)
            for attempt, seen in self._seen.items()
            if seen.count and (ended or not seen.written)
        ]
        if not due:
            return
        key = self.database.audit_key
        async with self.database.unit_of_work() as tx:
            tx.audit([_row(attempt, seen, count, key) for attempt, seen, count in due])
        for _, seen, count in due:
            seen.count -= count  # it may have come again meanwhile
            seen.written = True

    @property
    def waiting(self) -> int:
        """Attempts that are not written yet."""
        return sum(seen.count for seen in self._seen.values())

    async def close(self) -> None:
        """Writes what is left; what cannot be written now is lost, and the log says how much."""
        self._closed = True
        if self._task is not None:
            self._task.cancel()
            with suppress(asyncio.CancelledError):
                await self._task
        try:
            await to_the_end(self._write(ended=True))
        except Exception as error:
            log.error("%d refused attempts are missing from the audit log: %s", self.waiting, error)


def _row(attempt: Attempt, seen: _Seen, count: int, key: bytes | None) -> tuple[object, ...]:
    changes: dict[str, tuple[None, object]] = {"count": (None, count)}
    if attempt.source is not None:
        changes["source"] = (None, attempt.source)
    record = AuditRecord(
        who=attempt.who,
        action=ACTION,
        subject_type=attempt.subject_type,
        subject_id=seen.subject_id,
        request_id=seen.request_id,
        reason=attempt.reason,
        changes=changes,
    )
    return audit_row(record, at=seen.at, key=key)
