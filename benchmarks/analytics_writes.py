"""What keeping the figures of the plugin analytics costs a write, and the worker afterwards."""

import random
import statistics
import time
from typing import Any

from rich.console import Console

from benchmarks.analytics_company import opened
from benchmarks.company import Size, customer_key
from crm_framework import encode_id, new_id
from crm_framework.testing import CrmClient, deliver_events

BUYERS = 1_000
"""How many customers they are about, where there are so many."""
WRITE = """mutation ($input: RecordPurchaseInput!) { recordPurchase(input: $input) {
  interaction { id } errors { message } } }"""
NOTE = """mutation ($input: LogInteractionInput!) { logInteraction(input: $input) {
  interaction { id } errors { message } } }"""


async def write_costs(url: str, size: Size, writes: int) -> dict[str, float]:
    """Milliseconds of a recorded purchase and a logged note, with the plugin and without: medians of rounds
    that take turns. `counted`: what the worker takes for each of the purchases afterwards."""
    costs: dict[str, list[float]] = {}
    buyers = min(BUYERS, size.customers)
    async with opened(url, "analytics") as client:
        database = client.service.database
        handlers = database.handlers
        for round_ in range(7):
            for which, on in (("without", ()), ("with", handlers)):
                database.handlers = on
                for kind in ("purchase", "note"):
                    spent = await _writes(client, kind, buyers, writes if round_ else 20)
                    if round_:
                        costs.setdefault(f"{kind} {which}", []).append(spent)
            database.handlers = handlers
            began = time.perf_counter()
            done = await deliver_events(client)
            if round_:
                costs.setdefault("counted", []).append(1000 * (time.perf_counter() - began) / done)
        database.handlers = handlers
    return {name: statistics.median(found) for name, found in costs.items()}


async def _writes(client: CrmClient, kind: str, buyers: int, writes: int) -> float:
    rng = random.Random(5)
    began = time.perf_counter()
    for _ in range(writes):
        customer = encode_id("Customer", customer_key(rng.randrange(buyers)))
        given: dict[str, Any] = {"customer": customer, "idempotencyKey": new_id()}
        if kind == "purchase":
            line = {
                "sku": f"S{rng.randrange(100)}",
                "quantity": 1,
                "unitPrice": {"amount": "9.99", "currency": "EUR"},
            }
            answer = await client.data(WRITE, input={**given, "lines": [line], "channel": "web"})
            assert answer["recordPurchase"]["errors"] == []
        else:
            answer = await client.data(NOTE, input={**given, "kind": "note", "subject": "Called"})
            assert answer["logInteraction"]["errors"] == []
    return 1000 * (time.perf_counter() - began) / writes


def show_writes(kind: str, costs: dict[str, float], console: Console) -> None:
    for what in ("purchase", "note"):
        without, with_ = costs[f"{what} without"], costs[f"{what} with"]
        console.print(
            f"{kind}: a {what} takes {without:.2f} ms without the plugin, {with_:.2f} with it:"
            f" {with_ / without:.2f} times"
        )
    console.print(f"{kind}: the worker counts a purchase in {costs['counted']:.2f} ms, 50 at a time")
