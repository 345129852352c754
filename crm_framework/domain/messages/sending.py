"""Sends what was queued: first whichever plugin takes it, then, for e-mail, the core by SMTP.

An attempt is noted before it is made, and what came of it after: a process that dies in between leaves the
message queued, and it is sent once more, with the same Message-ID. So it arrives at least once.
"""

import asyncio
import logging
from datetime import datetime
from typing import TYPE_CHECKING, Any

from crm_framework.domain.customers.keys import live_customers
from crm_framework.domain.customers.locks import Hold
from crm_framework.domain.rows import for_update, json_of, time_of
from crm_framework.email_settings import sender_address, smtp_server
from crm_framework.errors import Undelivered
from crm_framework.events import MessageFailed, MessageQueued, MessageSent
from crm_framework.hiding import without_secrets
from crm_framework.hooks.dispatch import DeclaredJob, PluginHost
from crm_framework.hooks.messages import OutgoingMessage
from crm_framework.hooks.specs import Job
from crm_framework.outgoing.smtp import SmtpClient

from .checks import EMAIL
from .mime import envelope
from .queueing import SEND

if TYPE_CHECKING:
    from crm_framework.settings import Settings
    from crm_framework.storage.unit_of_work import UnitOfWork
    from crm_framework.worker.runs import JobRun

log = logging.getLogger(__name__)

ATTEMPTS = 30
"""With the pauses of the jobs, about a day."""
PLUGIN_SECONDS = 60.0
"""How long the plugins may take to send one message."""
TIMEOUT_S = 150.0
"""Longer than the plugins and the mail server together."""
ERROR_LIMIT = 1_000
SMTP = "smtp"


class Post:
    """The ways out of the house of one process."""

    def __init__(self, host: PluginHost, settings: "Settings", *, client: SmtpClient | None = None) -> None:
        self._host = host
        email = settings.email
        self._sender = None if email.sender is None else sender_address(email.sender)
        if client is None and email.smtp_url is not None:
            server = smtp_server(email.smtp_url)
            client = SmtpClient(server, name=email.domain, timeout_s=email.timeout_s)
        self._client = client

    async def deliver(self, message: OutgoingMessage, at: datetime) -> str:
        """Who sent it: a plugin's name, or `smtp`. Raises `Undelivered`."""
        try:
            async with asyncio.timeout(PLUGIN_SECONDS):
                plugin = await self._host.send(message)
        except TimeoutError:
            raise Undelivered(f"The plugins took longer than {PLUGIN_SECONDS:g} seconds.") from None
        if plugin is not None:
            return plugin
        if message.channel != EMAIL:
            raise Undelivered(f"No plugin sends what goes by {message.channel}.", lasting=True)
        if self._client is None or self._sender is None:
            raise Undelivered(
                "Nothing sends e-mail: set smtp_url and sender in the section [email].", lasting=True
            )
        await self._client.send(envelope(message, at, self._sender))
        return SMTP


def sending_job(host: PluginHost, settings: "Settings") -> DeclaredJob:
    """The job with which a process sends."""
    job = Job(
        SEND,
        "Sends a message to a customer, or to somebody else.",
        send,
        attempts=ATTEMPTS,
        timeout_s=TIMEOUT_S,
    )
    return DeclaredJob(job, Post(host, settings))


async def send(job: "JobRun") -> None:
    """One attempt. One that is run again by hand after it was given up begins anew."""
    post: Post = job.settings
    key = job.payload["message"]
    async with job.unit_of_work() as tx:
        row = await _held(tx, key)
        if row is None or row["state"] == "SENT" or row["recipient"] == "":
            job.done(tx)
            return
        await tx.execute(
            "UPDATE crm_message SET state = 'QUEUED', attempts = attempts + 1, tried_at = ?,"
            " finished_at = NULL WHERE id = ?",
            (tx.now, key),
        )
        if row["state"] == "FAILED":
            tx.emit(
                MessageQueued(
                    customer_id=row["customer_id"],
                    message=key,
                    channel=row["channel"],
                    changes={"state": ("FAILED", "QUEUED")},
                )
            )
    at = time_of(row["created_at"])
    assert at is not None
    try:
        by = await post.deliver(as_message(row), at)
    except Exception as error:
        refusal = error if isinstance(error, Undelivered) else _failure(key, error)
        given_up = refusal.lasting or job.attempt >= ATTEMPTS
        async with job.unit_of_work() as tx:
            await _not_sent(tx, key, refusal, given_up)
        # what the server said may name the person, and a job's error outlives an erasure
        raise Undelivered(f"The message {key} was not sent. {refusal.message}", lasting=given_up) from None
    async with job.unit_of_work() as tx:
        row = await _held(tx, key)
        if row is not None:
            await tx.execute(
                "UPDATE crm_message SET state = 'SENT', sent_by = ?, error = NULL, finished_at = ?"
                " WHERE id = ?",
                (by, tx.now, key),
            )
            tx.emit(
                MessageSent(
                    customer_id=row["customer_id"],
                    message=key,
                    channel=row["channel"],
                    changes={"state": ("QUEUED", "SENT"), "sentBy": (None, by)},
                )
            )
        job.done(tx)


def _failure(key: str, error: Exception) -> Undelivered:
    """A fault of the program ends an attempt like any other: no message waits for ever."""
    log.error("sending the message %s failed", key, exc_info=error)
    return Undelivered(f"The program failed ({type(error).__name__}); the log has more.")


async def _not_sent(tx: "UnitOfWork", key: str, error: Undelivered, given_up: bool) -> None:
    row = await _held(tx, key)
    if row is None or row["recipient"] == "":
        return
    text = without_secrets(f"{error.message} {error.detail}".strip())[:ERROR_LIMIT]
    state = "FAILED" if given_up else "QUEUED"
    await tx.execute(
        "UPDATE crm_message SET state = ?, error = ?, finished_at = ? WHERE id = ?",
        (state, text, tx.now if given_up else None, key),
    )
    if given_up:
        tx.emit(
            MessageFailed(
                customer_id=row["customer_id"],
                message=key,
                channel=row["channel"],
                changes={"state": ("QUEUED", "FAILED")},
            )
        )


async def _held(tx: "UnitOfWork", key: str) -> dict[str, Any] | None:
    """The message, held; its customer first, as for whatever is the customer's."""
    named = await tx.fetch("SELECT customer_id FROM crm_message WHERE id = ?", (key,))
    if not named:
        return None
    if named[0]["customer_id"] is not None:
        await live_customers(tx, [named[0]["customer_id"]], Hold.ADD)
    (row,) = await tx.fetch(f"SELECT * FROM crm_message WHERE id = ? {for_update(tx)}", (key,))
    return row


def as_message(row: dict[str, Any]) -> OutgoingMessage:
    """From a row of crm_message."""
    return OutgoingMessage(
        channel=row["channel"],
        to=row["recipient"],
        text=row["text"],
        subject=row["subject"],
        customer_id=row["customer_id"],
        headers=json_of(row["headers"]),
        reply_to=row["reply_to"],
        key=row["key_text"],
        id=row["id"],
        message_id=row["message_id"],
    )
