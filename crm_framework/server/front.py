"""The application itself: it takes what nearly every request asks for past Starlette's layers.

They cost as much as a small query. What they do for other addresses (an id, a count, a line of the log) is
done here in one step; a failure has its answer in the endpoint already.
"""

from time import perf_counter
from typing import Any

from starlette.applications import Starlette
from starlette.types import Message, Receive, Scope, Send

from crm_framework import tracing

from .access_log import NOTES, tell
from .graphql_http import GraphQL
from .request_ids import HEADER, entered, left

PATH = "/graphql"


class Front(Starlette):
    """Starlette, but for the API. Below a `root_path` the routes find that."""

    _graphql = GraphQL()

    def __init__(self, **named: Any) -> None:
        super().__init__(**named)
        # a redirect names the host that the client wrote, and http behind a proxy that speaks https
        self.router.redirect_slashes = False

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        traced = tracing.spans is not None  # by what the layers do around a request
        if scope["type"] != "http" or scope["path"] != PATH or scope.get("root_path") or traced:
            await super().__call__(scope, receive, send)
            return
        scope["app"] = self
        notes = scope[NOTES] = {}
        identifier, token = entered(scope)
        started = perf_counter()
        status = 500

        async def send_and_see(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
                message["headers"] = [*message.get("headers", ()), (HEADER, identifier.encode())]
            await send(message)

        try:
            await self._graphql(scope, receive, send_and_see)
        finally:
            tell(scope, status, started, notes)
            left(token)
