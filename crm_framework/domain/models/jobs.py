"""Work that is put off to a later moment, and what comes by the clock."""

from typing import Any

from tortoise import fields
from tortoise.models import Model

from crm_framework.storage.jobs import JobStatus

from .columns import created, key

__all__ = ["JobStatus", "Schedule", "StoredJob"]


class StoredJob(Model):
    """A job that waits, runs, or has ended. Of those that wait under one name and key there is only one."""

    id = key()
    name = fields.CharField(max_length=140)
    key_text = fields.CharField(max_length=200, null=True)
    payload: Any = fields.JSONField()
    status = fields.CharEnumField(JobStatus, max_length=24)
    run_at = fields.DatetimeField(description="not before that")
    attempts = fields.IntField(description="counted when one begins")
    cancelled = fields.BooleanField(db_default=False, description="while it ran: it is not to go on")
    lease = fields.UUIDField(null=True, description="made anew for each run; who holds another has lost it")
    leased_by = fields.CharField(max_length=200, null=True)
    leased_until = fields.DatetimeField(null=True)
    error = fields.TextField(null=True)
    created_at = created()
    started_at = fields.DatetimeField(null=True)
    finished_at = fields.DatetimeField(null=True)
    trace = fields.CharField(
        max_length=55, null=True, description="traceparent of the span that asked for it"
    )

    class Meta:
        table = "crm_job"
        indexes = (("status", "run_at", "id"), ("status", "finished_at"), ("name", "id"))


class Schedule(Model):
    """When a job that comes by the clock is due next."""

    id = key()
    name = fields.CharField(max_length=140, unique=True)
    cron = fields.CharField(max_length=200)
    time_zone = fields.CharField(max_length=64)
    next_at = fields.DatetimeField()
    last_at = fields.DatetimeField(null=True, description="when it was handed to the jobs last")

    class Meta:
        table = "crm_schedule"
