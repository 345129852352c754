"""Tickets and their messages."""

from enum import StrEnum
from typing import Any

from tortoise import fields
from tortoise.models import Model

from .columns import key

NEVER = "9999-12-31 00:00:00.000000+00:00"
"""Stands for no due time: a column without NULL is read in order along its index on both databases."""

LARGEST_NUMBER = 2**31 - 1
"""Of a ticket: the column holds no larger one."""


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
    AUTOMATIC = "AUTOMATIC"


class Ticket(Model):
    """What follows `policy_version` is kept from what the clocks say, for ordering, filtering and alarms."""

    id = key()
    version = fields.IntField(default=1, db_default=1)
    number = fields.IntField(unique=True)
    customer: Any = fields.ForeignKeyField("crm.Customer", related_name="tickets", on_delete=fields.RESTRICT)
    subject = fields.CharField(max_length=500)
    folded_subject = fields.CharField(
        max_length=500, db_default="", description="what it is filtered by: lower case, without accents"
    )
    category = fields.CharField(max_length=60)
    status = fields.CharEnumField(TicketStatus, max_length=24)
    priority = fields.CharEnumField(TicketPriority, max_length=24)
    channel = fields.CharField(max_length=60, null=True, description="how its first message came")
    assignee: Any = fields.ForeignKeyField(
        "crm.Staff", related_name="tickets", null=True, on_delete=fields.RESTRICT, db_index=True
    )
    team: Any = fields.ForeignKeyField(
        "ticketing.Team", related_name="tickets", null=True, on_delete=fields.RESTRICT, db_index=True
    )
    created_at = fields.DatetimeField()
    updated_at = fields.DatetimeField()
    resolved_at = fields.DatetimeField(null=True, description="last time that it was resolved")
    policy_version: Any = fields.ForeignKeyField(
        "ticketing.PolicyVersion", related_name="tickets", null=True, on_delete=fields.RESTRICT, db_index=True
    )
    merged_into: Any = fields.ForeignKeyField(
        "ticketing.Ticket", related_name="merged", null=True, on_delete=fields.RESTRICT, db_index=True
    )
    attributes: Any = fields.JSONField(default=dict, db_default="{}", description="values by name")
    clock_at = fields.DatetimeField(
        null=True, description="up to when its history is settled: what comes later has a later moment"
    )
    due_at = fields.DatetimeField(
        db_default=NEVER, description="the next due time of a clock that runs; the year 9999 for none"
    )
    breached_at = fields.DatetimeField(null=True, description="when the first of its clocks was breached")
    clock_state = fields.CharField(max_length=24, null=True)
    measures = fields.TextField(null=True, description="JSON: what figures need of its history")
    alarms_until = fields.DatetimeField(null=True, description="alarms before are dealt with")
    alarm_at = fields.DatetimeField(null=True, description="the next breach or step of escalation")

    class Meta:
        app = "ticketing"
        table = "ticketing_ticket"
        indexes = (
            ("customer_id", "created_at", "id"),
            ("status", "created_at", "id"),
            ("created_at", "id"),
            ("updated_at", "id"),
            ("folded_subject", "id"),
            ("due_at", "id"),
            ("breached_at", "customer_id"),
            ("assignee_id", "due_at", "id"),
            ("team_id", "due_at", "id"),
        )


class Message(Model):
    id = key()
    ticket: Any = fields.ForeignKeyField(
        "ticketing.Ticket", related_name="messages", on_delete=fields.RESTRICT
    )
    author = fields.CharEnumField(MessageAuthor, max_length=24)
    internal = fields.BooleanField(default=False, db_default=False, description="for staff alone")
    staff: Any = fields.ForeignKeyField(
        "crm.Staff", related_name="ticket_messages", null=True, on_delete=fields.RESTRICT, db_index=True
    )
    body = fields.TextField()
    at = fields.DatetimeField()
    channel = fields.CharField(max_length=60, null=True)
    sender = fields.CharField(max_length=320, null=True, description="the e-mail address that it came from")
    rest = fields.TextField(null=True, description="what was cut from an e-mail: quotes, the signature")
    source = fields.CharField(max_length=100, null=True)
    reference = fields.CharField(max_length=200, null=True)

    class Meta:
        app = "ticketing"
        table = "ticketing_message"
        unique_together = (("source", "reference"),)
        indexes = (("ticket_id", "at", "id"),)


class Counter(Model):
    """One row: the last number that was given to a ticket."""

    id = fields.IntField(primary_key=True, generated=False)
    last_number = fields.IntField()

    class Meta:
        app = "ticketing"
        table = "ticketing_counter"
