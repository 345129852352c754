"""Changes of all kinds to the same few customers at once: none may wait for another in a circle."""

import asyncio
import random
from collections import Counter
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from functools import partial
from typing import Any

import pytest

from crm_framework.domain.contacts.points import NewContactPoint
from crm_framework.domain.customers.bulk import ImportReport, import_customers
from crm_framework.domain.customers.changes import CustomerChange, create_customer, update_customer
from crm_framework.domain.customers.draft import NewCustomer
from crm_framework.domain.customers.ownership import assign_owner, deactivate_staff
from crm_framework.domain.customers.staff import NewStaff, create_staff
from crm_framework.domain.customers.tags import tag_customers
from crm_framework.domain.interactions.bulk import import_interactions
from crm_framework.domain.interactions.purchases import NewPurchase, record_purchase
from crm_framework.domain.interactions.refunds import NewRefund, record_refund
from crm_framework.domain.interactions.rows import InteractionRow
from crm_framework.domain.interactions.touches import NewInteraction, log_interaction, update_interaction
from crm_framework.domain.privacy.erasure import erase_customer
from crm_framework.domain.privacy.merge import merge_customers
from crm_framework.errors import CrmError, ErrorCode
from crm_framework.storage.database import Database
from crm_framework.storage.unit_of_work import UnitOfWork
from tests.domain.repeating import repeatably

pytestmark = pytest.mark.parametrize("database_kind", ["postgres"], indirect=True)

TASKS = 8
ROUNDS = 40
REFERENCES = 24
REFUSALS = {ErrorCode.BAD_INPUT, ErrorCode.CONFLICT, ErrorCode.NOT_FOUND, ErrorCode.REFUSED}
"""What may come of a change whose customer was merged or erased meanwhile."""


@dataclass
class Crowd:
    """What the tasks share. `done` counts what was acknowledged, and adds up amounts, by kind."""

    customers: list[str]
    staff: list[str]
    purchases: list[str]
    done: Counter[str] = field(default_factory=Counter)


Deed = Callable[[UnitOfWork, random.Random, Crowd], Awaitable[dict[str, int]]]
"""Makes one change; what it adds to `done` if it is committed."""


async def merge(tx: UnitOfWork, chance: random.Random, crowd: Crowd) -> dict[str, int]:
    winner, *losers = chance.sample(crowd.customers, chance.randint(2, 4))
    return {"merges": len((await merge_customers(tx, winner, losers)).losers)}


async def erase(tx: UnitOfWork, chance: random.Random, crowd: Crowd) -> dict[str, int]:
    return {"erasures": not (await erase_customer(tx, chance.choice(crowd.customers))).erased_before}


async def create(tx: UnitOfWork, chance: random.Random, crowd: Crowd) -> dict[str, int]:
    owner = chance.choice(crowd.staff)
    made = await create_customer(tx, NewCustomer(name="New", owner_id=owner, email="new@example.com"))
    crowd.customers.append(made.id)
    return {"customers": 1}


async def change(tx: UnitOfWork, chance: random.Random, crowd: Crowd) -> dict[str, int]:
    points = [NewContactPoint(channel="email", value=f"{n}@example.com") for n in chance.sample(range(6), 3)]
    changes = CustomerChange(
        name=f"Name {chance.random()}", contact_points=points, tags=chance.sample(["a", "b", "c"], 2)
    )
    return {"changes": (await update_customer(tx, chance.choice(crowd.customers), changes)).changed}


async def rename(tx: UnitOfWork, chance: random.Random, crowd: Crowd) -> dict[str, int]:
    to = CustomerChange(source="crm", reference=f"c{chance.randrange(REFERENCES)}")
    return {"changes": (await update_customer(tx, chance.choice(crowd.customers), to)).changed}


async def tag(tx: UnitOfWork, chance: random.Random, crowd: Crowd) -> dict[str, int]:
    some = chance.sample(crowd.customers, 5)
    await tag_customers(tx, some, add=["vip"] if chance.random() < 0.5 else [], remove=["a"])
    return {}


async def assign(tx: UnitOfWork, chance: random.Random, crowd: Crowd) -> dict[str, int]:
    owner, backup = chance.sample(crowd.staff, 2)
    await assign_owner(tx, chance.choice(crowd.customers), owner_id=owner, backup_id=backup)
    return {}


async def replace_staff(tx: UnitOfWork, chance: random.Random, crowd: Crowd) -> dict[str, int]:
    gone, heir = chance.sample(crowd.staff, 2)
    await deactivate_staff(tx, gone, successor_id=heir)
    crowd.staff.append((await create_staff(tx, NewStaff(name="Next"))).id)
    return {}


