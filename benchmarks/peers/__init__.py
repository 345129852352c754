"""Others that serve the same tables over GraphQL, each installed into an environment of its own."""

import asyncio
from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path

from benchmarks.client import MakeRequest
from benchmarks.servers import Server
from benchmarks.workloads import Variables, Workload, posts
from crm_framework.testing.templates import run_statement

ENVIRONMENTS = Path("var/benchmarks/peers").absolute()
"""A folder with the packages of each."""


@dataclass(frozen=True)
class Peer:
    """One of them.

    `queries` are its own texts for the workloads, `variables` turns the product's variables into its own.
    """

    name: str
    path: str
    queries: Mapping[str, str]
    variables: Callable[[str, Variables], Variables]
    databases: Sequence[str]
    serve: Callable[[str], AbstractContextManager[Server]]

    def request(self, workload: Workload, customers: int) -> MakeRequest:
        query = self.queries[workload.name]
        return posts(
            self.path,
            lambda rng: {
                "query": query,
                "variables": self.variables(workload.name, workload.variables(rng, customers)),
            },
        )


def environment_of(folder: str) -> Path:
    """Where the packages of a peer are, or come to be."""
    return ENVIRONMENTS / folder


def run_sql(url: str, sql: str) -> None:
    """Several statements, without values."""
    asyncio.run(run_statement(url, sql))
