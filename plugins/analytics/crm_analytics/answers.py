"""Answers to surveys: interactions of kind `survey` whose outcome is a question's name and a number.

`nps 9` (0 to 10), `csat 4` (of 5), `csat 8/10`. Whoever records, imports or corrects such an interaction is
counted, also without the surveys of this plugin.
"""

import re
from collections import defaultdict
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from crm_framework import (
    Event,
    InteractionLogged,
    InteractionUpdated,
    Reader,
    UnitOfWork,
    among,
    new_id,
    parse_time,
)

from .rollups import raw

KIND = "survey"
_OUTCOME = re.compile(r"\s*(nps|csat)\s*:?\s*(\d{1,3})(?:\s*/\s*(\d{1,3}))?\s*", re.IGNORECASE | re.ASCII)
USUAL = {"nps": 10, "csat": 5}


@dataclass(frozen=True)
class Score:
    """`most` is the best score of the scale."""

    question: str
    score: int
    most: int


def outcome_of(score: Score) -> str:
    """As an interaction says it."""
    usual = score.most == USUAL[score.question]
    return f"{score.question} {score.score}" if usual else f"{score.question} {score.score}/{score.most}"


def score_of(outcome: str | None) -> Score | None:
    """None where it says no score, or one that is not on the scale."""
    found = _OUTCOME.fullmatch(outcome or "")
    if found is None:
        return None
    question = found[1].lower()
    score, most = int(found[2]), int(found[3] or USUAL[question])
    least = 0 if question == "nps" else 1
    if (question == "nps" and most != 10) or not least <= score <= most or most < 2:
        return None
    return Score(question, score, most)


def concerns(event: Event) -> bool:
    """Whether it is about an answer."""
    return isinstance(event, InteractionLogged) and (event.kind == KIND or _was_survey(event))


async def count(events: Sequence[Event], tx: UnitOfWork) -> None:
    """Brings the answers of these interactions up to date."""
    keys = {
        event.interaction_id for event in events if isinstance(event, InteractionLogged) and concerns(event)
    }
    if keys:
        where = among("i.id", sorted(keys), tx.dialect)
        await _store(where.sql, where.args, tx)


async def recount(customers: Collection[str], tx: UnitOfWork) -> None:
    """All answers of these customers, anew."""
    where = among("i.customer_id", sorted(customers), tx.dialect)
    gone = among("customer_id", sorted(customers), tx.dialect)
    await tx.execute(f"DELETE FROM analytics_answer WHERE {gone.sql}", gone.args)
    await _store(f"{raw.KIND[tx.dialect]} = '{KIND}' AND {where.sql}", where.args, tx)


async def compared(
    customers: Collection[str], source: UnitOfWork | Reader
) -> tuple[Mapping[str, Mapping[str, Score]], Mapping[str, Mapping[str, Score]]]:
    """What is kept of these customers, and what was recorded: by customer and interaction."""
    where = among("customer_id", sorted(customers), source.dialect)
    own = among("i.customer_id", sorted(customers), source.dialect)
    kept: dict[str, dict[str, Score]] = defaultdict(dict)
    given: dict[str, dict[str, Score]] = defaultdict(dict)
    for row in await source.fetch(
        f"SELECT customer_id, interaction_id, question, score, most FROM analytics_answer WHERE {where.sql}",
        where.args,
    ):
        score = Score(row["question"], row["score"], row["most"])
        kept[str(row["customer_id"])][str(row["interaction_id"])] = score
    for row in await source.fetch(
        "SELECT i.customer_id, i.id, i.outcome FROM crm_interaction AS i"
        f" WHERE {raw.KIND[source.dialect]} = '{KIND}' AND {own.sql}",
        own.args,
    ):
        found = score_of(row["outcome"])
        if found is not None:
            given[str(row["customer_id"])][str(row["id"])] = found
    return kept, given


async def differing(customers: Collection[str], source: UnitOfWork | Reader) -> set[str]:
    """Those of whom other answers are kept than were recorded."""
    kept, given = await compared(customers, source)
    return {customer for customer in customers if kept.get(customer) != given.get(customer)}


def _was_survey(event: InteractionLogged) -> bool:
    return isinstance(event, InteractionUpdated) and event.changes.get("kind", (None,))[0] == KIND


@dataclass(frozen=True)
class _Given:
    interaction: str
    customer: str
    score: Score
    channel: str
    at: datetime


_SELECT = (
    "SELECT i.id, i.customer_id, i.kind, i.outcome, COALESCE(i.channel, '') AS channel, i.occurred_at"
    " FROM crm_interaction AS i JOIN crm_customer AS c ON c.id = i.customer_id"
    " WHERE c.erased_at IS NULL AND "
)
_COLUMNS = ("customer_id", "question", "score", "most", "channel", "answered_at")
_INSERT = (
    f"INSERT INTO analytics_answer (id, interaction_id, {', '.join(_COLUMNS)}) VALUES (?, ?, ?, ?, ?, ?,"
    f" ?, ?)"
    " ON CONFLICT (interaction_id) DO UPDATE SET "
    + ", ".join(f"{name} = excluded.{name}" for name in _COLUMNS)
)


async def _store(where: str, args: Sequence[object], tx: UnitOfWork) -> None:
    given, none = [], []
    for row in await tx.fetch(f"{_SELECT}{where} ORDER BY i.id", args):
        score = score_of(row["outcome"]) if row["kind"] == KIND else None
        if score is None:
            none.append(str(row["id"]))
        else:
            at = parse_time(row["occurred_at"])
            given.append(_Given(str(row["id"]), str(row["customer_id"]), score, row["channel"], at))
    if none:
        gone = among("interaction_id", none, tx.dialect)
        await tx.execute(f"DELETE FROM analytics_answer WHERE {gone.sql}", gone.args)
    await tx.execute_many(
        _INSERT,
        [
            (
                *(new_id(), one.interaction, one.customer),
                *(one.score.question, one.score.score, one.score.most, one.channel, one.at),
            )
            for one in given
        ],
    )
