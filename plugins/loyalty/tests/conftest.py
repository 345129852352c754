import pytest


@pytest.fixture
def crm_plugins() -> tuple[str, ...]:
    return ("loyalty",)
