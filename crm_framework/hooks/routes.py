"""Addresses that a plugin answers: how they are declared, and what a declaration must hold."""

import inspect
import re
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import KW_ONLY, dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from crm_framework.server.plugin_routes.requests import RouteAnswer, RouteRequest

METHODS = ("GET", "POST", "PUT", "PATCH", "DELETE")
PARAMETER = r"\{([a-z][a-z0-9_]*)\}"
MOST_BYTES = 64 * 1024 * 1024

_PART = re.compile(rf"(?:[A-Za-z0-9._~-]|{PARAMETER})+")


@dataclass(frozen=True)
class Route:
    """An address below `/plugins/<plugin name>`, such as "/mail" or "/answer/{token}".

    `handle` is an `async def` that takes the `RouteRequest` and returns a `RouteAnswer`. `permission` is what
    the request's token must grant on all customers; `PUBLIC` is for those that need no token, because
    `handle` itself finds out who asks, say by a signature. A `restricted` route lets in tokens that grant it
    on some customers too, customers' own ones among them: it only reads, and `handle` tells of nothing but
    what `request.load` gives it. A body has `most_bytes` at most, without it as
    many as the setting `max_body_bytes` says. Whoever may `GET` may ask for the head alone.
    """

    path: str
    handle: "Callable[[RouteRequest], Awaitable[RouteAnswer]]"
    _: KW_ONLY
    permission: str
    description: str
    methods: Sequence[str] = ("GET",)
    most_bytes: int | None = None
    restricted: bool = False


def fault_of(route: Route) -> tuple[str, str] | None:
    """What is wrong with a declaration and what to do about it."""
    if not isinstance(route.path, str) or not _is_path(route.path):
        return (
            f"The path of the route {route.path!r} is none.",
            'Begin it with a slash, with letters, digits, "-", "_", "." or a parameter between slashes:'
            ' "/answer/{token}".',
        )
    if isinstance(route.methods, str) or not route.methods or not set(route.methods) <= set(METHODS):
        return (
            f"The route {route.path} has the methods {route.methods!r}.",
            f"List some of {', '.join(METHODS)}.",
        )
    permission: object = route.permission  # as someone may have written it who checks no types
    if not isinstance(permission, str):
        return (
            f"The route {route.path} names no permission.",
            "Say which one it needs, or PUBLIC if it finds out by itself who asks.",
        )
    if route.restricted and (not route.permission or tuple(route.methods) != ("GET",)):
        return (
            f"The route {route.path} is restricted, and not only read with a token.",
            'Name a permission, and no method but "GET".',
        )
    if not isinstance(route.description, str) or not route.description.strip():
        return f"The route {route.path} has no description.", "Say in a sentence what it is for."
    if route.most_bytes is not None and not 0 <= route.most_bytes <= MOST_BYTES:
        return f"The route {route.path} takes {route.most_bytes} bytes.", f"Take {MOST_BYTES:,} at most."
    if not inspect.iscoroutinefunction(route.handle) or len(inspect.signature(route.handle).parameters) != 1:
        return (
            f"The handler of the route {route.path} is no async def that takes just the request.",
            "Write async def handle(request).",
        )
    return None


def twice(routes: Sequence[Route]) -> tuple[str, str] | None:
    """A method and an address that two routes answer."""
    seen: dict[tuple[str, str], Route] = {}
    for route in routes:
        for method in dict.fromkeys(route.methods):
            key = method, re.sub(PARAMETER, "{}", route.path)
            if key in seen:
                return method, route.path
            seen[key] = route
    return None


def _is_path(path: str) -> bool:
    names = re.findall(PARAMETER, path)
    if len(names) != len(set(names)) or not path.startswith("/"):
        return False
    return path == "/" or all(_PART.fullmatch(part) for part in path[1:].split("/"))
