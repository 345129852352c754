"""The endpoint apart from the engine: what reaches it, and what a client is told when nothing does."""

import asyncio
import json
import logging
from collections.abc import AsyncIterator, MutableMapping
from dataclasses import dataclass, field
from typing import Any

import httpx2
import pytest
from starlette.applications import Starlette
from starlette.middleware.cors import CORSMiddleware
from starlette.types import Message

from crm_framework.engine.result import Result
from crm_framework.errors import CrmError, ErrorCode
from crm_framework.security.actors import Actor
from crm_framework.server.access_log import MAX_FACT, NOTES, note
from crm_framework.server.answers import GRAPHQL, JSON, Refusal
from crm_framework.server.counts import Counts
from crm_framework.server.deadlines import Deadlines
from crm_framework.server.limits.budgets import Budgets
from crm_framework.server.limits.guesses import Guesses
from crm_framework.server.operations import Operation, read_body
from crm_framework.server.persisted import PersistedOperations
from crm_framework.server.routes import middleware, routes
from crm_framework.settings import Settings

QUERY = {"query": "{ me { name } }"}
TOKEN = {"Authorization": "Bearer crm_good"}


class Tokens:
    async def verify(self, secret: str) -> Actor:
        match secret:
            case "crm_good":
                return Actor.system("tester")
            case "crm_broken":
                raise RuntimeError("SELECT digest FROM crm_token")
            case "crm_odd":
                raise BaseException("b")
            case "crm_interrupted":
                raise KeyboardInterrupt
            case "crm_dropped":
                raise asyncio.CancelledError
            case "crm_away":
                raise CrmError(ErrorCode.UNAVAILABLE, "postgres://db:5432 cannot be reached.")
        raise CrmError(ErrorCode.UNAUTHENTICATED, "This token is unknown, expired or revoked.")


@dataclass
class Visit:
    """Stands in for the context of a request."""

    id: str
    wait_s: int = 0


@dataclass
class Noted:
    """Keeps what would go into the audit log."""

    noted: list[dict[str, Any]] = field(default_factory=list)

    def unauthenticated(self, **facts: Any) -> None:
        self.noted.append(facts)

    def forbidden(self, actor: Actor, reason: str, **facts: Any) -> None:
        self.noted.append({"actor": actor.name, "reason": reason, **facts})


@dataclass
class FakeService:
    """Stands in for an open CRM: keeps what it is asked, and answers as told."""

    settings: Settings = field(default_factory=lambda: Settings(max_body_bytes=1000, request_timeout_s=0.3))
    verifier: Tokens = field(default_factory=Tokens)
    persisted: PersistedOperations = field(default_factory=PersistedOperations)
    budgets: Budgets = field(default_factory=lambda: Budgets(0))
    guesses: Guesses = field(default_factory=lambda: Guesses(3))
    refusals: "Noted" = field(default_factory=lambda: Noted())
    counts: Counts = field(default_factory=Counts)
    deadlines: Deadlines = field(default_factory=lambda: Deadlines(0.3))
    asked: list[Operation] = field(default_factory=list)
    actors: list[str] = field(default_factory=list)

    def context(self, actor: Actor, request_id: str) -> Visit:
        self.actors.append(actor.name)
        return Visit(request_id)

    async def execute(self, operation: Operation, context: Visit) -> Result:
        self.asked.append(operation)
        if "sleep" in operation.query:
            await asyncio.sleep(10)
        if "crash" in operation.query:
            raise RuntimeError("secret of the house")
        if "refuse" in operation.query:
            return Result(None, [{"message": "No.", "extensions": {"code": "FORBIDDEN"}}], refused=True)
        if "unsayable" in operation.query:
            return Result({"number": 2**64})
        return Result({"id": context.id})


@pytest.fixture
def service() -> FakeService:
    return FakeService()


@pytest.fixture
async def http(service: FakeService) -> AsyncIterator[httpx2.AsyncClient]:
    app = Starlette(routes=routes(), middleware=middleware())
    app.state.service = service
    transport = httpx2.ASGITransport(app=app)
    async with httpx2.AsyncClient(transport=transport, base_url="http://crm", headers=TOKEN) as client:
        yield client


