"""The tables of the plugin."""

from enum import StrEnum
from typing import Any

from tortoise import fields
from tortoise.models import Model

from crm_framework import new_id


class TicketStatus(StrEnum):
    NEW = "NEW"
    OPEN = "OPEN"
    WAITING_ON_CUSTOMER = "WAITING_ON_CUSTOMER"
    ON_HOLD = "ON_HOLD"
    RESOLVED = "RESOLVED"
    CLOSED = "CLOSED"


class TicketPriority(StrEnum):
    LOW = "LOW"
    NORMAL = "NORMAL"
    HIGH = "HIGH"
    URGENT = "URGENT"


class MessageAuthor(StrEnum):
    CUSTOMER = "CUSTOMER"
    STAFF = "STAFF"


def key() -> Any:
    return fields.UUIDField(primary_key=True, default=new_id)


class Ticket(Model):
    id = key()
    version = fields.IntField(default=1, db_default=1)
    number = fields.IntField(unique=True)
    customer: Any = fields.ForeignKeyField("crm.Customer", related_name="tickets", on_delete=fields.RESTRICT)
    subject = fields.CharField(max_length=500)
    category = fields.CharField(max_length=60)
    status = fields.CharEnumField(TicketStatus, max_length=24)
    priority = fields.CharEnumField(TicketPriority, max_length=24)
    assignee: Any = fields.ForeignKeyField(
        "crm.Staff", related_name="tickets", null=True, on_delete=fields.RESTRICT, db_index=True
    )
    created_at = fields.DatetimeField()
    updated_at = fields.DatetimeField()
    resolved_at = fields.DatetimeField(null=True, description="last time that it was resolved")

    class Meta:
        app = "ticketing"
        table = "ticketing_ticket"
        indexes = (("customer_id", "created_at", "id"), ("status", "created_at", "id"))


class Message(Model):
    id = key()
    ticket: Any = fields.ForeignKeyField(
        "ticketing.Ticket", related_name="messages", on_delete=fields.RESTRICT
    )
    author = fields.CharEnumField(MessageAuthor, max_length=24)
    staff: Any = fields.ForeignKeyField(
        "crm.Staff", related_name="ticket_messages", null=True, on_delete=fields.RESTRICT, db_index=True
    )
    body = fields.TextField()
    at = fields.DatetimeField()

    class Meta:
        app = "ticketing"
        table = "ticketing_message"
        indexes = (("ticket_id", "at", "id"),)


class StatusChange(Model):
    id = key()
    ticket: Any = fields.ForeignKeyField(
        "ticketing.Ticket", related_name="status_changes", on_delete=fields.RESTRICT
    )
    status = fields.CharEnumField(TicketStatus, max_length=24)
    at = fields.DatetimeField()

    class Meta:
        app = "ticketing"
        table = "ticketing_status_change"
        indexes = (("ticket_id", "at", "id"),)


class Counter(Model):
    """One row: the last number that was given to a ticket."""

    id = fields.IntField(primary_key=True, generated=False)
    last_number = fields.IntField()

    class Meta:
        app = "ticketing"
        table = "ticketing_counter"
