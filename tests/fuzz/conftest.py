"""A server over a filled company, on each database, for the tests that send it anything."""

from collections.abc import Iterator
from dataclasses import dataclass

import pytest
from graphql import GraphQLSchema

from crm_framework.app import open_service
from crm_framework.testing.templates import Kind, TestDatabases
from tests.differential import company
from tests.differential.company_pools import pools_of
from tests.differential.values import Pools

from .serving import FuzzServer, serving
from .trials import CASES


@dataclass(frozen=True)
class Asked:
    """The schema, and what hits something in the company."""

    schema: GraphQLSchema
    pools: Pools


def pytest_report_header() -> str:
    return f"fuzzing: {CASES} requests a test"


@pytest.fixture
def company_url(test_databases: TestDatabases, database_kind: Kind) -> Iterator[str]:
    url = test_databases.copy(database_kind, "differential company", company.prepare)
    yield url
    test_databases.drop(url)


@pytest.fixture
async def asked(company_url: str) -> Asked:
    async with open_service(company.settings(company_url)) as service:
        return Asked(service.schema.graphql, await pools_of(service))


@pytest.fixture
def server(company_url: str, asked: Asked) -> Iterator[FuzzServer]:
    """Its token was made after the looks at what can be asked for: no generated change takes it away."""
    with serving(company_url) as server:
        yield server
        server.check()
