"""What an attacker may try over HTTP, and what each attempt gets: docs/limits.md has the list."""

import json
import re
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx2
import pytest
from graphql import get_introspection_query

from crm_framework.app import create_app, open_service
from crm_framework.cli.demo import load_demo
from crm_framework.engine.ids import encode_id
from crm_framework.security.actors import ActorKind
from crm_framework.security.permissions import Permissions
from crm_framework.security.tokens import create_token
from crm_framework.server.service import Service
from crm_framework.settings import Settings
from crm_framework.storage.ids import new_id

GRAPHQL = "application/graphql-response+json"
Headers = Mapping[str, str]


@dataclass(frozen=True)
class Attack:
    """An attempt, and the status and code that it gets; `told` is part of the message."""

    what: str
    status: int
    code: str
    told: str
    query: str | None = None
    variables: Mapping[str, Any] | None = None
    body: Any = None
    headers: Headers | None = None
    token: bool = True
    reader: bool = False
    """Whether the attacker's token may read customers and interactions; otherwise it may nothing."""

    def request(self) -> dict[str, Any]:
        content = {"query": self.query, "variables": self.variables} if self.query else self.body
        sent = content if isinstance(content, bytes) else json.dumps(content).encode()
        return {"content": sent, "headers": {"content-type": "application/json", **(self.headers or {})}}


def doubling(levels: int) -> str:
    parts = [
        f"fragment F{n} on Customer {{ a: owner {{ id }} ...F{n + 1} ...F{n + 1} }}" for n in range(levels)
    ]
    return " ".join(["{ customers { nodes { ...F0 } } }", *parts, f"fragment F{levels} on Customer {{ id }}"])


CIRCLE = "interactions(first: 100) { nodes { customer { X } } }"


def circles(times: int) -> str:
    text = "id"
    for _ in range(times):
        text = CIRCLE.replace("X", text)
    return f"{{ customers(first: 100) {{ nodes {{ {text} }} }} }}"


