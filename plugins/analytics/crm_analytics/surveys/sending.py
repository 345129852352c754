"""Asking customers: who is asked is kept when the sending begins, a job asks them in batches.

Each batch is one transaction with the step of the job, so that whoever was asked is marked so, wherever the
process dies. The contact rules are asked for each customer when its turn comes.
"""

from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any

from crm_analytics.models import InvitationState
from crm_analytics.settings import AnalyticsSettings
from crm_framework import (
    CrmError,
    ErrorCode,
    Hold,
    JobRun,
    NewInteraction,
    OutgoingMessage,
    QueuedMessage,
    UnitOfWork,
    among,
    contact_decisions,
    live_customers,
    log_interaction,
    new_id,
    now,
    send_messages,
    sign_link,
)

from .events import SurveyAsked, SurveyRunBegun, SurveyRunFinished
from .store import active, survey, words_of

JOB = "analytics.send_survey"
PURPOSE = "analytics.survey"
MOST = 20_000
"""Customers that one run is for."""
BATCH = 200
ASKED = (InvitationState.WAITING, InvitationState.SENT, InvitationState.ANSWERED)
"""States of those who are asked, or about to be."""
POINTS_OF = {"sms": "phone"}
"""Channels that reach the contact points of another one."""

NO_ADDRESS = ("NO_ADDRESS", "The customer has no contact point on this channel.")
ASKED_ALREADY = ("ASKED_ALREADY", "The customer was asked by this survey already.")
GONE = ("GONE", "The customer's data was erased.")
CLOSED = ("CLOSED", "The survey ended before it was the customer's turn.")
UNSENDABLE = "UNSENDABLE"
Refusal = tuple[str, str]
"""Why a customer is passed over, in a word and in sentences."""


async def whom(
    tx: UnitOfWork, key: str, selected: Sequence[str], channel: str, again_after: timedelta | None
) -> tuple[list[str], list[str]]:
    """Keys of those to be asked, and of those whom the survey asked before; all are held.

    NOT_FOUND or REFUSED for the survey, BAD_INPUT for the channel.
    """
    await contact_decisions(tx, [], channel, tx.now)
    live = await live_customers(tx, selected, Hold.ADD)
    there = list(dict.fromkeys(one.id for one in live.values() if not isinstance(one, CrmError)))
    await tx.lock("analytics_survey", [key])  # else two runs at once would each find nobody asked
    row = await survey(tx, key, path=("survey",))
    if not active(row, tx.now):
        raise CrmError(
            ErrorCode.REFUSED,
            "The survey is not active now.",
            path=("survey",),
            hint="Look at activeFrom and activeUntil.",
        )
    since = None if again_after is None else tx.now - again_after
    before = await _asked_before(tx, key, there, since)
    return [one for one in there if one not in before], [one for one in there if one in before]


async def preview(tx: UnitOfWork, customers: Sequence[str], channel: str) -> Counter[str]:
    """Why how many of these would be passed over, as far as is known now."""
    found: Counter[str] = Counter()
    for start in range(0, len(customers), 1_000):
        some = customers[start : start + 1_000]
        addresses = await _addresses(tx, some, channel)
        refused = await _refusals(tx, some, channel, addresses)
        found.update(reason for reason, _ in refused.values())
    return found


async def begin(tx: UnitOfWork, key: str, to_ask: Sequence[str], before: Sequence[str], channel: str) -> str:
    """The key of a run of the survey that asks the first, and passes over the others."""
    run = new_id()
    tx.insert(
        "analytics_survey_run",
        {
            "id": run,
            "survey_id": key,
            "channel": channel,
            "customers": len(to_ask) + len(before),
            "created_at": tx.now,
        },
    )
    columns = ("id", "survey_id", "run_id", "customer_id", "asked_id", "channel", "created_at", "state")
    rows = [
        (new_id(), key, run, one, one, channel, tx.now, state.value, *why)
        for many, state, why in (
            (to_ask, InvitationState.WAITING, (None, None)),
            (before, InvitationState.PASSED_OVER, ASKED_ALREADY),
        )
        for one in many
    ]
    tx.insert_values("analytics_invitation", (*columns, "reason", "explanation"), rows)
    tx.emit(SurveyRunBegun(customer_id=None, run_id=run, survey_id=key))
    tx.defer(JOB, {"run": run}, key=run)
    return run


