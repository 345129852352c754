"""What this process has done since its start, counted for `/metrics`.

Plain numbers, which prometheus_client only writes out: its own counters take several calls, and a lock, for
each of them.
"""

from bisect import bisect_left
from collections.abc import Iterable, Iterator, Sequence
from itertools import accumulate
from typing import NamedTuple

from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.core import CounterMetricFamily, HistogramMetricFamily

from crm_framework.engine.operation import FALLBACKS

from .shared_counts import numbers_of_process

PATHS = frozenset({"/graphql", "/healthz", "/readyz", "/metrics"})
"""Addresses that are told apart; clients may ask for any number of others."""

SECONDS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0)
_BOUNDS = (*map(str, SECONDS), "+Inf")

_REQUESTS = "crm_http_requests"
_TIMES = "crm_http_request_seconds"
_SUM = "sum"
_OPERATIONS = "crm_graphql_operations"
_FALLBACKS = "crm_engine_fallbacks"


class _Places(NamedTuple):
    """Where the numbers of requests are: how many have a status, how many took how long, and all together."""

    status: int
    within: Sequence[int]
    seconds: int


class Counts:
    """Counts of one process, from its start on; `text` tells those of all that share them.

    `places` are further addresses that are told apart.
    """

    def __init__(self, places: Iterable[str] = ()) -> None:
        self._places = PATHS.union(places)
        self._numbers = numbers_of_process()
        self._fallbacks: dict[str, int] = {}
        """Those of the engine that are counted here already."""
        self._of_requests: dict[tuple[str, int], _Places] = {}
        self._of_operations: dict[str | None, int] = {}

    def request(self, path: str, status: int, seconds: float) -> None:
        """Counts an answer."""
        asked = path if path in self._places else "other", status
        if asked not in self._of_requests:
            place = self._numbers.place
            self._of_requests[asked] = _Places(
                place((_REQUESTS, asked[0], str(status))),
                [place((_TIMES, asked[0], bound)) for bound in _BOUNDS],
                place((_TIMES, asked[0], _SUM)),
            )
        answered, within, seconds_in_all = self._of_requests[asked]
        values = self._numbers.values
        values[answered] += 1
        values[within[bisect_left(SECONDS, seconds)]] += 1
        values[seconds_in_all] += seconds

    def operation(self, code: str | None) -> None:
        """Counts an operation that the engine has answered."""
        if code not in self._of_operations:
            self._of_operations[code] = self._numbers.place((_OPERATIONS, code or "OK"))
        self._numbers.values[self._of_operations[code]] += 1
        if self._fallbacks != FALLBACKS:
            self._count_fallbacks()

    def text(self) -> bytes:
        """Everything counted, in the format of Prometheus."""
        self._count_fallbacks()
        registry = CollectorRegistry()
        registry.register(self)
        return generate_latest(registry)

    def collect(self) -> Iterator[CounterMetricFamily | HistogramMetricFamily]:
        """The same as prometheus_client has it."""
        times = HistogramMetricFamily(_TIMES, "Time to the end of the answer.", labels=("path",))
        counts = {
            family.name: family
            for family in (
                CounterMetricFamily(_REQUESTS, "Requests by path and status.", labels=("path", "status")),
                CounterMetricFamily(
                    _OPERATIONS,
                    "GraphQL operations by the code of their first error, OK without one.",
                    labels=("code",),
                ),
                CounterMetricFamily(
                    _FALLBACKS,
                    "Root fields that graphql-core ran, by reason: see `crm explain`.",
                    labels=("reason",),
                ),
            )
        }
        sums = self._numbers.sums()
        for (name, *labels), found in sorted(sums.items()):
            if name in counts:
                counts[name].add_metric(labels, found)
            elif labels[1] == _SUM:
                within = accumulate(sums.get((name, labels[0], bound), 0.0) for bound in _BOUNDS)
                times.add_metric(labels[:1], list(zip(_BOUNDS, within, strict=True)), found)
        yield times
        yield from counts.values()

    def _count_fallbacks(self) -> None:
        for reason, count in FALLBACKS.items():
            if new := count - self._fallbacks.get(reason, 0):
                place = self._numbers.place((_FALLBACKS, reason))
                self._numbers.values[place] += new
                self._fallbacks[reason] = count
