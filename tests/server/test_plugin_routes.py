"""Addresses of plugins: who may ask, within which limits, and what becomes of what goes wrong."""

import asyncio
import logging
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from crm_framework import NewCustomer, create_customer
from crm_framework.hooks.loaded import PluginStatus
from crm_framework.security.actors import ActorKind
from crm_framework.security.permissions import Permissions
from crm_framework.security.tokens import create_token
from crm_framework.server.limits.visitors import visitor
from crm_framework.server.plugin_routes.table import RouteTable
from crm_framework.testing import CrmClient
from crm_framework.testing.apps import OpenClient, TemporaryPlugin

FIXTURES = Path(__file__).parents[1] / "fixture_plugins"
INVITE = "/plugins/with_routes/invitations/shop/7"
HEAD = """
from crm_framework import *
import asyncio
async def handle(request):
{body}
plugin = Plugin(name="{name}", requires_api="1.0", summary="S.",
    permissions=[Permission("{name}.use", "Use it.")], routes=[{routes}])
"""


class TestWithRoutes:
    @pytest.fixture
    def plugin_dir(self) -> Path:
        return FIXTURES

    @pytest.fixture
    async def client(self, open_client: OpenClient) -> CrmClient:
        client = await open_client("with_routes", with_routes={"key": "sesame"}, wrong_tokens_per_minute=3)
        async with client.service.database.unit_of_work() as tx:
            await create_customer(tx, NewCustomer(name="Ada", source="shop", reference="7"))
        return client

    async def test_a_link_is_made_with_a_permission_and_opens_without_a_token(
        self, client: CrmClient
    ) -> None:
        inviting = await client.acting_with("with_routes.invite")
        answer = await inviting.request("POST", INVITE)
        assert (answer.status_code, answer.headers["content-type"]) == (201, "application/json")
        assert answer.headers["ratelimit-policy"].startswith('"token"')
        link = answer.json()["link"]
        page = await client.request("GET", link, token=False)
        assert (page.status_code, page.headers["content-type"]) == (200, "text/html; charset=utf-8")
        assert "<form method=post>" in page.text
        assert page.headers["cache-control"] == "no-store"
        assert page.headers["x-content-type-options"] == "nosniff"
        assert page.headers["content-security-policy"].startswith("default-src 'none';")
        assert page.headers["referrer-policy"] == "no-referrer"
        assert await interactions(client) == []
        given = await client.request("POST", link, token=False, data={"opinion": "good"})
        assert (given.status_code, given.headers["location"]) == (303, "/plugins/with_routes/thanks")
        assert await interactions(client) == ["Answered"]
        thanks = await client.request("GET", given.headers["location"], token=False)
        assert (thanks.text, thanks.headers["content-type"]) == ("Thank you!", "text/plain; charset=utf-8")

    async def test_what_a_public_route_changes_is_audited_under_its_address(self, client: CrmClient) -> None:
        link = (await client.request("POST", INVITE)).json()["link"]
        asked = await client.request("POST", link, token=False, headers={"X-Request-Id": "link-1"})
        assert (asked.status_code, asked.headers["x-request-id"]) == (303, "link-1")
        rows = await client.service.database.fetch(
            "SELECT actor_kind, actor_name, request_id FROM crm_audit WHERE action = 'interaction.logged'"
        )
        assert rows == [
            {
                "actor_kind": "SYSTEM",
                "actor_name": "public /plugins/with_routes/answer/{link}",
                "request_id": "link-1",
            }
        ]

    async def test_who_may_not_is_refused_and_audited(self, client: CrmClient) -> None:
        answer = await client.request("POST", INVITE, token=False)
        assert (answer.status_code, answer.headers["www-authenticate"]) == (401, 'Bearer realm="crm"')
        wrong = {"Authorization": "Bearer crm_nonsense"}
        assert (await client.request("POST", INVITE, token=False, headers=wrong)).status_code == 401
        reader = await client.acting_with("customers.read")
        answer = await reader.request("POST", INVITE)
        assert answer.status_code == 403
        [error] = answer.json()["errors"]
        assert error == {
            "message": "The permission with_routes.invite on all customers is missing.",
            "extensions": {"code": "FORBIDDEN"},
        }
        assert await client.request("GET", INVITE) is not None
        await client.service.refusals._write(ended=True)
        assert await refused(client) == [
            ("unknown", "crm_nonse", "The token is unknown."),
            ("Test", f"POST {PLACE}", "The permission with_routes.invite on all customers is missing."),
        ]

    async def test_who_sees_some_customers_only_is_refused(self, client: CrmClient) -> None:
        async with client.service.database.unit_of_work() as tx:
            [row] = await tx.fetch("SELECT id FROM crm_customer")
            own = await create_token(
                tx,
                Permissions.of(client.service.host.declarations),
                name="portal",
                grants=[],
                kind=ActorKind.CUSTOMER,
                customer_id=row["id"],
            )
        headers = {"Authorization": f"Bearer {own.secret}"}
        assert (await client.request("POST", INVITE, token=False, headers=headers)).status_code == 403

    async def test_a_link_that_opens_nothing_is_refused_audited_and_held_up(self, client: CrmClient) -> None:
        for number, status in enumerate((401, 401, 401, 429)):
            answer = await client.request("POST", f"/plugins/with_routes/answer/x{number}.y", token=False)
            assert answer.status_code == status
        assert int(answer.headers["retry-after"]) > 0
        await client.service.refusals._write(ended=True)
        public = "public /plugins/with_routes/answer/{link}"
        [entry] = await refused(client)
        assert entry == (
            public,
            "POST /plugins/with_routes/answer/{link}",
            "This link does not open anything.",
        )
        assert await interactions(client) == []

    async def test_what_is_not_there(self, client: CrmClient) -> None:
        missing = await client.request("POST", "/plugins/with_routes/invitations/shop/8")
        assert (missing.status_code, missing.json()) == (
            404,
            {
                "errors": [
                    {
                        "message": "There is no such customer.",
                        "extensions": {"code": "NOT_FOUND", "path": ["reference"]},
                    }
                ]
            },
        )
        for path in ("/plugins/with_routes", "/plugins/with_routes/", "/plugins/with_job/x", "/plugins/no/x"):
            answer = await client.request("GET", path)
            assert (answer.status_code, answer.json()["errors"][0]["extensions"]["code"]) == (
                404,
                "NOT_FOUND",
            )
        for path in (f"{INVITE}/more", "/plugins/with_routes/thanks/"):
            assert (await client.request("POST", path)).status_code == 404

    async def test_other_methods_are_refused_with_those_that_are_not(self, client: CrmClient) -> None:
        answer = await client.request("PUT", "/plugins/with_routes/answer/x", token=False)
        assert (answer.status_code, answer.headers["allow"]) == (405, "GET, HEAD, POST")
        head = await client.request("HEAD", "/plugins/with_routes/thanks", token=False)
        assert (head.status_code, head.content, head.headers["content-length"]) == (200, b"", "10")

    async def test_a_body_that_is_too_large_is_refused_before_it_is_read(self, client: CrmClient) -> None:
        assert (await client.request("POST", INVITE, content=b"x")).status_code == 413
        link = (await client.request("POST", INVITE)).json()["link"]
        assert (await client.request("POST", link, token=False, content=b"x" * 1_001)).status_code == 413
        squeezed = {"Content-Encoding": "gzip"}
        assert (await client.request("POST", link, token=False, headers=squeezed)).status_code == 415
        assert await interactions(client) == []

    async def test_the_log_and_the_figures_know_the_address_without_its_parameters(
        self, client: CrmClient, caplog: pytest.LogCaptureFixture
    ) -> None:
        link = (await client.request("POST", INVITE)).json()["link"]
        with caplog.at_level(logging.INFO, "crm_framework.access"):
            await client.request("GET", link, token=False)
            await client.request("GET", "/plugins/gone/answer/secret", token=False)
        lines = [record.getMessage() for record in caplog.records if record.name == "crm_framework.access"]
        assert lines[0].startswith("GET /plugins/with_routes/answer/{link} 200 ")
        assert lines[1].startswith("GET /plugins/… 404 ")
        metrics = (await client.request("GET", "/metrics")).text
        assert (
            'crm_http_requests_total{path="/plugins/with_routes/answer/{link}",status="200"} 1.0' in metrics
        )
        assert 'crm_http_requests_total{path="other",status="404"} 1.0' in metrics


