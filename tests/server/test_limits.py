"""Budgets of tokens, wrong tokens, and descriptors."""

import asyncio
import json
import re
import resource
import subprocess
import sys
from collections.abc import AsyncIterator
from pathlib import Path
from time import monotonic
from typing import Any

import httpx2
import pytest

from crm_framework.app import create_app, open_service
from crm_framework.errors import CrmError
from crm_framework.security.actors import Actor
from crm_framework.security.permissions import Permissions
from crm_framework.security.tokens import create_token
from crm_framework.security.verify import TokenRefused, TokenVerifier
from crm_framework.server.limits.budgets import MAX_KEPT, Budget, Budgets
from crm_framework.server.limits.descriptors import provide_for
from crm_framework.server.limits.guesses import Guesses
from crm_framework.server.limits.sockets import Session, Sockets
from crm_framework.server.operations import Operation
from crm_framework.server.service import Service
from crm_framework.server.websocket import GraphQLSocket
from crm_framework.settings import Settings
from crm_framework.storage.feed import Feed

PAGE = "{ customers(first: 50) { nodes { name } } }"
COST = 51


def test_a_budget_is_spent_and_fills_again() -> None:
    budget = Budget(600, at=0.0)
    assert budget.spend(400, at=0.0)
    assert not budget.spend(300, at=0.0)
    assert budget.left(at=0.0) == 200  # what was refused took nothing
    assert budget.seconds_until(300, at=0.0) == 10
    assert budget.spend(300, at=10.0)
    assert budget.left(at=1_000.0) == 600


def test_what_costs_more_than_the_budget_needs_a_full_one_and_leaves_a_debt() -> None:
    budget = Budget(600, at=0.0)
    assert budget.spend(1_200, at=0.0)
    assert not budget.spend(1, at=59.0)
    assert budget.seconds_until(600, at=60.0) == 60
    assert budget.spend(1_200, at=120.0)


def test_budgets_are_bounded_and_each_token_has_its_own() -> None:
    budgets = Budgets(10)
    first = budgets.of("first")
    assert first is not None
    first.spend(10)
    assert budgets.of("first") is first
    assert budgets.of(None) is None
    assert Budgets(0).of("first") is None
    for number in range(MAX_KEPT):
        budgets.of(str(number))
    assert budgets.of("first") is not first


def test_time_is_charged_as_what_it_gives() -> None:
    budget = Budget(60_000, at=monotonic())
    budget.charge(30)
    assert 29_000 < budget.left() < 31_000
    budget.charge(60)
    assert not budget.spend(1)


async def test_long_reads_of_one_token_leave_half_of_the_connections(
    service: Service, monkeypatch: pytest.MonkeyPatch
) -> None:
    running: list[str] = []
    most = 0
    rows = service.database.rows

    async def watched(sql: str, args: Any = (), *, bounded: bool = False) -> Any:
        nonlocal most
        if bounded:
            return await rows(sql, args, bounded=bounded)
        running.append(sql)
        most = max(most, len(running))
        try:
            await asyncio.sleep(0.02)
            return await rows(sql, args, bounded=bounded)
        finally:
            running.remove(sql)

    monkeypatch.setattr(service.database, "rows", watched)
    heavy = " ".join(
        f'a{n}: customers(first: 1, filter: {{name: {{contains: "x{n}"}}}}) {{ totalCount }}'
        for n in range(30)
    )
    async with await client(service) as http:
        answers = await asyncio.gather(
            *(http.post("/graphql", json={"query": f"{{ {heavy} }}"}) for _ in range(2))
        )
    assert [answer.status_code for answer in answers] == [200, 200]
    assert most == service.settings.database_read_pool_size // 2


def test_wrong_tokens_are_counted_for_a_minute() -> None:
    guesses = Guesses(2)
    assert [guesses.note("a", at=at) for at in (0.0, 10.0, 20.0, 59.5)] == [0, 0, 40, 1]
    assert guesses.note("b", at=20.0) == 0
    assert guesses.note("a", at=60.0) == 0
    # of IPv6, everybody has as many addresses as they like
    assert [guesses.note(f"2001:db8::{n}", at=0.0) for n in range(3)] == [0, 0, 60]


