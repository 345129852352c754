"""Invitations to say how satisfied a customer is, and what they answered."""

from typing import Any

from tortoise import fields
from tortoise.models import Model

from .columns import key


class Survey(Model):
    """Answered at most once. Without `invited_at` the customer rated the ticket unasked."""

    id = key()
    ticket: Any = fields.ForeignKeyField(
        "ticketing.Ticket", related_name="surveys", on_delete=fields.RESTRICT
    )
    resolution = fields.IntField(
        description="how often the ticket had been resolved; one invitation for each"
    )
    staff: Any = fields.ForeignKeyField(
        "crm.Staff", related_name="ticket_surveys", null=True, on_delete=fields.RESTRICT, db_index=True
    )
    created_at = fields.DatetimeField()
    invited_at = fields.DatetimeField(null=True)
    answered_at = fields.DatetimeField(null=True)
    rating = fields.IntField(null=True, description="1 to 5")
    comment = fields.TextField(null=True)

    class Meta:
        app = "ticketing"
        table = "ticketing_survey"
        unique_together = (("ticket_id", "resolution"),)
        indexes = (("answered_at", "id"),)