PLACE = "/plugins/with_routes/invitations/{source}/{reference}"


async def interactions(client: CrmClient) -> list[str]:
    rows = await client.service.database.fetch("SELECT subject FROM crm_interaction ORDER BY id")
    return [row["subject"] for row in rows]


async def refused(client: CrmClient) -> list[tuple[str, str, str]]:
    rows = await client.service.database.fetch(
        "SELECT actor_name, subject_id, reason FROM crm_audit WHERE action = 'access.refused' ORDER BY id"
    )
    return [(row["actor_name"], row["subject_id"], row["reason"]) for row in rows]


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


@pytest.mark.parametrize(
    "body",
    [
        "raise KeyError('secret text')",
        "raise SystemExit('secret text')",
        "raise CrmError(ErrorCode.INTERNAL, 'secret text')",
        "raise CrmError(ErrorCode.CONFIGURATION, 'secret text')",
        "raise TimeoutError('secret text')",
        "return {'secret': 'text'}",
        "return RouteAnswer(body=object())",
        "return RouteAnswer(status=99)",
        "return RouteAnswer(status=204, body={'secret': 'text'})",
        "return RouteAnswer(headers={'set-cookie': 'a=secret text'})",
        "return RouteAnswer(headers={'x-a': 'secret text\\r\\nx-b: c'})",
        "return RouteAnswer(headers={'content-length': '1'})",
        "return RouteAnswer(media_type='text/plain\\n')",
    ],
)
async def test_a_fault_is_masked_and_the_log_names_the_plugin(
    serve: Serve, caplog: pytest.LogCaptureFixture, body: str
) -> None:
    client = await serve(body)
    answer = await client.request("GET", "/plugins/one/x", token=False)
    assert answer.status_code == 500
    [error] = answer.json()["errors"]
    reference = answer.headers["x-request-id"]
    assert error["message"] == f"The plugin one failed. The log has it as {reference}."
    assert error["extensions"] == {"code": "INTERNAL", "reference": reference}
    assert "secret" not in answer.text
    [record] = [record for record in caplog.records if record.levelno == logging.ERROR]
    assert record.getMessage() == "GET /plugins/one/x of the plugin one failed"
    assert record.exc_info is not None
    assert (await client.request("GET", "/healthz")).status_code == 200