def code_of(response: httpx2.Response) -> str:
    (error,) = response.json()["errors"]
    assert "data" not in response.json()
    code: str = error["extensions"]["code"]
    return code


async def test_post(http: httpx2.AsyncClient, service: FakeService) -> None:
    body = {"query": "query Q($a: Int) { me { name } }", "variables": {"a": 1}, "operationName": "Q"}
    response = await http.post("/graphql", json=body, headers={"X-Request-ID": "r-1", "Accept": GRAPHQL})
    assert (response.status_code, response.json()) == (200, {"data": {"id": "r-1"}})
    assert response.headers["content-type"] == GRAPHQL
    assert response.headers["x-request-id"] == "r-1"
    assert service.asked == [
        Operation(query=body["query"], variables={"a": 1}, operation_name="Q", read_only=False)  # type: ignore[arg-type]  # a text
    ]
    assert service.actors == ["tester"]


async def test_get(http: httpx2.AsyncClient, service: FakeService) -> None:
    parameters = {"query": "query Q { me { name } }", "variables": '{"a": 1}', "operationName": "Q"}
    response = await http.get("/graphql", params=parameters, headers={"Accept": JSON})
    assert response.status_code == 200
    assert response.headers["content-type"] == JSON
    assert service.asked == [
        Operation(query=parameters["query"], variables={"a": 1}, operation_name="Q", read_only=True)
    ]


@pytest.mark.parametrize(
    ("query", "name"),
    [
        ("mutation { crash }", None),
        ("subscription { crash }", None),
        ("query A { me } mutation B { crash }", "B"),
        ("query A { me } mutation B { crash }", None),
        ("fragment F on Mutation { crash } mutation { ...F }", None),
    ],
)
async def test_get_changes_nothing(
    http: httpx2.AsyncClient, service: FakeService, query: str, name: str | None
) -> None:
    parameters = {"query": query, **({"operationName": name} if name else {})}
    response = await http.get("/graphql", params=parameters)
    assert (response.status_code, response.headers["allow"]) == (405, "POST")
    assert service.asked == []


async def test_get_may_choose_the_query_of_a_document_with_both(http: httpx2.AsyncClient) -> None:
    parameters = {"query": "query A { me } mutation B { change }", "operationName": "A"}
    assert (await http.get("/graphql", params=parameters)).status_code == 200


@pytest.mark.parametrize(
    ("headers", "challenge"),
    [
        ({}, 'Bearer realm="crm"'),
        ({"Authorization": "Bearer crm_wrong"}, 'Bearer realm="crm", error="invalid_token"'),
        ({"Authorization": "Bearer"}, 'Bearer realm="crm", error="invalid_request"'),
        ({"Authorization": "Basic YTpi"}, 'Bearer realm="crm", error="invalid_request"'),
        ({"Authorization": "crm_good"}, 'Bearer realm="crm", error="invalid_request"'),
    ],
)
@pytest.mark.parametrize("accept", [GRAPHQL, JSON])
async def test_without_a_token_that_opens_nothing_is_done(
    http: httpx2.AsyncClient, service: FakeService, headers: dict[str, str], challenge: str, accept: str
) -> None:
    http.headers.pop("Authorization")
    response = await http.post("/graphql", json=QUERY, headers={"Accept": accept, **headers})
    assert (response.status_code, response.headers["www-authenticate"]) == (401, challenge)
    assert response.headers["content-type"] == accept
    assert code_of(response) == "UNAUTHENTICATED"
    assert service.asked == []


async def test_a_token_is_checked_before_the_body_is_read(http: httpx2.AsyncClient) -> None:
    http.headers.pop("Authorization")
    response = await http.post("/graphql", content=b"x" * 5000, headers={"Content-Type": JSON})
    assert response.status_code == 401


async def test_the_scheme_is_read_in_any_case(http: httpx2.AsyncClient) -> None:
    response = await http.post("/graphql", json=QUERY, headers={"Authorization": "bearer crm_good"})
    assert response.status_code == 200


