"""What staff work with: saved views, templates of replies, notes of what is known."""

from typing import Any

from tortoise import fields
from tortoise.models import Model

from .columns import key


class View(Model):
    """A saved filter over tickets with its order; without `owner` it is everybody's queue."""

    id = key()
    version = fields.IntField(default=1, db_default=1)
    name = fields.CharField(max_length=200)
    owner: Any = fields.ForeignKeyField(
        "crm.Staff", related_name="ticket_views", null=True, on_delete=fields.RESTRICT, db_index=True
    )
    condition = fields.TextField(description="JSON: a TicketFilter")
    order_by = fields.TextField(description="JSON: a list of TicketOrder")
    created_at = fields.DatetimeField()
    updated_at = fields.DatetimeField()

    class Meta:
        app = "ticketing"
        table = "ticketing_view"
        indexes = (("name", "id"),)


class ReplyTemplate(Model):
    id = key()
    version = fields.IntField(default=1, db_default=1)
    name = fields.CharField(max_length=200, unique=True)
    category = fields.CharField(max_length=60, null=True, description="for whose tickets it is meant")
    body = fields.TextField()
    created_at = fields.DatetimeField()
    updated_at = fields.DatetimeField()

    class Meta:
        app = "ticketing"
        table = "ticketing_template"


class KnowledgeNote(Model):
    id = key()
    version = fields.IntField(default=1, db_default=1)
    name = fields.CharField(max_length=200, unique=True)
    category = fields.CharField(max_length=60, db_index=True, description="whose tickets suggest it")
    body = fields.TextField()
    created_at = fields.DatetimeField()
    updated_at = fields.DatetimeField()

    class Meta:
        app = "ticketing"
        table = "ticketing_knowledge"
