"""A client of an application with one plugin whose routes a test writes."""

from collections.abc import Callable
from typing import Any

import pytest

from crm_framework.testing import CrmClient
from crm_framework.testing.apps import OpenClient, TemporaryPlugin

HEAD = """
from crm_framework import *
import asyncio
async def handle(request):
{body}
plugin = Plugin(name="{name}", requires_api="1.0", summary="S.",
    permissions=[Permission("{name}.use", "Use it.")], routes=[{routes}])
"""


Serve = Callable[..., Any]


@pytest.fixture
def serve(open_client: OpenClient, temporary_plugin: TemporaryPlugin) -> Serve:
    """A client of an application with the plugin `one`, whose handler has this body."""

    async def made(body: str, routes: str | None = None, **settings: Any) -> CrmClient:
        given = routes or 'Route("/x", handle, methods=("GET", "POST"), permission=PUBLIC, description="X.")'
        lines = "\n".join(f"    {line}" for line in body.splitlines())
        temporary_plugin("one", HEAD.format(name="one", body=lines, routes=given))
        return await open_client("one", **settings)

    return made
