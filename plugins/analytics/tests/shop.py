"""A shop that records what the tests are about."""

from datetime import UTC, datetime
from typing import Any

from crm_framework import (
    NewCustomer,
    NewInteraction,
    NewLine,
    NewPurchase,
    NewRefund,
    create_customer,
    log_interaction,
    record_purchase,
    record_refund,
    tag_customers,
)
from crm_framework.testing import CrmClient, deliver_events

PARTS = "value numerator denominator n reason"


def at(text: str) -> datetime:
    found = datetime.fromisoformat(text)
    return found if found.tzinfo else found.replace(tzinfo=UTC)


class Shop:
    """Whose worker has counted every change before the next question."""

    def __init__(self, client: CrmClient) -> None:
        self.client = client

    async def customer(self, name: str = "Ada", **values: Any) -> str:
        async with self.client.service.database.unit_of_work() as tx:
            return (await create_customer(tx, NewCustomer(name=name, **values))).id

    async def buy(
        self, customer: str, day: str, minor: int = 1000, currency: str = "EUR", **values: Any
    ) -> str:
        async with self.client.service.database.unit_of_work() as tx:
            values.setdefault("lines", [NewLine(sku="A", amount_minor=minor)])
            new = NewPurchase(customer_id=customer, currency=currency, occurred_at=at(day), **values)
            purchase = await record_purchase(tx, new)
        await deliver_events(self.client)
        return purchase

    async def refund(self, purchase: str, day: str, minor: int) -> None:
        async with self.client.service.database.unit_of_work() as tx:
            await record_refund(tx, NewRefund(purchase_id=purchase, amount_minor=minor, occurred_at=at(day)))
        await deliver_events(self.client)

    async def touch(self, customer: str, kind: str, day: str, **values: Any) -> str:
        async with self.client.service.database.unit_of_work() as tx:
            new = NewInteraction(customer_id=customer, kind=kind, occurred_at=at(day), **values)
            interaction = await log_interaction(tx, new)
        await deliver_events(self.client)
        return interaction

    async def tag(self, customer: str, *tags: str) -> None:
        async with self.client.service.database.unit_of_work() as tx:
            await tag_customers(tx, [customer], add=tags)
        await deliver_events(self.client)

    async def ask(
        self, selection: str, first: str = "2024-01-01", last: str = "2024-01-31", more: str = ""
    ) -> Any:
        text = f'{{ analytics(window: {{first: "{first}", last: "{last}"}}{more}) {{ {selection} }} }}'
        return (await self.client.data(text))["analytics"]


async def people(shop: Shop) -> dict[str, str]:
    """Ada stays, Ben leaves, Cy comes back after more than a year, Dee is new, Eve never bought."""
    keys = {name: await shop.customer(name) for name in ("Ada", "Ben", "Cy", "Dee", "Eve")}
    for name, *days in (
        ("Ada", "2023-06-10", "2024-01-05", "2024-01-25"),
        ("Ben", "2023-12-31"),
        ("Cy", "2022-11-30", "2024-01-09"),
        ("Dee", "2024-01-20"),
    ):
        for day in days:
            await shop.buy(keys[name], day)
    return keys
