"""Predictions of customers who are merged, exported and erased."""

from collections.abc import Mapping, Sequence
from typing import Any

from crm_framework import UnitOfWork, among

from . import store
from .histories import history_of
from .scoring import score

TABLE = "analytics_prediction"


async def merge(winner: str, losers: Sequence[str], tx: UnitOfWork) -> Mapping[str, int]:
    """The winner's predictions are made anew, of all that is now the winner's, by the models that hold.

    One that cannot be made anew, as its model is gone, stays or moves.
    """
    where = among("customer_id", losers, tx.dialect)
    theirs = await tx.fetch(f"SELECT id, currency FROM {TABLE} WHERE {where.sql} ORDER BY id", where.args)
    rows = await tx.fetch(f"SELECT currency FROM {TABLE} WHERE customer_id = ?", [winner])
    held = {row["currency"] for row in rows}
    for row in theirs:
        if row["currency"] in held:
            await tx.execute(f"DELETE FROM {TABLE} WHERE id = ?", [row["id"]])
        else:
            await tx.execute(f"UPDATE {TABLE} SET customer_id = ? WHERE id = ?", [winner, row["id"]])
            held.add(row["currency"])
    await _predict(winner, tx)
    await _mark_main(winner, tx)
    return {TABLE: len(theirs)}


async def _predict(customer: str, tx: UnitOfWork) -> None:
    for currency, model in (await store.current(tx)).items():
        purchases, values = store.parameters(model)
        through = store.day_of(model)
        history = (await history_of(tx, customer, through)).get(currency)
        if purchases is not None and history is not None:
            found = score(history, through.toordinal(), purchases, values, store.horizon(model))
            await store.put(tx, str(model["id"]), currency, {customer: (found, False)})


async def _mark_main(customer: str, tx: UnitOfWork) -> None:
    await tx.execute(f"UPDATE {TABLE} SET main = ? WHERE customer_id = ?", [False, customer])
    await tx.execute(
        f"UPDATE {TABLE} SET main = ? WHERE id IN (SELECT id FROM {TABLE} WHERE customer_id = ?"
        " ORDER BY repeats DESC, currency LIMIT 1)",
        [True, customer],
    )


async def export(customer_id: str, tx: UnitOfWork) -> list[dict[str, Any]]:
    rows = await tx.fetch(
        "SELECT p.*, m.data_through FROM analytics_prediction AS p"
        " JOIN analytics_model AS m ON m.id = p.model_id"
        " WHERE p.customer_id = ? ORDER BY p.currency",
        [customer_id],
    )
    return [
        {
            "currency": row["currency"],
            "asOf": str(store.day_of(row)),
            "repeats": row["repeats"],
            "recencyDays": row["recency_days"],
            "ageDays": row["age_days"],
            "meanMinor": row["mean_minor"],
            "probabilityAlive": row["probability_alive"],
            "expectedPurchases": row["expected_purchases"],
            "expectedValueMinor": row["expected_value_minor"],
            "clvMinor": row["clv_minor"],
        }
        for row in rows
    ]


async def erase(customer_id: str, tx: UnitOfWork) -> Mapping[str, int]:
    return {TABLE: await tx.execute(f"DELETE FROM {TABLE} WHERE customer_id = ?", [customer_id])}
