"""Each request is counted, and logged in one line: what, by whom, how it ended, how long it took."""

import logging
from collections.abc import Mapping
from time import perf_counter
from typing import Any

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from .plugin_routes.table import place_of
from .service import Service

log = logging.getLogger("crm_framework.access")

NOTES = "crm_framework.notes"
MAX_FACT = 200
"""Characters of a fact."""
LINE = "%s %s %d %.1f ms %s"
QUIET = frozenset({"/healthz", "/readyz"})
"""Asked every few seconds by machines; logged only when they fail."""


def note(scope: Scope, name: str, fact: str | None) -> None:
    """Adds a fact to the request's line, such as the actor's name. Of what clients make up as long as they
    like, the beginning is kept."""
    if fact and NOTES in scope:
        scope[NOTES][name] = fact[:MAX_FACT]


def tell(scope: Scope, status: int, started: float, notes: Mapping[str, Any]) -> None:
    """Counts and logs a request that has ended; `started` is when it began, by `perf_counter`."""
    elapsed = perf_counter() - started
    path = place_of(scope)
    service: Service | None = getattr(scope["app"].state, "service", None)
    if service is not None:  # not before it is open
        service.counts.request(path, status, elapsed)
    if (status >= 400 or path not in QUIET) and log.isEnabledFor(logging.INFO):
        facts = " ".join(f"{name}={value}" for name, value in notes.items())
        method, took = scope["method"], elapsed * 1000
        said = (method, path, status, took, facts)
        fields = {"method": method, "path": path, "status": status, "duration_ms": round(took, 3), **notes}
        # without looking for the line of the program that it comes from: that takes half the time
        log.handle(log.makeRecord(log.name, logging.INFO, __file__, 0, LINE, said, None, extra=fields))


class AccessLog:
    """ASGI middleware. Neither queries nor tokens are logged: they hold what is nobody else's business."""

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        notes: dict[str, Any] = scope.setdefault(NOTES, {})
        started = perf_counter()
        status = 500

        async def send_and_see(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
            await send(message)

        try:
            await self.app(scope, receive, send_and_see)
        finally:
            tell(scope, status, started, notes)
