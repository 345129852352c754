import logging

import httpx2
import pytest
from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import Route

from crm_framework.server.request_ids import RequestIdFilter, RequestIds, request_id


async def show(_: Request) -> Response:
    return PlainTextResponse(request_id())


APP = Starlette(routes=[Route("/", show)], middleware=[Middleware(RequestIds)])


async def ask(given: bytes | None = None) -> httpx2.Response:
    headers = {} if given is None else {b"X-Request-ID": given}
    async with httpx2.AsyncClient(transport=httpx2.ASGITransport(app=APP), base_url="http://crm") as client:
        return await client.get("/", headers=headers)


async def test_a_clients_own_id_is_kept() -> None:
    response = await ask(b"order-17.a:b_c")
    assert response.headers["x-request-id"] == "order-17.a:b_c"
    assert response.text == "order-17.a:b_c"


@pytest.mark.parametrize("given", [b"", b"a" * 65, b"two words", b"new\\nline", b"<script>", "ü".encode()])
async def test_an_id_that_could_do_harm_in_a_log_is_replaced(given: bytes) -> None:
    response = await ask(given)
    assert response.text == response.headers["x-request-id"]
    assert response.content != given
    assert len(response.text) == 32


async def test_every_request_has_an_id_of_its_own() -> None:
    assert (await ask()).text != (await ask()).text
    assert request_id() == "-"


def test_records_of_the_log_carry_the_id() -> None:
    record = logging.LogRecord("crm", logging.INFO, __file__, 1, "text", (), None)
    assert RequestIdFilter().filter(record) is True
    assert record.__dict__["request_id"] == "-"