async def send_job(job: JobRun) -> None:
    """Asks the next customers of a run; the next batch follows until nobody waits."""
    async with job.unit_of_work() as tx:
        more = await send_batch(tx, str(job.payload["run"]), job.settings)
        job.done(tx, then=job.payload if more else None)


async def send_batch(tx: UnitOfWork, run: str, settings: AnalyticsSettings) -> bool:
    """Whether there may be more."""
    waiting = await tx.fetch(
        "SELECT id, survey_id, customer_id, channel FROM analytics_invitation"
        " WHERE run_id = ? AND state = 'WAITING' ORDER BY id LIMIT ?",
        [run, BATCH],
    )
    if not waiting:
        await _finish(tx, run)
        return False
    row = await survey(tx, str(waiting[0]["survey_id"]), path=("survey",))
    if not active(row, tx.now):
        await tx.execute(
            "UPDATE analytics_invitation SET state = 'PASSED_OVER', reason = ?, explanation = ?"
            " WHERE run_id = ? AND state = 'WAITING'",
            [*CLOSED, run],
        )
        await _finish(tx, run)
        return False
    # Another survey may be asking the same customers: whom it asked counts when it is our turn.
    live = await live_customers(tx, {str(one["customer_id"]) for one in waiting}, Hold.CHANGE)
    again = among("id", [str(one["id"]) for one in waiting], tx.dialect)
    held = await tx.fetch(  # a merge that came before us may have left some out
        f"SELECT id, channel FROM analytics_invitation WHERE {again.sql} AND state = 'WAITING' ORDER BY id",
        again.args,
    )
    named = {str(one["id"]): str(one["customer_id"]) for one in waiting}
    refused: dict[str, Refusal] = {}
    customers: dict[str, str] = {}
    for one in held:
        found = live[named[str(one["id"])]]
        if isinstance(found, CrmError):
            refused[str(one["id"])] = GONE
        else:
            customers[str(one["id"])] = found.id
    if held:
        await _ask(tx, row, customers, held[0]["channel"], refused, settings)
    return True


async def _ask(
    tx: UnitOfWork,
    row: Mapping[str, Any],
    customers: Mapping[str, str],
    channel: str,
    refused: dict[str, Refusal],
    settings: AnalyticsSettings,
) -> None:
    """Asks each customer, by the key of the invitation, whom the contact rules let us."""
    keys = list(customers.values())
    addresses = await _addresses(tx, keys, channel)
    not_these = await _refusals(tx, keys, channel, addresses)
    refused |= {one: not_these[customer] for one, customer in customers.items() if customer in not_these}
    asked = {one: customer for one, customer in customers.items() if one not in refused}
    messages = [
        _message(row, one, customer, channel, addresses[customer], settings)
        for one, customer in asked.items()
    ]
    sent: dict[str, QueuedMessage] = {}
    for one, outcome in zip(asked, await send_messages(tx, messages), strict=True):
        if isinstance(outcome, QueuedMessage):
            sent[one] = outcome
        else:
            refused[one] = (UNSENDABLE, outcome.message)
    await tx.execute_many(
        "UPDATE analytics_invitation SET state = 'PASSED_OVER', reason = ?, explanation = ? WHERE id = ?",
        [(*why, one) for one, why in refused.items()],
    )
    expires = tx.now + timedelta(days=row["valid_days"])
    await tx.execute_many(
        "UPDATE analytics_invitation SET state = 'SENT', sent_at = ?, expires_at = ?, message_id = ?"
        " WHERE id = ?",
        [(tx.now, expires, message.id, one) for one, message in sent.items()],
    )
    for one in sent:
        await log_interaction(
            tx,
            NewInteraction(
                customer_id=asked[one],
                kind="survey",
                channel=channel,
                direction="OUTBOUND",
                subject=row["question"],
                outcome="asked",
            ),
        )
        tx.emit(SurveyAsked(customer_id=asked[one], invitation_id=one, survey_id=str(row["id"])))


