"""What this process has done since its start, counted for `/metrics`."""

from collections.abc import Iterable
from typing import Any

from prometheus_client import CollectorRegistry, Counter, Histogram, generate_latest

from crm_framework.engine.operation import FALLBACKS

from .shared_counts import shared_registry

PATHS = frozenset({"/graphql", "/healthz", "/readyz", "/metrics"})
"""Addresses that are told apart; clients may ask for any number of others."""

SECONDS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0)


class Counts:
    """Counts of one process, from its start on; `text` tells those of all that share them.

    `places` are further addresses that are told apart.
    """

    def __init__(self, places: Iterable[str] = ()) -> None:
        self._places = PATHS.union(places)
        self.registry = CollectorRegistry(auto_describe=True)
        self._requests = Counter(
            "crm_http_requests", "Requests by path and status.", ("path", "status"), registry=self.registry
        )
        self._seconds = Histogram(
            "crm_http_request_seconds",
            "Time to the end of the answer.",
            ("path",),
            buckets=SECONDS,
            registry=self.registry,
        )
        self._operations = Counter(
            "crm_graphql_operations",
            "GraphQL operations by the code of their first error, OK without one.",
            ("code",),
            registry=self.registry,
        )
        self._fallbacks = Counter(
            "crm_engine_fallbacks",
            "Root fields that graphql-core ran, by reason: see `crm explain`.",
            ("reason",),
            registry=self.registry,
        )
        self._left: dict[str, int] = {}
        self._told = shared_registry() or self.registry
        self._known: dict[Any, Any] = {}

    def request(self, path: str, status: int, seconds: float) -> None:
        """Counts an answer."""
        place = path if path in self._places else "other"
        found = self._known.get((place, status))
        if found is None:  # looking labels up costs as much as counting
            found = self._requests.labels(place, str(status)), self._seconds.labels(place)
            self._known[(place, status)] = found
        found[0].inc()
        found[1].observe(seconds)

    def operation(self, code: str | None) -> None:
        """Counts an operation that the engine has answered."""
        found = self._known.get(code)
        if found is None:
            found = self._known[code] = self._operations.labels(code or "OK")
        found.inc()
        if self._left != FALLBACKS:
            self._take_fallbacks()

    def text(self) -> bytes:
        """Everything counted, in the format of Prometheus."""
        self._take_fallbacks()
        return generate_latest(self._told)

    def _take_fallbacks(self) -> None:
        """Counts what the engine has left to graphql-core meanwhile."""
        for reason, count in FALLBACKS.items():
            if new := count - self._left.get(reason, 0):
                self._fallbacks.labels(reason).inc(new)
                self._left[reason] = count
