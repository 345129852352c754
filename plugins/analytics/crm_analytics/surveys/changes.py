"""The mutations of surveys."""

from collections import Counter
from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any

import strawberry
from strawberry import ID, Info

from crm_analytics.models import SurveyKind
from crm_analytics.settings import AnalyticsSettings
from crm_framework import (
    CUSTOMER_FILTER,
    Batch,
    CrmError,
    ErrorCode,
    Own,
    UnitOfWork,
    batch,
    chosen,
    expected,
    filter_member,
    given,
    key_of,
    matching_customers,
    mutation,
    optional,
    payload,
    reference,
    required,
    retry_key,
)

from .answering import answer
from .graphql import Survey, SurveyInvitation, SurveyRun
from .results import PassedOver, listed
from .rules import checked_days
from .sending import ASKED_ALREADY, MOST, begin, check_settings, preview, whom
from .store import close_survey, create_survey, update_survey

WRITE = "analytics.surveys"


@strawberry.input(description="What stands beside the question; the usual words of the locale, if left out.")
class SurveyTextsInput:
    subject: str | None = optional("The subject of the message; the question, if left out.")
    introduction: str | None = optional("What the message begins with; nothing, if left out.")
    invitation: str | None = optional("What stands in the message before the link.")
    low: str | None = optional("What the least score means.")
    high: str | None = optional("What the best score means.")
    comment: str | None = optional("What the customer is asked to write besides.")
    send: str | None = optional("The button.")
    choose: str | None = optional("What is said where no score was chosen.")
    thanks: str | None = optional("What is said after the answer.")
    answered: str | None = optional("What is said to who has answered before.")
    ended: str | None = optional("What is said where it is too late.")


@strawberry.input(description="A new survey.")
class CreateSurveyInput:
    name: str = required("What it is called here; no two share one.")
    kind: SurveyKind = required("What it asks.")
    question: str = required("The question, as customers read it; 500 characters at most.")
    locale: str = optional(
        "The language of the usual words (en, de, fr, es): English for others, unless `texts` say it.",
        default="en",
    )
    texts: SurveyTextsInput | None = optional("What stands beside the question.", default=None)
    active_from: datetime | None = optional(
        "Since when customers may be asked; now, if left out.", default=None
    )
    active_until: datetime | None = optional(
        "Since when nobody is asked or answers any more; never, if left out.", default=None
    )
    valid_days: int = optional("For how many days an invitation can be answered, 1 to 365.", default=30)
    idempotency_key: str | None = retry_key()


@strawberry.input(description="What to change of a survey. What is left out stays as it is.")
class UpdateSurveyInput:
    id: ID = required("The survey.")
    name: str | None = optional("What it is called here.")
    question: str | None = optional("The question; it stays as it is once customers were asked.")
    locale: str | None = optional("The language of the usual words.")
    texts: SurveyTextsInput | None = optional("All that stands beside the question; null for the usual.")
    active_from: datetime | None = optional("Since when customers may be asked.")
    active_until: datetime | None = optional("Since when no more; null for never.")
    valid_days: int | None = optional("For how many days invitations of later runs can be answered.")
    expected_version: int | None = expected()


@strawberry.input(description="Which survey to close.")
class CloseSurveyInput:
    survey: ID = required("The survey.")


@strawberry.input(description="Whom to ask.")
class SendSurveyInput:
    survey: ID = required("The survey.")
    filter: strawberry.scalars.JSON = filter_member(
        CUSTOMER_FILTER,
        f"Who is to be asked, of those whom you may see; {MOST:,} customers at most. A segment is a filter,"
        ' `{segment: "…"}`, and so are customers, `{id: {in: […]}}`.',
        required=True,
    )
    channel: str = optional("How; the customer's primary contact point of it is taken.", default="email")
    again_after_days: int | None = optional(
        "Who was asked by this survey is asked again after so many days; never, if left out.", default=None
    )
    dry_run: bool = optional("Only tells how many would be asked now; nothing is sent.", default=False)
    idempotency_key: str | None = retry_key()


@strawberry.input(description="An answer to a survey.")
class AnswerSurveyInput:
    invitation: ID = required("The invitation that is answered.")
    score: int = required("The answer: NPS from 0 to 10, CSAT from 1 to 5.")
    comment: str | None = optional("What is to be said besides.", default=None)
    idempotency_key: str | None = retry_key()


@payload
class SurveyPayload:
    """The survey after the change."""

    survey_id: strawberry.Private[str | None] = None
    survey: Survey | None = reference("survey_id", "The survey; null on failure.")


@payload
class SendSurveyPayload:
    """Who will be asked. The contact rules are asked for each customer when its turn comes: the run tells."""

    run_id: strawberry.Private[str | None] = None
    reasons: strawberry.Private[dict[str, int] | None] = None
    run: SurveyRun | None = reference("run_id", "The run; null on failure and for a dry run.")
    customers: int | None = strawberry.field(
        description="How many customers the filter selects; null on failure.", default=None
    )
    to_ask: int | None = strawberry.field(
        description="How many of them are to be asked, in a dry run those whom the contact rules let us ask"
        " now; null on failure.",
        default=None,
    )

    @batch(needs=("reasons",))
    @staticmethod
    def passed_over(payloads: Batch["SendSurveyPayload"]) -> list[list[PassedOver]]:
        """How many are passed over, by the reason, as far as it is known: in a dry run all."""
        return [listed(Counter(reasons or {})) for reasons in payloads.column("reasons")]


