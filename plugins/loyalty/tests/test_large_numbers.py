"""Points beyond 32 bits: each number is told exactly; what would not fit is refused before it is written."""

from datetime import UTC, datetime

from crm_loyalty.ledger.sources import MOST_POINTS
from crm_loyalty.ledger.verify import verify
from crm_loyalty.ledger.writing import MOST_HELD

from crm_framework.testing import CrmClient

from .shop import Shop

WIDE = 3 * 10**12
"""More than 32 bits, and more than once the most of an entry was."""


async def test_points_beyond_32_bits_are_told_exactly(client: CrmClient) -> None:
    shop = Shop(client)
    program = await shop.program(pointsPerUnit=1, capPerDay=10**12, tierPeriod="LIFETIME")
    await shop.change(
        "createTier", "tier { threshold }", program=program, name="Gold", threshold=2**40, benefits=[]
    )
    ada, ben = await shop.customer(), await shop.customer("Ben")
    member = {"program": program, "customer": ada}
    for _ in range(3):
        await shop.change("adjustPoints", "account { balance }", **member, points=10**12, reason="a gift")
    sent = await shop.change(
        "transferPoints", "fromAccount { balance } toAccount { balance lots { nodes { remaining } } }",
        program=program, fromCustomer=ada, toCustomer=ben, points=str(10**12 + 1),
    )  # fmt: skip
    assert sent == {
        "fromAccount": {"balance": WIDE - 10**12 - 1},
        "toAccount": {"balance": 10**12 + 1, "lots": {"nodes": [{"remaining": 10**12}, {"remaining": 1}]}},
        "errors": [],
    }
    await shop.buy(ben, "5000000000.00")
    found = await shop.account(
        ben,
        f"""balance pending deficit lifetime spendable tier {{ name pointsToNext }}
        asOf(at: "{datetime.now(UTC).isoformat()}") {{ balance }} entries {{ nodes {{ points }} }}
        program {{ capPerDay tiers {{ threshold }} }}""",
    )
    whole = 10**12 + 1 + 5 * 10**9
    assert found == {
        "balance": whole,
        "spendable": whole,
        "pending": 0,
        "deficit": 0,
        "lifetime": 5 * 10**9,
        "tier": {"name": None, "pointsToNext": 2**40 - 5 * 10**9},
        "asOf": {"balance": whole},
        "entries": {"nodes": [{"points": 5 * 10**9}, {"points": 10**12 + 1}]},
        "program": {"capPerDay": 10**12, "tiers": [{"threshold": 2**40}]},
    }
    reward = {"program": program, "name": "An island", "kind": "PRODUCT", "sku": "I", "costPoints": 10**12}
    made = await shop.change("createReward", "reward { id costPoints stock }", **reward, stock=2**33)
    assert (made["reward"]["costPoints"], made["reward"]["stock"]) == (10**12, 2**33)
    taken = await shop.change(
        "redeemReward", "redemption { points }", customer=ben, reward=made["reward"]["id"]
    )
    assert taken["redemption"] == {"points": 10**12}
    asked = await client.data(
        """query ($p: ID!, $c: ID!, $least: BigInt!) {
          pointsLiability(program: $p) { points }
          customers(filter: {loyaltyBalance: {gte: $least}}) { nodes { name } }
          previewEarning(input: {program: $p, customer: $c, total: {amount: "9000000000", currency: "EUR"}}) {
            points applied { points } } }""",
        p=program,
        c=ada,
        least=2**32,
    )
    assert asked == {
        "pointsLiability": [{"points": WIDE + 5 * 10**9 - 10**12}],
        "customers": {"nodes": [{"name": "Ada"}, {"name": "Ben"}]},
        "previewEarning": {"points": 9 * 10**9, "applied": [{"points": 9 * 10**9}]},
    }
    found = await client.data(
        "query ($least: BigInt!) { customers(filter: {loyaltyBalance: {gte: $least}}) { nodes { name } } }",
        least=str(-(2**63)),
    )
    assert found == {"customers": {"nodes": [{"name": "Ada"}, {"name": "Ben"}]}}


async def test_more_points_than_an_account_can_have_are_refused_before_anything_is_written(
    client: CrmClient,
) -> None:
    shop = Shop(client)
    program = await shop.program(pointsPerUnit=1)
    await shop.rule(program, "Everything", basis="PER_AMOUNT", points=1_000_000_000)
    ada, ben = await shop.customer(), await shop.customer("Ben")
    member = {"program": program, "customer": ada, "reason": "a gift"}
    for points in (MOST_POINTS + 1, -MOST_POINTS - 1, 2**63 - 1, -(2**63), 0):
        code, path, message = await shop.refused("adjustPoints", "account { id }", **member, points=points)
        assert (code, path) == ("BAD_INPUT", ["points"])
        assert message == f"{abs(points)} points are out of range."
    for _ in range(9):
        await shop.change("adjustPoints", "account { id }", **member, points=MOST_POINTS)
    code, path, message = await shop.refused("adjustPoints", "account { id }", **member, points=MOST_POINTS)
    assert (code, path) == ("REFUSED", ["points"])
    assert message == f"The account would come to {10**16} points, and one has {MOST_HELD} at most."
    await shop.change("adjustPoints", "account { id }", **member | {"customer": ben}, points=MOST_POINTS)
    assert await shop.refused(
        "transferPoints", "toAccount { id }",
        program=program, fromCustomer=ben, toCustomer=ada, points=MOST_POINTS,
    ) == (code, path, message)  # fmt: skip
    assert [await shop.balance(customer) for customer in (ada, ben)] == [9 * MOST_POINTS, MOST_POINTS]
    # so is what a purchase would earn: it is recorded, and its points are owed until somebody decides
    await shop.buy(ben, "9000000.00")
    [error] = {owed["error"] for owed in await shop.owed()}
    assert f"{9 * 10**15} points are out of range" in error
    [refused] = await client.errors(
        """query ($p: ID!, $c: ID!) { previewEarning(input: {program: $p, customer: $c,
        total: {amount: "9000000", currency: "EUR"}}) { points } }""",
        p=program,
        c=ben,
    )
    assert refused["extensions"]["code"] == "BAD_INPUT"
    assert refused["message"].startswith(
        f"It would earn {9 * 10**15} points, and an entry has {MOST_POINTS} at"
    )
    async with client.service.database.unit_of_work() as tx:
        assert (await verify(tx)).differences == []
    # what each of them may have, the one of both may have too: a merger is never refused for it
    await shop.change("mergeCustomers", "customer { id }", winner=ada, losers=[ben])
    assert await shop.balance(ada) == 10**16
    answer = await client.data(
        "query ($c: ID!) { customer(id: $c) { loyalty { balance spendable } } }", c=ada
    )
    assert answer["customer"]["loyalty"] == {"balance": str(10**16), "spendable": str(10**16)}
