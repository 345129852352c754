"""What Prometheus finds at /metrics."""

import os
import signal
from pathlib import Path

import httpx2
import pytest
from prometheus_client.parser import text_string_to_metric_families

from crm_framework.domain.customers.changes import create_customer
from crm_framework.domain.customers.draft import NewCustomer
from crm_framework.server.counts import Counts
from crm_framework.server.listening import listening
from crm_framework.server.watched import watched
from crm_framework.testing.apps import OpenClient, TemporaryPlugin
from crm_framework.testing.client import CrmClient

from .nodes import Node, serving
from .test_processes import children


async def figures(client: CrmClient, token: str) -> dict[tuple[str, str], float]:
    """(name, labels but for the bounds of buckets) → value."""
    answer = await client.http.get("/metrics", headers={"Authorization": f"Bearer {token}"})
    assert answer.status_code == 200
    assert answer.headers["content-type"].startswith("text/plain; version=")
    return figures_in(answer.text)


def figures_in(text: str) -> dict[tuple[str, str], float]:
    return {
        (sample.name, " ".join(sample.labels.values())): sample.value
        for family in text_string_to_metric_families(text)
        for sample in family.samples
        if "le" not in sample.labels
    }


async def test_what_was_asked_is_counted(open_client: OpenClient) -> None:
    client = await open_client()
    watcher = await client.acting_with("metrics.read")
    await client.data("{ me { name } }")
    await client.errors("{ me { nmae } }")
    await client.http.get("/healthz")
    await client.http.get("/somewhere/else")
    await client.http.post("/graphql", content=b"{")
    found = await figures(client, watcher.token)
    assert found[("crm_http_requests_total", "/graphql 200")] == 2
    assert found[("crm_http_requests_total", "/graphql 401")] == 1
    assert found[("crm_http_requests_total", "/healthz 200")] == 1
    assert found[("crm_http_requests_total", "other 404")] == 1
    assert found[("crm_http_request_seconds_count", "/graphql")] == 3
    assert found[("crm_graphql_operations_total", "OK")] == 1
    assert found[("crm_graphql_operations_total", "BAD_INPUT")] == 1
    assert found[("crm_deliveries_waiting", "")] == 0


async def test_what_the_engine_left_to_graphql_core_is_told(open_client: OpenClient) -> None:
    client = await open_client()
    watcher = await client.acting_with("metrics.read", "schema.introspect")
    before = (await figures(client, watcher.token)).get(("crm_engine_fallbacks_total", "introspection"), 0)
    await watcher.data("{ __schema { queryType { name } } }")
    after = (await figures(client, watcher.token))[("crm_engine_fallbacks_total", "introspection")]
    assert after == before + 1


async def test_a_worker_tells_the_same_and_nothing_else(open_client: OpenClient) -> None:
    client = await open_client()
    watcher = await client.acting_with("metrics.read")
    with listening("127.0.0.1", 0, "Choose another.") as listener:
        address = f"http://127.0.0.1:{listener.getsockname()[1]}"
        async with (
            watched(client.service, listener),
            httpx2.AsyncClient(base_url=address, trust_env=False) as http,
        ):
            assert (await http.get("/healthz")).text == "ok\n"
            assert (await http.get("/readyz")).json()["status"] == "ready"
            assert (await http.get("/metrics")).status_code == 401
            assert (await http.post("/graphql", json={"query": "{ me { name } }"})).status_code == 404
            answer = await http.get("/metrics", headers={"Authorization": f"Bearer {watcher.token}"})
    found = figures_in(answer.text)
    assert found[("crm_jobs_due", "")] == 0
    assert found[("crm_http_requests_total", "/readyz 200")] == 1


FAILING = """
from crm_framework import Plugin, hookimpl

plugin = Plugin(name="failing", requires_api="1.0", summary="Fails to handle events.")

@hookimpl
async def on_events(events, tx):
    raise RuntimeError("not today")
"""


async def test_what_is_owed_is_told(open_client: OpenClient, temporary_plugin: TemporaryPlugin) -> None:
    temporary_plugin("failing", FAILING)
    client = await open_client("failing")
    watcher = await client.acting_with("metrics.read")
    async with client.service.database.unit_of_work() as tx:
        await create_customer(tx, NewCustomer(name="Ada"))
    found = await figures(client, watcher.token)
    assert found[("crm_deliveries_waiting", "")] >= 1
    assert found[("crm_deliveries_lag_seconds", "")] >= 0


