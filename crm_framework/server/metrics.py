"""What this node has done and what is owed, for Prometheus: `/metrics`, for those with `metrics.read`."""

import logging
from collections.abc import Iterator

from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.core import GaugeMetricFamily
from prometheus_client.exposition import CONTENT_TYPE_LATEST
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response

from crm_framework.errors import CrmError
from crm_framework.security.verify import TokenRefused
from crm_framework.storage.backlog import Backlog, backlog

from .answers import Refusal
from .attempts import address_of, note_lacking, note_unauthenticated
from .authentication import authenticate
from .service import service_of

log = logging.getLogger("crm_framework.server")

PERMISSION = "metrics.read"


class Owed:
    """What the database owes at the moment of the question, whichever process will do it."""

    def __init__(self, found: Backlog) -> None:
        self._found = found

    def collect(self) -> Iterator[GaugeMetricFamily]:
        for name, what, value in (
            ("crm_deliveries_waiting", "Deliveries of events to plugins that wait.", self._found.deliveries),
            ("crm_deliveries_parked", "Deliveries that were given up.", self._found.parked),
            (
                "crm_deliveries_lag_seconds",
                "How long the oldest waiting one has waited.",
                self._found.lag_seconds,
            ),
            ("crm_jobs_due", "Jobs whose time has come.", self._found.jobs_due),
            ("crm_jobs_failed", "Jobs that were given up.", self._found.jobs_failed),
        ):
            yield GaugeMetricFamily(name, what, value)


async def metrics(request: Request) -> Response:
    """The text format of Prometheus; 401 without a token, 403 without the right."""
    service = service_of(request)
    headers = dict(reversed(request.scope["headers"]))
    address = address_of(request.scope)

    def told(refused: TokenRefused) -> None:
        note_unauthenticated(service, request.scope, refused)

    try:
        actor = await authenticate(headers, service.verifier.verify, service.guesses, address, told)
    except Refusal as refusal:
        return PlainTextResponse(f"{refusal.message}\n", refusal.status, refusal.headers)
    if not actor.may(PERMISSION):
        missing = f"The permission {PERMISSION} is missing."
        note_lacking(service, request.scope, actor, missing, "GET /metrics")
        return PlainTextResponse(f"{missing}\n", 403)
    text = service.counts.text()
    try:
        owed = CollectorRegistry()
        owed.register(Owed(await backlog(service.database)))
        text += generate_latest(owed)
    except CrmError as error:  # what was done is still worth knowing
        log.warning("What is owed cannot be read: %s", error)
    return Response(text, media_type=CONTENT_TYPE_LATEST, headers={"Cache-Control": "no-store"})
