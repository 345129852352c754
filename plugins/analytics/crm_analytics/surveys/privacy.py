"""Invitations and answers of customers who are merged, exported and erased."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from crm_framework import UnitOfWork, among, parse_time

TABLE = "analytics_invitation"
MERGED = ("MERGED", "The customer was merged with another whom the same run is for.")
ERASED = ("ERASED", "The customer's data was erased.")


async def merge(winner: str, losers: Sequence[str], tx: UnitOfWork) -> Mapping[str, int]:
    """All is the winner's: links of losers stay good. Whom one run would ask twice is asked once."""
    where = among("customer_id", losers, tx.dialect)
    moved = await tx.execute(f"UPDATE {TABLE} SET customer_id = ? WHERE {where.sql}", [winner, *where.args])
    if moved:
        rows = await tx.fetch(
            f"SELECT id, run_id, state FROM {TABLE} WHERE customer_id = ?"
            " AND state IN ('WAITING', 'SENT', 'ANSWERED', 'FAILED') ORDER BY id",
            [winner],
        )
        runs = {str(row["run_id"]) for row in rows if row["state"] != "WAITING"}
        for row in rows:
            if row["state"] == "WAITING" and str(row["run_id"]) in runs:
                await tx.execute(
                    f"UPDATE {TABLE} SET state = 'PASSED_OVER', reason = ?, explanation = ? WHERE id = ?",
                    [*MERGED, row["id"]],
                )
            runs.add(str(row["run_id"]))
    return {TABLE: moved}


async def export(customer_id: str, tx: UnitOfWork) -> list[dict[str, Any]]:
    rows = await tx.fetch(
        f"SELECT i.*, s.question, s.kind FROM {TABLE} AS i JOIN analytics_survey AS s ON s.id = i.survey_id"
        " WHERE i.customer_id = ? ORDER BY i.created_at, i.id",
        [customer_id],
    )
    return [
        {
            "kind": row["kind"],
            "question": row["question"],
            "channel": row["channel"],
            "state": row["state"],
            "reason": row["reason"],
            "explanation": row["explanation"],
            "createdAt": _text(row["created_at"]),
            "sentAt": _text(row["sent_at"]),
            "expiresAt": _text(row["expires_at"]),
            "answeredAt": _text(row["answered_at"]),
            "score": row["score"],
            "comment": row["comment"],
        }
        for row in rows
    ]


async def erase(customer_id: str, tx: UnitOfWork) -> Mapping[str, int]:
    """Scores stay without the person; who waits is not asked, and links open nothing any more."""
    await tx.execute(
        f"UPDATE {TABLE} SET state = 'PASSED_OVER', reason = ?, explanation = ?"
        " WHERE customer_id = ? AND state = 'WAITING'",
        [*ERASED, customer_id],
    )
    return {
        TABLE: await tx.execute(
            f"UPDATE {TABLE} SET customer_id = NULL, asked_id = NULL, comment = NULL, interaction_id = NULL,"
            " message_id = NULL WHERE customer_id = ?",
            [customer_id],
        )
    }


def _text(moment: datetime | str | None) -> str | None:
    return None if moment is None else parse_time(moment).isoformat().replace("+00:00", "Z")