@pytest.mark.parametrize("grants", [(), ("customers.read",)])
async def test_figures_are_for_those_who_may_see_them(
    open_client: OpenClient, grants: tuple[str, ...]
) -> None:
    client = await open_client()
    assert (await client.http.get("/metrics")).status_code == 401
    other = await client.acting_with(*grants)
    answer = await client.http.get("/metrics", headers={"Authorization": f"Bearer {other.token}"})
    assert (answer.status_code, answer.text) == (403, "The permission metrics.read is missing.\n")


def scraped(node: Node) -> dict[tuple[str, str], float]:
    """As Prometheus does it: over a new connection, to whichever process takes it."""
    with httpx2.Client(trust_env=False, base_url=node.address, timeout=60) as http:
        answer = http.get("/metrics", headers={"Authorization": f"Bearer {node.token}"})
    assert answer.status_code == 200
    return figures_in(answer.text)


def asked(node: Node, query: str, times: int) -> None:
    for _ in range(times):
        with httpx2.Client(trust_env=False, base_url=node.address, timeout=60) as http:
            headers = {"Authorization": f"Bearer {node.token}"}
            assert http.post("/graphql", json={"query": query}, headers=headers).status_code == 200


async def test_the_figures_are_of_all_processes(empty_database_url: str, tmp_path: Path) -> None:
    folder = tmp_path / "counts"
    folder.mkdir()
    with serving(empty_database_url, tmp_path, CRM_PROCESSES="3", TMPDIR=str(folder)) as node:

        def told() -> tuple[float, ...]:
            found = [scraped(node) for _ in range(6)]
            keys = [
                ("crm_http_requests_total", "/graphql 200"),
                ("crm_http_request_seconds_count", "/graphql"),
                ("crm_graphql_operations_total", "OK"),
                ("crm_engine_fallbacks_total", "introspection"),
            ]
            first, *others = [tuple(one.get(key, 0.0) for key in keys) for one in found]
            assert set(others) == {first}  # whichever answers
            assert ("crm_deliveries_waiting", "") in found[0]
            return first

        asked(node, "{ me { name } }", 30)
        asked(node, "{ __schema { queryType { name } } }", 5)
        assert told() == (35, 35, 35, 5)
        before = node.children()
        for child in before:
            os.kill(child, signal.SIGKILL)
        await children(node, without=set(before), count=3)
        assert told() == (35, 35, 35, 5)
        asked(node, "{ me { name } }", 10)
        assert told() == (45, 45, 45, 5)
        old = set(node.children())
        node.process.send_signal(signal.SIGHUP)
        await children(node, without=old, count=3)
        asked(node, "{ me { name } }", 10)
        assert told() == (55, 55, 55, 5)
        (made,) = folder.iterdir()
        assert {file.name.rpartition("_")[2] for file in made.glob("*.db")} <= {
            "0.db",
            "1.db",
            "2.db",
            "3.db",
        }
        assert node.stop() == 0
        assert list(folder.iterdir()) == []
        assert "Traceback" not in node.log


async def test_without_a_temporary_folder_it_serves(empty_database_url: str, tmp_path: Path) -> None:
    program = (
        "import tempfile\n"
        "def none(*_, **__): raise FileNotFoundError(2, 'No usable temporary directory')\n"
        "tempfile.TemporaryDirectory = none\n"
    )
    (tmp_path / "sitecustomize.py").write_text(program)
    with serving(empty_database_url, tmp_path, CRM_PROCESSES="2", PYTHONPATH=str(tmp_path)) as node:
        asked(node, "{ me { name } }", 2)
        assert ("crm_deliveries_waiting", "") in scraped(node)
        assert "/metrics tells of one process at a time" in node.log


def test_times_are_counted_up_to_their_bounds() -> None:
    counts = Counts(["/plugins/with/route"])
    for seconds in (0.0, 0.001, 0.0011, 30.0, 31.5):
        counts.request("/plugins/with/route", 200, seconds)
    counts.request("/made/up", 404, 0.25)
    (found,) = [
        family
        for family in text_string_to_metric_families(counts.text().decode())
        if family.name == "crm_http_request_seconds"
    ]
    told = {
        (sample.name.rpartition("_")[2], sample.labels["path"], sample.labels.get("le")): sample.value
        for sample in found.samples
    }
    bounds = ("0.001", "0.0025", "10.0", "30.0", "+Inf")
    assert [told["bucket", "/plugins/with/route", bound] for bound in bounds] == [2, 3, 3, 4, 5]
    assert told["count", "/plugins/with/route", None] == 5
    assert told["sum", "/plugins/with/route", None] == 0.001 + 0.0011 + 30.0 + 31.5
    assert (told["bucket", "other", "0.1"], told["bucket", "other", "0.25"]) == (0, 1)
