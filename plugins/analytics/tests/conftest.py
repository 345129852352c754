from collections.abc import Awaitable, Callable
from typing import Any

import pytest

from crm_framework.testing import CrmClient, deliver_events

from .shop import Shop


@pytest.fixture
def crm_plugins() -> tuple[str, ...]:
    return ("analytics",)


class CountedClient(CrmClient):
    """Of a company whose worker has counted every change before the next question."""

    async def execute(
        self, query: str, variables: dict[str, Any] | None = None, *, operation_name: str | None = None
    ) -> dict[str, Any]:
        answer = await super().execute(query, variables, operation_name=operation_name)
        if "mutation" in query:
            await deliver_events(self)
        return answer

    async def acting_with(self, *permissions: str) -> CrmClient:
        made = await super().acting_with(*permissions)
        return CountedClient(made.app, made.http, made.token)


@pytest.fixture
async def client(open_client: Callable[..., Awaitable[CrmClient]], crm_plugins: tuple[str, ...]) -> CrmClient:
    opened = await open_client(*crm_plugins)
    return CountedClient(opened.app, opened.http, opened.token)


@pytest.fixture
def shop(client: CrmClient) -> Shop:
    return Shop(client)
