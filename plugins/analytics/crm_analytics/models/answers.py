"""Answers to questions on recommending and satisfaction."""

from typing import Any

from tortoise import fields
from tortoise.models import Model

from .columns import channel, key


class Answer(Model):
    """What an interaction of kind survey says, as a number."""

    id = key()
    interaction_id = fields.UUIDField(unique=True)
    customer: Any = fields.ForeignKeyField(
        "crm.Customer",
        related_name="analytics_answers",
        null=True,
        on_delete=fields.RESTRICT,
        db_index=True,
        description="null once the person was erased",
    )
    question = fields.CharField(max_length=10, description="nps or csat")
    score = fields.IntField()
    most = fields.IntField(description="the best score of the scale")
    channel = channel()
    answered_at = fields.DatetimeField()

    class Meta:
        app = "analytics"
        table = "analytics_answer"
        indexes = (("question", "answered_at"),)
