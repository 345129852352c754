"""Spans of OpenTelemetry, as its own SDK receives them."""

import json
import subprocess
import sys
from datetime import timedelta
from pathlib import Path
from typing import Any

import httpx2
import pytest
from opentelemetry.sdk.trace import ReadableSpan, TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

from crm_framework import tracing
from crm_framework.storage.clock import frozen, now
from crm_framework.storage.database import Database
from crm_framework.storage.deliveries import deliver_due
from crm_framework.testing.apps import OpenClient, TemporaryPlugin
from crm_framework.worker.runs import JobRun
from tests.outgoing.receiver import receiving
from tests.storage.owing import Careful, change, renamed
from tests.webhooks.conftest import Office
from tests.worker.conftest import Bench

from .nodes import serving

TRACE, PARENT = "0af7651916cd43dd8448eb211c80319c", "b7ad6b7169203331"
BROUGHT = {"traceparent": f"00-{TRACE}-{PARENT}-01"}

HANDLING = """
from crm_framework import Plugin, hookimpl

plugin = Plugin(name="handling", requires_api="1.0", summary="Reads when something happens.")

@hookimpl
async def on_events(events, tx):
    await tx.fetch("SELECT name FROM crm_customer WHERE name = ?", ["Ada"])
"""


class Seen:
    """What was exported."""

    def __init__(self, exporter: InMemorySpanExporter) -> None:
        self._exporter = exporter

    def all(self) -> list[ReadableSpan]:
        return list(self._exporter.get_finished_spans())

    def named(self, name: str) -> list[ReadableSpan]:
        return [one for one in self.all() if one.name == name]

    def one(self, name: str) -> ReadableSpan:
        (found,) = self.named(name)
        return found

    def below(self, above: ReadableSpan) -> list[str]:
        """Names of its children, in the order in which they began."""
        found = [one for one in self.all() if one.parent and one.parent.span_id == above.context.span_id]
        return [one.name for one in sorted(found, key=lambda one: one.start_time or 0)]

    def clear(self) -> None:
        self._exporter.clear()


def causes(span: ReadableSpan) -> list[tuple[int, int]]:
    return [(link.context.trace_id, link.context.span_id) for link in span.links]


def place(span: ReadableSpan) -> tuple[int, int]:
    return span.context.trace_id, span.context.span_id


def facts(span: ReadableSpan) -> dict[str, Any]:
    return dict(span.attributes or {})


@pytest.fixture
def seen(monkeypatch: pytest.MonkeyPatch) -> Seen:
    exporter = InMemorySpanExporter()
    provider = TracerProvider(shutdown_on_exit=False)
    provider.add_span_processor(SimpleSpanProcessor(exporter))
    monkeypatch.setattr(tracing, "spans", tracing.Spans(provider))
    return Seen(exporter)


@pytest.fixture
def bench(database: Database) -> Bench:
    return Bench(database)


async def test_a_request_goes_on_with_the_trace_of_its_client(open_client: OpenClient, seen: Seen) -> None:
    client = await open_client()
    system = "sqlite" if client.service.database.dialect == "sqlite" else "postgresql"
    seen.clear()
    # The schema is shared by the tests: a text of its own was never read before
    text = f'{{ customers(search: "Lovelace") {{ nodes {{ name }} }} }} # on {system}'
    query = {"query": text, "operationName": None}
    headers = {"Authorization": f"Bearer {client.token}", **BROUGHT}
    for _ in range(2):
        assert (await client.http.post("/graphql", json=query, headers=headers)).status_code == 200
    first, second = seen.named("POST /graphql")
    for request in (first, second):
        assert request.parent is not None
        assert (f"{request.context.trace_id:032x}", f"{request.parent.span_id:016x}") == (TRACE, PARENT)
        assert request.kind.name == "SERVER"
        assert facts(request) == {
            "http.request.method": "POST",
            "url.path": "/graphql",
            "url.scheme": "http",
            "http.route": "/graphql",
            "network.protocol.version": "1.1",
            "client.address": "127.0.0.1",
            "server.address": "crm.test",
            "http.response.status_code": 200,
        }
    ran, again = seen.named("GraphQL operation")
    assert seen.below(ran) == ["GraphQL read", "GraphQL plan", "SELECT crm_customer"]
    assert seen.below(again) == ["SELECT crm_customer"]  # it was known
    statement = seen.named("SELECT crm_customer")[-1]
    told = facts(statement)
    assert statement.kind.name == "CLIENT"
    assert (told["db.system.name"], told["db.operation.name"]) == (system, "SELECT")
    assert told["db.collection.name"] == "crm_customer"
    assert told["db.query.text"].startswith("SELECT ")
    assert "lovelace" not in " ".join(str(facts(one)) for one in seen.all()).lower()


