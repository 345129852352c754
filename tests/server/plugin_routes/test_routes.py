"""What a handler gets of a request, which route that is, and what becomes of what goes wrong in it."""

import asyncio
import logging

import pytest

from crm_framework.server.plugin_routes.table import RouteTable

from .conftest import Serve


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


async def test_many_at_once_do_not_mix_up(serve: Serve) -> None:
    client = await serve(
        "await asyncio.sleep(0.01)\nreturn RouteAnswer(body=request.args['n'])",
        'Route("/{n}", handle, permission=PUBLIC, description="X.")',
    )
    answers = await asyncio.gather(
        *(client.request("GET", f"/plugins/one/{n}", token=False) for n in range(50))
    )
    assert [answer.json() for answer in answers] == [str(n) for n in range(50)]


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
