"""Answers: one to each invitation, through its link or with the customer's own token.

An answer is an interaction of kind `survey` too, from which the metrics are counted.
"""

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from crm_analytics.models import SurveyKind
from crm_framework import (
    CrmError,
    ErrorCode,
    Hold,
    NewInteraction,
    UnitOfWork,
    live_customer,
    log_interaction,
    parse_time,
)

from .events import SurveyAnswered
from .rules import checked_comment, checked_score, outcome, sentiment
from .store import active

_FOUND = (
    "SELECT i.*, s.kind, s.question, s.locale, s.texts, s.active_from, s.active_until"
    " FROM analytics_invitation AS i JOIN analytics_survey AS s ON s.id = i.survey_id"
    " WHERE i.sent_at IS NOT NULL AND i.customer_id IS NOT NULL AND "
)
ANSWERED = "This question has been answered already."
ENDED = "This question can no longer be answered."


async def invitation(reader: Any, key: str) -> dict[str, Any] | None:
    """The invitation with its survey, if it was sent and the customer is still there."""
    rows = await reader.fetch(f"{_FOUND} i.id = ?", [key])
    return rows[0] if rows else None


async def answer(tx: UnitOfWork, key: str, score: int, comment: str | None) -> None:
    """Keeps the answer.

    NOT_FOUND; BAD_INPUT for a score that is not on the scale; CONFLICT where there is an answer; REFUSED
    where it is too late.
    """
    found = await _held(tx, key)
    refuse_late(found, tx.now)
    kind = SurveyKind(found["kind"])
    score, comment = checked_score(kind, score), checked_comment(comment)
    customer = str(found["customer_id"])
    interaction = await log_interaction(
        tx,
        NewInteraction(
            customer_id=customer,
            kind="survey",
            channel=found["channel"],
            direction="INBOUND",
            subject=found["question"],
            body=comment,
            outcome=outcome(kind, score),
            sentiment=sentiment(kind, score),
        ),
    )
    await tx.execute(
        "UPDATE analytics_invitation SET state = 'ANSWERED', answered_at = ?, score = ?, comment = ?,"
        " interaction_id = ?, reason = NULL, explanation = NULL WHERE id = ?",
        [tx.now, score, comment, interaction, key],
    )
    tx.emit(
        SurveyAnswered(
            customer_id=customer,
            invitation_id=key,
            survey_id=str(found["survey_id"]),
            kind=kind.value,
            score=score,
            changes={"score": (None, score)},
        )
    )


def refuse_late(found: Mapping[str, Any], now: datetime) -> None:
    """CONFLICT for an invitation that was answered, REFUSED for one that can no longer be."""
    if found["answered_at"] is not None:
        raise CrmError(
            ErrorCode.CONFLICT,
            ANSWERED,
            path=("invitation",),
            hint="The first answer counts; nothing was changed.",
        )
    if parse_time(found["expires_at"]) <= now or not active(found, now):
        raise CrmError(ErrorCode.REFUSED, ENDED, path=("invitation",))


async def _held(tx: UnitOfWork, key: str) -> dict[str, Any]:
    """The invitation, held after its customer so that nobody else answers it. Who was merged after being
    asked twice by one run has answered by either link."""
    found = await invitation(tx, key)
    if found is None:
        raise _unknown(key)
    customer = await live_customer(tx, str(found["customer_id"]), Hold.CHANGE, path=("invitation",))
    found = await invitation(tx, key)
    if found is None:
        raise _unknown(key)
    if found["answered_at"] is None:
        others = await tx.fetch(
            "SELECT answered_at FROM analytics_invitation WHERE run_id = ? AND customer_id = ?"
            " AND answered_at IS NOT NULL LIMIT 1",
            [str(found["run_id"]), customer.id],
        )
        return {**found, **dict(others[0])} if others else found
    return found


def _unknown(key: str) -> CrmError:
    return CrmError(
        ErrorCode.NOT_FOUND, f"There is no invitation {key}.", path=("invitation",), hint="Check the id."
    )
