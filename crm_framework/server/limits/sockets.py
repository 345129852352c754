"""WebSockets and event streams that are open: how many there may be, and whether their tokens still hold.

A token is looked at when it is first sent, every few seconds after that, and as soon as an event of any
process says that one was changed.
"""

import asyncio
import logging
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass

from crm_framework.errors import CrmError, ErrorCode
from crm_framework.events import Event
from crm_framework.security.actors import Actor
from crm_framework.security.verify import TokenVerifier, may_concern_tokens
from crm_framework.storage.feed import Feed

log = logging.getLogger("crm_framework.server")

LOOK_SECONDS = 5.0
"""How often the tokens of open sockets are looked at without a reason."""


@dataclass(frozen=True)
class Ending:
    """Why the server ends a socket: close code of the WebSocket, code of the error, and words."""

    close: int
    code: str
    reason: str


ENDED = Ending(4401, "UNAUTHENTICATED", "The token has expired or was revoked.")
CHANGED = Ending(4403, "FORBIDDEN", "The rights of the token were changed; connect again.")
STOPPING = Ending(1012, "UNAVAILABLE", "The server stops. Connect again, and go on after the last position.")
TOO_MANY = Ending(4429, "RATE_LIMITED", "Too many sockets are open; close one or try again later.")


@dataclass(eq=False)
class Session:
    """A socket whose token opened. `end` is called once, at most, and must not wait."""

    secret: str
    actor: Actor
    end: Callable[[Ending], None]
    stream: bool = False
    """Whether it is an event stream. WebSockets are ended by uvicorn itself when the server stops."""


class Sockets:
    """Those of one process. They are counted from the moment that they are accepted."""

    def __init__(self, verifier: TokenVerifier, feed: Feed, *, most: int, most_per_token: int) -> None:
        self._verifier = verifier
        self._feed = feed
        self._most = most
        self._most_per_token = most_per_token
        self._sessions: set[Session] = set()
        self._of_token: Counter[str] = Counter()
        self._looking: asyncio.Task[None] | None = None
        self._changed = asyncio.Event()
        self._stopping = False
        self.open = 0
        feed.watchers.append(self._heard)

    def enter(self) -> bool:
        """Counts one more, unless there are enough; `leave` must follow if it did."""
        if self.open >= self._most:
            return False
        self.open += 1
        return True

    def leave(self) -> None:
        self.open -= 1

    def begin(self, session: Session) -> bool:
        """Keeps an eye on the session's token, unless it has too many; `finish` must follow if it does."""
        token = session.actor.holder or ""
        if self._of_token[token] >= self._most_per_token:
            return False
        self._of_token[token] += 1
        self._sessions.add(session)
        if self._stopping and session.stream:
            session.end(STOPPING)
        if self._looking is None:
            self._looking = asyncio.ensure_future(self._look_again())
        return True

    def finish(self, session: Session) -> None:
        if session in self._sessions:
            self._sessions.discard(session)
            token = session.actor.holder or ""
            self._of_token[token] -= 1
            if not self._of_token[token]:
                del self._of_token[token]

    def stop(self) -> None:
        """Ends the event streams, as the server stops: they would last as long as they may."""
        self._stopping = True
        for session in self._sessions:
            if session.stream:
                session.end(STOPPING)

    def _heard(self, event: Event) -> None:
        if may_concern_tokens(event):
            self._verifier.forget()
            self._changed.set()

    async def _look_again(self) -> None:
        try:
            while self._sessions:
                try:
                    async with asyncio.timeout(LOOK_SECONDS):
                        await self._changed.wait()
                except TimeoutError:
                    pass
                self._changed.clear()
                for secret in {session.secret for session in self._sessions}:
                    await self._look(secret)
        finally:
            self._looking = None

    async def _look(self, secret: str) -> None:
        actor: Actor | None
        try:
            actor = await self._verifier.verify(secret)
        except CrmError as error:
            if error.code is not ErrorCode.UNAUTHENTICATED:
                return  # the database is away: it is looked at again
            actor = None
        except Exception:
            log.exception("a socket's token could not be looked at; it will be again")
            return  # of one token: the others are looked at all the same
        for session in [each for each in self._sessions if each.secret == secret]:
            if actor is None:
                session.end(ENDED)
            elif actor != session.actor:
                session.end(CHANGED)

    async def close(self) -> None:
        self._feed.watchers.remove(self._heard)
        if self._looking is not None:
            self._looking.cancel()
            await asyncio.wait([self._looking])
