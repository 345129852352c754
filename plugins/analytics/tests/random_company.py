"""A company whose customers do at random what changes figures, and what is compared afterwards."""

import asyncio
import random
from datetime import UTC, date, datetime, timedelta
from typing import Any

from crm_analytics.rollups import totals
from crm_analytics.segments import freezing

from crm_framework import (
    CrmError,
    Fragment,
    NewCustomer,
    NewInteraction,
    NewLine,
    NewPurchase,
    NewRefund,
    UnitOfWork,
    create_customer,
    decode_key,
    encode_id,
    log_interaction,
    record_purchase,
    record_refund,
    tag_customers,
    update_interaction,
)
from crm_framework.testing import CrmClient, deliver_events

START = datetime(2024, 2, 28, 20, tzinfo=UTC)
VERIFY = "mutation { verifyFigures { customers differences errors { message } } }"
REBUILD = "mutation { rebuildDailyFigures { customers errors { message } } }"
MERGE = """mutation ($input: MergeCustomersInput!) {
  mergeCustomers(input: $input) { customer { id } errors { code } } }"""
SAVE = """mutation ($input: CreateSegmentInput!) {
  createSegment(input: $input) { segment { id } errors { message } } }"""
UPDATE = "mutation ($input: UpdateCustomerInput!) { updateCustomer(input: $input) { errors { code } } }"
ERASE = "mutation ($input: EraseCustomerInput!) { eraseCustomer(input: $input) { errors { code } } }"


async def differences(client: CrmClient) -> list[str]:
    await deliver_events(client)
    answer = (await client.data(VERIFY))["verifyFigures"]
    assert answer["errors"] == []
    found: list[str] = answer["differences"]
    return found


async def owed(client: CrmClient) -> int:
    """After the worker did its work."""
    await deliver_events(client)
    return len(await client.service.database.fetch("SELECT id FROM crm_delivery"))


_SALES = "SUM(purchases) AS p, SUM(refunds) AS r, SUM(revenue_minor) AS m, SUM(refunded_minor) AS n"
KEPT = (
    "SELECT customer_id, day, channel, currency, purchases, refunds, revenue_minor, refunded_minor,"
    " first_purchase_at, last_purchase_at FROM analytics_daily",
    "SELECT customer_id, month, channel, currency, purchases, refunds, purchased_minor, refunded_minor"
    " FROM analytics_month",
    "SELECT customer_id, block, tags, earlier, months, followed FROM analytics_activity",
    "SELECT customer_id, month, sku, currency, quantity, amount_minor, purchases FROM analytics_product",
    "SELECT customer_id, purchases, refunds, purchase_days, first_purchase_at, last_purchase_at, last_day,"
    " first_month, last_month, currency, net_minor, gap_median, gap_mean, expected_on"
    " FROM analytics_customer WHERE purchases > 0 OR refunds > 0",
    "SELECT customer_id, currency, purchases, purchase_days, purchased_minor, refunded_minor"
    " FROM analytics_revenue",
    f"SELECT day, channel, currency, {_SALES} FROM analytics_sales GROUP BY day, channel, currency"
    " HAVING SUM(purchases) <> 0 OR SUM(refunds) <> 0",
    "SELECT month, sku, currency, SUM(quantity) AS q, SUM(amount_minor) AS a, SUM(purchases) AS p,"
    " SUM(buyers) AS b FROM analytics_goods GROUP BY month, sku, currency HAVING SUM(purchases) <> 0",
    "SELECT basis, cohort, month, SUM(customers) AS c FROM analytics_cohort GROUP BY basis, cohort, month"
    " HAVING SUM(customers) <> 0",
    "SELECT customer_id, segment_id, day, last_before, first_from FROM analytics_membership",
    "SELECT interaction_id, customer_id, question, score, most, channel, answered_at FROM analytics_answer"
    " WHERE customer_id IS NOT NULL",
)


async def tables(client: CrmClient) -> list[list[tuple[str, ...]]]:
    """All figures, without the keys of their rows, after the worker did its work."""
    await deliver_events(client)
    fetch = client.service.database.fetch
    return [sorted(tuple(map(str, row.values())) for row in await fetch(sql)) for sql in KEPT]


TAGS = ("new", "vip", 'a "rare" one', "ärgerlich")
SEGMENTS = (
    ({"tags": {"any": ["new", "vip"]}}, "g.tag IN ('new', 'vip')"),
    ({"tags": {"any": ["vip"]}}, "g.tag = 'vip'"),
)
"""Their filters, and the conditions on tags that say the same."""


