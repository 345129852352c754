"""Strawberry over Tortoise as a newcomer writes it: a type a model, a resolver a list. A write is one row."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from benchmarks.limit_answers import key_of
from benchmarks.peers import Peer, environment_of
from benchmarks.servers import Server, running
from benchmarks.workloads import Variables
from crm_framework.domain.values.text import words

NAME = "Strawberry + Tortoise"
PACKAGES = ("strawberry-graphql==0.341.2", "tortoise-orm[asyncpg]==1.1.9", "starlette", "uvicorn[standard]")

SERVER = Path(__file__).resolve().parent / "server.py"

QUERIES = {
    "one": "query One($id: ID!) { customer(id: $id) { id name email phone city stage } }",
    "page": "query Page { customers(limit: 50) {"
    " id name email phone company city country stage createdAt updatedAt } }",
    "nested": "query Nested { customers(limit: 50) { id name"
    " interactions(limit: 5) { id kind subject occurredAt } } }",
    "search": "query Search($search: String!, $city: String!) {"
    " customers(limit: 20, search: $search, stage: CUSTOMER, city: $city) { id name email city } }",
    "create": "mutation Create($name: String!, $email: String!) {"
    " createCustomer(name: $name, email: $email) { id name } }",
    "log": "mutation Log($id: ID!, $subject: String!) {"
    ' logInteraction(customer: $id, kind: "call", direction: INBOUND, subject: $subject) { id subject } }',
}


def variables(workload: str, given: Variables) -> Variables:
    if "id" in given:
        return {**given, "id": key_of(given["id"])}
    if workload == "search":
        return {**given, "search": " & ".join(f"'{word}':*" for word in words(given["search"]))}
    return given


@contextmanager
def serve(url: str) -> Iterator[Server]:
    python = str(environment_of("idiomatic") / "bin/python")
    with running([str(SERVER)], url, program=python, variables={"PEER_DATABASE_URL": url}) as server:
        yield server


PEER = Peer(NAME, "/graphql", QUERIES, variables, ("postgres",), serve)