def test_more_connections_than_the_system_allows_are_refused() -> None:
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    with pytest.raises(CrmError, match=f"may have {hard} files open"):
        provide_for(hard)


def test_the_limit_of_descriptors_is_raised_to_what_connections_need() -> None:
    text = (
        "import resource; from crm_framework.server.limits.descriptors import provide_for\n"
        "hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]\n"
        "resource.setrlimit(resource.RLIMIT_NOFILE, (200, hard)); provide_for(500)\n"
        "print(resource.getrlimit(resource.RLIMIT_NOFILE)[0])"
    )
    ran = subprocess.run([sys.executable, "-c", text], capture_output=True, text=True, check=True)
    assert int(ran.stdout) == 500 + 128


@pytest.fixture
async def service(database_url: str) -> AsyncIterator[Service]:
    settings = Settings(database_url=database_url, rate_limit_per_minute=3 * COST, wrong_tokens_per_minute=3)
    async with open_service(settings) as opened:
        yield opened


async def client(service: Service, *grants: str) -> httpx2.AsyncClient:
    """A client with a token of its own."""
    async with service.database.unit_of_work() as tx:
        token = await create_token(tx, Permissions.of(()), name="reader", grants=grants or ["customers.read"])
    transport = httpx2.ASGITransport(app=create_app(service=service))
    headers = {"Authorization": f"Bearer {token.secret}"}
    return httpx2.AsyncClient(transport=transport, base_url="http://crm", headers=headers)


async def test_a_token_that_has_spent_its_budget_is_told_when_to_come_again(service: Service) -> None:
    async with await client(service) as http, await client(service) as other:
        for rest in (2, 1, 0):
            answer = await http.post("/graphql", json={"query": PAGE})
            assert answer.status_code == 200
            assert answer.headers["ratelimit-policy"] == f'"token";q={3 * COST};w=60'
            assert abs(int(answer.headers["ratelimit"].split(";")[1][2:]) - rest * COST) <= COST // 3
        answer = await http.post("/graphql", json={"query": PAGE})
        assert answer.status_code == 429
        assert 1 <= int(answer.headers["retry-after"]) <= 20
        (error,) = answer.json()["errors"]
        assert error["extensions"]["code"] == "RATE_LIMITED"
        assert "51 objects" in error["message"]
        # neither aliases nor fragments nor variables hide what is asked for; another token has its own budget
        for query in (
            "{ a: customers(first: 25) { nodes { name } } b: customers(first: 25) { nodes { name } } }",
            "{ ...A } fragment A on Query { customers { nodes { name } } }",
            "query ($n: Int = 50) { customers(first: $n) { nodes { name } } }",
        ):
            assert (await http.post("/graphql", json={"query": query})).status_code == 429
        assert (await other.post("/graphql", json={"query": PAGE})).status_code == 200


async def test_what_is_refused_is_charged_and_a_debt_refuses_before_the_body_is_read(
    service: Service,
) -> None:
    async with await client(service) as http:
        left = []
        for n in range(3):
            answer = await http.post("/graphql", json={"query": f"{{ nothing{n} }}"})
            assert answer.status_code == 200
            assert answer.json()["errors"][0]["extensions"]["code"] == "BAD_INPUT"
            left.append(int(answer.headers["ratelimit"].split(";")[1][2:]))
        assert left[0] < 3 * COST
        assert left == sorted(left, reverse=True)
        (budget,) = service.budgets._kept.values()
        budget.charge(120)
        answer = await http.post("/graphql", content=b"no JSON", headers={"content-type": "application/json"})
        assert answer.status_code == 429
        assert int(answer.headers["retry-after"]) >= 60
        assert "used up" in answer.json()["errors"][0]["message"]


