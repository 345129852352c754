"""The span of a request, below the one that the client names in `traceparent`."""

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from crm_framework.tracing import Spans

from .counts import PATHS
from .plugin_routes.table import place_of

UNTRACED = PATHS - {"/graphql"}
"""Asked every few seconds by machines."""


async def traced_request(spans: Spans, app: ASGIApp, scope: Scope, receive: Receive, send: Send) -> None:
    """Serves a request of HTTP in a span of its own."""
    served = hasattr(scope["app"].state, "service")  # not before it is open
    found = scope["app"].state.service.plugin_routes.note(scope) if served else None
    path = place_of(scope)
    if path in UNTRACED:
        await app(scope, receive, send)
        return
    route = path if path in PATHS or found is not None else None
    attributes: dict[str, str | int | float | bool] = {
        "http.request.method": scope["method"],
        "url.path": path,
        "url.scheme": scope["scheme"],
        "network.protocol.version": scope["http_version"],
    }
    if route:
        attributes["http.route"] = route
    if scope.get("client"):
        attributes["client.address"] = scope["client"][0]
    if scope.get("server"):
        attributes["server.address"] = scope["server"][0]
    headers = {name.decode("latin-1"): value.decode("latin-1") for name, value in scope["headers"]}
    name = f"{scope['method']} {route}" if route else scope["method"]
    with spans.span(name, attributes, kind="SERVER", parent=spans.parent_in(headers)) as span:

        async def send_and_see(message: Message) -> None:
            if message["type"] == "http.response.start":
                status = message["status"]
                span.set_attribute("http.response.status_code", status)
                if status >= 500:
                    spans.failed(span, str(status))
            await send(message)

        await app(scope, receive, send_and_see)
