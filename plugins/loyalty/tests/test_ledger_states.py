"""Any sequence of what may happen to accounts, on a real database, compared with a plain model."""

import asyncio
from collections.abc import Awaitable, Callable, Coroutine
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from itertools import count
from typing import Any, ClassVar

from crm_loyalty.ledger import (
    Adjustment,
    ClawBack,
    Posting,
    Reversal,
    Spending,
    Transfer,
    adjust,
    cancel_pending,
    claw_back,
    post,
    redeem,
    reverse,
    settle,
    transfer,
)
from crm_loyalty.ledger.past import held_at
from crm_loyalty.ledger.verify import verify
from crm_loyalty.models import RefundPolicy, RewardKind, TierPeriod
from crm_loyalty.programs import create_program
from crm_loyalty.rewards.changes import NewReward, create_reward
from crm_loyalty.rewards.redeeming import cancel, reserve_reward
from crm_loyalty.tiers.changes import create_tier
from crm_loyalty.tiers.standing import histories, ladders, stands
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)

from crm_framework import CrmError, NewCustomer, UnitOfWork, create_customer, encode_id, parse_time
from crm_framework.testing import CrmClient, frozen, run_jobs

from .ledger_model import Model, ModelLot, ModelPending, Purchase

EXAMPLES, STEPS = 12, 30
START = datetime(2026, 1, 31, 10, tzinfo=UTC)
MERGE = """mutation ($winner: ID!, $losers: [ID!]!) {
  mergeCustomers(input: {winner: $winner, losers: $losers}) { losers errors { message } } }"""
CUSTOMERS = 3
COST = 10
"""Of the reward that is reserved."""
NUMBERS = st.integers(0, 1_000)


@dataclass
class Reservation:
    key: str
    customer: str
    taken: list[tuple[ModelLot, int]]
    until: datetime


@dataclass
class Bench:
    """What the states are tried on. The test's own loop runs what they do."""

    loop: asyncio.AbstractEventLoop
    client: CrmClient


class Enough(Exception):
    """Rolls back what was done to look at it."""


