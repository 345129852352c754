"""What this process has done since its start, counted for `/metrics`."""

from collections.abc import Iterator
from typing import Any

from prometheus_client import CollectorRegistry, Counter, Histogram
from prometheus_client.core import CounterMetricFamily

from crm_framework.engine.operation import FALLBACKS

PATHS = frozenset({"/graphql", "/healthz", "/readyz", "/metrics"})
"""Addresses that are told apart; clients may ask for any number of others."""

SECONDS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0)


class Counts:
    """Counts of one process, from its start on."""

    def __init__(self) -> None:
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
        self.registry.register(Fallbacks())
        self._known: dict[Any, Any] = {}

    def request(self, path: str, status: int, seconds: float) -> None:
        """Counts an answer."""
        place = path if path in PATHS else "other"
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


class Fallbacks:
    """How many root fields were left to graphql-core, by reason: see `crm explain`."""

    def collect(self) -> Iterator[CounterMetricFamily]:
        family = CounterMetricFamily(
            "crm_engine_fallbacks", "Root fields that graphql-core ran, by reason.", labels=("reason",)
        )
        for reason, count in sorted(FALLBACKS.items()):
            family.add_metric((reason,), count)
        yield family
