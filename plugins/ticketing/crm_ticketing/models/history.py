"""What happened to tickets: added to, never changed. The clocks are a function of it."""

from typing import Any

from tortoise import fields
from tortoise.models import Model

from crm_ticketing.clocks.history import HappenedKind

from .columns import key


class HistoryEntry(Model):
    """In the order of `at`, then of the key. What `before` and `after` hold depends on the kind:
    HappenedKind.

    Words of people are never in it: an erasure leaves it as it is.
    """

    id = key()
    ticket: Any = fields.ForeignKeyField(
        "ticketing.Ticket", related_name="history", on_delete=fields.RESTRICT
    )
    at = fields.DatetimeField()
    kind = fields.CharEnumField(HappenedKind, max_length=24)
    before = fields.CharField(max_length=100, null=True)
    after = fields.CharField(max_length=100, null=True)
    reference = fields.CharField(max_length=100, null=True, description="key of the message, if it is one")
    detail: Any = fields.JSONField(null=True)
    actor_kind = fields.CharField(max_length=24)
    actor = fields.CharField(max_length=200, null=True, description="name of a program that did it")
    staff: Any = fields.ForeignKeyField(
        "crm.Staff", related_name="ticket_history", null=True, on_delete=fields.RESTRICT, db_index=True
    )
    once = fields.CharField(
        max_length=120, null=True, description="of an alarm, which there is once a ticket"
    )

    class Meta:
        app = "ticketing"
        table = "ticketing_history"
        unique_together = (("ticket_id", "once"),)
        indexes = (("ticket_id", "at", "id"),)
