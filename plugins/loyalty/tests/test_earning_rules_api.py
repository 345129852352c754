"""Earning rules over the API: what they earn, what a preview says, and how they change."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from crm_loyalty.earning.causes import told_by
from crm_loyalty.earning.handler import earn

from crm_framework import CustomerTagged, NewPurchase, PurchaseRecorded, record_purchase
from crm_framework.testing import CrmClient, frozen, run_jobs

from .shop import Shop, key

MAY = datetime(2026, 5, 13, 12, tzinfo=UTC)
PREVIEW = """query ($i: PreviewEarningInput!) { previewEarning(input: $i) { points unlockAt expiresAt
  applied { name points because rule { name } } passed { name because }
  multipliers { percent campaign { name } } } }"""


@pytest.fixture
def shop(client: CrmClient) -> Shop:
    return Shop(client)


def eur(amount: str) -> dict[str, str]:
    return {"amount": amount, "currency": "EUR"}


def tea(quantity: int = 1, price: str = "4.00", category: str = "drinks") -> dict[str, Any]:
    return {"sku": "tea", "category": category, "quantity": quantity, "unitPrice": eur(price)}


async def test_the_rule_that_applied_and_why_is_on_the_entry(shop: Shop) -> None:
    program = await shop.program(selection="STACKING")
    await shop.rule(program, "Euro", basis="PER_AMOUNT", points=1)
    await shop.rule(program, "Tea", basis="PER_ITEM", points=5, conditions={"skus": ["tea"]})
    await shop.rule(program, "Online", points=100, conditions={"channels": ["web"]})
    await shop.change(
        "createLoyaltyCampaign", "campaign { id }", program=program, name="Double", percent=200,
        conditions={"categories": ["drinks"]},
    )  # fmt: skip
    ada = await shop.customer()
    lines = [tea(2, "4.30"), {"sku": "cake", "quantity": 1, "unitPrice": eur("3.75")}]
    query = {
        "program": program, "customer": ada,
        "lines": [
            {"sku": "tea", "category": "drinks", "quantity": 2, "amount": eur("8.60")},
            {"sku": "cake", "amount": eur("3.75")},
        ],
    }  # fmt: skip
    preview = (await shop.client.data(PREVIEW, i=query))["previewEarning"]
    await shop.buy(ada, "", lines=lines)
    account = await shop.account(
        ada, "balance entries { nodes { kind points reason shares { points because rule { name } } } }"
    )
    because = [
        "“Euro”: 1 for each 1.00 of 12.35 EUR × 2 (“Double”)",
        "“Tea”: 5 for each of 2 × 2 (“Double”)",
    ]
    assert account == {
        "balance": 44,
        "entries": {
            "nodes": [
                {
                    "kind": "EARNED",
                    "points": 44,
                    "reason": f"{'; '.join(because)} (rounded: floor)",
                    "shares": [
                        {"points": 24, "because": because[0], "rule": {"name": "Euro"}},
                        {"points": 20, "because": because[1], "rule": {"name": "Tea"}},
                    ],
                }
            ]
        },
    }
    assert preview == {
        "points": 44,
        "unlockAt": None,
        "expiresAt": None,
        "applied": [
            {"name": "Euro", "points": 24, "because": because[0], "rule": {"name": "Euro"}},
            {"name": "Tea", "points": 20, "because": because[1], "rule": {"name": "Tea"}},
        ],
        "passed": [{"name": "Online", "because": "the channel is not known, not web"}],
        "multipliers": [{"percent": 200, "campaign": {"name": "Double"}}],
    }
    assert await shop.owed() == []


async def test_programmes_earn_each_for_itself(shop: Shop) -> None:
    euros = await shop.program(pointsPerUnit=2)
    dollars = await shop.program(name="Dollars", currency="USD", pointsPerUnit=3, rounding="CEILING")
    ada = await shop.customer()
    await shop.buy(ada, "10.00")
    await shop.buy(ada, "10.10", currency="USD")
    assert (await shop.balance(ada, euros), await shop.balance(ada, dollars)) == (20, 31)


async def test_the_own_rate_counts_where_no_rule_comes_before(shop: Shop) -> None:
    program = await shop.program(pointsPerUnit=1)
    await shop.rule(program, "Big", basis="PER_AMOUNT", points=3, conditions={"leastTotal": eur("100")})
    ada = await shop.customer()
    await shop.buy(ada, "99.99")
    assert await shop.balance(ada) == 99
    await shop.buy(ada, "100.00")
    assert await shop.balance(ada) == 399


async def test_whom_a_rule_is_for(shop: Shop) -> None:
    program = await shop.program(selection="STACKING")
    made = await shop.change(
        "createSegment", "segment { id }", name="Romans", filter={"city": {"eq": "Rome"}}
    )
    await shop.change("defineAttribute", "attributeDefinition { id }", name="age", type="NUMBER")
    await shop.rule(program, "Rome", points=1, conditions={"segments": [made["segment"]["id"]]})
    await shop.rule(program, "VIP", points=10, conditions={"tagsAny": ["vip"], "tagsNone": ["staff"]})
    await shop.rule(program, "Adults", points=100, conditions={"attributes": [{"name": "age", "gte": 18}]})
    people: dict[str, tuple[dict[str, Any], int]] = {
        "Ann": ({"city": "Rome", "tags": ["vip"], "attributes": {"age": 18}}, 111),
        "Bea": ({"city": "Oslo", "tags": ["vip", "staff"], "attributes": {"age": 17}}, 0),
        "Cyd": ({"tags": ["vip"]}, 10),
    }
    for name, (input, points) in people.items():
        customer = await shop.customer(name, **input)
        await shop.buy(customer, "1.00")
        assert await shop.balance(customer) == points, name
    assert await shop.owed() == []


async def test_visits_sign_ups_and_events_of_others_earn_once(shop: Shop) -> None:
    program = await shop.program()
    await shop.rule(program, "Visit", trigger="INTERACTION", kinds=["visit"], points=5)
    await shop.rule(program, "Welcome", trigger="SIGN_UP", points=50)
    await shop.rule(program, "Tagged", trigger="EVENT", kinds=["customer.tagged"], points=7)
    ada = await shop.customer()
    assert await shop.balance(ada) == 50
    await shop.visit(ada)
    await shop.visit(ada, "call")
    assert await shop.balance(ada) == 55
    for tag in ("a", "b"):
        await shop.change("tagCustomers", "customers { id }", customers=[ada], add=[tag])
    assert await shop.balance(ada) == 62  # once for the record that the event is about
    async with shop.client.service.database.unit_of_work() as tx:
        await earn([CustomerTagged(customer_id=key(ada), added=("a",))], tx)
    assert await shop.balance(ada) == 62


async def test_caps_hold_over_purchases_days_and_for_ever(shop: Shop) -> None:
    program = await shop.program(timeZone="Europe/Berlin")
    await shop.rule(
        program, "Euro", basis="PER_AMOUNT", points=1, capPerCause=50, capPerDay=70, capPerCustomer=150
    )  # fmt: skip
    ada = await shop.customer()
    earned = []
    for day, hour in ((1, 10), (1, 11), (1, 21), (2, 10), (3, 10)):
        at = f"2026-05-0{day}T{hour}:30:00Z"  # 21:30 UTC is the same day in Berlin
        await shop.buy(ada, "60.00", occurredAt=at)
        earned.append(await shop.balance(ada))
    assert earned == [50, 70, 70, 120, 150]
    await shop.buy(ada, "60.00", occurredAt="2026-05-01T22:30:00Z")  # the 2nd in Berlin
    assert await shop.balance(ada) == 150


async def test_caps_hold_within_one_batch(shop: Shop) -> None:
    program = await shop.program()
    await shop.rule(program, "Euro", basis="PER_AMOUNT", points=1, capPerCustomer=25)
    ada = await shop.customer()
    rows = [
        {
            "kind": "purchase",
            "customer": ada,
            "total": eur("10.00"),
            "source": "till",
            "reference": str(number),
        }
        for number in range(5)
    ]
    await shop.change("importInteractions", "rows { created }", rows=rows)
    assert await shop.balance(ada) == 25
    await shop.change("importInteractions", "rows { created }", rows=rows)
    assert await shop.balance(ada) == 25


async def test_a_batch_of_any_size_takes_as_many_statements(shop: Shop) -> None:
    program = await shop.program(selection="STACKING")
    await shop.rule(
        program, "Euro", basis="PER_AMOUNT", points=1, capPerDay=1_000_000, capPerCustomer=10_000_000
    )
    await shop.rule(
        program, "Tea", basis="PER_ITEM", points=1, conditions={"skus": ["tea"], "tagsNone": ["x"]}
    )
    customers = [await shop.customer(f"C{number}") for number in range(20)]
    database = shop.client.service.database
    counts = []
    for number in (20, 20, 200):
        events = []
        async with database.unit_of_work() as tx:
            for index in range(number):
                bought = NewPurchase(customer_id=key(customers[index % 20]), currency="EUR", total_minor=500)
                interaction = await record_purchase(tx, bought)
                events.append(
                    PurchaseRecorded(
                        customer_id=bought.customer_id, interaction_id=interaction, kind="purchase",
                        total_minor=500, currency="EUR",
                    )
                )  # fmt: skip
            tx.take_events()
            await tx.fetch("SELECT 1")
            with database.counting() as statements:
                await earn(events, tx)
                await tx.fetch("SELECT 1")
            counts.append([sql for sql in statements if not sql.startswith("INSERT")])  # these go in parts
    assert counts[1] == counts[2]


async def test_points_are_pending_and_expire_by_the_rule(shop: Shop) -> None:
    program = await shop.program(expiryMonths=12)
    await shop.rule(program, "Soon", basis="PER_AMOUNT", points=1, pendingDays=14, expiresMonths=1)
    ada = await shop.customer()
    with frozen(MAY):
        query = {"program": program, "customer": ada, "total": eur("10"), "at": "2026-05-31T10:00:00Z"}
        preview = (await shop.client.data(PREVIEW, i=query))["previewEarning"]
        assert (preview["unlockAt"], preview["expiresAt"]) == ("2026-06-14T10:00:00Z", "2026-06-30T10:00:00Z")
        await shop.buy(ada, "10.00")
        assert await shop.account(ada, "balance pending") == {"balance": 0, "pending": 10}
    await run_jobs(shop.client, at=MAY + timedelta(days=15), since=MAY + timedelta(days=14))
    assert await shop.account(ada, "balance pending") == {"balance": 10, "pending": 0}


async def test_a_rule_may_give_points_at_once_where_the_programme_has_them_wait(shop: Shop) -> None:
    program = await shop.program(pendingDays=14, pointsPerUnit=1)
    ada, ben = await shop.customer(), await shop.customer("Ben")
    await shop.buy(ben, "10.00")
    assert await shop.account(ben, "balance pending") == {"balance": 0, "pending": 10}
    await shop.rule(program, "At once", basis="PER_AMOUNT", points=1, pendingDays=0)
    query = {"program": program, "customer": ada, "total": eur("10")}
    assert (await shop.client.data(PREVIEW, i=query))["previewEarning"]["unlockAt"] is None
    await shop.buy(ada, "10.00")
    assert await shop.account(ada, "balance pending") == {"balance": 10, "pending": 0}


async def test_a_change_of_a_rule_leaves_the_past(shop: Shop) -> None:
    program = await shop.program()
    with frozen(MAY):
        rule = await shop.rule(program, "Euro", basis="PER_AMOUNT", points=1)
        ada = await shop.customer()
        await shop.buy(ada, "10.00")
    with frozen(MAY + timedelta(days=1)):
        changed = await shop.change(
            "updateEarningRule",
            "rule { version versions { nodes { number points fromAt untilAt per conditions } } }",
            rule=rule, points=5, conditions={"leastTotal": eur("5")}, expectedVersion=1,
        )  # fmt: skip
        assert changed["rule"] == {
            "version": 2,
            "versions": {
                "nodes": [
                    {
                        "number": 2,
                        "points": 5,
                        "fromAt": "2026-05-14T12:00:00Z",
                        "untilAt": None,
                        "per": "1.00 EUR",
                        "conditions": {"leastTotal": {"amount": "5.00", "currency": "EUR"}},
                    },
                    {
                        "number": 1,
                        "points": 1,
                        "fromAt": None,
                        "untilAt": "2026-05-14T12:00:00Z",
                        "per": "1.00 EUR",
                        "conditions": {},
                    },
                ]
            },
        }
        await shop.buy(ada, "10.00")
        assert await shop.balance(ada) == 60
        # told late: the rule of that moment counts
        await shop.buy(ada, "10.00", occurredAt="2026-05-13T13:00:00Z")
        assert await shop.balance(ada) == 70
    with frozen(MAY + timedelta(days=2)):
        ended = await shop.change("endEarningRule", "rule { active }", rule=rule)
        assert ended["rule"] == {"active": False}
        await shop.buy(ada, "10.00")
        assert await shop.balance(ada) == 70
    with frozen(MAY + timedelta(days=3)):
        again = await shop.change("updateEarningRule", "rule { active version }", rule=rule)
        assert again["rule"] == {"active": True, "version": 4}
        await shop.buy(ada, "10.00")
        assert await shop.balance(ada) == 120
    events = await shop.client.service.database.fetch(
        "SELECT type FROM crm_event WHERE type = 'loyalty.earning_rule_changed'"
    )
    assert len(events) == 4


async def test_a_campaign_counts_while_it_holds(shop: Shop) -> None:
    program = await shop.program(pointsPerUnit=1)
    campaign = (
        await shop.change(
            "createLoyaltyCampaign", "campaign { id rules { name } }", program=program, name="Spring",
            percent=150, startsAt="2026-05-13T00:00:00Z", endsAt="2026-05-14T00:00:00Z",
        )
    )["campaign"]  # fmt: skip
    assert campaign["rules"] == []  # of all
    ada = await shop.customer()
    for at, balance in (
        ("2026-05-12T23:59:59Z", 9),
        ("2026-05-13T00:00:00Z", 23),
        ("2026-05-14T00:00:00Z", 32),
    ):
        await shop.buy(ada, "9.99", occurredAt=at)
        assert await shop.balance(ada) == balance
    with frozen(datetime(2026, 5, 13, 6, tzinfo=UTC)):
        ended = await shop.change(
            "endLoyaltyCampaign", "campaign { endsAt version }", campaign=campaign["id"]
        )
        assert ended["campaign"] == {"endsAt": "2026-05-13T06:00:00Z", "version": 2}


async def test_birthdays_earn_once_a_year(shop: Shop) -> None:
    program = await shop.program(timeZone="Pacific/Auckland")
    await shop.change("defineAttribute", "attributeDefinition { id }", name="born", type="DATE")
    await shop.rule(program, "Birthday", trigger="BIRTHDAY", attribute="born", points=100)
    ada = await shop.customer("Ada", attributes={"born": "1990-05-13"})
    leap = await shop.customer("Leap", attributes={"born": "2000-02-29"})
    twin = await shop.customer("Twin", attributes={"born": "1990-05-12"})
    none = await shop.customer("None")
    for at in (MAY, MAY, MAY + timedelta(days=3)):
        await run_jobs(shop.client, at=at, since=at - timedelta(days=1))
    assert [await shop.balance(one) for one in (ada, leap, twin, none)] == [100, 0, 100, 0]
    await shop.change("mergeCustomers", "customer { id }", winner=ada, losers=[twin])
    at = MAY + timedelta(days=4)
    await run_jobs(shop.client, at=at, since=at - timedelta(days=1))
    assert await shop.balance(ada) == 200  # nothing more for the twin's day
    for at in (datetime(2027, 3, 2, tzinfo=UTC), datetime(2027, 5, 13, 12, tzinfo=UTC)):
        await run_jobs(shop.client, at=at, since=at - timedelta(days=1))
    assert [await shop.balance(one) for one in (ada, leap)] == [300, 100]
    entries = await shop.account(leap, "entries { nodes { at sourceKey } }")
    assert entries["entries"]["nodes"][0] == {
        "at": "2027-02-27T11:00:00Z",
        "sourceKey": f"birthday:{key(leap)}:2027",
    }


async def test_only_what_customers_do_is_counted(shop: Shop) -> None:
    program = await shop.program(selection="STACKING")
    await shop.rule(
        program, "Any", trigger="INTERACTION", points=5, conditions={"channels": ["email", "in_person"]}
    )
    await shop.rule(program, "Mail", trigger="INTERACTION", kinds=["email"], points=1)
    ada = await shop.customer()
    query = {"program": program, "customer": ada}
    ours = "it counts what customers do, and this one was ours"
    for kind, direction, points, why in (
        ("email", "OUTBOUND", 0, [("Any", ours), ("Mail", ours)]),
        ("email", "INBOUND", 6, []),
        ("visit", None, 5, [("Mail", "it is not for visit")]),
        ("note", None, 0, [("Any", "it is not for note"), ("Mail", "it is not for note")]),
    ):
        touch = {"kind": kind, "outbound": direction == "OUTBOUND"}
        channel = {"channel": "email"} if kind == "note" else {}
        found = (await shop.client.data(PREVIEW, i=query | channel | {"interaction": touch}))[
            "previewEarning"
        ]
        before = await shop.balance(ada)
        await shop.visit(ada, kind, direction=direction, **channel)
        assert (found["points"], await shop.balance(ada) - before) == (points, points), kind
        assert [(one["name"], one["because"]) for one in found["passed"]] == why
    for input, path in (
        ({"interaction": {"kind": "vist"}}, ["input", "interaction", "kind"]),
        ({"interaction": {"kind": "visit"}, "total": eur("1")}, ["input", "total"]),
        ({"total": eur("1"), "channel": "fax"}, ["input", "channel"]),
        ({"total": eur("-1")}, ["input", "total"]),
        ({"total": eur("1"), "lines": [{"sku": "tea", "amount": eur("2")}]}, ["input", "total"]),
        ({"lines": [{"sku": "tea", "quantity": 0, "amount": eur("2")}]}, ["input", "lines", "0", "quantity"]),
    ):
        [error] = await shop.client.errors(PREVIEW, i=query | input)
        assert error["extensions"]["code"] == "BAD_INPUT"
        assert f"(at {'.'.join(path)})" in error["message"]


async def test_a_rule_that_is_to_begin_later_does_so_also_when_it_changes(shop: Shop) -> None:
    program = await shop.program()
    with frozen(MAY):
        rule = await shop.rule(program, "June", fromAt="2026-06-01T00:00:00Z")
        await shop.change("updateEarningRule", "rule { id }", rule=rule, points=2)
        ada = await shop.customer()
        await shop.buy(ada, "1.00")
        assert await shop.balance(ada) == 0
    with frozen(datetime(2026, 6, 2, tzinfo=UTC)):
        await shop.buy(ada, "1.00")
    assert await shop.balance(ada) == 2


async def test_what_a_rule_cannot_be_called_and_stale_changes(shop: Shop) -> None:
    program = await shop.program()
    rule = await shop.rule(program, "Euro")
    await shop.rule(program, "Other")
    same = {"program": program, "name": "Euro", "trigger": "PURCHASE", "points": 1}
    assert (await shop.refused("createEarningRule", "rule { id }", **same))[:2] == ("CONFLICT", ["name"])
    stale = await shop.refused("updateEarningRule", "rule { id }", rule=rule, points=2, expectedVersion=7)
    assert stale[:2] == ("CONFLICT", ["expectedVersion"])
    taken = await shop.refused("updateEarningRule", "rule { id }", rule=rule, name="Other")
    assert taken[:2] == ("CONFLICT", ["name"])
    moons = await shop.program(name="Moons")
    tier = (await shop.change("createTier", "tier { id }", program=moons, name="Full", threshold=1))["tier"]
    of_another = {"conditions": {"tiers": [tier["id"]]}}
    for name, selection, input in (
        ("createEarningRule", "rule { id }", same | {"name": "Full", "points": 3}),
        ("updateEarningRule", "rule { id }", {"rule": rule}),
        ("createLoyaltyCampaign", "campaign { id }", {"program": program, "name": "Full", "percent": 200}),
    ):
        refused = await shop.refused(name, selection, **input, **of_another)
        assert refused[:2] == ("NOT_FOUND", ["conditions", "tiers"])
    gone = await shop.refused("endEarningRule", "rule { id }", rule=program)
    assert gone[:2] == ("BAD_INPUT", ["rule"])


async def test_a_preview_is_of_customers_within_sight(shop: Shop) -> None:
    program = await shop.program(pointsPerUnit=1)
    ada = await shop.customer()
    query = {"program": program, "customer": ada, "total": eur("10")}
    narrow = await shop.client.acting_with("loyalty.read")
    [error] = await narrow.errors(PREVIEW, i=query)
    assert error["extensions"]["code"] in ("NOT_FOUND", "FORBIDDEN")
    [error] = await shop.client.errors(PREVIEW, i=query | {"total": None})
    assert error["extensions"]["code"] == "BAD_INPUT"


async def test_an_event_is_told_of_once() -> None:
    event = PurchaseRecorded(
        customer_id="c", interaction_id="i", kind="purchase", total_minor=1, currency="EUR"
    )
    assert [one.source_key for one in await told_by([event, event], MAY)] == [
        "purchase:i",
        "event:purchase.recorded:i",
    ]
