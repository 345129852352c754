"""Service-level policies and their versions, which never change."""

from typing import Any

from tortoise import fields
from tortoise.models import Model

from .columns import key


class Policy(Model):
    """`number` is that of its latest version, `active_number` of the one that new tickets get, if any."""

    id = key()
    version = fields.IntField(default=1, db_default=1)
    name = fields.CharField(max_length=200, unique=True)
    position = fields.IntField(description="the first that fits a ticket applies")
    number = fields.IntField(default=1)
    active_number = fields.IntField(null=True)
    created_at = fields.DatetimeField()
    updated_at = fields.DatetimeField()

    class Meta:
        app = "ticketing"
        table = "ticketing_policy"


class PolicyVersion(Model):
    id = key()
    policy: Any = fields.ForeignKeyField(
        "ticketing.Policy", related_name="versions", on_delete=fields.RESTRICT
    )
    number = fields.IntField()
    calendar_version: Any = fields.ForeignKeyField(
        "ticketing.CalendarVersion", related_name="policies", on_delete=fields.RESTRICT, db_index=True
    )
    rules = fields.TextField(description="JSON; text, as what was computed from it is kept by it")
    created_at = fields.DatetimeField()

    class Meta:
        app = "ticketing"
        table = "ticketing_policy_version"
        unique_together = (("policy_id", "number"),)


class Rulebook(Model):
    """One row: changes of policies take turns by it, and each adds one to its version."""

    id = fields.IntField(primary_key=True, generated=False)
    version = fields.IntField()

    class Meta:
        app = "ticketing"
        table = "ticketing_rulebook"
