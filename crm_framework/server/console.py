"""The console for browsers, GraphiQL, served from files of our own: it works without any other network."""

from pathlib import Path

from starlette.responses import FileResponse, Response
from starlette.routing import Mount
from starlette.staticfiles import StaticFiles

FILES = Path(__file__).parent / "static"

CONTENT_SECURITY_POLICY = "; ".join(
    (
        "default-src 'none'",
        "script-src 'self'",
        "style-src 'self' 'unsafe-inline'",
        "font-src data:",
        "img-src 'self' data:",
        "connect-src 'self'",
        "base-uri 'none'",
        "form-action 'none'",
        "frame-ancestors 'none'",
    )
)
"""Nothing from elsewhere, and no script but our files. GraphiQL's dialogs put styles into the page."""

HEADERS = {
    "Cache-Control": "no-cache",
    "Content-Security-Policy": CONTENT_SECURITY_POLICY,
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
}


def page() -> Response:
    """The page itself. It holds nothing secret, so it needs no token."""
    return FileResponse(FILES / "console.html", headers=HEADERS)


def files(path: str) -> Mount:
    """The route to the scripts and styles of the page."""
    return Mount(path, StaticFiles(directory=FILES))
