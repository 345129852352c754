"""`--memory`: what the product's process holds before and after many different reads."""

import random

from rich.console import Console
from rich.progress import track

from benchmarks import client, servers
from benchmarks.client import MakeRequest
from benchmarks.processes import resident_bytes
from benchmarks.report import Sheet
from benchmarks.workloads import READS, Workload, posts, product_headers

STEPS = 10
"""Parts, after each of which memory is looked at."""
NEW_TEXTS = 0.1
"""Share of the requests that have a text of their own: caches of what is prepared must let go of them."""
CONNECTIONS = 8


def memory(title: str, url: str, customers: int, requests: int, console: Console) -> Sheet:
    """Resident memory after each tenth of the requests. The first one fills caches."""
    token = servers.make_token(url)
    make = mixed(token, customers)
    rows = []
    with servers.product(url) as product:
        client.run([product.port], make, connections=1, seconds=60, requests=len(READS))
        rows.append(("a few", _mebibytes(product.pid)))
        for step in track(range(1, STEPS + 1), "reads", console=console, transient=True):
            client.run(
                [product.port],
                make,
                connections=CONNECTIONS,
                seconds=3600,
                requests=requests // STEPS,
                seed=step,
            )
            rows.append((f"{requests * step // STEPS:,}", _mebibytes(product.pid)))
    return Sheet(f"{title}: memory of the product's process", ("reads so far", "MiB"), rows)


def mixed(token: str, customers: int) -> MakeRequest:
    """Any of the reads, with variables that change; some with a text that nobody has sent before."""

    def body(rng: random.Random) -> object:
        workload = rng.choice(READS)
        query = _another(workload, rng) if rng.random() < NEW_TEXTS else workload.query
        return {"query": query, "variables": workload.variables(rng, customers)}

    return posts("/graphql", body, product_headers(token))


def _another(workload: Workload, rng: random.Random) -> str:
    """The same question under another alias."""
    root = "customer(" if "customer(" in workload.query else "customers("
    return workload.query.replace(root, f"a{rng.getrandbits(64):x}: {root}", 1)


def _mebibytes(pid: int) -> str:
    return f"{resident_bytes(pid) / 2**20:.1f}"
