import asyncio
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from crm_framework.domain.interactions.refunds import NewRefund, record_refund
from crm_framework.errors import CrmError, ErrorCode
from crm_framework.storage.clock import frozen
from crm_framework.storage.database import Database
from crm_framework.storage.ids import new_id

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)


async def refund(database: Database, **fields: Any) -> str:
    with frozen(NOW):
        async with database.unit_of_work() as tx:
            return await record_refund(tx, NewRefund(**fields))


async def bought(records: Any, **columns: Any) -> str:
    columns = {"kind": "purchase", "total_minor": 1000, "currency": "USD", "occurred_at": NOW, **columns}
    return str(await records.interaction(await records.customer(), **columns))


async def test_a_refund_is_an_interaction_of_its_own_with_a_negative_total(
    database: Database, records: Any
) -> None:
    purchase = await bought(records)
    key = await refund(database, purchase_id=purchase, amount_minor=400, currency="USD", subject="Broken")
    row = await records.row("crm_interaction", key)
    assert (row["kind"], row["total_minor"], row["currency"], row["refund_of_id"], row["subject"]) == (
        "refund",
        -400,
        "USD",
        purchase,
        "Broken",
    )
    original = await records.row("crm_interaction", purchase)
    assert (row["customer_id"], original["total_minor"]) == (original["customer_id"], 1000)
    ((type_, told),) = await records.events()
    assert (type_, told["interaction_id"], told["purchase_id"], told["total_minor"], told["currency"]) == (
        "refund.recorded",
        key,
        purchase,
        400,
        "USD",
    )


async def test_refunds_never_exceed_the_purchase_together(database: Database, records: Any) -> None:
    purchase = await bought(records)
    await refund(database, purchase_id=purchase, amount_minor=600)
    before = await records.everything()
    with pytest.raises(CrmError) as refused:
        await refund(database, purchase_id=purchase, amount_minor=401)
    assert (refused.value.code, refused.value.message, refused.value.path) == (
        ErrorCode.REFUSED,
        "A refund of 4.01 USD exceeds the 4.00 USD that are left of 10.00 USD.",
        ("amount",),
    )
    assert await records.everything() == before
    await refund(database, purchase_id=purchase, amount_minor=400)
    assert sum(row["total_minor"] for row in await records.rows("crm_interaction")) == 0


async def test_refunds_at_the_same_moment_never_exceed_it_either(database: Database, records: Any) -> None:
    purchase = await bought(records)
    outcomes = await asyncio.gather(
        *(refund(database, purchase_id=purchase, amount_minor=300) for _ in range(6)), return_exceptions=True
    )
    assert sum(isinstance(outcome, str) for outcome in outcomes) == 3
    refusals = [outcome for outcome in outcomes if isinstance(outcome, CrmError)]
    assert [refusal.code for refusal in refusals] == [ErrorCode.REFUSED] * 3
    assert sum(row["total_minor"] for row in await records.rows("crm_interaction")) == 100


@pytest.mark.parametrize(
    ("fields", "code", "path"),
    [
        ({"amount_minor": 0}, "BAD_INPUT", ("amount",)),
        ({"amount_minor": -5}, "BAD_INPUT", ("amount",)),
        ({"amount_minor": 1.5}, "BAD_INPUT", ("amount",)),
        ({"currency": "EUR"}, "BAD_INPUT", ("amount", "currency")),
        ({"occurred_at": NOW - timedelta(seconds=1)}, "BAD_INPUT", ("occurredAt",)),
        ({"purchase_id": new_id()}, "NOT_FOUND", ("purchaseId",)),
        ({"purchase_id": "7"}, "NOT_FOUND", ("purchaseId",)),
    ],
)
async def test_what_does_not_fit_is_refused(
    database: Database, records: Any, fields: dict[str, Any], code: str, path: tuple[str, ...]
) -> None:
    purchase = await bought(records)
    before = await records.everything()
    with pytest.raises(CrmError) as refused:
        await refund(database, **{"purchase_id": purchase, "amount_minor": 5, **fields})
    assert (refused.value.code, refused.value.path) == (ErrorCode(code), path)
    assert await records.everything() == before


async def test_only_a_purchase_can_be_refunded(database: Database, records: Any) -> None:
    call = await bought(records, kind="call", total_minor=None, currency=None)
    with pytest.raises(CrmError) as refused:
        await refund(database, purchase_id=call, amount_minor=5)
    assert (refused.value.code, refused.value.message) == (
        ErrorCode.BAD_INPUT,
        "Only a purchase can be refunded, not a call.",
    )


async def test_a_resend_of_a_refund_is_one_refund(database: Database, records: Any) -> None:
    purchase = await bought(records)
    fields = {"purchase_id": purchase, "amount_minor": 700, "source": "shop", "reference": "r1"}
    keys = set(await asyncio.gather(*(refund(database, **fields) for _ in range(3))))
    assert len(keys) == 1
    assert await records.count("crm_interaction") == 2
