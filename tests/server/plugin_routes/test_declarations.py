"""Routes that cannot work cost the plugin that declares them, with the reason."""

import pytest

from crm_framework.hooks.loaded import PluginStatus

from .conftest import Serve


@pytest.mark.parametrize(
    ("routes", "reason"),
    [
        ("1", "routes holds 1."),
        ('Route("x", handle, permission=PUBLIC, description="X.")', "The path of the route 'x' is none."),
        (
            'Route("/a//b", handle, permission=PUBLIC, description="X.")',
            "The path of the route '/a//b' is none.",
        ),
        (
            'Route("/{a}/{a}", handle, permission=PUBLIC, description="X.")',
            "The path of the route '/{a}/{a}' is",
        ),
        (
            'Route("/{A}", handle, permission=PUBLIC, description="X.")',
            "The path of the route '/{A}' is none.",
        ),
        ('Route("/x", handle, permission=None, description="X.")', "The route /x names no permission."),
        ('Route("/x", handle, permission=PUBLIC, description=" ")', "The route /x has no description."),
        (
            'Route("/x", handle, permission=PUBLIC, description="X.", methods="GET")',
            "The route /x has the methods",
        ),
        (
            'Route("/x", handle, permission=PUBLIC, description="X.", methods=("HEAD",))',
            "The route /x has the",
        ),
        (
            'Route("/x", print, permission=PUBLIC, description="X.")',
            "The handler of the route /x is no async",
        ),
        (
            'Route("/x", handle, permission=PUBLIC, description="X.", most_bytes=1 << 40)',
            "The route /x takes",
        ),
        (
            'Route("/{a}", handle, permission=PUBLIC, description="X."),'
            ' Route("/{b}", handle, permission=PUBLIC, description="X.")',
            "It declares the route GET /{b} twice.",
        ),
        (
            'Route("/x", handle, permission="one.nothing", description="X.")',
            "Its route /x: it needs the permission 'one.nothing', which nobody declares.",
        ),
    ],
)
async def test_a_declaration_that_cannot_work_costs_its_plugin(
    serve: Serve, routes: str, reason: str
) -> None:
    client = await serve("return RouteAnswer()", routes)
    entry = client.service.host.get("one")
    assert entry is not None
    assert entry.status in (PluginStatus.BROKEN, PluginStatus.REFUSED)
    assert (entry.reason or "").startswith(reason)
    assert (await client.request("GET", "/plugins/one/x", token=False)).status_code == 404