@pytest.mark.parametrize(
    ("code", "status"),
    [
        ("BAD_INPUT", 400),
        ("UNAUTHENTICATED", 401),
        ("FORBIDDEN", 403),
        ("NOT_FOUND", 404),
        ("CONFLICT", 409),
        ("REFUSED", 422),
        ("UNAVAILABLE", 503),
    ],
)
async def test_an_expected_failure_has_its_status_and_changes_nothing(
    serve: Serve, code: str, status: int
) -> None:
    client = await serve(
        "async with request.unit_of_work() as tx:\n"
        "    await create_customer(tx, NewCustomer(name='Ada'))\n"
        f"    raise CrmError(ErrorCode.{code}, 'No.', path=('a', 0), hint='Do it.')"
    )
    answer = await client.request("POST", "/plugins/one/x", token=False)
    assert answer.status_code == status
    assert answer.json() == {
        "errors": [
            {"message": "No.", "extensions": {"code": code, "path": ["a", "0"], "hint": "Do it."}},
        ]
    }
    assert ("retry-after" in answer.headers) == (status == 503)
    assert await client.data("{ customers { totalCount } }") == {"customers": {"totalCount": 0}}


async def test_a_handler_sees_the_request(serve: Serve) -> None:
    client = await serve(
        "return RouteAnswer(body={'method': request.method, 'path': request.path, 'args': dict(request.args),"
        " 'query': request.query, 'json': request.json(), 'x': request.headers.get('x-a'),"
        " 'token': request.headers.get('authorization'), 'actor': request.actor and request.actor.name,"
        " 'address': request.address, 'id': request.request_id, 'now': request.now,"
        " 'settings': type(request.settings).__name__, 'dialect': request.reader.dialect})",
        'Route("/a/{b}/c.{d}", handle, methods=("PUT",), permission="one.use", description="X.")',
    )
    answer = await client.request(
        "PUT",
        "/plugins/one/a/B%20%C3%A9/c.d?q=1&q=2&r=%20",
        json={"n": [1]},
        headers={"X-A": "yes", "X-Request-Id": "the-id"},
    )
    found = answer.json()
    assert found.pop("now").endswith("Z")
    assert found.pop("dialect") in ("sqlite", "postgres")
    assert found == {
        "method": "PUT",
        "path": "/a/B é/c.d",
        "args": {"b": "B é", "d": "d"},
        "query": {"q": "1", "r": " "},
        "json": {"n": [1]},
        "x": "yes",
        "token": None,
        "actor": "Test",
        "address": "127.0.0.1",
        "id": "the-id",
        "settings": "PluginSettings",
    }
    answer = await client.request("PUT", "/plugins/one/a/b/c.d", content=b"{")
    assert (answer.status_code, answer.json()["errors"][0]["extensions"]["code"]) == (400, "BAD_INPUT")


