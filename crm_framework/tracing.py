"""Spans for OpenTelemetry, where somebody set it up: its API is an extra, its SDK and exporters the user's.

`spans` is None until `start` finds a provider, and then nothing of it is even imported: what may be traced
asks for no more than that. Spans carry neither values of statements nor texts of errors, which may be
anybody's data, but names, kinds and counts.
"""

import os
import re
import sys
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from functools import lru_cache
from typing import TYPE_CHECKING, Literal
from urllib.parse import urlsplit

if TYPE_CHECKING:
    from opentelemetry.context import Context
    from opentelemetry.trace import Span, SpanContext, TracerProvider

NAME = "crm_framework"

Value = str | int | float | bool
Kind = Literal["INTERNAL", "SERVER", "CLIENT", "CONSUMER"]

TRACEPARENT = "traceparent"
LONGEST_STATEMENT = 4_000
"""Characters of a statement that a span keeps."""

_TABLE = re.compile(r"\b(?:FROM|INTO|UPDATE)\s+\"?(\w+)", re.IGNORECASE)


class Spans:
    """Begins spans with the tracer of one provider."""

    def __init__(self, provider: "TracerProvider") -> None:
        from opentelemetry import propagate, trace
        from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator

        self._trace = trace
        self._extract = propagate.extract
        self._carried = TraceContextTextMapPropagator()
        self._tracer = provider.get_tracer(NAME)

    @contextmanager
    def span(
        self,
        name: str,
        attributes: Mapping[str, Value],
        *,
        kind: Kind = "INTERNAL",
        parent: "Context | None" = None,
        causes: Iterable[str | None] = (),
    ) -> "Iterator[Span]":
        """A span around the block, below `parent` or the present one, linked to those that caused it (see
        `cause`). What gets out makes it a failure."""
        with self._tracer.start_as_current_span(
            name,
            context=parent,
            kind=self._trace.SpanKind[kind],
            attributes=dict(attributes),
            links=[
                self._trace.Link(found) for one in dict.fromkeys(causes) if one and (found := self._of(one))
            ],
            record_exception=False,
            set_status_on_exception=False,
        ) as span:
            try:
                yield span
            except BaseException as error:
                self.failed(span, type(error).__qualname__)
                raise

    def failed(self, span: "Span", type_: str) -> None:
        """Marks a span as failed, for a class of errors."""
        span.set_attribute("error.type", type_)
        span.set_status(self._trace.StatusCode.ERROR)

    @contextmanager
    def statement(self, dialect: str, sql: str) -> Iterator[None]:
        """Around a statement whose values are apart from it; only below another span, as the worker looks for
        work all the time."""
        if not self._trace.get_current_span().get_span_context().is_valid:
            yield
            return
        operation, table = _named(sql)
        attributes: dict[str, Value] = {
            "db.system.name": "postgresql" if dialect == "postgres" else dialect,
            "db.operation.name": operation,
            "db.query.text": sql[:LONGEST_STATEMENT],
        }
        if table:
            attributes["db.collection.name"] = table
        with self.span(f"{operation} {table}".rstrip(), attributes, kind="CLIENT"):
            yield

    @contextmanager
    def sending(self, url: str, cause: str | None = None) -> "Iterator[tuple[Span, dict[str, str]]]":
        """Around a POST: the span, and the headers that let the receiver go on with the trace.

        Of the URL it keeps the host only: the path may be a secret.
        """
        parts = urlsplit(url)
        attributes: dict[str, Value] = {"http.request.method": "POST", "url.scheme": parts.scheme}
        if parts.hostname:
            attributes["server.address"] = parts.hostname
        with self.span("POST", attributes, kind="CLIENT", causes=[cause]) as span:
            headers: dict[str, str] = {}
            self._carried.inject(headers)
            yield span, headers

    def parent_in(self, headers: Mapping[str, str]) -> "Context":
        """The context that a request brings along, in the form that is set up; W3C's without more."""
        found: Context = self._extract(headers)
        return found

    def _of(self, cause: str) -> "SpanContext | None":
        context = self._carried.extract({TRACEPARENT: cause})
        found = self._trace.get_current_span(context).get_span_context()
        return found if found.is_valid else None

    def cause(self) -> str | None:
        """The present span as a text that is kept with the work that it leaves to others; None outside."""
        headers: dict[str, str] = {}
        self._carried.inject(headers)
        return headers.get(TRACEPARENT)

    def ids(self) -> tuple[str, str] | None:
        """The ids of the present trace and span, hexadecimal."""
        context = self._trace.get_current_span().get_span_context()
        return (f"{context.trace_id:032x}", f"{context.span_id:016x}") if context.is_valid else None


spans: Spans | None = None
"""Set while traces are wanted."""


def cause() -> str | None:
    """What to keep with work that is done later, so that its span can name this one."""
    return None if spans is None else spans.cause()


def start() -> None:
    """Looks whether a provider of tracers was set up, by `opentelemetry-instrument` or by a plugin."""
    global spans
    if spans is not None:
        return
    # who set one up has imported it, unless it is to be loaded by name
    if "opentelemetry.trace" not in sys.modules and not os.environ.get("OTEL_PYTHON_TRACER_PROVIDER"):
        return
    try:
        from opentelemetry.trace import NoOpTracerProvider, ProxyTracerProvider, get_tracer_provider
    except ImportError:
        return
    provider = get_tracer_provider()
    if not isinstance(provider, NoOpTracerProvider | ProxyTracerProvider):
        spans = Spans(provider)


@lru_cache(1_000)
def _named(sql: str) -> tuple[str, str]:
    """What a statement does, and the table that it names first."""
    words = sql.split(None, 1)
    table = _TABLE.search(sql)
    return (words[0].upper() if words else "", table[1] if table else "")
