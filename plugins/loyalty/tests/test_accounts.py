"""Accounts over the API: corrections, transfers, tiers, what was and what is owed."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from crm_loyalty.ledger import (
    Posting,
    Reversal,
    adjust,
    post,
    reverse,
)
from crm_loyalty.ledger.lots import WALK
from crm_loyalty.ledger.verify import verify

from crm_framework import CrmError, encode_id
from crm_framework.testing import CrmClient, frozen, run_jobs

from .accounts import START, shop

TIER = """mutation ($input: CreateTierInput!) {
  createTier(input: $input) { tier { name threshold benefits } errors { code path } } }"""
ADJUST = """mutation ($input: AdjustPointsInput!) {
  adjustPoints(input: $input) { account { balance lifetime spendable } errors { code path message } } }"""
TRANSFER = """mutation ($input: TransferPointsInput!) { transferPoints(input: $input) {
  fromAccount { balance } toAccount { balance lots { nodes { remaining expiresAt } } }
  errors { code path message } } }"""
LIABILITY = "query ($program: ID!) { pointsLiability(program: $program, by: MONTH) { month points } }"


async def test_points_expire_by_lot_also_before_the_job_has_run(client: CrmClient) -> None:
    with frozen(START):
        store = await shop(client, expiryMonths=1)
        ada = await store.customer()
        await store.earn(ada, 10, START)
        await store.earn(ada, 5, START - timedelta(days=10))
    end = datetime(2026, 2, 28, 12, tzinfo=UTC)
    with frozen(end):
        found = await store.account(ada, START)
        assert (found["balance"], found["spendable"], found["asOf"]["balance"]) == (15, 0, 15)
        with pytest.raises(CrmError, match="0 are there to spend"):
            await store.redeem(ada, 1)
    await run_jobs(client, at=end, since=START)
    with frozen(end):
        found = await store.account(ada, end - timedelta(seconds=1))
        assert (found["balance"], found["lots"]["nodes"]) == (0, [])
        assert found["asOf"] == {"balance": 10, "pending": 0, "tier": None}
        async with client.service.database.unit_of_work() as tx:
            rows = await tx.fetch("SELECT kind, points, source_key FROM loyalty_entry ORDER BY seq")
            assert [(row["kind"], row["points"]) for row in rows] == [
                ("EARNED", 10),
                ("EARNED", 5),
                ("EXPIRED", -5),
                ("EXPIRED", -10),
            ]
            assert (await verify(tx)).differences == []


async def test_a_reversal_gives_the_points_their_old_expiry(client: CrmClient) -> None:
    with frozen(START):
        store = await shop(client, expiryMonths=2)
        ada = await store.customer()
        await store.earn(ada, 10, START)
        first, again = await store.redeem(ada, 4), await store.redeem(ada, 4)
        assert (first[0].new, again[0].new, first[0].entry_id) == (True, False, again[0].entry_id)
        with pytest.raises(CrmError, match="4 points were redeemed"):
            await store.redeem(ada, 5)
    with frozen(START + timedelta(days=10)):
        await store.reverse()
        found = await store.account(ada, START)
        assert found["lots"]["nodes"] == [
            {"points": 10, "remaining": 10, "expiresAt": "2026-03-31T12:00:00Z"}
        ]
        with pytest.raises(CrmError, match="reversed already"):
            await store.do(
                reverse,
                Reversal(program_id=store.program_key, redemption_key="redemption:1", source_key="other"),
            )
        with pytest.raises(CrmError, match="Nothing was redeemed"):
            await store.reverse("redemption:2")


async def test_a_refund_gives_nothing_where_more_expired_than_it_left(client: CrmClient) -> None:
    with frozen(START):
        store = await shop(client, expiryMonths=1)
        ada = await store.customer()
        await store.earn(ada, 10, START)
        await store.redeem(ada, 10)
        await store.do(adjust, store.adjustment(ada, 10))
        await store.refund(ada, START, 600)
        assert (await store.account(ada, START))["balance"] == 4
    later = START + timedelta(days=40)
    with frozen(later):
        await store.reverse()  # all ten expire at once, six of which had been taken elsewhere
        assert (await store.account(ada, later))["balance"] == 4
        await store.refund(ada, START, 400)
        found = await store.account(ada, later)
        assert (found["balance"], found["deficit"]) == (4, 0)
        async with client.service.database.unit_of_work() as tx:
            assert (await verify(tx)).differences == []


async def test_points_do_not_expire_before_they_came(client: CrmClient) -> None:
    """Into a lot that is over, or out of pending ones that unlock only then."""
    with frozen(START):
        store = await shop(client, expiryMonths=1)
        ada, ben = await store.customer(), await store.customer()
        await store.earn(ada, 10, START)
        await store.redeem(ada, 10)
        await store.earn(ben, 10, START, unlock_at=START + timedelta(days=40))
    back = START + timedelta(days=50)
    with frozen(back):
        await store.reverse()
    await run_jobs(client, at=back, since=START)
    with frozen(back):
        for days in (20, 30, 39, 41, 49, 50):
            at = START + timedelta(days=days)
            for customer in (ada, ben):
                assert (await store.account(customer, at))["asOf"]["balance"] == 0


async def test_points_that_unlocked_and_expired_meanwhile_have_made_up_a_deficit(client: CrmClient) -> None:
    with frozen(START):
        store = await shop(client, expiryMonths=1)
        ada = await store.customer()
        await store.earn(ada, 10, START)
        await store.redeem(ada, 10)
        await store.refund(ada, START, 1000)
        for points, days in ((4, 5), (3, 4), (8, 40)):
            await store.earn(
                ada, points, START + timedelta(hours=days), unlock_at=START + timedelta(days=days)
            )
        assert (await store.account(ada, START))["deficit"] == 10
    later = START + timedelta(days=60)
    moments = [START + timedelta(days=days) for days in (1, 4, 5, 30, 39, 41)]
    with frozen(later):
        before = [(await store.account(ada, at))["asOf"] for at in moments]
    await run_jobs(client, at=later, since=START)
    with frozen(later):
        after = [(await store.account(ada, at))["asOf"] for at in moments]
    assert [found["balance"] for found in after] == [-10, -7, -3, -3, -3, -3]
    assert before == after


async def test_pending_points_unlock_by_the_job(client: CrmClient) -> None:
    with frozen(START):
        store = await shop(client, pendingDays=14, expiryMonths=12)
        ada = await store.customer()
        await store.earn(ada, 10, START)
        found = await store.account(ada, START)
        assert (found["balance"], found["pending"], found["lifetime"]) == (0, 10, 0)
    later = START + timedelta(days=14)
    await run_jobs(client, at=later, since=START)
    with frozen(later):
        found = await store.account(ada, later - timedelta(seconds=1))
        assert (found["balance"], found["pending"], found["lifetime"]) == (10, 0, 10)
        assert (found["asOf"]["balance"], found["asOf"]["pending"]) == (0, 10)
        assert found["lots"]["nodes"][0]["expiresAt"] == "2027-01-31T12:00:00Z"
        owed = await client.data(LIABILITY, program=store.program)
        assert owed["pointsLiability"] == [{"month": "2027-01-01", "points": 10}]


async def test_a_correction_has_a_reason_and_takes_no_more_than_there_is(client: CrmClient) -> None:
    store = await shop(client)
    ada = await store.customer()
    gift = store.input(ada, points=10, reason="a gift")
    given = (await client.data(ADJUST, input=gift))["adjustPoints"]
    assert given["account"] == {"balance": 10, "lifetime": 0, "spendable": 10}
    for more, code, path in (
        ({"points": -11, "reason": "too much"}, "REFUSED", ["points"]),
        ({"points": 0, "reason": "nothing"}, "BAD_INPUT", ["points"]),
        ({"points": 5, "reason": "  "}, "BAD_INPUT", ["reason"]),
        (
            {"points": 5, "reason": "late", "expiresAt": "2020-01-01T00:00:00Z"},
            "BAD_INPUT",
            ["expiresAt"],
        ),
    ):
        answer = (await client.data(ADJUST, input=store.input(ada, **more)))["adjustPoints"]
        assert answer["account"] is None
        assert [(error["code"], error["path"]) for error in answer["errors"]] == [(code, path)]
    taken = await client.data(ADJUST, input=store.input(ada, points=-4, reason="a mistake"))
    assert taken["adjustPoints"]["account"]["balance"] == 6
    [entry] = await client.service.database.fetch("SELECT reason FROM loyalty_entry WHERE points < 0")
    assert entry["reason"] == "a mistake"


async def test_a_transfer_keeps_the_expiry(client: CrmClient) -> None:
    with frozen(START):
        store = await shop(client, expiryMonths=1)
        ada, ben = await store.customer(), await store.customer()
        await store.earn(ada, 10, START)
        ends = {"fromCustomer": encode_id("Customer", ada), "toCustomer": encode_id("Customer", ben)}
        input = {"program": store.program, **ends, "points": 4}
        done = (await client.data(TRANSFER, input=input))["transferPoints"]
        assert done == {
            "fromAccount": {"balance": 6},
            "toAccount": {
                "balance": 4,
                "lots": {"nodes": [{"remaining": 4, "expiresAt": "2026-02-28T12:00:00Z"}]},
            },
            "errors": [],
        }
        refused = (await client.data(TRANSFER, input={**input, "points": 7}))["transferPoints"]
        assert (refused["fromAccount"], refused["errors"][0]["code"]) == (None, "REFUSED")
        oneself = {**input, "toCustomer": ends["fromCustomer"]}
        refused = (await client.data(TRANSFER, input=oneself))["transferPoints"]
        assert refused["errors"][0]["code"] == "REFUSED"
        assert refused["errors"][0]["path"] == ["toCustomer"]


async def test_tiers_go_up_at_once_and_down_by_the_job(client: CrmClient) -> None:
    with frozen(START):
        store = await shop(client, tierPeriod="ROLLING_12_MONTHS", tierGraceDays=10)
        for name, threshold, benefits in (("Silver", 100, ["free delivery"]), ("Gold", 500, [])):
            input = {"program": store.program, "name": name, "threshold": threshold, "benefits": benefits}
            answer = (await client.data(TIER, input=input))["createTier"]
            assert answer["tier"] == {"name": name, "threshold": threshold, "benefits": benefits}
        again = {"program": store.program, "name": "Gold", "threshold": 600}
        answer = (await client.data(TIER, input=again))["createTier"]
        assert answer["errors"] == [{"code": "CONFLICT", "path": ["name"]}]
        ada = await store.customer()
        await store.earn(ada, 60, START)
        assert (await store.account(ada, START))["tier"] == {
            "name": None, "benefits": [], "nextTier": "Silver", "pointsToNext": 40,
        }  # fmt: skip
        await store.earn(ada, 50, START - timedelta(days=30))
        found = await store.account(ada, START - timedelta(days=1))
        assert found["tier"] == {
            "name": "Silver", "benefits": ["free delivery"], "nextTier": "Gold", "pointsToNext": 390,
        }  # fmt: skip
        assert found["asOf"]["tier"] == {"name": None}
        # what is spent counts all the same
        await store.redeem(ada, 100)
        assert (await store.account(ada, START))["tier"]["name"] == "Silver"
    lost = START - timedelta(days=30) + timedelta(days=365 + 10)
    await run_jobs(client, at=lost, since=START)
    with frozen(lost):
        found = await store.account(ada, START)
        assert found["tier"]["name"] is None
        assert [(each["tier"], each["at"]) for each in found["tierHistory"]["nodes"]] == [
            (None, lost.isoformat().replace("+00:00", "Z")),
            ({"name": "Silver"}, START.isoformat().replace("+00:00", "Z")),
        ]
    types = await client.service.database.fetch(
        "SELECT type FROM crm_event WHERE type = 'loyalty.tier_changed'"
    )
    assert len(types) == 2


async def test_it_is_said_once_that_points_are_about_to_expire(client: CrmClient) -> None:
    with frozen(START):
        store = await shop(client, expiryMonths=2)
        ada = await store.customer()
        await store.earn(ada, 10, START)
    for days in (10, 40, 41):
        await run_jobs(client, at=START + timedelta(days=days), since=START + timedelta(days=days - 2))
    said = await client.service.database.fetch(
        "SELECT payload FROM crm_event WHERE type = 'loyalty.points_expiring'"
    )
    assert len(said) == 1
    assert '"points": 10' in str(said[0]["payload"]).replace('":', '": ').replace("  ", " ")


async def test_lists_of_accounts_take_as_many_statements_for_many_customers_as_for_one(
    client: CrmClient,
) -> None:
    store = await shop(client)
    for name, threshold in (("Silver", 10), ("Gold", 50)):
        await client.data(TIER, input={"program": store.program, "name": name, "threshold": threshold})
    for _ in range(20):
        await store.earn(await store.customer(), 10, START)
    text = """query ($n: Int) { customers(first: $n) { nodes { loyalty {
      balance spendable pending tier { name pointsToNext } lots { nodes { remaining } }
      entries(first: 3) { nodes { points } } } } } }"""
    counts = []
    for number in (1, 20):
        with client.statements() as statements:
            await client.data(text, n=number)
        counts.append(len(statements))
    assert counts[0] == counts[1]


async def test_customers_see_their_own_account_only(client: CrmClient) -> None:
    store = await shop(client)
    accounts = []
    for points in (10, 20):
        customer = await store.customer()
        await store.earn(customer, points, START)
        accounts.append((encode_id("Customer", customer), points))
    made = """mutation ($input: CreateTokenInput!) {
      createToken(input: $input) { secret errors { message } } }"""
    input = {"name": "Own", "kind": "CUSTOMER", "customer": accounts[0][0]}
    token = (await client.data(made, input=input))["createToken"]["secret"]
    own = CrmClient(client.app, client.http, token)
    text = "query ($id: ID!) { customer(id: $id) { loyalty { spendable lots { nodes { remaining } } } } }"
    assert await own.data(text, id=accounts[0][0]) == {
        "customer": {"loyalty": {"spendable": 10, "lots": {"nodes": [{"remaining": 10}]}}}
    }
    assert await own.data(text, id=accounts[1][0]) == {"customer": None}
    gift = store.input(await store.customer(), points=10, reason="a gift")
    [error] = await own.errors(ADJUST, input=gift)
    assert error["extensions"]["code"] == "FORBIDDEN"
    assert len(await client.service.database.fetch("SELECT id FROM loyalty_entry")) == 2


@pytest.mark.parametrize("period", ["CALENDAR_YEAR", "ROLLING_12_MONTHS", "LIFETIME"])
async def test_points_that_lift_nobody_are_judged_without_the_history(client: CrmClient, period: str) -> None:
    with frozen(START):
        store = await shop(client, tierPeriod=period)
        for name, threshold in (("Silver", 100), ("Gold", 200)):
            await client.data(TIER, input={"program": store.program, "name": name, "threshold": threshold})
        ada = await store.customer()
        await store.earn(ada, 150, START)
    read = []
    for days in (1, 2, 3, 4):
        at = START + timedelta(days=days)
        with frozen(at), client.statements() as statements:
            await store.earn(ada, 20, at)
        read.append(any("account_id, at, qualifies_at" in sql for sql in statements))
        with frozen(at):
            name = (await store.account(ada, at))["tier"]["name"]
            assert name == ("Gold" if days > 2 else "Silver")
    assert read == [False, False, True, False]


async def test_a_redemption_reads_the_lots_that_it_needs_of_however_many(client: CrmClient) -> None:
    """Also on PostgreSQL, which knows the accounts by their average."""
    if client.service.database.dialect != "postgres":
        return
    with frozen(START):
        store = await shop(client)
        ada = await store.customer()
        cause: Any = {"program_id": store.program_key, "customer_id": ada, "points": 2, "at": START}
        await store.do(post, *(Posting(source_key=f"lot {number}", **cause) for number in range(300)))
    async with client.service.database.unit_of_work() as tx:
        await tx.execute("SET LOCAL plan_cache_mode = force_generic_plan")
        rows = await tx.fetch("SELECT id FROM loyalty_account")
        for points, wanted in ((3, 2), (9, 5)):
            found = await tx.fetch(WALK, [rows[0]["id"], START, points])
            assert len(found) == wanted
        plan = await tx.fetch(f"EXPLAIN {WALK}", [rows[0]["id"], START, 3])
    said = " ".join(str(row["QUERY PLAN"]) for row in plan)
    assert "Sort" not in said
    assert said.count("loyalty_lot_open") == 2