async def touch(tx: UnitOfWork, chance: random.Random, crowd: Crowd) -> dict[str, int]:
    customer, staff = chance.choice(crowd.customers), chance.choice([None, *crowd.staff])
    await log_interaction(tx, NewInteraction(customer_id=customer, kind="call", staff_id=staff))
    return {"touches": 1}


async def correct(tx: UnitOfWork, chance: random.Random, crowd: Crowd) -> dict[str, int]:
    await update_interaction(tx, chance.choice(crowd.purchases), {"subject": str(chance.random())})
    return {}


async def buy(tx: UnitOfWork, chance: random.Random, crowd: Crowd) -> dict[str, int]:
    customer, amount, staff = (
        chance.choice(crowd.customers),
        chance.randint(1, 99),
        chance.choice(crowd.staff),
    )
    bought = NewPurchase(customer_id=customer, currency="EUR", total_minor=amount, staff_id=staff)
    crowd.purchases.append(await record_purchase(tx, bought))
    return {"purchases": 1, "bought": amount}


async def refund(tx: UnitOfWork, chance: random.Random, crowd: Crowd) -> dict[str, int]:
    purchase, amount = chance.choice(crowd.purchases), chance.randint(1, 30)
    await record_refund(tx, NewRefund(purchase_id=purchase, amount_minor=amount))
    return {"refunds": 1, "returned": amount}


async def import_people(tx: UnitOfWork, chance: random.Random, crowd: Crowd) -> dict[str, int]:
    chosen = chance.sample(range(REFERENCES), 8)
    rows = [NewCustomer(name="Imported", source="crm", reference=f"c{n}") for n in chosen]
    return {"customers": (await import_customers(tx, rows)).created}


async def import_file(tx: UnitOfWork, chance: random.Random, crowd: Crowd) -> dict[str, int]:
    """Purchases of customers that may have to be created, refunds of some, and touches."""
    chosen = chance.sample(range(REFERENCES), 8)
    rows = [file_purchase(n) for n in chosen] + [file_refund(n) for n in chosen[:3]]
    rows += [InteractionRow(kind="call", customer_id=key) for key in chance.sample(crowd.customers, 3)]
    rows += [
        InteractionRow(kind="refund", total_minor=1, refund_of_id=key)
        for key in chance.sample(crowd.purchases, 2)
    ]
    chance.shuffle(rows)
    return counted(rows, await import_interactions(tx, rows, create_missing_customers=True))


def file_purchase(number: int) -> InteractionRow:
    return InteractionRow(
        kind="purchase", customer_reference=f"c{number}", customer_source="crm", source="shop",
        reference=f"p{number}", currency="EUR", total_minor=100 + number,
    )  # fmt: skip


def file_refund(number: int) -> InteractionRow:
    return InteractionRow(
        kind="refund", source="shop", reference=f"r{number}", total_minor=10 + number,
        refund_of_reference=f"p{number}",
    )  # fmt: skip


def counted(rows: list[InteractionRow], report: ImportReport) -> dict[str, int]:
    assert {error.error.code for error in report.errors if error.error} <= REFUSALS
    done: Counter[str] = Counter()
    for row, result in zip(rows, report.rows, strict=True):
        if result.created:
            one, total = {"purchase": ("purchases", "bought"), "refund": ("refunds", "returned")}.get(
                row.kind, ("touches", "")
            )
            done[one] += 1
            done[total] += row.total_minor or 0
    return done


OFTEN: list[Deed] = [change, rename, tag, assign, touch, correct, buy, refund, import_people, import_file]
SELDOM: list[Deed] = [merge, merge, merge, create, create, create, replace_staff, erase]


async def _told(deed: Deed, chance: random.Random, crowd: Crowd, tx: UnitOfWork) -> dict[str, int]:
    return await deed(tx, chance, crowd)


async def act(database: Database, crowd: Crowd, seed: int) -> list[BaseException]:
    """One task's changes; the failures that must not be."""
    chance = random.Random(seed)
    failures: list[BaseException] = []
    for _ in range(ROUNDS):
        deed = chance.choice(SELDOM if chance.random() < 0.3 else OFTEN)
        try:
            added = await repeatably(database, partial(_told, deed, chance, crowd))
        except Exception as error:
            if not isinstance(error, CrmError) or error.code not in REFUSALS:
                failures.append(error)
        else:
            crowd.done.update(added)
    return failures


