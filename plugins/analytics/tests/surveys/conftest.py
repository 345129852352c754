from typing import Any

import pytest

from crm_framework.testing import CrmClient

from .asking import URL


@pytest.fixture
async def client(open_client: Any) -> CrmClient:
    section = {"survey_url": URL, "survey_secrets": ["0123456789abcdef"]}
    found: CrmClient = await open_client("analytics", analytics=section)
    return found
