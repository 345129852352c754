"""Earning rules, each with its versions, campaigns, and what each rule gave."""

from typing import Any

from tortoise import fields
from tortoise.models import Model

from crm_loyalty.earning.rules import Basis, Trigger

from .columns import key, to


class Rule(Model):
    """What a rule says stands in its versions."""

    id = key()
    version = fields.IntField(default=1, db_default=1)
    program: Any = to("loyalty.Program", "rules")
    name = fields.CharField(max_length=200)
    active = fields.BooleanField(default=True, db_default=True)
    created_at = fields.DatetimeField()
    updated_at = fields.DatetimeField()

    class Meta:
        app = "loyalty"
        table = "loyalty_rule"
        unique_together = (("program_id", "name"),)


class RuleVersion(Model):
    """What a rule says from one moment to another. Never changed but for its end."""

    id = key()
    rule: Any = to("loyalty.Rule", "versions")
    number = fields.IntField()
    from_at = fields.DatetimeField(null=True, description="null: also for what happened before it was made")
    until_at = fields.DatetimeField(null=True, description="null: it holds")
    trigger = fields.CharEnumField(Trigger, max_length=24)
    basis = fields.CharEnumField(Basis, max_length=24)
    points = fields.BigIntField()
    per_minor = fields.BigIntField(default=1, db_default=1, description="minor units that give the points")
    whole_steps = fields.BooleanField(default=False, db_default=False)
    referee_points = fields.BigIntField(default=0, db_default=0)
    kinds: Any = fields.JSONField(default=list, description="kinds of interactions, types of events")
    attribute = fields.CharField(max_length=100, null=True, description="the date of a birthday rule")
    priority = fields.IntField(default=0, db_default=0)
    conditions: Any = fields.JSONField(default=dict)
    cap_per_cause = fields.BigIntField(null=True)
    cap_per_day = fields.BigIntField(null=True)
    cap_per_customer = fields.BigIntField(null=True)
    pending_days = fields.IntField(null=True)
    expires_months = fields.IntField(null=True)
    expires_days = fields.IntField(null=True)
    never_expires = fields.BooleanField(default=False, db_default=False)
    created_at = fields.DatetimeField()

    class Meta:
        app = "loyalty"
        table = "loyalty_rule_version"
        unique_together = (("rule_id", "number"),)


class Campaign(Model):
    """A multiplier for a time. What it says never changes; it can be ended."""

    id = key()
    version = fields.IntField(default=1, db_default=1)
    program: Any = to("loyalty.Program", "campaigns")
    name = fields.CharField(max_length=200)
    percent = fields.IntField(description="150 is half as much again")
    starts_at = fields.DatetimeField(null=True)
    ends_at = fields.DatetimeField(null=True)
    rules: Any = fields.JSONField(default=list, description="keys of rules; empty: all")
    conditions: Any = fields.JSONField(default=dict)
    created_at = fields.DatetimeField()
    updated_at = fields.DatetimeField()

    class Meta:
        app = "loyalty"
        table = "loyalty_campaign"
        unique_together = (("program_id", "name"),)


class Share(Model):
    """What one rule gave an account for one cause, or what a replay gave or took. Append-only."""

    id = key()
    account: Any = to("loyalty.Account", "shares")
    entry: Any = to("loyalty.Entry", "shares", index=True)
    rule: Any = to("loyalty.Rule", "shares", null=True, description="null: the programme's own rate")
    rule_version: Any = to("loyalty.RuleVersion", "shares", null=True)
    day = fields.DateField(description="of the cause, where the programme is")
    points = fields.BigIntField()
    because = fields.CharField(max_length=500)
    created_at = fields.DatetimeField()

    class Meta:
        app = "loyalty"
        table = "loyalty_share"
        indexes = (("account_id", "rule_id", "day"), ("account_id", "day"))