async def test_a_debt_ends_a_socket_that_goes_on_with_long_messages(service: Service) -> None:
    async with await client(service) as http:
        authorization = http.headers["authorization"]
    sent = [
        {"type": "websocket.connect"},
        text_of({"type": "connection_init", "payload": {"Authorization": authorization}}),
        text_of({"type": "pong", "payload": {"short": "x"}}),
        text_of({"type": "pong", "payload": {"long": "x" * 70_000}}),
    ]
    told: list[Any] = []

    async def receive() -> Any:
        if not sent:
            await asyncio.Event().wait()
        return sent.pop(0)

    async def send(message: Any) -> None:
        told.append(message)
        if "connection_ack" in message.get("text", ""):
            owing(service).charge(120)

    scope = {
        "type": "websocket",
        "path": "/graphql",
        "subprotocols": ["graphql-transport-ws"],
        "headers": [],
        "app": create_app(service=service),
    }
    await GraphQLSocket()(scope, receive, send)
    assert (told[-1]["type"], told[-1]["code"]) == ("websocket.close", 4429)
    assert "used up" in told[-1]["reason"]


async def test_a_token_that_cannot_be_looked_at_is_looked_at_again(service: Service) -> None:
    class Verifier(TokenVerifier):
        failing = True

        async def verify(self, secret: str) -> Actor:
            if self.failing:
                self.failing = False
                sockets._changed.set()  # the next look is due at once
                raise RuntimeError("of a plugin's filter, say")
            raise TokenRefused("revoked")

    verifier = Verifier(service.database)
    sockets = Sockets(verifier, Feed(service.database), most=1, most_per_token=1)
    ended = asyncio.get_running_loop().create_future()
    session = Session("crm_x", Actor.system(), ended.set_result)
    assert sockets.begin(session)
    sockets._changed.set()
    async with asyncio.timeout(30):
        assert (await ended).close == 4401
    sockets.finish(session)
    await sockets.close()
    await verifier.close()


def text_of(message: dict[str, Any]) -> dict[str, str]:
    return {"type": "websocket.receive", "text": json.dumps(message)}


def owing(service: Service) -> Budget:
    """The budget of the only token whose socket is open."""
    (session,) = service.sockets._sessions
    budget = service.budgets.of(session.actor.holder)
    assert budget is not None
    return budget


async def test_each_row_of_an_import_is_charged(service: Service) -> None:
    rows = [{"name": f"C{number}", "tags": ["a", "b"]} for number in range(40)]
    query = "mutation ($rows: [CustomerFields!]!) { importCustomers(input: {rows: $rows}) { created } }"
    written = '{name: "X"}, ' * 40
    async with await client(service, "customers.read", "customers.write") as http:
        for asked, left in (
            ({"query": query, "variables": {"rows": rows[:10]}}, 3 * COST - 31),
            ({"query": f"mutation {{ importCustomers(input: {{rows: [{written}]}}) {{ created }} }}"}, 81),
        ):
            answer = await http.post("/graphql", json=asked)
            assert answer.json().get("errors") is None, answer.text
            assert abs(int(answer.headers["ratelimit"].split(";")[1][2:]) - left) <= COST // 3
        answer = await http.post("/graphql", json={"query": query, "variables": {"rows": rows}})
        assert answer.status_code == 429
        assert "121 objects" in answer.json()["errors"][0]["message"]
        (row,) = await service.database.fetch("SELECT count(*) AS n FROM crm_customer")
        assert row["n"] == 50


async def test_too_many_wrong_tokens_are_answered_429_and_right_ones_pass(service: Service) -> None:
    async with await client(service) as http:
        for status in (401, 401, 401, 429, 429):
            wrong = {"Authorization": "Bearer crm_wrong"}
            answer = await http.post("/graphql", json={"query": "{ __typename }"}, headers=wrong)
            assert answer.status_code == status
        assert answer.json()["errors"][0]["extensions"]["code"] == "RATE_LIMITED"
        assert int(answer.headers["retry-after"]) >= 1
        assert (await http.post("/graphql", json={"query": "{ __typename }"})).status_code == 200


async def test_the_page_about_limits_says_what_its_example_costs(service: Service) -> None:
    text = (Path(__file__).parents[2] / "docs/limits.md").read_text(encoding="utf-8")
    (example,) = re.findall(r"```graphql\n(.*?)```", text, flags=re.S)
    (said,) = re.findall(r"This one costs (\d+)", text)
    context = service.context(Actor.system(), "r")
    told: list[int] = []
    context.spend = told.append  # type: ignore[method-assign, assignment]  # what would be charged
    operation = Operation(query=example, variables=None, operation_name=None, read_only=True)
    result = await service.execute(operation, context)
    assert (result.errors, told) == ([], [int(said)])