ATTACKS = [
    Attack("no token", 401, "UNAUTHENTICATED", "A token is needed", "{ me { name } }", token=False),
    Attack(
        "a token of the right form",
        401,
        "UNAUTHENTICATED",
        "unknown, expired or revoked",
        "{ me { name } }",
        headers={"authorization": "Bearer crm_" + "A" * 43},
    ),
    Attack("introspection", 403, "FORBIDDEN", "__schema", get_introspection_query()),
    Attack(
        "the type of a field by its misspelling",
        400,
        "BAD_INPUT",
        "Cannot query field 'nme' on type 'Actor'.",
        "{ me { nme } }",
    ),
    Attack(
        "aliases",
        400,
        "TOO_COMPLEX",
        "101 aliases",
        "{ " + " ".join(f"a{n}: __typename" for n in range(101)) + " }",
    ),
    Attack(
        "the same field many times",
        400,
        "TOO_COMPLEX",
        "selected 300 times",
        "{ " + "__typename " * 300 + "}",
    ),
    Attack("fragments that double", 400, "TOO_COMPLEX", "fields", doubling(14)),
    Attack(
        "a fragment in itself", 400, "BAD_INPUT", "spreads itself", "{ ...A } fragment A on Query { ...A }"
    ),
    Attack("deep nesting", 400, "TOO_COMPLEX", "levels deep", circles(6)),
    Attack("deeper nesting", 400, "TOO_COMPLEX", "nested too deeply", "{ a " * 480 + "}" * 480),
    Attack("lists of lists of lists", 400, "TOO_COMPLEX", "may lead to", circles(3), reader=True),
    Attack(
        "the same by variables",
        400,
        "TOO_COMPLEX",
        "may lead to",
        "query ($n: Int) " + circles(3).replace("100", "$n"),
        {"n": 100},
        reader=True,
    ),
    Attack(
        "a page too long",
        200,
        "BAD_INPUT",
        "100",
        "{ customers(first: 100000) { nodes { id } } }",
        reader=True,
    ),
    Attack("many tokens", 400, "TOO_COMPLEX", "more than 1000 tokens", "{ " + "a " * 5_000 + "}"),
    Attack(
        "many directives",
        400,
        "TOO_COMPLEX",
        "more than 1000 tokens",
        "{ me { name " + "@a" * 600 + " } }",
    ),
    Attack(
        "the same directive many times",
        400,
        "BAD_INPUT",
        "The directive '@skip' can only be used once at this location.",
        "{ me { name " + "@skip(if: false)" * 100 + " } }",
    ),
    Attack(
        "one long token",
        400,
        "TOO_COMPLEX",
        "characters",
        '{ customers(search: "' + "x" * 100_000 + '") { totalCount } }',
    ),
    Attack("a long comment", 400, "TOO_COMPLEX", "characters", "{ me { name } } #" + "x" * 1_000_000),
    Attack(
        "a long list",
        400,
        "TOO_COMPLEX",
        "100000 items",
        "query ($ids: [ID!]!) { nodes(ids: $ids) { id } }",
        {"ids": ["x"] * 100_000},
    ),
    Attack(
        "many values",
        413,
        "TOO_LARGE",
        "more than 300,000 values",
        body=b'{"variables": {"a": [' + b"[]," * 2_000_000 + b"[]]}}",
    ),
    Attack(
        "unknown members",
        400,
        "TOO_COMPLEX",
        "the object $f has 30000 members",
        "query ($f: CustomerFilter) { customers(filter: $f) { totalCount } }",
        {"f": {f"n{n}": 1 for n in range(30_000)}},
        reader=True,
    ),
    Attack(
        "unknown members of what is left out",
        400,
        "TOO_COMPLEX",
        "the object $f has 30000 members",
        "query ($f: CustomerFilter) { me { name } customers(filter: $f) @skip(if: true) { totalCount } }",
        {"f": {f"n{n}": 1 for n in range(30_000)}},
    ),
    Attack(
        "many values in all",
        413,
        "TOO_LARGE",
        "more than 300,000 values",
        "{ me { name } }",
        {f"n{n}": 1 for n in range(350_000)},
    ),
    Attack(
        "a long number",
        400,
        "BAD_INPUT",
        "the number at line 1, column 19 has 5,000 characters; 64 are allowed",
        "{ customers(first:" + "9" * 5_000 + ") { totalCount } }",
        reader=True,
    ),
    Attack(
        "a long number as a default",
        400,
        "BAD_INPUT",
        "has 5,000 characters; 64 are allowed",
        "query ($n: Int = " + "9" * 5_000 + ") { customers(first: $n) { totalCount } }",
        reader=True,
    ),
    Attack("a large body", 413, "TOO_LARGE", "bytes", body=b" " * 17_000_000),
    Attack(
        "nested JSON",
        400,
        "BAD_INPUT",
        "not valid JSON",
        body=b'{"variables":' + b"[" * 100_000 + b"]" * 100_000 + b"}",
    ),
    Attack("several operations", 400, "BAD_INPUT", "list", body=[{"query": "{ me { name } }"}] * 100),
    Attack(
        "a compressed body",
        415,
        "BAD_INPUT",
        "Compressed",
        "{ me { name } }",
        headers={"content-encoding": "gzip"},
    ),
    Attack(
        "a form of another site",
        415,
        "BAD_INPUT",
        "send application/json",
        body=b"query={me{name}}",
        headers={"content-type": "application/x-www-form-urlencoded"},
    ),
    Attack(
        "JSON that another site may send",
        415,
        "BAD_INPUT",
        "send application/json",
        "{ me { name } }",
        headers={"content-type": "text/plain"},
    ),
    Attack(
        "no content type",
        415,
        "BAD_INPUT",
        "content type is missing",
        "{ me { name } }",
        headers={"content-type": ""},
    ),
    Attack(
        "a record by a guessed id",
        403,
        "FORBIDDEN",
        "customers.read",
        "query ($id: ID!) { customer(id: $id) { name } }",
        {"id": encode_id("Customer", "0" * 32)},
    ),
    Attack(
        "a change without the right",
        403,
        "FORBIDDEN",
        "customers.write",
        'mutation { createCustomer(input: {name: "x"}) { customer { id } } }',
    ),
]


@pytest.fixture
async def service(database_url: str) -> AsyncIterator[Service]:
    async with open_service(Settings(database_url=database_url, wrong_tokens_per_minute=1_000)) as opened:
        await load_demo(opened.database, opened.host)
        yield opened


async def bearer(service: Service, *grants: str) -> str:
    async with service.database.unit_of_work() as tx:
        token = await create_token(tx, Permissions.of(()), name="attacker", grants=grants)
    return f"Bearer {token.secret}"


@pytest.fixture
async def http(service: Service) -> AsyncIterator[httpx2.AsyncClient]:
    """A client whose token grants nothing."""
    transport = httpx2.ASGITransport(app=create_app(service=service))
    headers = {"authorization": await bearer(service), "accept": GRAPHQL}
    async with httpx2.AsyncClient(transport=transport, base_url="http://crm", headers=headers) as client:
        yield client


async def customers_of(service: Service) -> list[dict[str, Any]]:
    return await service.database.fetch("SELECT id, version FROM crm_customer ORDER BY id")


async def test_what_each_attack_gets(http: httpx2.AsyncClient, service: Service) -> None:
    before = await customers_of(service)
    nobody = http.headers["authorization"]
    reader = await bearer(service, "customers.read", "interactions.read", "staff.read")
    for attack in ATTACKS:
        http.headers["authorization"] = reader if attack.reader else nobody
        if not attack.token:
            del http.headers["authorization"]
        answer = await http.request("POST", "/graphql", **attack.request())
        body = answer.json()
        assert not any((body.get("data") or {}).values()), attack.what
        error = body["errors"][0]
        found = (answer.status_code, error["extensions"]["code"])
        assert found == (attack.status, attack.code), (attack.what, error)
        assert attack.told in error["message"], (attack.what, error)
        assert "Did you mean" not in error["message"], (attack.what, error)
        assert len(answer.content) < 20_000, attack.what
    assert await customers_of(service) == before


