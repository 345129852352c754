"""A till: a process of its own that redeems, earns, or does both until it is killed. Run by the tests.

python -m tests.durability.till URL redeem CUSTOMER PROGRAM POINTS NUMBER FIRST
python -m tests.durability.till URL deliver CUSTOMER PURCHASE MINOR NUMBER
python -m tests.durability.till URL work CUSTOMER PROGRAM NUMBER
python -m tests.durability.till URL reward CUSTOMER REWARD NUMBER
python -m tests.durability.till URL replay CUSTOMERS
"""

import asyncio
import sys
from collections.abc import Awaitable, Callable
from types import SimpleNamespace
from typing import Any

from crm_loyalty.earning.handler import earn
from crm_loyalty.ledger import Spending, redeem
from crm_loyalty.replays import run
from crm_loyalty.rewards.redeeming import cancel, confirm, redeem_reward, reserve_reward, reverse_redemption

from crm_framework import (
    CrmError,
    ErrorCode,
    Hold,
    NewPurchase,
    PurchaseRecorded,
    Settings,
    UnitOfWork,
    live_customer,
    record_purchase,
)
from crm_framework.app import open_service
from crm_framework.storage.database import Database
from crm_framework.testing import run_jobs


async def until_it_is_answered(database: Database, work: Callable[[UnitOfWork], Awaitable[None]]) -> bool:
    """Whether it was done; False where it was refused."""
    while True:
        try:
            async with database.unit_of_work() as tx:
                await work(tx)
            return True
        except CrmError as error:
            if error.code is ErrorCode.REFUSED:
                return False
            if error.code is not ErrorCode.UNAVAILABLE:
                raise


def redeeming(customer: str, program: str, points: int, key: str) -> Callable[[UnitOfWork], Awaitable[None]]:
    async def work(tx: UnitOfWork) -> None:
        await live_customer(tx, customer, Hold.ADD)
        await redeem(tx, [Spending(program_id=program, customer_id=customer, points=points, source_key=key)])

    return work


def delivering(customer: str, purchase: str, minor: int) -> Callable[[UnitOfWork], Awaitable[None]]:
    event = PurchaseRecorded(
        customer_id=customer, interaction_id=purchase, kind="purchase", total_minor=minor, currency="EUR"
    )

    async def work(tx: UnitOfWork) -> None:
        await earn([event], tx)

    return work


def buying(customer: str, number: int) -> Callable[[UnitOfWork], Awaitable[None]]:
    async def work(tx: UnitOfWork) -> None:
        bought = NewPurchase(
            customer_id=customer,
            currency="EUR",
            total_minor=1_000,
            source="till",
            reference=str(number),
        )
        await record_purchase(tx, bought)

    return work


async def at_the_counter(database: Database, customer: str, reward: str, number: int) -> None:
    """Reserves, then confirms or cancels; redeems, and undoes every third: each is said once it is done."""

    async def done(what: str, work: Callable[..., Awaitable[Any]], *args: str) -> str:
        async with database.unit_of_work() as tx:
            key = await work(tx, *args) or args[0]
        say(f"{what} {key}")
        return str(key)

    for round in range(number):
        held = await done("RESERVED", reserve_reward, customer, reward)
        if round % 2:
            await done("CANCELLED", cancel, held)
        else:
            await done("REDEEMED", confirm, held)
        taken = await done("REDEEMED", redeem_reward, customer, reward)
        if round % 3 == 0:
            await done("REVERSED", reverse_redemption, taken)
    say("done")


async def main(url: str, what: str, *args: str) -> None:
    settings = Settings(database_url=url, plugins=("loyalty",), handler_budget_ms=60_000)
    async with open_service(settings) as service:
        database = service.database
        say("ready")
        await asyncio.to_thread(sys.stdin.readline)
        if what == "redeem":
            customer, program, points, number, first = args
            tasks = [
                until_it_is_answered(database, redeeming(customer, program, int(points), f"redemption:{key}"))
                for key in range(int(first), int(first) + int(number))
            ]
            say(str(sum(await asyncio.gather(*tasks))))
        elif what == "deliver":
            customer, purchase, minor, number = args
            told = [
                until_it_is_answered(database, delivering(customer, purchase, int(minor)))
                for _ in range(int(number))
            ]
            say(str(sum(await asyncio.gather(*told))))
        elif what == "reward":
            customer, reward, number = args
            await at_the_counter(database, customer, reward, int(number))
        elif what == "replay":
            run.BATCH = int(args[0])
            client: Any = SimpleNamespace(service=service)  # all that is asked of a client here
            await run_jobs(client)
            say("done")
        else:
            customer, program, number = args
            for key in range(int(number)):
                await until_it_is_answered(database, buying(customer, key))
                say(f"bought {key}")
                if await until_it_is_answered(database, redeeming(customer, program, 7, f"redemption:{key}")):
                    say(f"redeemed {key}")
            say("done")


def say(text: str) -> None:
    sys.stdout.write(f"{text}\n")
    sys.stdout.flush()


if __name__ == "__main__":
    asyncio.run(main(*sys.argv[1:]))