async def test_a_database_that_is_away_is_no_wrong_token(http: httpx2.AsyncClient) -> None:
    response = await http.post("/graphql", json=QUERY, headers={"Authorization": "Bearer crm_away"})
    assert (response.status_code, response.headers["retry-after"]) == (503, "1")
    assert code_of(response) == "TIMEOUT"
    assert "postgres" not in response.text


@pytest.mark.parametrize(
    ("body", "message"),
    [
        (b"", "The body is not valid JSON"),
        (b"{", "The body is not valid JSON"),
        (b'{"query": "\xff"}', "The body is not valid JSON"),
        (b'{"query": NaN}', "The body is not valid JSON"),
        (b"[" * 900, "The body is not valid JSON"),
        (b'"text"', "The body must be a JSON object"),
        (b"null", "The body must be a JSON object"),
        (b"1", "The body must be a JSON object"),
        (b'[{"query": "{ me }"}]', "The body is a list; several operations"),
        (b"{}", "`query` must be the text"),
        (b'{"query": null}', "`query` must be the text"),
        (b'{"query": "  "}', "`query` must be the text"),
        (b'{"query": ["{ me }"]}', "`query` must be the text"),
        (b'{"query": "{ me }", "variables": []}', "`variables` must be an object"),
        (b'{"query": "{ me }", "variables": "{}"}', "`variables` must be an object"),
        (b'{"query": "{ me }", "operationName": 1}', "`operationName` must be text"),
        (b'{"query": "{ me }", "extensions": []}', "`extensions` must be an object"),
    ],
)
@pytest.mark.parametrize("accept", [GRAPHQL, JSON])
async def test_a_body_that_is_no_operation(
    http: httpx2.AsyncClient, service: FakeService, body: bytes, message: str, accept: str
) -> None:
    response = await http.post("/graphql", content=body, headers={"Content-Type": JSON, "Accept": accept})
    assert (response.status_code, code_of(response)) == (400, "BAD_INPUT")
    assert response.json()["errors"][0]["message"].startswith(message)
    assert service.asked == []


@pytest.mark.parametrize(
    "query",
    [
        "",
        "query=%7Bme%7D&query=%7Bme%7D",
        "query=%7Bme%7D&variables=%5B%5D",
        "query=%7Bme%7D&variables=no",
        "variables=%7B%7D",
    ],
)
async def test_parameters_that_are_no_operation(
    http: httpx2.AsyncClient, service: FakeService, query: str
) -> None:
    response = await http.get(f"/graphql?{query}")
    assert (response.status_code, code_of(response)) == (400, "BAD_INPUT")
    assert service.asked == []


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({"Content-Type": "application/json; charset=utf-8"}, 200),
        ({"Content-Type": 'application/json; charset="UTF-8"'}, 200),
        ({"Content-Type": "application/json; charset=latin-1"}, 415),
        ({"Content-Type": "text/plain"}, 415),
        ({"Content-Type": "application/x-www-form-urlencoded"}, 415),
        ({"Content-Type": "multipart/form-data; boundary=x"}, 415),
        ({"Content-Type": "application/graphql"}, 415),
        ({"Content-Type": ""}, 415),
        ({"Content-Type": JSON, "Content-Encoding": "gzip"}, 415),
    ],
)
async def test_only_json_is_taken(
    http: httpx2.AsyncClient, service: FakeService, headers: dict[str, str], status: int
) -> None:
    response = await http.post("/graphql", content=json.dumps(QUERY), headers=headers)
    assert response.status_code == status
    assert len(service.asked) == (status == 200)


async def test_members_that_are_not_known_are_ignored(http: httpx2.AsyncClient, service: FakeService) -> None:
    body = {**QUERY, "variables": None, "operationName": "", "id": 7, "extensions": {"a": 1}}
    assert (await http.post("/graphql", json=body)).status_code == 200
    assert service.asked == [
        Operation(query=QUERY["query"], variables=None, operation_name=None, read_only=False)
    ]


async def endless() -> AsyncIterator[bytes]:
    while True:
        yield b" " * 100


