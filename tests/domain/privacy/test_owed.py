"""Customers are merged and erased while a plugin still owes what happened to them."""

from datetime import timedelta
from pathlib import Path
from typing import Any

from crm_framework.engine.ids import decode_key
from crm_framework.storage.clock import frozen, now
from crm_framework.storage.deliveries import deliver_due
from crm_framework.testing.apps import OpenClient

PLUGIN = """
from pathlib import Path

from crm_framework import NewInteraction, Plugin, PurchaseRecorded, hookimpl, log_interaction

plugin = Plugin(name="late", requires_api="1.0", summary="Notes purchases, once the file is there.")


@hookimpl
async def on_events(events, tx):
    for event in events:
        if isinstance(event, PurchaseRecorded):
            if not Path({file!r}).exists():
                raise RuntimeError("not yet")
            await log_interaction(
                tx, NewInteraction(kind="note", customer_id=event.customer_id, subject="bought")
            )
"""


async def test_what_is_owed_follows_a_merge_and_ends_with_an_erasure(
    open_client: OpenClient, temporary_plugin: Any, tmp_path: Path
) -> None:
    gate = tmp_path / "gate"
    temporary_plugin("late", PLUGIN.format(file=str(gate)))
    client = await open_client("late")
    database = client.service.database

    async def do(name: str, kind: str, select: str, /, **input_: Any) -> Any:
        text = f"mutation ($i: {kind}!) {{ {name}(input: $i) {{ {select} errors {{ message }} }} }}"
        payload = (await client.data(text, i=input_))[name]
        assert payload["errors"] == [], payload
        return payload

    keys = []
    for name in ("Winner", "Loser", "Zerelda"):
        made = await do("createCustomer", "CreateCustomerInput", "customer { id }", name=name)
        keys.append(made["customer"]["id"])
        total = {"amount": "5.00", "currency": "EUR"}
        await do(
            "recordPurchase", "RecordPurchaseInput", "interaction { id }", customer=keys[-1], total=total
        )
    winner, loser, erased = keys
    # of each the purchase, and that the customer rose by it
    assert len(await database.fetch("SELECT 1 FROM crm_delivery")) == 6
    await do("mergeCustomers", "MergeCustomersInput", "losers", winner=winner, losers=[loser])
    await do("eraseCustomer", "EraseCustomerInput", "", id=erased, reason="asked for")
    gate.touch()
    for hours in (1, 2, 3):  # one of a customer after the other
        with frozen(now() + timedelta(hours=hours)):
            await deliver_due(database)
    notes = await database.fetch("SELECT customer_id FROM crm_interaction WHERE subject = 'bought'")
    assert [row["customer_id"] for row in notes] == [decode_key(winner, "Customer")] * 2
    left = await database.fetch(
        "SELECT d.customer_id, d.error, e.type FROM crm_delivery d JOIN crm_event e ON e.id = d.event_id"
        " ORDER BY d.position"
    )
    # nothing is noted of an erased person: to this plugin a failure, which is shown, and parked in time
    assert [row["customer_id"] for row in left] == [decode_key(erased, "Customer")] * len(left)
    assert [row["type"] for row in left][:1] == ["purchase.recorded"]
    assert "REFUSED" in left[0]["error"] or "erased" in left[0]["error"]
    for table in ("crm_customer", "crm_interaction", "crm_event", "crm_delivery"):
        assert "Zerelda" not in str(await database.fetch(f"SELECT * FROM {table}"))