async def test_a_record_by_its_id_has_a_span_for_its_statement(open_client: OpenClient, seen: Seen) -> None:
    client = await open_client()
    made = await client.data(
        'mutation { createCustomer(input: { name: "Ada" }) { customer { id } errors { message } } }'
    )
    seen.clear()
    await client.data(
        "query ($id: ID!) { customer(id: $id) { name } }", id=made["createCustomer"]["customer"]["id"]
    )
    assert seen.below(seen.one("GraphQL operation"))[-1] == "SELECT crm_customer"


async def test_a_failure_is_told_without_its_text(open_client: OpenClient, seen: Seen) -> None:
    client = await open_client()
    seen.clear()
    asked = {"query": "query Mine { me { nmae } }", "operationName": "Mine"}
    headers = {"Authorization": f"Bearer {client.token}", "Accept": "application/json"}
    assert (await client.http.post("/graphql", json=asked, headers=headers)).status_code == 200
    operation = seen.one("GraphQL operation")
    assert facts(operation) == {"graphql.operation.name": "Mine", "error.type": "BAD_INPUT"}
    assert operation.status.status_code.name == "ERROR"
    assert operation.events == ()
    (request,) = seen.named("POST /graphql")
    assert request.status.status_code.name == "UNSET"  # the server did not fail


ROUTING = """
from crm_framework import PUBLIC, Plugin, Route, RouteAnswer

async def handle(request):
    return RouteAnswer(body=await request.reader.fetch("SELECT name FROM crm_customer"))

plugin = Plugin(name="routing", requires_api="1.0", summary="Answers.", routes=[
    Route("/link/{secret}", handle, permission=PUBLIC, description="Reads."),
])
"""


async def test_a_route_is_called_as_it_was_declared(
    open_client: OpenClient, temporary_plugin: TemporaryPlugin, seen: Seen
) -> None:
    temporary_plugin("routing", ROUTING)
    client = await open_client("routing")
    seen.clear()
    assert (await client.request("GET", "/plugins/routing/link/sesame", token=False)).json() == []
    assert (await client.request("GET", "/plugins/gone/link/sesame", token=False)).status_code == 404
    request = seen.one("GET /plugins/routing/link/{secret}")
    told = facts(request)
    assert (told["url.path"], told["http.route"]) == ("/plugins/routing/link/{secret}",) * 2
    assert seen.below(request) == ["SELECT crm_customer"]
    assert facts(seen.one("GET"))["url.path"] == "/plugins/…"
    assert "sesame" not in str([facts(one) for one in seen.all()])


async def test_a_change_and_its_handlers(
    open_client: OpenClient, temporary_plugin: TemporaryPlugin, seen: Seen
) -> None:
    temporary_plugin("handling", HANDLING)
    client = await open_client("handling")
    seen.clear()
    created = """mutation { createCustomer(input: {name: "Ada"}) { customer { id } errors { code } } }"""
    assert (await client.data(created))["createCustomer"]["errors"] == []
    handled = seen.one("handle handling")
    assert facts(handled) == {"crm.plugin": "handling", "crm.events": 1}
    assert seen.below(handled) == ["SELECT crm_customer"]
    texts = [str(facts(one).get("db.query.text", "")) for one in seen.all()]
    assert any("INSERT INTO crm_event" in text.replace('"', "") for text in texts)
    assert any(text.endswith("COMMIT") for text in texts)
    assert "Ada" not in " ".join(texts)


async def test_later_tries_name_the_spans_that_emitted_the_events(database: Database, seen: Seen) -> None:
    careful = Careful(hard={"hard"})
    database.handlers = (careful,)
    assert tracing.spans is not None
    for word in ("hard", "hard"):
        with tracing.spans.span("asking", {}):
            await change(database, renamed(None, word))
    asking = seen.named("asking")
    seen.clear()
    careful.hard.clear()
    with frozen(now() + timedelta(minutes=1)):
        assert await deliver_due(database) == 2
    handled = seen.one("handle careful")
    assert (handled.parent, causes(handled)) == (None, [place(one) for one in asking])


async def test_who_looks_for_work_begins_no_traces(bench: Bench, seen: Seen) -> None:
    async def run(job: JobRun) -> None: ...

    bench.job("t.look", run)
    assert await bench.work() == 0
    assert seen.all() == []


