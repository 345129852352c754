"""What surveys and their runs come to: how many were asked, answered and passed over."""

from collections import Counter, defaultdict
from collections.abc import Sequence
from typing import Any

import strawberry

from crm_analytics.metrics import csat, nps
from crm_analytics.models import InvitationState, SurveyKind
from crm_analytics.tables import as_csv
from crm_framework import among

from .rules import SCALES


@strawberry.type(description="How many customers gave a score.")
class SurveyScore:
    score: int = strawberry.field(description="The score.")
    answers: int = strawberry.field(description="How many gave it.")


@strawberry.type(description="How many customers are passed over for a reason.")
class PassedOver:
    reason: str = strawberry.field(description="The reason in a word; see `SurveyInvitation.reason`.")
    customers: int = strawberry.field(description="How many they are.")


@strawberry.type(description="What was answered. What is undefined is null, never 0.")
class SurveyResults:
    waiting: int = strawberry.field(description="Who is about to be asked.")
    sent: int = strawberry.field(description="Who was asked and could be reached, with those who answered.")
    answered: int = strawberry.field(description="Who answered.")
    failed: int = strawberry.field(description="Whose message could not be delivered.")
    passed_over: int = strawberry.field(description="Who is not asked.")
    response_rate: float | None = strawberry.field(description="Answered of sent, in percent.")
    value: float | None = strawberry.field(
        description="NPS in points, or CSAT in percent, of these answers; `analytics` has them by time and"
        " other groups."
    )
    scores: list[SurveyScore] = strawberry.field(description="All scores of the scale, the least first.")
    csv: str = strawberry.field(description="The scores as CSV.")


async def counted_surveys(reader: Any, keys: Sequence[str]) -> list[SurveyResults]:
    return await _counted(reader, keys, "survey_id", "analytics_survey AS k", "k.id", "k.kind")


async def counted_runs(reader: Any, keys: Sequence[str]) -> list[SurveyResults]:
    table = "analytics_survey_run AS k JOIN analytics_survey AS s ON s.id = k.survey_id"
    return await _counted(reader, keys, "run_id", table, "k.id", "s.kind")


async def _counted(
    reader: Any, keys: Sequence[str], column: str, table: str, key: str, kind: str
) -> list[SurveyResults]:
    where = among(key, keys, reader.dialect)
    rows = await reader.rows(f"SELECT CAST({key} AS TEXT), {kind} FROM {table} WHERE {where.sql}", where.args)
    kinds = {row[0]: SurveyKind(row[1]) for row in rows}
    where = among(column, keys, reader.dialect)
    rows = await reader.rows(
        f"SELECT CAST({column} AS TEXT), state, score, COUNT(*) FROM analytics_invitation"
        f" WHERE {where.sql} GROUP BY {column}, state, score",
        where.args,
    )
    found: dict[str, list[tuple[str, int | None, int]]] = defaultdict(list)
    for one, state, score, number in rows:
        found[one].append((state, score, number))
    return [_results(kinds[str(one)], found[str(one)]) for one in keys]


def _results(kind: SurveyKind, rows: Sequence[tuple[str, int | None, int]]) -> SurveyResults:
    states: Counter[str] = Counter()
    scores: Counter[int] = Counter()
    for state, score, number in rows:
        states[state] += number
        if score is not None:
            scores[score] += number
    answered = states[InvitationState.ANSWERED]
    sent = states[InvitationState.SENT] + answered
    least, best = SCALES[kind]
    if kind is SurveyKind.NPS:
        value = nps.nps(scores.items()).value
    else:
        value = csat.csat((score, best, number) for score, number in scores.items()).value
    listed = [(score, scores[score]) for score in range(least, best + 1)]
    return SurveyResults(
        waiting=states[InvitationState.WAITING],
        sent=sent,
        answered=answered,
        failed=states[InvitationState.FAILED],
        passed_over=states[InvitationState.PASSED_OVER],
        response_rate=100 * answered / sent if sent else None,
        value=value,
        scores=[SurveyScore(score=score, answers=answers) for score, answers in listed],
        csv=as_csv(("score", "answers"), listed),
    )


async def passed_over(reader: Any, runs: Sequence[str]) -> list[list[PassedOver]]:
    where = among("run_id", runs, reader.dialect)
    rows = await reader.rows(
        "SELECT CAST(run_id AS TEXT), reason, COUNT(*) FROM analytics_invitation"
        f" WHERE {where.sql} AND state = 'PASSED_OVER' GROUP BY run_id, reason",
        where.args,
    )
    found: dict[str, Counter[str]] = defaultdict(Counter)
    for run, reason, number in rows:
        found[run][reason] += number
    return [listed(found[str(run)]) for run in runs]


def listed(reasons: Counter[str]) -> list[PassedOver]:
    """The most frequent first."""
    ordered = sorted(reasons.items(), key=lambda one: (-one[1], one[0]))
    return [PassedOver(reason=reason, customers=number) for reason, number in ordered]
