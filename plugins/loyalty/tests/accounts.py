"""A shop whose accounts are worked on at the ledger, and asked for over the API."""

from datetime import UTC, datetime
from typing import Any

from crm_loyalty.ledger import (
    Adjustment,
    ClawBack,
    Posting,
    Reversal,
    Spending,
    claw_back,
    post,
    redeem,
    reverse,
)
from crm_loyalty.moments import NEVER

from crm_framework import NewCustomer, create_customer, decode_key, encode_id
from crm_framework.testing import CrmClient

START = datetime(2026, 1, 31, 12, tzinfo=UTC)
PROGRAM = """mutation ($input: CreateLoyaltyProgramInput!) {
  createLoyaltyProgram(input: $input) { program { id } errors { message path } } }"""
ACCOUNT = """query ($id: ID!, $at: DateTime!) { customer(id: $id) { loyalty {
  balance pending deficit lifetime spendable
  tier { name benefits nextTier pointsToNext }
  lots { nodes { points remaining expiresAt } }
  tierHistory { nodes { at tier { name } previous { name } } }
  asOf(at: $at) { balance pending tier { name } } } } }"""


class Shop:
    def __init__(self, client: CrmClient, program: str) -> None:
        self.client, self.program = client, program

    @property
    def program_key(self) -> str:
        return decode_key(self.program, "LoyaltyProgram")

    async def customer(self) -> str:
        async with self.client.service.database.unit_of_work() as tx:
            return (await create_customer(tx, NewCustomer(name="Ada"))).id

    async def do(self, work: Any, *items: Any) -> Any:
        async with self.client.service.database.unit_of_work() as tx:
            return await work(tx, items)

    async def earn(self, customer: str, points: int, at: datetime, **more: Any) -> None:
        posting = Posting(
            program_id=self.program_key,
            customer_id=customer,
            points=points,
            source_key=f"purchase:{customer}:{at}",
            at=at,
            amount_minor=points * 100,
            **more,
        )
        await self.do(post, posting)

    async def refund(self, customer: str, at: datetime, minor: int) -> None:
        back = ClawBack(
            program_id=self.program_key,
            earning_key=f"purchase:{customer}:{at}",
            amount_minor=minor,
            source_key=f"refund:{customer}:{at}:{minor}",
            at=at,
        )
        await self.do(claw_back, back)

    def adjustment(self, customer: str, points: int) -> Adjustment:
        return Adjustment(
            program_id=self.program_key,
            customer_id=customer,
            points=points,
            source_key="adjustment:1",
            reason="a gift",
            expires_at=NEVER,
        )

    async def redeem(self, customer: str, points: int, key: str = "redemption:1") -> Any:
        spending = Spending(program_id=self.program_key, customer_id=customer, points=points, source_key=key)
        return await self.do(redeem, spending)

    async def reverse(self, key: str = "redemption:1") -> Any:
        back = Reversal(program_id=self.program_key, redemption_key=key, source_key=f"back:{key}")
        return await self.do(reverse, back)

    async def account(self, customer: str, at: datetime) -> Any:
        answer = await self.client.data(ACCOUNT, id=encode_id("Customer", customer), at=at.isoformat())
        return answer["customer"]["loyalty"]

    def input(self, customer: str, **more: Any) -> dict[str, Any]:
        return {"program": self.program, "customer": encode_id("Customer", customer), **more}


async def shop(client: CrmClient, **input: Any) -> Shop:
    answer = await client.data(PROGRAM, input={"name": "Stars", "currency": "EUR", **input})
    assert answer["createLoyaltyProgram"]["errors"] == []
    return Shop(client, answer["createLoyaltyProgram"]["program"]["id"])