async def test_a_job(bench: Bench, seen: Seen) -> None:
    async def run(job: JobRun) -> None:
        await job.reader.fetch("SELECT status FROM crm_job")

    bench.job("t.look", run)
    assert tracing.spans is not None
    with tracing.spans.span("asking", {}):
        await bench.defer("t.look")
    asking = seen.one("asking")
    seen.clear()
    assert await bench.work() == 1
    span = seen.one("job t.look")
    [row] = await bench.rows()
    assert facts(span) == {"crm.job.name": "t.look", "crm.job.id": str(row["id"]), "crm.job.attempt": 1}
    assert (span.parent, span.kind.name) == (None, "CONSUMER")
    assert causes(span) == [place(asking)]
    assert seen.below(span) == ["SELECT crm_job"]


async def test_a_webhook_gets_the_trace(open_client: OpenClient, seen: Seen) -> None:
    client = await open_client(webhook_allow_http=True, webhook_allow_private=("127.0.0.1",))
    async with receiving() as receiver:
        office = Office(client, receiver)
        await office.webhook()
        await office.customer()
        asking = seen.named("POST /graphql")[-1]
        seen.clear()
        await office.work()
        (request,) = receiver.received
        span = seen.one("POST")
        assert (span.parent, [trace for trace, _ in causes(span)]) == (None, [place(asking)[0]])
        version, *ids, flags = request.headers["traceparent"].split("-")
        assert ids == [f"{span.context.trace_id:032x}", f"{span.context.span_id:016x}"]
        assert (version, int(flags, 16) & 1) == ("00", 1)  # sampled
        assert facts(span) == {
            "http.request.method": "POST",
            "url.scheme": "http",
            "server.address": "127.0.0.1",
            "http.response.status_code": 200,
        }


async def test_machines_that_ask_all_the_time_leave_no_trace(open_client: OpenClient, seen: Seen) -> None:
    client = await open_client()
    seen.clear()
    await client.http.get("/healthz", headers=BROUGHT)
    await client.http.get("/readyz")
    assert seen.all() == []


SET_UP = """
from opentelemetry import trace
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import ConsoleSpanExporter, SimpleSpanProcessor

from crm_framework import Plugin

provider = TracerProvider()
exporter = ConsoleSpanExporter(
    out=open("spans.json", "a"), formatter=lambda span: span.to_json(indent=None) + "\\n"
)
provider.add_span_processor(SimpleSpanProcessor(exporter))
trace.set_tracer_provider(provider)
plugin = Plugin(name="tracer", requires_api="1.0", summary="Says where traces go.")
"""


def test_a_plugin_sets_it_up_for_a_server(empty_database_url: str, tmp_path: Path) -> None:
    (tmp_path / "plugins").mkdir()
    (tmp_path / "plugins" / "tracer.py").write_text(SET_UP)
    settings = {"CRM_PLUGINS": "tracer", "CRM_PLUGIN_DIR": "plugins", "CRM_LOG_FORMAT": "json"}
    with serving(empty_database_url, tmp_path, **settings) as node:
        headers = {"Authorization": f"Bearer {node.token}", **BROUGHT}
        with httpx2.Client(trust_env=False, base_url=node.address, timeout=60) as http:
            asked = {"query": "{ me { name } }"}
            assert http.post("/graphql", json=asked, headers=headers).status_code == 200
        assert node.stop() == 0
        spans = [json.loads(line) for line in (tmp_path / "spans.json").read_text().splitlines()]
        (request,) = [span for span in spans if span["name"] == "POST /graphql"]
        assert request["context"]["trace_id"] == f"0x{TRACE}"
        (line,) = [one for one in map(json.loads, node.log.splitlines()) if one.get("path") == "/graphql"]
        assert line["trace_id"] == TRACE
        assert f"0x{line['span_id']}" == request["context"]["span_id"]


@pytest.mark.parametrize(
    ("before", "imported"), [("", False), ("import opentelemetry.trace", True)], ids=["without", "not set up"]
)
def test_nothing_is_done_for_it_unless_it_is_set_up(
    database_url: str, tmp_path: Path, before: str, imported: bool
) -> None:
    program = f"""
import asyncio, sys
{before}
from crm_framework import tracing
from crm_framework.app import open_service
from crm_framework.settings import load_settings

async def opened():
    async with open_service(load_settings(database_url={database_url!r}, plugins=())):
        assert tracing.spans is None

asyncio.run(opened())
print("opentelemetry" in sys.modules)
"""
    ran = subprocess.run(
        [sys.executable, "-c", program], cwd=tmp_path, capture_output=True, text=True, check=True
    )
    assert ran.stdout == f"{imported}\n"
