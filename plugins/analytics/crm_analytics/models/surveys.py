"""Questions, whom they were put to, and what was answered."""

from enum import StrEnum
from typing import Any

from tortoise import fields
from tortoise.models import Model

from .columns import key


class SurveyKind(StrEnum):
    NPS = "NPS"
    CSAT = "CSAT"


class InvitationState(StrEnum):
    WAITING = "WAITING"
    SENT = "SENT"
    ANSWERED = "ANSWERED"
    FAILED = "FAILED"
    PASSED_OVER = "PASSED_OVER"


class Survey(Model):
    """A question that customers are asked."""

    id = key()
    version = fields.IntField(default=1, db_default=1)
    name = fields.CharField(max_length=200, unique=True)
    kind = fields.CharEnumField(SurveyKind, max_length=24)
    question = fields.TextField()
    locale = fields.CharField(max_length=35)
    texts: Any = fields.JSONField(description="what stands beside the question, where it is not the usual")
    active_from = fields.DatetimeField()
    active_until = fields.DatetimeField(null=True, description="nobody is asked or answers any more")
    valid_days = fields.IntField(description="how long an invitation can be answered")
    created_at = fields.DatetimeField()

    class Meta:
        app = "analytics"
        table = "analytics_survey"
        indexes = (("created_at", "id"),)


class SurveyRun(Model):
    """One sending of a survey to all whom a filter selected at that moment."""

    id = key()
    survey: Any = fields.ForeignKeyField("analytics.Survey", related_name="runs", on_delete=fields.RESTRICT)
    channel = fields.CharField(max_length=40)
    customers = fields.IntField(description="whom the filter selected")
    created_at = fields.DatetimeField()
    finished_at = fields.DatetimeField(null=True, description="nobody waits any more")

    class Meta:
        app = "analytics"
        table = "analytics_survey_run"
        indexes = (("survey_id", "created_at", "id"),)


class Invitation(Model):
    """A question put to a customer, who may answer it once; or why it was not."""

    id = key()
    survey: Any = fields.ForeignKeyField(
        "analytics.Survey", related_name="invitations", on_delete=fields.RESTRICT
    )
    run: Any = fields.ForeignKeyField(
        "analytics.SurveyRun", related_name="invitations", on_delete=fields.RESTRICT
    )
    customer: Any = fields.ForeignKeyField(
        "crm.Customer",
        related_name="survey_invitations",
        null=True,
        on_delete=fields.RESTRICT,
        description="null once the person was erased",
    )
    asked_id = fields.UUIDField(null=True, description="the customer's key when the run began")
    channel = fields.CharField(max_length=40)
    state = fields.CharEnumField(InvitationState, max_length=24)
    reason = fields.CharField(max_length=40, null=True, description="why it was not put, in a word")
    explanation = fields.TextField(null=True, description="the same in sentences")
    created_at = fields.DatetimeField()
    sent_at = fields.DatetimeField(null=True)
    expires_at = fields.DatetimeField(null=True)
    message_id = fields.UUIDField(null=True, unique=True, description="of crm_message")
    answered_at = fields.DatetimeField(null=True)
    score = fields.IntField(null=True, description="NPS from 0 to 10, CSAT from 1 to 5; null until answered")
    comment = fields.TextField(null=True)
    interaction_id = fields.UUIDField(null=True, description="the same answer among the interactions")

    class Meta:
        app = "analytics"
        table = "analytics_invitation"
        unique_together = (("run_id", "asked_id"),)
        indexes = (
            ("run_id", "state", "id"),
            ("survey_id", "created_at", "id"),
            ("customer_id", "created_at", "id"),
            ("sent_at", "id"),
        )
