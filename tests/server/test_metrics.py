"""What Prometheus finds at /metrics."""

import pytest
from prometheus_client.parser import text_string_to_metric_families

from crm_framework.domain.customers.changes import create_customer
from crm_framework.domain.customers.draft import NewCustomer
from crm_framework.testing.apps import OpenClient, TemporaryPlugin
from crm_framework.testing.client import CrmClient


async def figures(client: CrmClient, token: str) -> dict[tuple[str, str], float]:
    """(name, labels but for the bounds of buckets) → value."""
    answer = await client.http.get("/metrics", headers={"Authorization": f"Bearer {token}"})
    assert answer.status_code == 200
    assert answer.headers["content-type"].startswith("text/plain; version=")
    return {
        (sample.name, " ".join(sample.labels.values())): sample.value
        for family in text_string_to_metric_families(answer.text)
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
