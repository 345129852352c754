"""The company, filled once for each kind of database, and open for one test."""

import logging
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from crm_framework.app import open_service
from crm_framework.security.actors import Actor
from crm_framework.server.service import Service
from crm_framework.storage.clock import frozen
from crm_framework.testing.templates import Kind, TestDatabases

from . import company
from .company_pools import pools_of
from .trials import CASES
from .values import Pools

FOLDER = Path(__file__).parent


def pytest_report_header() -> str:
    return f"differential tests: {CASES} cases"


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    # graphql-core leaves some of its own coroutines unawaited when it cancels the siblings of a failure
    for item in items:
        if item.path.parent == FOLDER:
            for ignored in (
                "ignore:coroutine 'Executor:RuntimeWarning",
                "ignore:Exception ignored in. <coroutine object Exec:pytest.PytestUnraisableExceptionWarning",
            ):
                item.add_marker(pytest.mark.filterwarnings(ignored))


@dataclass(frozen=True)
class Company:
    """The open company, and what can be asked of it."""

    service: Service
    pools: Pools
    keys: tuple[str, ...]
    """Of the customers, by number."""


@pytest.fixture
async def firm(test_databases: TestDatabases, database_kind: Kind) -> AsyncIterator[Company]:
    url = test_databases.copy(database_kind, "differential company", company.prepare)
    try:
        with frozen(company.NOW):
            async with open_service(company.settings(url)) as service:
                keys = tuple(await company.customer_keys(service))
                yield Company(service, await pools_of(service), keys)
    finally:
        test_databases.drop(url)


ADMIN = Actor.system("tests")


@pytest.fixture(autouse=True)
def quiet() -> Iterator[None]:
    """Failures are compared here, not read: the log would be full of them."""
    logging.disable(logging.CRITICAL)
    yield
    logging.disable(logging.NOTSET)