class Company:
    """Does at random what changes figures, and says what was done. The worker counts only now and then."""

    def __init__(self, client: CrmClient, seed: int) -> None:
        self.client = CrmClient(client.app, client.http, client.token)
        self.random = random.Random(seed)
        self.customers: list[str] = []
        self.purchases: list[str] = []
        self.answers: list[str] = []
        self.segments: list[str] = []
        self.saving = asyncio.Lock()

    async def step(self) -> None:
        deed = self.random.choices(
            [
                *(self.join, self.buy, self.give_back, self.note, self.answer, self.correct),
                *(self.merge, self.erase, self.fold, self.deliver, self.tag, self.freeze),
            ],
            [2, 12, 6, 2, 3, 2, 2, 1, 1, 2, 3, 2],
        )[0]
        try:
            await deed()
        except CrmError as error:
            # who names merged customers holds their winners, in another order than all others
            if "waited for each other" not in error.message:
                raise

    def moment(self) -> datetime:
        """Within five days, some at the turn of two of them."""
        whole = START + timedelta(hours=self.random.randrange(120))
        return whole + timedelta(microseconds=self.random.choice([0, 0, 1, 999_999]))

    async def join(self) -> None:
        async with self.client.service.database.unit_of_work() as tx:
            self.customers.append((await create_customer(tx, NewCustomer(name="Ada"))).id)

    async def buy(self) -> None:
        if not self.customers:
            return
        # in the order in which all lock customers: of two who lock them crosswise, one has to give way
        customers = sorted(self.random.choices(self.customers, k=self.random.choice([1, 1, 3])))
        async with self.client.service.database.unit_of_work() as tx:
            for customer in customers:
                new = NewPurchase(
                    customer_id=customer,
                    currency=self.random.choice(["EUR", "EUR", "JPY"]),
                    lines=[
                        NewLine(sku=self.random.choice("ABC"), amount_minor=self.random.randrange(1, 5000))
                        for _ in range(self.random.choice([1, 1, 2]))
                    ],
                    channel=self.random.choice([None, "shop", "web"]),
                    occurred_at=self.moment(),
                )
                await self.tried(tx, record_purchase(tx, new), self.purchases)

    async def give_back(self) -> None:
        if not self.purchases:
            return
        async with self.client.service.database.unit_of_work() as tx:
            new = NewRefund(
                purchase_id=self.random.choice(self.purchases),
                amount_minor=self.random.randrange(1, 2000),
                occurred_at=START + timedelta(days=6 + self.random.randrange(3)),
            )
            await self.tried(tx, record_refund(tx, new), [])

    async def tried(self, tx: UnitOfWork, work: Any, done: list[Any]) -> None:
        """Erased customers buy no more, and more than was paid does not go back."""
        try:
            done.append(await work)
        except CrmError as error:
            if error.code not in ("REFUSED", "NOT_FOUND"):
                raise

    async def note(self) -> None:
        if self.purchases:
            async with self.client.service.database.unit_of_work() as tx:
                changes: dict[str, object] = self.random.choice(
                    [{"subject": "Corrected"}, {"channel": "shop"}, {"channel": None}]
                )
                corrected = update_interaction(tx, self.random.choice(self.purchases), changes)
                await self.tried(tx, corrected, [])

    async def tag(self) -> None:
        if self.customers:
            customer, some = self.random.choice(self.customers), self.random.sample(TAGS, 2)
            if self.random.random() < 0.5:
                given = {"id": encode_id("Customer", customer), "tags": some}
                await self.client.data(UPDATE, input=given)
                return
            async with self.client.service.database.unit_of_work() as tx:
                await self.tried(tx, tag_customers(tx, [customer], add=some[:1], remove=some[1:]), [])

    async def answer(self) -> None:
        if self.customers:
            async with self.client.service.database.unit_of_work() as tx:
                new = NewInteraction(
                    customer_id=self.random.choice(self.customers),
                    kind="survey",
                    outcome=self.random.choice(["nps 10", "nps 3", "csat 5", "csat 2", "no answer"]),
                    occurred_at=self.moment(),
                )
                await self.tried(tx, log_interaction(tx, new), self.answers)

    async def correct(self) -> None:
        if self.answers:
            async with self.client.service.database.unit_of_work() as tx:
                changes: dict[str, object] = self.random.choice(
                    [{"outcome": "nps 7"}, {"outcome": None}, {"kind": "note"}, {"kind": "survey"}]
                )
                await self.tried(tx, update_interaction(tx, self.random.choice(self.answers), changes), [])

    async def fold(self) -> None:
        async with self.client.service.database.unit_of_work() as tx:
            for total in totals.TOTALS:
                await totals.fold(tx, total)

    async def deliver(self) -> None:
        await deliver_events(self.client)

    async def merge(self) -> None:
        if len(self.customers) > 3:
            winner, loser = self.random.sample(self.customers, 2)
            given = {"winner": encode_id("Customer", winner), "losers": [encode_id("Customer", loser)]}
            answer = await self.client.data(MERGE, input=given)
            # merged before, into one another or into somebody else, or erased
            for error in answer["mergeCustomers"]["errors"]:
                assert error["code"] in ("BAD_INPUT", "CONFLICT", "REFUSED")

    async def erase(self) -> None:
        if len(self.customers) > 5:
            given = {"id": encode_id("Customer", self.random.choice(self.customers))}
            answer = await self.client.data(ERASE, input=given)
            assert answer["eraseCustomer"]["errors"] == []

    async def freeze(self, day: date | None = None) -> None:
        """As the job does it, or the mutation, of a day on which they might have."""
        async with self.saving:
            for wanted, _ in SEGMENTS[len(self.segments) :]:
                given = {"name": f"Segment {len(self.segments)}", "filter": wanted}
                made = await self.client.data(SAVE, input=given)
                self.segments.append(made["createSegment"]["segment"]["id"])
        keys = [decode_key(one, "Segment") for one in self.segments]
        if day is None:
            day = date(2024, 2, 28) + timedelta(days=self.random.randrange(4))
        async with self.client.service.database.unit_of_work() as tx:
            if self.random.random() < 0.5:
                await freezing.freeze_some(keys, self.customers, day, tx)
                await freezing.mark(keys, day, tx)
                return
            which = "t.merged_into_id IS NULL AND t.id IN (SELECT g.customer_id FROM crm_customer_tag AS g"
            conditions = [Fragment(f"{which} WHERE {tagged})") for _, tagged in SEGMENTS]
            await freezing.freeze(dict(zip(keys, conditions, strict=True)), day, tx)