async def test_a_body_over_the_limit_is_not_read_to_its_end(
    http: httpx2.AsyncClient, service: FakeService
) -> None:
    for content in (endless(), b" " * 1001):
        response = await http.post("/graphql", content=content, headers={"Content-Type": JSON})
        assert (response.status_code, code_of(response)) == (413, "TOO_LARGE")
        assert response.headers["connection"] == "close"
    fits = json.dumps(QUERY).ljust(1000)
    assert (await http.post("/graphql", content=fits, headers={"Content-Type": JSON})).status_code == 200
    assert len(service.asked) == 1


async def test_values_are_counted_as_they_come() -> None:
    left = 10

    async def receive() -> Message:
        nonlocal left
        left -= 1
        return {"type": "http.request", "body": b"[]," * 100, "more_body": left > 0}

    with pytest.raises(Refusal) as refused:
        await read_body({}, receive, max_bytes=10_000, max_values=700, deadlines=Deadlines(1.0))
    assert (refused.value.status, refused.value.code, left) == (413, "TOO_LARGE", 6)


async def stalled() -> AsyncIterator[bytes]:
    yield b"{"
    await asyncio.sleep(10)


async def test_a_body_that_does_not_come_is_not_waited_for(
    http: httpx2.AsyncClient, service: FakeService
) -> None:
    response = await http.post("/graphql", content=stalled(), headers={"Content-Type": JSON})
    assert (response.status_code, code_of(response)) == (408, "TIMEOUT")
    assert service.asked == []


@pytest.mark.parametrize("method", ["PUT", "PATCH", "DELETE", "OPTIONS", "HEAD"])
async def test_other_methods(http: httpx2.AsyncClient, service: FakeService, method: str) -> None:
    response = await http.request(method, "/graphql")
    assert (response.status_code, response.headers["allow"]) == (405, "GET, POST")
    assert service.asked == []


def test_of_what_a_client_makes_up_the_log_keeps_the_beginning() -> None:
    scope: dict[str, Any] = {NOTES: {}}
    note(scope, "operation", "x" * 100_000)
    note(scope, "actor", None)
    assert scope[NOTES] == {"operation": "x" * MAX_FACT}


async def test_a_client_that_takes_no_json(http: httpx2.AsyncClient, service: FakeService) -> None:
    response = await http.post("/graphql", json=QUERY, headers={"Accept": "text/xml"})
    assert (response.status_code, response.headers["content-type"]) == (406, JSON)
    assert service.asked == []


@pytest.mark.parametrize(("accept", "status"), [(GRAPHQL, 403), (JSON, 200)])
async def test_an_operation_that_the_engine_refuses(
    http: httpx2.AsyncClient, accept: str, status: int
) -> None:
    response = await http.post("/graphql", json={"query": "{ refuse }"}, headers={"Accept": accept})
    assert (response.status_code, code_of(response)) == (status, "FORBIDDEN")


@pytest.mark.parametrize(("accept", "status"), [(GRAPHQL, 504), (JSON, 200)])
async def test_an_operation_that_takes_too_long(http: httpx2.AsyncClient, accept: str, status: int) -> None:
    response = await http.post("/graphql", json={"query": "{ sleep }"}, headers={"Accept": accept})
    assert (response.status_code, code_of(response)) == (status, "TIMEOUT")
    assert "0.3 seconds and was stopped. Ask for less at once." in response.text  # nothing of changes
    response = await http.post("/graphql", json={"query": "mutation { sleep }"}, headers={"Accept": accept})
    assert "at once; a change may have been made, so repeat it" in response.text


@pytest.mark.parametrize("headers", [{}, {"Authorization": "Bearer crm_broken"}])
async def test_a_fault_is_masked_and_found_in_the_log(
    http: httpx2.AsyncClient, caplog: pytest.LogCaptureFixture, headers: dict[str, str]
) -> None:
    with caplog.at_level(logging.ERROR):
        response = await http.post(
            "/graphql", json={"query": "{ crash }"}, headers={"X-Request-ID": "r-2", **headers}
        )
    assert (response.status_code, code_of(response)) == (500, "INTERNAL")
    assert response.json()["errors"][0]["message"] == "The server failed. The log has it as r-2."
    assert "RuntimeError" in caplog.text


