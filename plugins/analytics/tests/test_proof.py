"""The kept figures are those of a scan, after whatever sequence of changes."""

import asyncio
import random
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from crm_analytics import answers
from crm_analytics.predictions.histories import pages
from crm_analytics.rollups import quintiles, rebuild, summing, totals
from crm_analytics.rollups.state import state

from crm_framework import (
    CrmError,
    Event,
    NewCustomer,
    NewInteraction,
    NewLine,
    NewPurchase,
    NewRefund,
    UnitOfWork,
    create_customer,
    encode_id,
    log_interaction,
    now,
    record_purchase,
    record_refund,
    tag_customers,
    update_interaction,
)
from crm_framework.testing import CrmClient, deliver_events, run_jobs

START = datetime(2024, 2, 28, 20, tzinfo=UTC)
VERIFY = "mutation { verifyFigures { customers differences errors { message } } }"
REBUILD = "mutation { rebuildDailyFigures { customers errors { message } } }"
MERGE = """mutation ($input: MergeCustomersInput!) {
  mergeCustomers(input: $input) { customer { id } errors { code } } }"""
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
    "SELECT interaction_id, customer_id, question, score, most, channel, answered_at FROM analytics_answer"
    " WHERE customer_id IS NOT NULL",
)


async def tables(client: CrmClient) -> list[list[tuple[str, ...]]]:
    """All figures, without the keys of their rows, after the worker did its work."""
    await deliver_events(client)
    fetch = client.service.database.fetch
    return [sorted(tuple(map(str, row.values())) for row in await fetch(sql)) for sql in KEPT]


TAGS = ("new", "vip", 'a "rare" one', "ärgerlich")


