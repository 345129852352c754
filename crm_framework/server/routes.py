"""The addresses that the server answers."""

from starlette.middleware import Middleware
from starlette.routing import BaseRoute, Route

from .access_log import AccessLog
from .console import files
from .graphql_http import METHODS, graphql
from .health import healthz, readyz
from .request_ids import RequestIds


def routes() -> list[BaseRoute]:
    return [
        Route("/graphql", graphql, methods=METHODS),
        files("/graphql/static"),
        Route("/healthz", healthz),
        Route("/readyz", readyz),
    ]


def middleware() -> list[Middleware]:
    """Outermost first: every line of the log, the access log's too, carries the request's id."""
    return [Middleware(RequestIds), Middleware(AccessLog)]
