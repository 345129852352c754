"""Strawberry's integration of Django with its optimizer, served by uvicorn. A write is one row."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from benchmarks.limit_answers import key_of
from benchmarks.peers import Peer, environment_of
from benchmarks.servers import Server, running
from benchmarks.workloads import Variables
from crm_framework.domain.values.text import words

NAME = "strawberry-django"
PACKAGES = ("strawberry-graphql-django==0.93.0", "Django==5.2.*", "psycopg[binary,pool]", "uvicorn[standard]")

SERVER = Path(__file__).resolve().parent / "server.py"

_BY_NAME = "customers(pagination: {limit: 50}, ordering: [{sortName: ASC}, {id: ASC}])"
QUERIES = {
    "one": "query One($id: ID!) { customer(pk: $id) { id name email phone city stage } }",
    "page": f"query Page {{ {_BY_NAME} {{"
    " id name email phone company city country stage createdAt updatedAt } }",
    "nested": f"query Nested {{ {_BY_NAME} {{ id name"
    " interactions(pagination: {limit: 5}, ordering: [{occurredAt: DESC}, {id: DESC}]) {"
    " id kind subject occurredAt } } }",
    "search": "query Search($search: String!, $city: String!) { customers(pagination: {limit: 20},"
    " filters: {search: $search, stage: {exact: CUSTOMER}, city: {startsWith: $city}},"
    " ordering: [{sortName: ASC}, {id: ASC}]) { id name email city } }",
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
    python = str(environment_of("strawberry_django") / "bin/python")
    with running([str(SERVER)], url, program=python, variables={"PEER_DATABASE_URL": url}) as server:
        yield server


PEER = Peer(NAME, "/graphql", QUERIES, variables, ("postgres",), serve)
