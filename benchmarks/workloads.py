"""The workloads: as GraphQL for the product, as a path and the same values for the limits."""

import random
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any
from uuid import uuid4

import orjson

from benchmarks.client import MakeRequest
from benchmarks.company import FIRST, LAST, PLACES, customer_key
from crm_framework.engine.ids import encode_id

Variables = dict[str, Any]

IMPORTED = 10_000
"""Rows of an import."""


@dataclass(frozen=True)
class Workload:
    """One operation. `variables` makes those of a request, for a company of so many customers."""

    name: str
    title: str
    query: str
    variables: Callable[[random.Random, int], Variables]
    writes: bool = False
    bulk: bool = False
    """Whether one request is a round of its own."""
    plugins: bool = False
    """Whether it needs the plugins; it is then compared with the page that does not."""


def _some_customer(rng: random.Random, customers: int) -> Variables:
    return {"id": encode_id("Customer", customer_key(rng.randrange(customers)))}


def _nothing(rng: random.Random, customers: int) -> Variables:
    return {}


def _search(rng: random.Random, customers: int) -> Variables:
    """As somebody types it: the beginnings of two names, the beginning of a city."""
    return {"search": f"{rng.choice(FIRST)[:3]} {rng.choice(LAST)[:3]}", "city": rng.choice(PLACES)[0][:3]}


def _new_customer(rng: random.Random, customers: int) -> Variables:
    unique = uuid4().hex
    return {"name": f"Bench {unique}", "email": f"{unique}@example.com"}


def _touch(rng: random.Random, customers: int) -> Variables:
    return {**_some_customer(rng, customers), "subject": "Asked for an offer"}


def _touches(rng: random.Random, customers: int) -> Variables:
    return {
        "rows": [
            {
                "kind": "call",
                "customer": encode_id("Customer", customer_key(rng.randrange(customers))),
                "direction": "INBOUND",
                "subject": f"Asked for offer {number}",
                "occurredAt": f"2026-01-{number % 28 + 1:02}T{number % 24:02}:{number % 60:02}:07.125000Z",
            }
            for number in range(IMPORTED)
        ]
    }


_TEN = "id name email phone company city country stage createdAt updatedAt"
_BY_NAME = "customers(first: 50, orderBy: [{field: NAME, direction: ASC}])"

WORKLOADS = (
    Workload(
        "one",
        "customer by id",
        "query One($id: ID!) { customer(id: $id) { id name email phone city stage } }",
        _some_customer,
    ),
    Workload(
        "page",
        "50 customers × 10 fields",
        f"query Page {{ {_BY_NAME} {{ nodes {{ {_TEN} }} }} }}",
        _nothing,
    ),
    Workload(
        "nested",
        "50 customers × 5 interactions",
        f"query Nested {{ {_BY_NAME} {{ nodes {{ id name"
        " interactions(first: 5, orderBy: [{field: OCCURRED_AT, direction: DESC}]) {"
        " nodes { id kind subject occurredAt } } } } }",
        _nothing,
    ),
    Workload(
        "search",
        "filter + search",
        "query Search($search: String!, $city: String!) { customers(first: 20, search: $search,"
        " filter: {stage: {eq: CUSTOMER}, city: {startsWith: $city}},"
        " orderBy: [{field: NAME, direction: ASC}]) { nodes { id name email city } } }",
        _search,
    ),
    Workload(
        "create",
        "create a customer",
        "mutation Create($name: String!, $email: String!) {"
        " createCustomer(input: {name: $name, email: $email}) { customer { id name } errors { message } } }",
        _new_customer,
        writes=True,
    ),
    Workload(
        "log",
        "log an interaction",
        "mutation Log($id: ID!, $subject: String!) {"
        ' logInteraction(input: {customer: $id, kind: "call", direction: INBOUND, subject: $subject}) {'
        " interaction { id subject } errors { message } } }",
        _touch,
        writes=True,
    ),
    Workload(
        "import",
        "import 10,000 interactions",
        "mutation Import($rows: [InteractionRowInput!]!) {"
        " importInteractions(input: {rows: $rows}) { created failed errors { message } } }",
        _touches,
        writes=True,
        bulk=True,
    ),
    Workload(
        "plugins",
        "the page and a field of each plugin",
        f"query Plugins {{ {_BY_NAME} {{ nodes {{ {_TEN}"
        " loyalty { balance } tickets(first: 1) { nodes { number } } metrics { purchases } } } }",
        _nothing,
        plugins=True,
    ),
)
PAGE = WORKLOADS[1]
READS = WORKLOADS[:4]


def product_request(workload: Workload, token: str, customers: int) -> MakeRequest:
    """Requests for `crm serve`."""
    return posts(
        "/graphql",
        lambda rng: {"query": workload.query, "variables": workload.variables(rng, customers)},
        product_headers(token),
    )


def product_headers(token: str) -> str:
    return f"Accept: application/graphql-response+json\r\nAuthorization: Bearer {token}\r\n"


def limit_request(workload: Workload, customers: int, kind: str = "rows") -> MakeRequest:
    """Requests for a limit: `rows` or `json`."""
    return posts(f"/{kind}/{workload.name}", lambda rng: workload.variables(rng, customers))


def empty_request(rng: random.Random) -> bytes:
    """For the ceiling: the least that can be asked."""
    return b"GET / HTTP/1.1\r\nHost: bench\r\n\r\n"


def posts(path: str, body: Callable[[random.Random], object], headers: str = "") -> MakeRequest:
    head = (
        f"POST {path} HTTP/1.1\r\nHost: bench\r\nContent-Type: application/json\r\n{headers}Content-Length: "
    ).encode()

    def make(rng: random.Random) -> bytes:
        content = orjson.dumps(body(rng))
        return b"%b%d\r\n\r\n%b" % (head, len(content), content)

    return make