async def _refusals(
    tx: UnitOfWork, customers: Sequence[str], channel: str, addresses: Collection[str]
) -> dict[str, Refusal]:
    """Why some of these cannot be asked now, by customer."""
    # this moment, not the beginning's: what was sent while we waited for the customers counts
    decisions = await contact_decisions(tx, customers, channel, now())
    refused: dict[str, Refusal] = {}
    for customer in customers:
        decision = decisions.get(customer)
        if decision is None:
            refused[customer] = GONE
        elif not decision.allowed:
            refused[customer] = (str(decision.reason), decision.explanation)
        elif customer not in addresses:
            refused[customer] = NO_ADDRESS
    return refused


async def _addresses(tx: UnitOfWork, customers: Sequence[str], channel: str) -> dict[str, str]:
    """The primary contact point of the channel, or else the first, by customer."""
    where = among("customer_id", customers, tx.dialect)
    rows = await tx.fetch(
        f"SELECT customer_id, value FROM crm_contact_point WHERE channel = ? AND {where.sql}"
        " ORDER BY is_primary, position DESC, id DESC",
        [POINTS_OF.get(channel, channel), *where.args],
    )
    return {str(row["customer_id"]): row["value"] for row in rows}  # the last of each counts


async def _asked_before(
    tx: UnitOfWork, key: str, customers: Sequence[str], since: datetime | None
) -> set[str]:
    where = among("customer_id", customers, tx.dialect)
    late, moment = ("", []) if since is None else (" AND COALESCE(sent_at, created_at) > ?", [since])
    rows = await tx.fetch(
        f"SELECT DISTINCT customer_id FROM analytics_invitation WHERE survey_id = ? AND {where.sql}"
        f" AND state IN ({', '.join('?' * len(ASKED))}){late}",
        [key, *where.args, *(state.value for state in ASKED), *moment],
    )
    return {str(row["customer_id"]) for row in rows}


async def _finish(tx: UnitOfWork, run: str) -> None:
    """Marks the run as finished, once."""
    fresh = await tx.execute(
        "UPDATE analytics_survey_run SET finished_at = ? WHERE id = ? AND finished_at IS NULL", [tx.now, run]
    )
    if fresh:
        [row] = await tx.fetch("SELECT survey_id FROM analytics_survey_run WHERE id = ?", [run])
        tx.emit(SurveyRunFinished(customer_id=None, run_id=run, survey_id=str(row["survey_id"])))


def _message(
    row: Mapping[str, Any],
    invitation: str,
    customer: str,
    channel: str,
    address: str,
    settings: AnalyticsSettings,
) -> OutgoingMessage:
    said = words_of(row)
    token = sign_link(invitation, settings.survey_secrets, purpose=PURPOSE)
    link = f"{settings.survey_url.rstrip('/')}/plugins/analytics/survey/{token}"
    parts = (said.get("introduction"), row["question"], f"{said['invitation']}\n{link}")
    return OutgoingMessage(
        channel=channel,
        customer_id=customer,
        to=address,
        subject=said.get("subject", row["question"]),
        text="\n\n".join(part for part in parts if part) + "\n",
        headers={"Auto-Submitted": "auto-generated"},
        key=f"{PURPOSE}:{invitation}",
    )


def check_settings(settings: AnalyticsSettings) -> None:
    """REFUSED where no link can be made."""
    missing = "survey_url" if not settings.survey_url else ""
    try:
        sign_link("", settings.survey_secrets, purpose=PURPOSE)
    except CrmError:
        missing = missing or "survey_secrets"
    if missing:
        raise CrmError(
            ErrorCode.REFUSED,
            f"No link to the survey can be made: {missing} is not set.",
            hint='Set survey_url = "https://…", where customers reach this server, and survey_secrets ='
            ' ["…"], of 16 characters at least, in the section [analytics] of crm.toml.',
        )