async def crowd_of(database: Database, records: Any) -> Crowd:
    staff = [await records.staff(str(n)) for n in range(3)]
    customers = [await records.customer(str(n), stage="PROSPECT", owner_id=staff[0]) for n in range(10)]
    crowd = Crowd(customers, staff, [])
    for key in customers[:4]:
        async with database.unit_of_work() as tx:
            bought = NewPurchase(customer_id=key, currency="EUR", total_minor=50)
            crowd.purchases.append(await record_purchase(tx, bought))
        crowd.done.update(purchases=1, bought=50)
    return crowd


async def test_changes_of_all_kinds_at_once(database: Database, records: Any) -> None:
    crowd = await crowd_of(database, records)
    failures = await asyncio.gather(*(act(database, crowd, seed) for seed in range(TASKS)))
    assert [error for some in failures for error in some] == []
    await reconcile(database, crowd.done)


async def reconcile(database: Database, done: Counter[str]) -> None:
    rows = await database.fetch(
        "SELECT kind, COUNT(*) AS times, SUM(total_minor) AS total FROM crm_interaction GROUP BY kind"
    )
    found = {row["kind"]: (row["times"], row["total"]) for row in rows}
    assert found["purchase"] == (done["purchases"], done["bought"])
    assert found["refund"] == (done["refunds"], -done["returned"])
    assert found["call"] == (done["touches"], None)
    events = await database.fetch("SELECT type, COUNT(*) AS times FROM crm_event GROUP BY type")
    told = {row["type"]: row["times"] for row in events}
    assert (told["purchase.recorded"], told["refund.recorded"]) == (done["purchases"], done["refunds"])
    assert done["merges"] > 0
    [losers] = await database.fetch("SELECT COUNT(*) AS n FROM crm_customer WHERE merged_into_id IS NOT NULL")
    assert losers["n"] == done["merges"]
    for wrong in (
        "SELECT w.id FROM crm_customer l JOIN crm_customer w ON w.id = l.merged_into_id"
        " WHERE w.merged_into_id IS NOT NULL",
        *(
            f"SELECT c.id FROM crm_customer c JOIN {table} t ON t.customer_id = c.id"
            " WHERE c.merged_into_id IS NOT NULL"
            for table in ("crm_interaction", "crm_contact_point", "crm_customer_tag")
        ),
        "SELECT p.id FROM crm_interaction p JOIN crm_interaction r ON r.refund_of_id = p.id"
        " GROUP BY p.id, p.total_minor HAVING p.total_minor + SUM(r.total_minor) < 0",
        "SELECT p.id FROM crm_interaction p JOIN crm_interaction r ON r.refund_of_id = p.id"
        " WHERE r.customer_id <> p.customer_id",
        "SELECT c.id FROM crm_customer c WHERE c.stage = 'PROSPECT' AND EXISTS"
        " (SELECT 1 FROM crm_interaction i WHERE i.customer_id = c.id AND i.kind = 'purchase')",
    ):
        assert await database.fetch(wrong) == []


async def both(database: Database, one: Deed, other: Deed, crowd: Crowd) -> Counter[str]:
    """Both at the same moment; what they added."""

    async def run(deed: Deed, seed: int) -> dict[str, int]:
        async with database.unit_of_work() as tx:
            return await deed(tx, random.Random(seed), crowd)

    done = await asyncio.gather(run(one, 1), run(other, 2))
    return Counter(done[0]) + Counter(done[1])


async def test_two_imports_of_one_file_in_different_orders(database: Database, records: Any) -> None:
    existing = [await records.customer(str(n), source="crm", reference=f"c{n}") for n in range(0, 60, 2)]
    rows = [file_purchase(n) for n in range(60)] + [file_refund(n) for n in range(0, 60, 3)]

    async def file(tx: UnitOfWork, chance: random.Random, crowd: Crowd) -> dict[str, int]:
        mine = chance.sample(rows, len(rows))
        return counted(mine, await import_interactions(tx, mine, create_missing_customers=True))

    done = await both(database, file, file, Crowd(existing, [], []))
    assert (done["purchases"], done["refunds"]) == (60, 20)
    assert await records.count("crm_interaction") == 80
    assert await records.count("crm_customer") == 60


async def test_two_imports_of_customers_in_different_orders(database: Database, records: Any) -> None:
    rows = [NewCustomer(name=str(n), source="crm", reference=f"c{n}", tags=["a"]) for n in range(1200)]

    async def file(tx: UnitOfWork, chance: random.Random, crowd: Crowd) -> dict[str, int]:
        return {"customers": (await import_customers(tx, chance.sample(rows, len(rows)))).created}

    done = await both(database, file, file, Crowd([], [], []))
    assert done["customers"] == await records.count("crm_customer") == 1200
    assert await records.count("crm_customer_tag") == 1200
