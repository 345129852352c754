"""The addresses that the server answers."""

from starlette.middleware import Middleware
from starlette.routing import BaseRoute, Route, WebSocketRoute
from starlette.types import ASGIApp, Receive, Scope, Send

from .access_log import AccessLog
from .console import files
from .graphql_http import GraphQL
from .health import healthz, readyz
from .metrics import metrics
from .request_ids import RequestIds
from .websocket import GraphQLSocket

PATH = "/graphql"


def routes() -> list[BaseRoute]:
    return [
        Route(PATH, GraphQL(), name="graphql"),
        WebSocketRoute(PATH, GraphQLSocket()),
        files("/graphql/static"),
        Route("/healthz", healthz),
        Route("/readyz", readyz),
        Route("/metrics", metrics),
    ]


def middleware() -> list[Middleware]:
    """Outermost first: every line of the log, the access log's too, carries the request's id."""
    return [Middleware(RequestIds), Middleware(AccessLog), Middleware(GraphQLFirst)]


class GraphQLFirst:
    """ASGI middleware. Takes what nearly every request asks for past the search through the routes.

    Below a `root_path` the routes find it.
    """

    def __init__(self, app: ASGIApp) -> None:
        self.app = app
        self.graphql = GraphQL()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http" and scope["path"] == PATH and not scope.get("root_path"):
            await self.graphql(scope, receive, send)
        else:
            await self.app(scope, receive, send)