@payload
class SurveyAnswerPayload:
    """The invitation after the answer."""

    invitation_id: strawberry.Private[str | None] = None
    invitation: SurveyInvitation | None = reference("invitation_id", "The invitation; null on failure.")


@mutation(permission=WRITE, everyone=True, name="createSurvey")
async def create(tx: UnitOfWork, input: CreateSurveyInput) -> SurveyPayload:
    """Makes a survey. Nobody is asked yet."""
    key = await create_survey(
        tx,
        input.name,
        input.kind,
        input.question,
        locale=input.locale,
        texts=_texts(input.texts),
        active_from=input.active_from,
        active_until=input.active_until,
        valid_days=input.valid_days,
    )
    return SurveyPayload(survey_id=key)


@mutation(permission=WRITE, everyone=True, name="updateSurvey")
async def update(tx: UnitOfWork, input: UpdateSurveyInput) -> SurveyPayload:
    """Changes a survey. Links that were sent stay good."""
    changes = given(input, leave_out=("id", "expected_version"))
    if "texts" in changes:
        changes["texts"] = _texts(input.texts)
    key = key_of(input.id, Survey)
    return SurveyPayload(survey_id=await update_survey(tx, key, changes, chosen(input.expected_version)))


@mutation(permission=WRITE, everyone=True, name="closeSurvey")
async def close(tx: UnitOfWork, input: CloseSurveyInput) -> SurveyPayload:
    """Lets nobody be asked or answer any more. One that has ended already stays as it is."""
    return SurveyPayload(survey_id=await close_survey(tx, key_of(input.survey, Survey, path=("survey",))))


def send_field(settings: AnalyticsSettings) -> Any:
    """`sendSurvey`, with the links of these settings."""

    @mutation(permission=WRITE, name="sendSurvey")
    async def send(tx: UnitOfWork, info: Info, input: SendSurveyInput) -> SendSurveyPayload:
        """Asks all customers whom a filter selects now, as far as the contact rules allow. A job does it in
        batches; `run { results { waiting } }` says how far it is."""
        survey = key_of(input.survey, Survey, path=("survey",))
        again = input.again_after_days
        after = None if again is None else timedelta(days=checked_days(again, "againAfterDays"))
        check_settings(settings)
        selected = await _selected(tx, info, input.filter)
        to_ask, before = await whom(tx, survey, selected, input.channel, after)
        reasons = Counter({ASKED_ALREADY[0]: len(before)} if before else {})
        if input.dry_run:
            reasons += await preview(tx, to_ask, input.channel)
        run = None if input.dry_run else await begin(tx, survey, to_ask, before, input.channel)
        customers = len(to_ask) + len(before)
        left = customers - reasons.total()
        return SendSurveyPayload(run_id=run, reasons=dict(reasons), customers=customers, to_ask=left)

    return send


async def _selected(tx: UnitOfWork, info: Info, filter: Any) -> list[str]:
    """Keys of the customers."""
    wanted: Mapping[str, Any] = filter
    [where] = await matching_customers(info, [wanted])
    rows = await tx.fetch(
        f"SELECT t.id FROM crm_customer AS t WHERE ({where.sql}) AND t.erased_at IS NULL"
        f" AND t.merged_into_id IS NULL LIMIT {MOST + 1}",
        where.args,
    )
    if len(rows) > MOST:
        raise CrmError(
            ErrorCode.BAD_INPUT,
            f"The filter selects more than {MOST:,} customers.",
            path=("filter",),
            hint="Send it in parts.",
        )
    return [str(row["id"]) for row in rows]


async def _customer_of_invitation(tx: UnitOfWork, input: AnswerSurveyInput) -> str | None:
    key = key_of(input.invitation, SurveyInvitation, path=("invitation",))
    rows = await tx.fetch("SELECT customer_id FROM analytics_invitation WHERE id = ?", [key])
    return str(rows[0]["customer_id"]) if rows and rows[0]["customer_id"] is not None else None


@mutation(permission=WRITE, own=Own(_customer_of_invitation), name="answerSurvey")
async def answer_survey(tx: UnitOfWork, input: AnswerSurveyInput) -> SurveyAnswerPayload:
    """Answers an invitation, once: as the customer, or for one who answered by telephone."""
    key = key_of(input.invitation, SurveyInvitation, path=("invitation",))
    await answer(tx, key, input.score, input.comment)
    return SurveyAnswerPayload(invitation_id=key)


def _texts(given_: SurveyTextsInput | None) -> dict[str, str | None]:
    return {} if given_ is None else given(given_)


def mutations(settings: AnalyticsSettings) -> list[Any]:
    return [create, update, close, send_field(settings), answer_survey]
