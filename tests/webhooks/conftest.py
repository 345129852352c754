"""An application whose webhooks may lead to this machine, and a real receiver on it."""

from collections.abc import AsyncIterator
from contextlib import nullcontext
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import pytest

from crm_framework.domain.webhooks.passing import pass_on, read_batch
from crm_framework.outgoing.client import webhook_client
from crm_framework.schema.webhook_filters import WebhookApi, webhook_api
from crm_framework.storage.clock import frozen
from crm_framework.storage.database import Database
from crm_framework.testing.apps import OpenClient
from crm_framework.testing.client import CrmClient
from crm_framework.worker.loop import Worker
from crm_framework.worker.webhooks import Sender, passing_on
from tests.outgoing.receiver import Receiver, receiving

MADE = """mutation($input: CreateWebhookInput!) { createWebhook(input: $input) {
    secret webhook { id } errors { code message path hint } } }"""


@dataclass
class Office:
    """Makes webhooks and customers over the API, and works as one node would."""

    client: CrmClient
    receiver: Receiver

    @property
    def database(self) -> Database:
        return self.client.service.database

    @property
    def api(self) -> WebhookApi:
        return webhook_api(self.database, self.client.service.schema.schema, self.client.service.host)

    async def made(self, **more: Any) -> dict[str, Any]:
        """The whole payload."""
        input_ = {"url": self.receiver.url, "types": ["customer.*"], **more}
        payload: dict[str, Any] = (await self.client.data(MADE, input=input_))["createWebhook"]
        return payload

    async def webhook(self, **more: Any) -> str:
        """The id of a new one."""
        payload = await self.made(**more)
        assert payload["errors"] == [], payload
        return str(payload["webhook"]["id"])

    async def do(self, name: str, selection: str = "", /, **input_: Any) -> dict[str, Any]:
        """The payload of a mutation that must succeed."""
        kind = {
            "updateWebhook": "UpdateWebhookInput",
            "replayWebhook": "ReplayWebhookInput",
            "createCustomer": "CreateCustomerInput",
            "updateCustomer": "UpdateCustomerInput",
            "eraseCustomer": "EraseCustomerInput",
        }.get(name, "WebhookInput")
        answer = await self.client.data(
            f"mutation($input: {kind}!) {{ {name}(input: $input) {{ {selection} errors {{ message }} }} }}",
            input=input_,
        )
        payload: dict[str, Any] = answer[name]
        assert payload["errors"] == [], payload
        return payload

    async def customer(self, name: str = "Ada", **more: Any) -> str:
        payload = await self.do("createCustomer", "customer { id }", name=name, **more)
        return str(payload["customer"]["id"])

    def sender(self) -> Sender:
        """What one process sends with."""
        return Sender(self.database, self.api, webhook_client(self.client.service.settings))

    async def work(self, at: datetime | None = None) -> None:
        """All that is due, or will be at that moment."""
        with frozen(at) if at is not None else nullcontext():
            await Worker([passing_on(self.database, self.api), self.sender().chore(8)]).drain()

    async def pass_on(self) -> None:
        while (batch := await read_batch(self.database, self.api)) is not None:
            await pass_on(self.database, batch)

    async def rows(self) -> list[dict[str, Any]]:
        return await self.database.fetch("SELECT * FROM crm_webhook_delivery ORDER BY position")

    async def stored(self) -> dict[str, Any]:
        (row,) = await self.database.fetch("SELECT * FROM crm_webhook")
        return row


@pytest.fixture
async def office(open_client: OpenClient) -> AsyncIterator[Office]:
    client = await open_client(webhook_allow_http=True, webhook_allow_private=("127.0.0.1",))
    async with receiving() as receiver:
        yield Office(client, receiver)
