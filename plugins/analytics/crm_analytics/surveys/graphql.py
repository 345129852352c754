"""Surveys, their runs and invitations in the API."""

from datetime import datetime
from typing import Any

from strawberry import Info
from strawberry.scalars import JSON

from crm_analytics.models import InvitationState, SurveyKind
from crm_framework import (
    Batch,
    Connection,
    Customer,
    FilterSpec,
    Interaction,
    Member,
    Node,
    OrderField,
    Orders,
    among,
    batch,
    column,
    connection,
    describe,
    fields_of,
    node,
    reference,
)

from .results import PassedOver, SurveyResults, counted_runs, counted_surveys, passed_over

READ = "analytics.read"
ANSWERS = "analytics.answers"

describe(
    SurveyKind,
    "What a survey asks.",
    NPS="How likely the customer is to recommend us, from 0 to 10.",
    CSAT="How satisfied the customer is, from 1 to 5.",
)
describe(
    InvitationState,
    "How far an invitation is.",
    WAITING="The customer is about to be asked.",
    SENT="The customer was asked.",
    ANSWERED="The customer answered.",
    FAILED="The message could not be delivered; the customer may still answer with a token of their own.",
    PASSED_OVER="The customer is not asked; `reason` says why.",
)


@node(
    table="analytics_invitation",
    permission=ANSWERS,
    hidden={"survey_id": str, "customer_id": str | None, "interaction_id": str | None},
    own_where="t.sent_at IS NOT NULL",
)
class SurveyInvitation(Node):
    """A survey's question put to a customer, and the answer."""

    channel: str = column("How it is sent.")
    state: InvitationState = column("How far it is.")
    reason: str | None = column(
        "Why the customer is passed over, in a word: that of `canContact`, or `NO_ADDRESS`, `ASKED_ALREADY`,"
        " `MERGED`, `ERASED`, `GONE`, `CLOSED`, `UNSENDABLE`; `NOT_DELIVERED` where the message failed."
    )
    explanation: str | None = column("The same in sentences.")
    created_at: datetime = column("When the run began.")
    sent_at: datetime | None = column("When the customer was asked.")
    expires_at: datetime | None = column("Until when it can be answered, while the survey is active.")
    answered_at: datetime | None = column("When it was answered.")
    score: int | None = column("The answer: NPS from 0 to 10, CSAT from 1 to 5.")
    comment: str | None = column("What the customer wrote besides; blank once the person was erased.")
    customer: Customer | None = reference("customer_id", "Who is asked; null once the person was erased.")
    interaction: Interaction | None = reference("interaction_id", "The answer among the interactions.")

    @batch(needs=("survey_id",))
    @staticmethod
    async def question(each: Batch["SurveyInvitation"], info: Info) -> list[str]:
        """What is asked."""
        return [row["question"] for row in await _surveys(each, info)]

    @batch(needs=("survey_id",))
    @staticmethod
    async def kind(each: Batch["SurveyInvitation"], info: Info) -> list[SurveyKind]:
        """What it is about, and so the scale of the answer."""
        return [SurveyKind(row["kind"]) for row in await _surveys(each, info)]


async def _surveys(each: Batch[Any], info: Info) -> list[dict[str, Any]]:
    keys = each.column("survey_id")
    reader = info.context.reader
    where = among("id", list(dict.fromkeys(keys)), reader.dialect)
    rows = await reader.fetch(
        f"SELECT id, question, kind FROM analytics_survey WHERE {where.sql}", where.args
    )
    found = {str(row["id"]): row for row in rows}
    return [found[str(key)] for key in keys]


INVITATION_ORDERS = Orders(
    "SurveyInvitationOrder",
    [OrderField("CREATED_AT", "datetime", "By the moment when the run began.", column="created_at")],
)
INVITATION_FILTER = FilterSpec(
    "SurveyInvitationFilter",
    [
        Member("state", "enum", "How far it is.", column="state", enum=InvitationState),
        Member("reason", "string", "Why the customer is passed over.", column="reason"),
        Member("sentAt", "datetime", "When the customer was asked.", column="sent_at"),
        Member("answeredAt", "datetime", "When it was answered.", column="answered_at"),
        Member("score", "int", "The answer.", column="score"),
    ],
)


def _invitations(key: str, description: str) -> Any:
    return connection(
        key=key,
        filter=INVITATION_FILTER,
        orders=INVITATION_ORDERS,
        default_order=("-CREATED_AT",),
        permission=ANSWERS,
        description=description,
    )


@node(table="analytics_survey_run", permission=READ, shared=True, hidden={"survey_id": str})
class SurveyRun(Node):
    """One sending of a survey, to all whom a filter selected at that moment."""

    channel: str = column("How it is sent.")
    customers: int = column("How many customers were selected.")
    created_at: datetime = column("When it began.")
    finished_at: datetime | None = column("Since when nobody waits any more.")
    invitations: Connection[SurveyInvitation] = _invitations(
        "run_id", "Those whom it is for, and what they answered."
    )

    @batch(needs=("id",))
    @staticmethod
    async def results(runs: Batch["SurveyRun"], info: Info) -> list[SurveyResults]:
        """How many were asked and answered, and what."""
        return await counted_runs(info.context.reader, runs.ids)

    @batch(needs=("id",))
    @staticmethod
    async def passed_over(runs: Batch["SurveyRun"], info: Info) -> list[list[PassedOver]]:
        """How many were not asked, by the reason: the most frequent one first."""
        return await passed_over(info.context.reader, runs.ids)


RUN_ORDERS = Orders(
    "SurveyRunOrder",
    [OrderField("CREATED_AT", "datetime", "By the moment of the beginning.", column="created_at")],
)


@node(table="analytics_survey", permission=READ, shared=True)
class Survey(Node):
    """A question that customers are asked."""

    version: int = column("Grows by one with each change.")
    name: str = column("What it is called here; no two share one.")
    kind: SurveyKind = column("What it asks, and so the scale of the answers.")
    question: str = column("The question, as customers read it.")
    locale: str = column("The language of what stands beside the question.")
    texts: JSON = column("What stands beside the question, where it is not the usual.")
    active_from: datetime = column("Since when customers are asked, and answer.")
    active_until: datetime | None = column("Since when no more.")
    valid_days: int = column("For how many days an invitation can be answered.")
    created_at: datetime = column("When it was made.")
    runs: Connection[SurveyRun] = connection(
        key="survey_id",
        orders=RUN_ORDERS,
        default_order=("-CREATED_AT",),
        permission=READ,
        description="When it was sent, the latest first.",
    )
    invitations: Connection[SurveyInvitation] = _invitations(
        "survey_id", "Who was to be asked, and what they answered, the latest first."
    )

    @batch(needs=("id",))
    @staticmethod
    async def results(surveys: Batch["Survey"], info: Info) -> list[SurveyResults]:
        """How many were asked and answered, and what."""
        return await counted_surveys(info.context.reader, surveys.ids)


SURVEY_ORDERS = Orders(
    "SurveyOrder", [OrderField("CREATED_AT", "datetime", "By the moment of making.", column="created_at")]
)


class _Queries:
    surveys: Connection[Survey] = connection(
        orders=SURVEY_ORDERS,
        default_order=("-CREATED_AT",),
        permission=READ,
        description="Questions that customers are asked, the latest first.",
    )


class _OfCustomer:
    survey_invitations: Connection[SurveyInvitation] = _invitations(
        "customer_id", "What the customer was asked, and answered, the latest first."
    )


CUSTOMER = fields_of(_OfCustomer)
QUERY = fields_of(_Queries)