class Company:
    """Does at random what changes figures, and says what was done. The worker counts only now and then."""

    def __init__(self, client: CrmClient, seed: int) -> None:
        self.client = CrmClient(client.app, client.http, client.token)
        self.random = random.Random(seed)
        self.customers: list[str] = []
        self.purchases: list[str] = []
        self.answers: list[str] = []

    async def step(self) -> None:
        deed = self.random.choices(
            [
                *(self.join, self.buy, self.give_back, self.note, self.answer, self.correct),
                *(self.merge, self.erase, self.fold, self.deliver, self.tag),
            ],
            [2, 12, 6, 2, 3, 2, 2, 1, 1, 2, 3],
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


@pytest.mark.parametrize("seed", range(3))
async def test_after_any_sequence_of_changes(client: CrmClient, seed: int) -> None:
    company = Company(client, seed)
    for _ in range(60):
        await company.step()
    assert await owed(client) == 0
    assert await differences(client) == []
    kept = await tables(client)
    await client.data(REBUILD)
    assert await tables(client) == kept
    assert await differences(client) == []


async def test_changes_at_the_same_moment(client: CrmClient) -> None:
    company = Company(client, 7)
    for _ in range(12):
        await company.join()
        await company.buy()
    for _ in range(6):
        await asyncio.gather(*(company.step() for _ in range(8)))
    assert await owed(client) == 0
    assert await differences(client) == []


async def test_refunds_of_one_customer_at_the_same_moment(client: CrmClient) -> None:
    company = Company(client, 2)
    await company.join()
    while len(company.purchases) < 6:
        await company.buy()
    await asyncio.gather(*(company.give_back() for _ in range(12)))
    assert await owed(client) == 0
    assert await differences(client) == []


class Spy:
    """A handler that remembers what was told."""

    name = "spy"

    def __init__(self) -> None:
        self.told: list[Event] = []

    async def __call__(self, events: Sequence[Event], tx: UnitOfWork) -> None:
        self.told += events


async def test_what_is_told_again_in_another_order_counts_once(client: CrmClient) -> None:
    database, company, spy = client.service.database, Company(client, 3), Spy()
    [handler] = database.handlers
    database.handlers = (handler, spy)
    for _ in range(40):
        await company.step()
    kept = await tables(client)
    database.handlers = (handler,)
    assert len(spy.told) > 20
    company.random.shuffle(spy.told)
    async with database.unit_of_work() as tx:
        for event in spy.told:
            await handler([event], tx)
        await handler(spy.told, tx)
    assert await tables(client) == kept


async def test_what_was_owed_when_a_person_was_erased_counts(client: CrmClient) -> None:
    database = client.service.database
    company = Company(client, 1)
    await company.join()
    handlers, database.handlers = database.handlers, ()
    await company.buy()
    assert await differences(client) != []
    database.handlers = handlers
    given = {"id": encode_id("Customer", company.customers[0])}
    assert (await client.data(ERASE, input=given))["eraseCustomer"]["errors"] == []
    assert await differences(client) == []


@pytest.mark.parametrize(
    "damage",
    [
        "UPDATE analytics_daily SET purchases = purchases + 1",
        "UPDATE analytics_customer SET purchase_days = purchase_days + 1",
        "UPDATE analytics_revenue SET refunded_minor = refunded_minor + 1",
        "DELETE FROM analytics_revenue",
        "UPDATE analytics_month SET purchases = purchases + 1",
        "UPDATE analytics_activity SET months = months * 2",
        "UPDATE analytics_activity SET tags = '[\"gone\"]'",
        "UPDATE analytics_product SET quantity = quantity + 1",
        "UPDATE analytics_sales SET revenue_minor = revenue_minor + 1",
        "DELETE FROM analytics_goods",
        "DELETE FROM analytics_cohort",
    ],
)
async def test_damage_is_found_and_mended(client: CrmClient, damage: str) -> None:
    company = Company(client, 5)
    for _ in range(4):
        await company.join()
        await company.buy()
    await deliver_events(client)
    async with client.service.database.unit_of_work() as tx:
        await tx.execute(damage)
    assert await differences(client) != []
    await client.data(REBUILD)
    assert await differences(client) == []


async def forget(client: CrmClient) -> None:
    """As a new plugin is, where there were interactions before it came."""
    async with client.service.database.unit_of_work() as tx:
        for table in (
            *("daily", "month", "activity", "product", "customer", "revenue", "sales", "goods", "cohort"),
            *("answer", "quintile"),
        ):
            await tx.execute(f"DELETE FROM analytics_{table}")
        await tx.execute("UPDATE analytics_state SET counted_at = NULL WHERE name = 'rollups'")


async def test_the_worker_counts_what_was_there_before(
    client: CrmClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    company = Company(client, 11)
    for _ in range(50):
        await company.step()
    for _ in range(8):
        await company.answer()
    kept = await tables(client)
    assert all(kept)
    await forget(client)
    monkeypatch.setattr(rebuild, "CHUNK", 1)
    later = now() + timedelta(minutes=2)
    ran = await run_jobs(client, at=later, since=later - timedelta(seconds=90))
    assert ran.count("analytics.rebuild") > 2
    assert await tables(client) == kept
    assert await differences(client) == []


async def test_whoever_is_counted_during_a_rebuild_counts_once(client: CrmClient) -> None:
    """Between the look at customers and the writing, at them and at the sums; and two rebuilds at once."""
    company, database = Company(client, 6), client.service.database
    for _ in range(6):
        await company.join()
        await company.buy()
    run = Outside(database)
    for first in (True, False):
        if first:
            await forget(client)
        else:
            async with database.unit_of_work() as tx:
                await tx.execute("UPDATE analytics_daily SET purchases = purchases + 1")
        async with database.unit_of_work() as tx:
            await rebuild.begin(tx, "UTC")
        found = await rebuild.look(None, database)
        for _ in range(12):  # among them the first counting of some, and merges and erasures of others
            await company.step()
        await deliver_events(client)
        other = await rebuild.look(None, database)
        await rebuild.write_all(run, found)
        seen, lacking = await state(database), await summing.lacking("UTC", database)
        await company.buy()
        await rebuild.write_all(run, other)
        await deliver_events(client)
        bounds = await quintiles.look(database)
        settled = await rebuild.settle(run, seen, lacking, bounds)
        assert settled is (not any(other.pieces()))
        await rebuild.finish(run)
        assert await owed(client) == 0
        assert await differences(client) == []


@pytest.mark.parametrize("database_kind", ["sqlite"], indirect=True)
async def test_customers_are_read_along_their_own_interactions(client: CrmClient) -> None:
    """SQLite, which knows no figures of its tables, would rather go through all purchases of everybody."""
    database = client.service.database
    await Company(client, 1).join()
    with database.counting() as statements:
        await rebuild.look(None, database)
        async with database.unit_of_work() as tx:
            await answers.recount(["none"], tx)
        async for _ in pages(database, datetime(2024, 1, 1, tzinfo=UTC).date()):
            pass
    asked = [one for one in statements if " crm_interaction" in one]
    assert len(asked) >= 6
    for statement in asked:
        plan = await database.fetch(f"EXPLAIN QUERY PLAN {statement}", [None] * statement.count("?"))
        assert not any("(kind=?" in row["detail"] for row in plan), statement


class Outside:
    """As a command counts; one that dies in the transaction after so many."""

    def __init__(self, database: Any, lives: int = 1000) -> None:
        self.reader, self.lives = database, lives

    @asynccontextmanager
    async def unit_of_work(self) -> AsyncIterator[UnitOfWork]:
        async with self.reader.unit_of_work() as tx:
            yield tx
            self.lives -= 1
            if self.lives < 0:
                raise Died


class Died(Exception):
    pass


async def test_a_rebuild_that_died_anywhere_is_made_up_for(
    client: CrmClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(rebuild, "CHUNK", 2)
    monkeypatch.setattr(rebuild, "ROWS", 10)
    company, database = Company(client, 9), client.service.database
    for _ in range(3):
        await company.join()
        await company.buy()
    lives, ended = 0, False
    while not ended:
        await forget(client)
        async with database.unit_of_work() as tx:
            await rebuild.begin(tx, "UTC")
        run = Outside(database, lives)
        try:
            async for _ in rebuild.batches(run):
                pass
            await rebuild.finish(run)
            ended = True
        except Died:
            assert not (await state(database)).complete
            await company.buy()
            await deliver_events(client)
            await client.data(REBUILD)
        assert await differences(client) == []
        lives += 1
    assert lives > 4  # batches, and parts of the sums


async def test_a_rebuild_that_changes_nothing_holds_nobody(client: CrmClient) -> None:
    company, database = Company(client, 8), client.service.database
    for _ in range(4):
        await company.join()
        await company.buy()
    await client.data(REBUILD)
    found = await rebuild.look(None, database)
    assert (len(found.standing), list(found.pieces())) == (4, [])


async def test_another_zone_is_counted_anew(open_client: Any) -> None:
    client = await open_client("analytics", analytics={"time_zone": "Asia/Kolkata"})
    company = Company(client, 4)
    for _ in range(4):
        await company.join()
        await company.buy()
    for _ in range(30):
        await company.step()
    before = await tables(client)
    assert before[0]
    assert await owed(client) == 0
    assert await differences(client) == []
    later = now() + timedelta(minutes=2)
    await run_jobs(client, at=later, since=later - timedelta(seconds=90))
    [row] = await client.service.database.fetch("SELECT zone, next_zone FROM analytics_state")
    assert (row["zone"], row["next_zone"]) == ("Asia/Kolkata", None)
    after = await tables(client)
    assert after[0] != before[0]
    assert await differences(client) == []
    for _ in range(30):
        await company.step()
    assert await differences(client) == []
    kept = await tables(client)
    await client.data(REBUILD)
    assert await tables(client) == kept