async def test_changes_are_in_the_name_of_who_asks(serve: Serve) -> None:
    client = await serve(
        "async with request.unit_of_work() as tx:\n"
        "    await create_customer(tx, NewCustomer(name='Ada'))\n"
        "return RouteAnswer(status=204)",
        'Route("/x", handle, methods=("POST",), permission="one.use", description="X.")',
    )
    answer = await client.request("POST", "/plugins/one/x")
    assert (answer.status_code, answer.content) == (204, b"")
    [row] = await client.service.database.fetch(
        "SELECT actor_kind, actor_name FROM crm_audit WHERE action = 'customer.created'"
    )
    assert row == {"actor_kind": "INTEGRATION", "actor_name": "Test"}


async def test_a_handler_that_takes_too_long_is_stopped(serve: Serve) -> None:
    client = await serve(
        "async with request.unit_of_work() as tx:\n"
        "    await create_customer(tx, NewCustomer(name='Ada'))\n"
        "    await asyncio.sleep(60)",
        request_timeout_s=0.3,
    )
    answer = await client.request("POST", "/plugins/one/x", token=False)
    assert (answer.status_code, answer.json()["errors"][0]["extensions"]["code"]) == (504, "TIMEOUT")
    rows = await client.service.database.fetch("SELECT id FROM crm_customer")
    assert rows == []


async def test_an_address_may_ask_so_often_and_others_meanwhile(serve: Serve) -> None:
    client = await serve("return RouteAnswer()", public_requests_per_minute=3)
    answers = [await client.request("GET", "/plugins/one/x", token=False) for _ in range(4)]
    assert [answer.status_code for answer in answers] == [200, 200, 200, 429]
    assert int(answers[-1].headers["retry-after"]) > 0
    assert answers[-1].json()["errors"][0]["extensions"]["code"] == "RATE_LIMITED"
    await client.data("{ customers { totalCount } }")