class Accounts(RuleBasedStateMachine):
    """Some customers in one programme, of whom each may become another."""

    bench: ClassVar[Bench]
    keys: ClassVar["count[int]"] = count()

    def __init__(self) -> None:
        super().__init__()
        self.clock = START
        self.models: dict[str, Model] = {}
        self.redemptions: dict[str, tuple[str, list[tuple[ModelLot, int]]]] = {}
        self.reversed: set[str] = set()
        self.reservation: Reservation | None = None

    @initialize(clamp=st.booleans(), period=st.sampled_from(TierPeriod), months=st.sampled_from([None, 1, 2]))
    def begin(self, clamp: bool, period: TierPeriod, months: int | None) -> None:
        self.clamp, self.months = clamp, months

        async def work(tx: UnitOfWork) -> None:
            policy = RefundPolicy.CLAMP_TO_ZERO if clamp else RefundPolicy.ALLOW_NEGATIVE
            self.program = await create_program(
                tx,
                f"Programme {next(self.keys)}",
                "EUR",
                1,
                expiry_months=months,
                refund_policy=policy,
                tier_period=period,
                tier_grace_days=10,
            )
            for name, threshold in (("Bronze", 20), ("Silver", 60), ("Gold", 100)):
                await create_tier(tx, self.program, name, threshold, [])
            cup = NewReward(
                program_id=self.program, name="Cup", kind=RewardKind.PRODUCT, sku="cup", cost_points=COST
            )
            self.reward = await create_reward(tx, cup)
            for _ in range(CUSTOMERS):
                customer = await create_customer(tx, NewCustomer(name="Ada"))
                self.models[customer.id] = Model()

        self.do(work)

    def run(self, work: Coroutine[Any, Any, Any]) -> Any:
        return asyncio.run_coroutine_threadsafe(work, self.bench.loop).result()

    @property
    def client(self) -> CrmClient:
        return self.bench.client

    def do(self, work: Callable[[UnitOfWork], Awaitable[Any]]) -> Any:
        """In a transaction, a second later than the last one."""
        self.clock += timedelta(seconds=1)

        async def change() -> Any:
            with frozen(self.clock):
                async with self.client.service.database.unit_of_work() as tx:
                    return await work(tx)

        try:
            return self.run(change())
        except CrmError as error:
            return error

    def settled(self, number: int) -> tuple[str, Model]:
        key = sorted(self.models)[number % len(self.models)]
        self.models[key].until(self.clock + timedelta(seconds=1))
        return key, self.models[key]

    def key(self) -> str:
        return f"cause {next(self.keys)}"

    def expiry(self, at: datetime) -> datetime:
        if self.months is None:
            return datetime(9999, 12, 31, tzinfo=UTC)
        month = at.month - 1 + self.months
        year, month = at.year + month // 12, month % 12 + 1
        for day in range(at.day, 0, -1):
            try:
                return at.replace(year=year, month=month, day=day)
            except ValueError:
                continue
        raise AssertionError

    @rule(who=NUMBERS, points=st.integers(0, 50), twice=st.booleans(), days=st.integers(0, 40))
    def earn(self, who: int, points: int, twice: bool, days: int) -> None:
        """Now or some days late."""
        customer, model = self.settled(who)
        at, key = self.clock + timedelta(seconds=1) - timedelta(days=days), self.key()
        posting = Posting(
            program_id=self.program, customer_id=customer, points=points, source_key=key, at=at,
            amount_minor=max(1, points * 100), reason="bought",
        )  # fmt: skip
        for _ in range(1 + twice):
            self.do(lambda tx: post(tx, [posting, posting]))
        now = self.clock if not twice else self.clock - timedelta(seconds=1)
        model.purchases[key] = Purchase(points, max(1, points * 100))
        model.add(points, self.expiry(at), at, key, now)
        model.until(self.clock)

    @rule(who=NUMBERS, points=st.integers(1, 50), days=st.integers(1, 30))
    def pend(self, who: int, points: int, days: int) -> None:
        customer, model = self.settled(who)
        at, key = self.clock + timedelta(seconds=1), self.key()
        posting = Posting(
            program_id=self.program, customer_id=customer, points=points, source_key=key, at=at,
            amount_minor=points * 100, unlock_at=at + timedelta(days=days),
        )  # fmt: skip
        self.do(lambda tx: post(tx, [posting]))
        model.purchases[key] = Purchase(points, points * 100)
        model.pending[key] = ModelPending(points, at + timedelta(days=days), self.expiry(at), at)

    @rule(who=NUMBERS, points=st.integers(1, 60))
    def redeem(self, who: int, points: int) -> None:
        customer, model = self.settled(who)
        key = self.key()
        spending = Spending(program_id=self.program, customer_id=customer, points=points, source_key=key)
        answer = self.do(lambda tx: redeem(tx, [spending]))
        taken = model.spend(points, self.clock)
        assert isinstance(answer, CrmError) == (taken is None), answer
        if taken is not None:
            self.redemptions[key] = (customer, taken)

    @precondition(lambda self: self.redemptions.keys() - self.reversed)
    @rule(which=NUMBERS)
    def reverse(self, which: int) -> None:
        waiting = sorted(self.redemptions.keys() - self.reversed)
        key = waiting[which % len(waiting)]
        customer, taken = self.redemptions[key]
        model = self.models[customer]
        model.until(self.clock + timedelta(seconds=1))
        reversal = Reversal(program_id=self.program, redemption_key=key, source_key=f"back {key}")
        assert not isinstance(answer := self.do(lambda tx: reverse(tx, [reversal])), CrmError), answer
        model.put_back(taken, self.clock)
        model.until(self.clock)
        self.reversed.add(key)
        again = Reversal(program_id=self.program, redemption_key=key, source_key=f"again {key}")
        assert isinstance(self.do(lambda tx: reverse(tx, [again])), CrmError)

    @precondition(lambda self: self.reservation is None)
    @rule(who=NUMBERS, days=st.integers(1, 30))
    def reserve(self, who: int, days: int) -> None:
        customer, model = self.settled(who)
        answer = self.do(lambda tx: reserve_reward(tx, customer, self.reward, days * 24 * 60))
        taken = model.spend(COST, self.clock)
        assert isinstance(answer, CrmError) == (taken is None), answer
        if taken is not None:
            self.reservation = Reservation(answer, customer, taken, self.clock + timedelta(days=days))

    @precondition(lambda self: self.reservation is not None)
    @rule()
    def cancel_reservation(self) -> None:
        """Also one that has run out, and that the job has not come to."""
        assert self.reservation is not None
        key = self.reservation.key
        self.models[self.reservation.customer].until(self.clock + timedelta(seconds=1))
        assert not isinstance(answer := self.do(lambda tx: cancel(tx, key)), CrmError), answer
        self.give_back()

    def give_back(self) -> None:
        assert self.reservation is not None
        model = self.models[self.reservation.customer]
        model.put_back(self.reservation.taken, self.clock)
        model.until(self.clock)
        self.reservation = None

    @rule(who=NUMBERS, which=NUMBERS, part=st.integers(1, 4))
    def refund(self, who: int, which: int, part: int) -> None:
        _, model = self.settled(who)
        if not model.purchases:
            return
        key = sorted(model.purchases)[which % len(model.purchases)]
        minor = min(
            max(1, model.purchases[key].minor // part),
            model.purchases[key].minor - model.purchases[key].refunded,
        )
        if minor <= 0:
            return
        back = ClawBack(
            program_id=self.program, earning_key=key, amount_minor=minor, source_key=self.key(),
            at=self.clock + timedelta(seconds=1),
        )  # fmt: skip
        answer = self.do(lambda tx: claw_back(tx, [back, back]))
        assert not isinstance(answer, CrmError), answer
        model.refund(key, minor, self.clamp, self.clock)

    @rule(who=NUMBERS, which=NUMBERS)
    def cancel(self, who: int, which: int) -> None:
        _, model = self.settled(who)
        waiting = sorted(key for key, each in model.pending.items() if each.points)
        if not waiting:
            return
        key = waiting[which % len(waiting)]
        answer = self.do(lambda tx: cancel_pending(tx, self.program, key, f"cancelled {key}"))
        assert not isinstance(answer, CrmError), answer
        model.purchases[key].taken += model.pending[key].points
        model.pending[key].points = 0

    @precondition(lambda self: len(self.models) > 1)
    @rule(who=NUMBERS, to=NUMBERS, points=st.integers(1, 40))
    def transfer(self, who: int, to: int, points: int) -> None:
        giver, model = self.settled(who)
        taker, other = self.settled(to)
        key = self.key()
        given = Transfer(
            program_id=self.program,
            from_customer_id=giver,
            to_customer_id=taker,
            points=points,
            source_key=key,
        )
        answer = self.do(lambda tx: transfer(tx, [given]))
        taken = model.spend(points, self.clock) if giver != taker else None
        assert isinstance(answer, CrmError) == (taken is None), answer
        lots = [ModelLot(part, lot.expires_at, lot.earned_at, key) for lot, part in taken or ()]
        other.lots += lots
        other.absorb(lots, self.clock)

    @rule(who=NUMBERS, points=st.integers(-40, 40).filter(bool))
    def adjust(self, who: int, points: int) -> None:
        customer, model = self.settled(who)
        key = self.key()
        made = Adjustment(
            program_id=self.program, customer_id=customer, points=points, source_key=key, reason="mended"
        )
        answer = self.do(lambda tx: adjust(tx, [made]))
        if points > 0:
            model.add(points, self.expiry(self.clock), self.clock, key, self.clock)
        else:
            assert isinstance(answer, CrmError) == (model.spend(-points, self.clock) is None), answer

    @precondition(lambda self: len(self.models) > 1)
    @rule(who=NUMBERS)
    def merge(self, who: int) -> None:
        winner, model = self.settled(who)
        loser, _ = self.settled(who + 1)

        async def work() -> Any:
            with frozen(self.clock):
                return await self.client.data(
                    MERGE, winner=encode_id("Customer", winner), losers=[encode_id("Customer", loser)]
                )

        self.clock += timedelta(seconds=1)
        assert self.run(work())["mergeCustomers"]["errors"] == []
        model.take_over(self.models.pop(loser), self.clock)
        for key, (customer, taken) in self.redemptions.items():
            if customer == loser:
                self.redemptions[key] = (winner, taken)
        if self.reservation is not None and self.reservation.customer == loser:
            self.reservation.customer = winner

    @rule(days=st.integers(1, 45))
    def wait(self, days: int) -> None:
        self.clock += timedelta(days=days)

    @rule()
    def run_the_jobs(self) -> None:
        self.clock += timedelta(seconds=1)
        self.run(run_jobs(self.client, at=self.clock, since=self.clock - timedelta(days=2)))
        for model in self.models.values():
            model.until(self.clock)
        if self.reservation is not None and self.reservation.until <= self.clock:
            self.give_back()

    @invariant()
    def all_is_as_it_should_be(self) -> None:
        if self.models:
            self.run(self.look())

    async def look(self) -> None:
        with frozen(self.clock):
            await self.look_at_the_entries()
            with suppress(Enough):
                async with self.client.service.database.unit_of_work() as tx:
                    await self.compare(tx)
                    raise Enough

    async def compare(self, tx: UnitOfWork) -> None:
        """With the model, once all that is due by now has happened in both."""
        of_all = (
            f"SELECT id FROM loyalty_account WHERE program_id = '{self.program}' AND merged_into_id IS NULL"
        )
        keys = [row["id"] for row in await tx.fetch(of_all)]
        moments = [self.clock - timedelta(days=days) for days in (0, 3, 20)]
        before = [await held_at(tx, keys, moment) for moment in moments]
        await settle(tx, keys)
        assert [await held_at(tx, keys, moment) for moment in moments] == before
        rows = await tx.fetch(
            "SELECT a.customer_id, a.balance, a.pending, a.deficit, (SELECT COALESCE(SUM(points), 0)"
            " FROM loyalty_entry e WHERE e.account_id = a.id) AS entries, (SELECT COALESCE(SUM(remaining), 0)"
            " FROM loyalty_lot l WHERE l.account_id = a.id) AS lots FROM loyalty_account a"
            f" WHERE a.id IN ({of_all})"
        )
        accounts = {row["customer_id"]: row for row in rows}
        assert accounts.keys() <= self.models.keys()
        for customer, model in self.models.items():
            model.until(self.clock)
            row = accounts.get(customer)
            found = (0, 0, 0) if row is None else (row["balance"], row["pending"], row["deficit"])
            assert found == (model.balance, model.waiting, model.deficit)
            if row is not None:
                assert row["balance"] == row["entries"] == row["lots"] - row["deficit"]
        assert (await verify(tx)).differences == []

    async def look_at_the_entries(self) -> None:
        async with self.client.service.database.unit_of_work() as tx:
            assert (await verify(tx)).differences == []
            rows = await tx.fetch(
                "SELECT id, tier_id, tier_judged_at, tier_review_at, posted_at FROM loyalty_account"
                " WHERE program_id = ? AND merged_into_id IS NULL",
                [self.program],
            )
            assert (
                await tx.fetch(
                    "SELECT source_key FROM loyalty_entry GROUP BY program_id, source_key HAVING COUNT(*) > 1"
                )
                == []
            )
            assert (
                await tx.fetch(
                    "SELECT a.id FROM loyalty_allocation a JOIN loyalty_entry e ON e.id = a.entry_id"
                    " JOIN loyalty_lot l ON l.id = a.lot_id WHERE a.points < 0 AND e.kind <> 'EXPIRED'"
                    " AND l.expires_at <= e.created_at AND e.kind <> 'UNLOCKED'"
                )
                == []
            )
            ladder = (await ladders(tx, [self.program]))[self.program]
            counted = await histories(tx, [row["id"] for row in rows])
            for row in rows:
                if row["tier_judged_at"] is None or row["posted_at"] is None:
                    assert not counted.get(row["id"])
                    continue
                last = max(parse_time(row["posted_at"]), parse_time(row["tier_judged_at"]))
                now = stands(ladder, counted.get(row["id"]), last)
                assert row["tier_id"] == now.tier_id
                assert (row["tier_review_at"] is None) == (now.review_at is None)
                # what came since it was judged may have put it off: it is looked at too early then
                assert now.review_at is None or parse_time(row["tier_review_at"]) <= now.review_at


async def test_whatever_happens_to_accounts(client: CrmClient) -> None:
    Accounts.bench = Bench(asyncio.get_running_loop(), client)
    await asyncio.to_thread(
        run_state_machine_as_test,
        Accounts,
        settings=settings(
            max_examples=EXAMPLES,
            stateful_step_count=STEPS,
            deadline=None,
            suppress_health_check=list(HealthCheck),
        ),
    )
