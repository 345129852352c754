"""The core's own jobs: what would otherwise grow for ever."""

from datetime import timedelta
from typing import TYPE_CHECKING

from crm_framework.domain import idempotency
from crm_framework.hooks.dispatch import DeclaredJob
from crm_framework.hooks.specs import Job

if TYPE_CHECKING:
    from crm_framework.worker.runs import JobRun

KEPT = timedelta(days=7)
"""How long a job that is done, or was cancelled, can still be looked up."""
SENT_KEPT = timedelta(days=30)
"""How long it can be looked up what was sent to a webhook."""
FAILURES_KEPT = timedelta(days=90)
MESSAGES_KEPT = timedelta(days=30)
"""How long it can be looked up what was sent to customers and others."""
TOKENS_KEPT = timedelta(days=90)
"""How long it can be looked up what a token was, after it had expired or was revoked."""
AT_ONCE = 1_000
"""Rows removed in one transaction, so that others need not wait for it."""


async def forget_repeats(job: "JobRun") -> None:
    async with job.unit_of_work() as tx:
        removed = await idempotency.forget(tx, most=AT_ONCE)
        job.done(tx, then={} if removed == AT_ONCE else None)


async def remove_finished_jobs(job: "JobRun") -> None:
    async with job.unit_of_work() as tx:
        removed = await tx.execute(
            "DELETE FROM crm_job WHERE id IN (SELECT id FROM crm_job "
            "WHERE (status IN ('DONE', 'CANCELLED') AND finished_at < ?) "
            "OR (status = 'FAILED' AND finished_at < ?) LIMIT ?)",
            (tx.now - KEPT, tx.now - FAILURES_KEPT, AT_ONCE),
        )
        job.done(tx, then={} if removed == AT_ONCE else None)


async def remove_webhook_deliveries(job: "JobRun") -> None:
    async with job.unit_of_work() as tx:
        removed = await tx.execute(
            "DELETE FROM crm_webhook_delivery WHERE id IN (SELECT id FROM crm_webhook_delivery "
            "WHERE (status = 'DELIVERED' AND finished_at < ?) OR (status = 'FAILED' AND finished_at < ?) "
            "LIMIT ?)",
            (tx.now - SENT_KEPT, tx.now - FAILURES_KEPT, AT_ONCE),
        )
        job.done(tx, then={} if removed == AT_ONCE else None)


async def remove_messages(job: "JobRun") -> None:
    async with job.unit_of_work() as tx:
        removed = await tx.execute(
            "DELETE FROM crm_message WHERE id IN (SELECT id FROM crm_message "
            "WHERE (state = 'SENT' AND finished_at < ?) OR (state = 'FAILED' AND finished_at < ?) LIMIT ?)",
            (tx.now - MESSAGES_KEPT, tx.now - FAILURES_KEPT, AT_ONCE),
        )
        job.done(tx, then={} if removed == AT_ONCE else None)


async def remove_ended_tokens(job: "JobRun") -> None:
    """Never the newest: where there is no token at all, the next start makes an administrator's."""
    async with job.unit_of_work() as tx:
        before = tx.now - TOKENS_KEPT
        removed = await tx.execute(
            "DELETE FROM crm_token WHERE id IN (SELECT id FROM crm_token "
            "WHERE (expires_at < ? OR revoked_at < ?) "
            "AND id <> (SELECT id FROM crm_token ORDER BY id DESC LIMIT 1) LIMIT ?)",
            (before, before, AT_ONCE),
        )
        job.done(tx, then={} if removed == AT_ONCE else None)


UPKEEP = tuple(
    map(
        DeclaredJob,
        [
            Job(
                "crm.forget_repeats",
                "Forgets idempotency keys that are older than 30 days.",
                forget_repeats,
                cron="17 3 * * *",
            ),
            Job(
                "crm.remove_finished_jobs",
                "Removes jobs a week after they were done, and 90 days after they failed.",
                remove_finished_jobs,
                cron="47 * * * *",
            ),
            Job(
                "crm.remove_webhook_deliveries",
                "Removes what was sent to webhooks 30 days after it arrived, and 90 after it was given up.",
                remove_webhook_deliveries,
                cron="37 * * * *",
            ),
            Job(
                "crm.remove_messages",
                "Removes messages 30 days after they were sent, and 90 after they were given up.",
                remove_messages,
                cron="57 * * * *",
            ),
            Job(
                "crm.remove_ended_tokens",
                "Removes tokens 90 days after they expired or were revoked.",
                remove_ended_tokens,
                cron="27 3 * * *",
            ),
        ],
    )
)
