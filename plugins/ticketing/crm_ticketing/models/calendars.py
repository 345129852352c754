"""Business calendars and their versions, which never change."""

from typing import Any

from tortoise import fields
from tortoise.models import Model

from .columns import key


class BusinessCalendar(Model):
    """`number` is that of its latest version."""

    id = key()
    version = fields.IntField(default=1, db_default=1)
    name = fields.CharField(max_length=200, unique=True)
    number = fields.IntField(default=1)
    created_at = fields.DatetimeField()
    updated_at = fields.DatetimeField()

    class Meta:
        app = "ticketing"
        table = "ticketing_calendar"


class CalendarVersion(Model):
    id = key()
    calendar: Any = fields.ForeignKeyField(
        "ticketing.BusinessCalendar", related_name="versions", on_delete=fields.RESTRICT
    )
    number = fields.IntField()
    time_zone = fields.CharField(max_length=60)
    rules = fields.TextField(description="JSON; text, as what was computed from it is kept by it")
    created_at = fields.DatetimeField()

    class Meta:
        app = "ticketing"
        table = "ticketing_calendar_version"
        unique_together = (("calendar_id", "number"),)