async def test_a_token_that_has_used_up_its_budget_waits(serve: Serve) -> None:
    route = 'Route("/x", handle, permission="one.use", description="X.")'
    client = await serve("return RouteAnswer()", route, rate_limit_per_minute=60)
    verified = await client.service.verifier.verify(client.token)
    budget = client.service.budgets.of(verified.token_id)
    assert budget is not None
    assert (await client.request("GET", "/plugins/one/x")).status_code == 200
    assert budget.left() < 60
    budget.charge(0, 100)
    answer = await client.request("GET", "/plugins/one/x")
    assert (answer.status_code, int(answer.headers["retry-after"]) > 0) == (429, True)


def test_networks_of_ipv6_count_as_one_visitor() -> None:
    assert visitor("192.0.2.1") == "192.0.2.1"
    assert visitor("2001:db8:1:2:3:4:5:6") == visitor("2001:db8:1:2::1") == "2001:db8:1:2::/64"
    assert visitor("::ffff:192.0.2.1") == "192.0.2.1"
    assert visitor("") == ""


async def test_an_address_that_is_written_out_comes_before_one_with_parameters(serve: Serve) -> None:
    client = await serve(
        "return RouteAnswer(body=dict(request.args))",
        'Route("/{a}", handle, permission=PUBLIC, description="X."),'
        ' Route("/x", handle, permission=PUBLIC, description="X."),'
        ' Route("/", handle, permission=PUBLIC, description="X.")',
    )
    for path, args in (("x", {}), ("y", {"a": "y"}), ("", {}), ("x%2Fy", None)):
        answer = await client.request("GET", f"/plugins/one/{path}", token=False)
        assert (answer.json() if answer.status_code == 200 else None) == args
    assert RouteTable().find("one", "/x") is None


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


async def test_many_at_once_do_not_mix_up(serve: Serve) -> None:
    client = await serve(
        "await asyncio.sleep(0.01)\nreturn RouteAnswer(body=request.args['n'])",
        'Route("/{n}", handle, permission=PUBLIC, description="X.")',
    )
    answers = await asyncio.gather(
        *(client.request("GET", f"/plugins/one/{n}", token=False) for n in range(50))
    )
    assert [answer.json() for answer in answers] == [str(n) for n in range(50)]


ASKING = '''
from datetime import UTC, datetime
import click
from crm_framework import *

@hookimpl
async def figures(window):
    days = float((window.end - window.start).days)
    return [Figure(name="days", description="Days of the window.", value=days)]

@hookimpl
async def signals(customer_ids):
    return [Signal(customer_id=key, kind="late", at=datetime(2025, 1, 1, tzinfo=UTC), text="Late.")
        for key in customer_ids]

async def told(asked):
    window = Window(datetime(2025, 1, 1, tzinfo=UTC), datetime(2025, 1, 8, tzinfo=UTC))
    [row] = await asked.reader.fetch("SELECT id FROM crm_customer")
    figures, signals = await asked.figures(window), await asked.signals([row["id"]])
    return [figures.found[0].value, signals.by_customer[row["id"]][0].kind]

async def handle(request):
    return RouteAnswer(body=await told(request))

@click.group()
def command():
    """Asks."""

@command.command()
@click.pass_context
def ask(context):
    click.echo(run_command(context, told))

plugin = Plugin(name="asking", requires_api="1.0", summary="Asks.", commands=__name__,
    routes=[Route("/x", handle, permission=PUBLIC, description="X.")])
'''


async def test_routes_and_commands_can_ask_what_other_plugins_tell(
    open_client: OpenClient, temporary_plugin: TemporaryPlugin
) -> None:
    temporary_plugin("asking", ASKING)
    client = await open_client("asking")
    async with client.service.database.unit_of_work() as tx:
        await create_customer(tx, NewCustomer(name="Ada"))
    answer = await client.request("GET", "/plugins/asking/x", token=False)
    assert answer.json() == [7.0, "late"], answer.text
    assert (await client.command("asking", "ask")).output == "[7.0, 'late']\n"
