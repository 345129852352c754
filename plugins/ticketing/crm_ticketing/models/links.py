"""What is tied to tickets: other tickets, those who follow them, tags."""

from enum import StrEnum
from typing import Any

from tortoise import fields
from tortoise.models import Model

from .columns import key


class LinkKind(StrEnum):
    RELATED = "RELATED"
    DUPLICATE = "DUPLICATE"
    MERGED = "MERGED"


class Link(Model):
    """`ticket` is a duplicate of `other`, was merged into it, or has to do with it."""

    id = key()
    ticket: Any = fields.ForeignKeyField("ticketing.Ticket", related_name="links", on_delete=fields.RESTRICT)
    other: Any = fields.ForeignKeyField(
        "ticketing.Ticket", related_name="linked_from", on_delete=fields.RESTRICT, db_index=True
    )
    kind = fields.CharEnumField(LinkKind, max_length=24)
    at = fields.DatetimeField()

    class Meta:
        app = "ticketing"
        table = "ticketing_link"
        unique_together = (("ticket_id", "other_id", "kind"),)


class Follower(Model):
    id = key()
    ticket: Any = fields.ForeignKeyField(
        "ticketing.Ticket", related_name="followers", on_delete=fields.RESTRICT
    )
    staff: Any = fields.ForeignKeyField(
        "crm.Staff", related_name="followed_tickets", null=True, on_delete=fields.RESTRICT, db_index=True
    )
    at = fields.DatetimeField()

    class Meta:
        app = "ticketing"
        table = "ticketing_follower"
        unique_together = (("ticket_id", "staff_id"),)


class TicketTag(Model):
    id = key()
    ticket: Any = fields.ForeignKeyField("ticketing.Ticket", related_name="tags", on_delete=fields.RESTRICT)
    tag = fields.CharField(max_length=100)

    class Meta:
        app = "ticketing"
        table = "ticketing_ticket_tag"
        unique_together = (("ticket_id", "tag"),)
        indexes = (("tag", "ticket_id"),)
