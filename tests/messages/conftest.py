"""A database whose messages go to a mail server on the loopback, and ways to ask for messages and to send."""

from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from typing import Any

import pytest

from crm_framework import (
    NewContactPoint,
    NewCustomer,
    OutgoingMessage,
    QueuedMessage,
    create_customer,
    send_message,
)
from crm_framework.domain.messages.sending import sending_job
from crm_framework.email_settings import EmailSettings
from crm_framework.hooks.dispatch import PluginHost
from crm_framework.secret import Secret
from crm_framework.settings import Settings
from crm_framework.storage.database import Database
from crm_framework.storage.sql import Dialect
from crm_framework.worker.jobs import Jobs
from crm_framework.worker.loop import Worker
from tests.hooks.conftest import folder
from tests.outgoing.mail import MailServer, mail_server

__all__ = ["folder"]

SENDER = "Example Ltd <crm@example.com>"


def settings_for(port: int, **more: Any) -> Settings:
    url = Secret(f"smtp://127.0.0.1:{port}")
    return Settings(email=EmailSettings(smtp_url=url, sender=SENDER), **more)


@dataclass
class Office:
    """`await office.queue(...)`, then `await office.work()` sends what is due."""

    database: Database
    server: MailServer
    host: PluginHost = field(default_factory=PluginHost)
    settings: Settings = field(default_factory=Settings)

    @property
    def dialect(self) -> Dialect:
        return self.database.dialect

    async def customer(self, name: str = "Ann", consent: str = "UNKNOWN", **more: Any) -> str:
        point = NewContactPoint(channel="email", value=f"{name.lower()}@example.com", consent=consent)
        async with self.database.unit_of_work() as tx:
            return (await create_customer(tx, NewCustomer(name=name, contact_points=[point], **more))).id

    async def queue(self, *, respect_policy: bool = True, **more: Any) -> QueuedMessage:
        async with self.database.unit_of_work() as tx:
            return await send_message(tx, letter(**more), respect_policy=respect_policy)

    async def work(self) -> int:
        jobs = Jobs(self.database, [sending_job(self.host, self.settings)], self.host)
        return await Worker([jobs.chore(4)]).drain()

    async def again(self) -> int:
        """The next attempt, as if the pause before it were over."""
        async with self.database.unit_of_work() as tx:
            await tx.execute("UPDATE crm_job SET run_at = ? WHERE status = 'WAITING'", (tx.now,))
        return await self.work()

    async def rows(self) -> list[dict[str, Any]]:
        return await self.database.fetch("SELECT * FROM crm_message ORDER BY id")

    async def row(self) -> dict[str, Any]:
        (row,) = await self.rows()
        return row

    async def jobs(self) -> list[str]:
        return [row["status"] for row in await self.database.fetch("SELECT status FROM crm_job ORDER BY id")]

    async def told(self) -> list[tuple[str, str | None]]:
        """Events of messages, with their customers."""
        rows = await self.database.fetch(
            "SELECT type, customer_id FROM crm_event WHERE type LIKE 'message.%' ORDER BY position"
        )
        return [(row["type"], row["customer_id"]) for row in rows]


def letter(**more: Any) -> OutgoingMessage:
    usual = {"channel": "email", "to": "ann@example.com", "subject": "Hello", "text": "Dear Ann,\n\nhello."}
    return OutgoingMessage(**{**usual, **more})


@pytest.fixture
async def server() -> AsyncIterator[MailServer]:
    async with mail_server() as server:
        yield server


@pytest.fixture
def office(database: Database, server: MailServer) -> Office:
    settings = settings_for(server.port)
    database.settings = settings
    return Office(database, server, settings=settings)
