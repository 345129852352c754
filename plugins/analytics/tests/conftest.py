import pytest

from crm_framework.testing import CrmClient

from .shop import Shop


@pytest.fixture
def crm_plugins() -> tuple[str, ...]:
    return ("analytics",)


@pytest.fixture
def shop(client: CrmClient) -> Shop:
    return Shop(client)
