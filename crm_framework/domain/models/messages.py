"""What leaves the house: messages to customers and to others."""

from enum import StrEnum
from typing import Any

from tortoise import fields
from tortoise.models import Model

from .columns import created, key


class MessageState(StrEnum):
    QUEUED = "QUEUED"
    SENT = "SENT"
    FAILED = "FAILED"


class Message(Model):
    """A message, with all that an attempt to send it needs. Of an erased person the texts are empty."""

    id = key()
    customer: Any = fields.ForeignKeyField(
        "crm.Customer", related_name="messages", on_delete=fields.RESTRICT, null=True, db_index=True
    )
    channel = fields.CharField(max_length=40)
    recipient = fields.CharField(max_length=320)
    subject = fields.CharField(max_length=500, null=True)
    text = fields.TextField()
    headers: Any = fields.JSONField()
    reply_to = fields.CharField(max_length=320, null=True)
    message_id = fields.CharField(max_length=320, description="what e-mail calls so; never changes")
    key_text = fields.CharField(max_length=200, null=True, unique=True)
    state = fields.CharEnumField(MessageState, max_length=24)
    attempts = fields.IntField(description="counted when one begins")
    sent_by = fields.CharField(max_length=100, null=True, description="a plugin, or smtp")
    error = fields.TextField(null=True)
    created_at = created()
    tried_at = fields.DatetimeField(null=True)
    finished_at = fields.DatetimeField(null=True, description="when it was sent, or given up")

    class Meta:
        table = "crm_message"
        indexes = (("state", "finished_at"), ("recipient",))
