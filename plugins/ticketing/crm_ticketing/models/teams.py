"""Teams: who takes tickets of customers without an owner."""

from typing import Any

from tortoise import fields
from tortoise.models import Model

from .columns import key


class Team(Model):
    id = key()
    version = fields.IntField(default=1, db_default=1)
    name = fields.CharField(max_length=200, unique=True)
    categories: Any = fields.JSONField(description="of tickets that it takes; empty for all others")
    members: Any = fields.JSONField(description="keys of members of staff")
    created_at = fields.DatetimeField()

    class Meta:
        app = "ticketing"
        table = "ticketing_team"