@pytest.mark.parametrize("secret", ["crm_odd", "crm_interrupted", "crm_dropped"])
async def test_what_is_no_exception_is_a_fault_as_well(http: httpx2.AsyncClient, secret: str) -> None:
    response = await http.post("/graphql", json=QUERY, headers={"Authorization": f"Bearer {secret}"})
    assert (response.status_code, code_of(response)) == (500, "INTERNAL")


async def test_a_result_that_is_no_json_is_a_fault(http: httpx2.AsyncClient) -> None:
    response = await http.post("/graphql", json={"query": "{ unsayable }"})
    assert (response.status_code, code_of(response)) == (500, "INTERNAL")


async def test_the_first_of_several_headers_counts(http: httpx2.AsyncClient) -> None:
    headers = [("Authorization", "Bearer crm_good"), ("Authorization", "Bearer crm_wrong"), ("Accept", JSON)]
    del http.headers["Authorization"], http.headers["Accept"]
    response = await http.post("/graphql", json=QUERY, headers=[*headers, ("Accept", GRAPHQL)])
    assert (response.status_code, response.headers["content-type"]) == (200, JSON)


async def test_below_a_root_path(service: FakeService) -> None:
    app = Starlette(routes=routes(), middleware=middleware())
    app.state.service = service
    transport = httpx2.ASGITransport(app=app, root_path="/crm")
    async with httpx2.AsyncClient(transport=transport, base_url="http://crm", headers=TOKEN) as client:
        response = await client.post("/crm/graphql", json=QUERY)
        assert (response.status_code, list(response.json())) == (200, ["data"])
        assert (await client.get("/crm/graphql", params={"query": "mutation { a }"})).status_code == 405


async def test_middleware_of_others_is_outside_of_ours(service: FakeService) -> None:
    app = Starlette(routes=routes(), middleware=middleware())
    app.state.service = service
    app.add_middleware(CORSMiddleware, allow_origins=["https://shop.example.com"])
    transport = httpx2.ASGITransport(app=app)
    async with httpx2.AsyncClient(transport=transport, base_url="http://crm", headers=TOKEN) as client:
        response = await client.post(
            "/graphql", json=QUERY, headers={"Origin": "https://shop.example.com", "X-Request-ID": "r-3"}
        )
    assert response.headers["access-control-allow-origin"] == "https://shop.example.com"
    assert response.headers["x-request-id"] == "r-3"


async def test_a_client_that_goes_before_its_body_has_come(service: FakeService) -> None:
    received: list[MutableMapping[str, Any]] = [
        {"type": "http.request", "body": b'{"query"', "more_body": True},
        {"type": "http.disconnect"},
    ]
    sent: list[MutableMapping[str, Any]] = []

    async def receive() -> MutableMapping[str, Any]:
        return received.pop(0)

    async def send(message: MutableMapping[str, Any]) -> None:
        sent.append(message)

    app = Starlette(routes=routes(), middleware=middleware())
    app.state.service = service
    headers = [(b"authorization", b"Bearer crm_good"), (b"content-type", b"application/json")]
    scope = {"type": "http", "method": "POST", "path": "/graphql", "headers": headers, "query_string": b""}
    await app(scope, receive, send)
    assert sent[0]["status"] == 400
    assert service.asked == []


async def test_debug_shows_the_fault(http: httpx2.AsyncClient, service: FakeService) -> None:
    service.settings = Settings(debug=True)
    response = await http.post("/graphql", json={"query": "{ crash }"})
    assert response.json()["errors"][0]["message"].endswith("RuntimeError: secret of the house")


async def test_every_request_is_a_line_without_secrets(
    http: httpx2.AsyncClient, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.INFO, logger="crm_framework.access"):
        await http.post("/graphql", json={"query": "query Name { private }", "operationName": "Name"})
        await http.get("/healthz")
    (line,) = [message for message in caplog.messages if "graphql" in message]
    assert line.startswith("POST /graphql 200 ")
    assert line.endswith(" ms actor=tester operation=Name")
    assert "private" not in caplog.text
    assert "crm_good" not in caplog.text
    assert "/healthz" not in caplog.text