async def test_another_site_cannot_change_anything_by_a_link(
    http: httpx2.AsyncClient, service: Service
) -> None:
    before = await customers_of(service)
    http.headers["authorization"] = await bearer(service, "customers.read", "customers.write")
    change = 'mutation { createCustomer(input: {name: "x"}) { customer { id } } }'
    answer = await http.get("/graphql", params={"query": change})
    assert (answer.status_code, answer.headers["allow"]) == (405, "POST")
    form = {"content-type": "application/x-www-form-urlencoded"}
    assert (await http.post("/graphql", content="query=" + change, headers=form)).status_code == 415
    assert await customers_of(service) == before
    del http.headers["authorization"]  # a browser sends cookies along, but no token of ours
    assert (await http.get("/graphql", params={"query": "{ me { name } }"})).status_code == 401


async def test_another_spelling_of_the_address_leads_nowhere(http: httpx2.AsyncClient) -> None:
    """A redirect would name whatever host the client wrote, and send the token there unencrypted."""
    for path in ("/graphql/", "/healthz/"):
        answer = await http.post(path, json={"query": "{ me { name } }"}, headers={"host": "elsewhere"})
        assert (answer.status_code, "location" in answer.headers) == (404, False)


def test_the_page_about_limits_lists_every_attack() -> None:
    page = (Path(__file__).parents[2] / "docs/limits.md").read_text(encoding="utf-8")
    listed = {
        name: (int(status), code)
        for name, status, code in re.findall(r"^\| ([^|]+?) \| (\d+) `([A-Z_]+)` \|", page, flags=re.M)
    }
    assert listed == {attack.what: (attack.status, attack.code) for attack in ATTACKS}


def test_each_other_attempt_names_a_test_that_is_there() -> None:
    root = Path(__file__).parents[2]
    page = (root / "docs/limits.md").read_text(encoding="utf-8")
    table = page.partition("| Attempt | What it gets | Test |")[2].partition("\n\n")[0]
    rows = table.strip().splitlines()[1:]
    assert len(rows) > 10
    for row in rows:
        named = re.findall(r"`(tests/[\w/]+\.py)::(\w+)`", row)
        assert named, row
        for file, name in named:
            assert re.search(rf"^(async )?def {name}\(", (root / file).read_text(encoding="utf-8"), re.M), row


BY_ID = {
    "customer": "query ($id: ID!) { customer(id: $id) { name } }",
    "node": "query ($id: ID!) { node(id: $id) { id } }",
    "nodes": "query ($id: ID!) { nodes(ids: [$id]) { id } }",
    "filter": "query ($id: ID!) { customers(filter: {id: {eq: $id}}) { totalCount nodes { name } } }",
    "its interactions": "query ($id: ID!) { interactions(filter: {customer: {eq: $id}}) { totalCount } }",
    "change": 'mutation ($id: ID!) { updateCustomer(input: {id: $id, city: "x"}) { errors { code } } }',
    "contact point": """mutation ($id: ID!) { addContactPoint(input: {customer: $id, channel: "email",
        value: "x@example.com"}) { errors { code message } } }""",
    "log": """mutation ($id: ID!) { logInteraction(input: {customer: $id, kind: "message",
        direction: INBOUND, body: "x"}) { errors { code message } } }""",
}


async def test_ids_of_others_are_as_if_they_were_nobodys(service: Service, http: httpx2.AsyncClient) -> None:
    """A customer's and a partner's token learn nothing from an id: not even that there is such a record."""
    rows = await service.database.fetch(
        "SELECT id FROM crm_customer WHERE id IN (SELECT customer_id FROM crm_interaction)"
        " AND merged_into_id IS NULL ORDER BY id LIMIT 2"
    )
    own, other = (str(row["id"]) for row in rows)
    grants = ["customers.read", "customers.write", "interactions.read", "interactions.write"]
    async with service.database.unit_of_work() as tx:
        await tx.execute(
            "INSERT INTO crm_customer_tag (id, customer_id, tag) VALUES (?, ?, ?)", [new_id(), own, "own"]
        )
        permissions = Permissions.of(())
        tokens = [
            await create_token(
                tx, permissions, name="c", grants=[], kind=ActorKind.CUSTOMER, customer_id=own
            ),
            await create_token(tx, permissions, name="p", grants=grants, kind=ActorKind.PARTNER, tag="own"),
        ]
    for token in tokens:
        http.headers["authorization"] = f"Bearer {token.secret}"
        for what, query in BY_ID.items():
            answers = []
            for key in (other, new_id()):
                id = encode_id("Customer", key)
                sent = {"query": query, "variables": {"id": id}}
                answer = await http.post("/graphql", json=sent)
                answers.append((answer.status_code, answer.text.replace(id, "ID")))
            assert answers[0] == answers[1], (what, answers)
        seen = await http.post(
            "/graphql", json={"query": BY_ID["customer"], "variables": {"id": encode_id("Customer", own)}}
        )
        assert seen.json()["data"]["customer"]["name"]
