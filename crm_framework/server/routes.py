"""The addresses that the server answers."""

from starlette.middleware import Middleware
from starlette.routing import BaseRoute, Route, WebSocketRoute

from .access_log import AccessLog
from .console import files
from .front import PATH
from .graphql_http import GraphQL
from .health import healthz, readyz
from .metrics import metrics
from .plugin_routes.endpoint import PluginRoutes
from .request_ids import RequestIds
from .websocket import GraphQLSocket


def routes() -> list[BaseRoute]:
    return [
        Route(PATH, GraphQL(), name="graphql"),
        WebSocketRoute(PATH, GraphQLSocket()),
        files("/graphql/static"),
        *watching(),
        Route("/plugins/{name}", PluginRoutes()),
        Route("/plugins/{name}/{rest:path}", PluginRoutes()),
    ]


def watching() -> list[BaseRoute]:
    """Those for load balancers, monitors and people on call."""
    return [Route("/healthz", healthz), Route("/readyz", readyz), Route("/metrics", metrics)]


def middleware() -> list[Middleware]:
    """Outermost first: every line of the log, the access log's too, carries the request's id."""
    return [Middleware(RequestIds), Middleware(AccessLog)]
