"""Referrals: credited once to both, not to oneself, not in circles, also after mergers."""

from asyncio import gather
from typing import Any

import pytest

from crm_framework import encode_id
from crm_framework.testing import CrmClient

from .shop import Shop, key


@pytest.fixture
def shop(client: CrmClient) -> Shop:
    return Shop(client)


async def setting(shop: Shop, **input: Any) -> str:
    program = await shop.program()
    await shop.rule(program, "Refer", trigger="REFERRAL", points=50, refereePoints=20, **input)
    return program


async def code_of(shop: Shop, customer: str) -> str:
    made = await shop.change("createReferralCode", "referralCode { code }", customer=customer)
    return str(made["referralCode"]["code"])


async def accept(shop: Shop, program: str, customer: str, code: str) -> None:
    await shop.change("acceptReferral", "referral { id }", program=program, customer=customer, code=code)


async def refused(shop: Shop, program: str, customer: str, code: str) -> str:
    refusal = await shop.refused(
        "acceptReferral", "referral { id }", program=program, customer=customer, code=code
    )
    return refusal[2]


async def statuses(shop: Shop) -> list[tuple[str, str | None]]:
    rows = await shop.client.service.database.fetch("SELECT status, reason FROM loyalty_referral ORDER BY id")
    return [(row["status"], row["reason"]) for row in rows]


async def test_both_are_credited_once_with_the_first_purchase(shop: Shop) -> None:
    program = await setting(shop, conditions={"leastTotal": {"amount": "10", "currency": "EUR"}})
    ann, bea = await shop.customer("Ann"), await shop.customer("Bea")
    code = await code_of(shop, ann)
    assert code == await code_of(shop, ann)
    await accept(shop, program, bea, f" {code.lower()} ")
    assert (await shop.balance(ann), await shop.balance(bea)) == (0, 0)
    await shop.buy(bea, "5.00")  # too small for the rule
    await shop.buy(bea, "50.00", currency="USD")  # the programme does not count dollars
    assert (await shop.balance(ann), await shop.balance(bea)) == (0, 0)
    await shop.buy(bea, "10.00")
    await shop.buy(bea, "10.00")
    assert (await shop.balance(ann), await shop.balance(bea)) == (50, 20)
    seen = await shop.client.data(
        """query ($a: ID!) { customer(id: $a) { loyaltyReferralCode { code }
          loyaltyReferrals { nodes { status customer { name } } } } }""",
        a=ann,
    )
    assert seen["customer"] == {
        "loyaltyReferralCode": {"code": code},
        "loyaltyReferrals": {"nodes": [{"status": "CREDITED", "customer": {"name": "Bea"}}]},
    }
    rows = await shop.client.service.database.fetch(
        "SELECT payload FROM crm_event WHERE type = 'loyalty.referral_credited'"
    )
    assert len(rows) == 1
    assert await shop.owed() == []


async def test_two_first_purchases_at_once_credit_once(shop: Shop) -> None:
    program = await setting(shop)
    ann, bea = await shop.customer("Ann"), await shop.customer("Bea")
    await accept(shop, program, bea, await code_of(shop, ann))
    await gather(*(shop.buy(bea, "10.00") for _ in range(5)))
    assert (await shop.balance(ann), await shop.balance(bea)) == (50, 20)
    assert await shop.owed() == []


async def test_who_cannot_be_referred(shop: Shop) -> None:
    program = await setting(shop)
    ann, bea, cyd = [await shop.customer(name) for name in ("Ann", "Bea", "Cyd")]
    codes = {customer: await code_of(shop, customer) for customer in (ann, bea, cyd)}
    assert await refused(shop, program, ann, codes[ann]) == "It is the customer's own code."
    assert await refused(shop, program, ann, "NOSUCHCODE") == "There is no such referral code."
    await accept(shop, program, bea, codes[ann])
    assert await refused(shop, program, bea, codes[cyd]) == "The customer was referred before."
    await accept(shop, program, cyd, codes[bea])
    circle = "Who passed the code on came by this very customer."
    assert await refused(shop, program, ann, codes[bea]) == circle
    assert await refused(shop, program, ann, codes[cyd]) == circle
    old = await shop.customer("Old")
    await shop.buy(old, "1.00")
    assert await refused(shop, program, old, codes[ann]) == "The customer has bought before."
    assert len(await statuses(shop)) == 2


async def test_no_circle_closes_at_the_same_moment(shop: Shop) -> None:
    program = await setting(shop)
    people = [await shop.customer(f"C{number}") for number in range(4)]
    codes = [await code_of(shop, customer) for customer in people]
    answers = await gather(
        *(
            shop.answer(
                "acceptReferral", "referral { id }", program=program, customer=customer, code=codes[index - 1]
            )
            for index, customer in enumerate(people)
        )
    )
    assert sum(not answer["errors"] for answer in answers) == 3


async def test_mergers_leave_no_referral_to_oneself_or_in_a_circle(shop: Shop) -> None:
    program = await setting(shop)
    ann, bea, cyd, dan = [await shop.customer(name) for name in ("Ann", "Bea", "Cyd", "Dan")]
    await accept(shop, program, bea, await code_of(shop, ann))
    await accept(shop, program, cyd, await code_of(shop, bea))
    await accept(shop, program, dan, await code_of(shop, cyd))
    await shop.change("mergeCustomers", "customer { id }", winner=dan, losers=[ann])
    # Dan came by Cyd, who came by Bea, who came by Ann, who is Dan
    assert await statuses(shop) == [
        ("PENDING", None),
        ("PENDING", None),
        ("VOID", "it would close a circle"),
    ]
    await shop.change("mergeCustomers", "customer { id }", winner=bea, losers=[cyd])
    assert (await statuses(shop))[1] == ("VOID", "they are one customer")
    await shop.buy(bea, "10.00")
    assert (await shop.balance(dan), await shop.balance(bea)) == (50, 20)


async def test_a_merger_with_an_old_customer_earns_nothing(shop: Shop) -> None:
    program = await setting(shop)
    ann, bea, old = [await shop.customer(name) for name in ("Ann", "Bea", "Old")]
    await shop.buy(old, "10.00")
    await accept(shop, program, bea, await code_of(shop, ann))
    await shop.change("mergeCustomers", "customer { id }", winner=old, losers=[bea])
    assert await statuses(shop) == [("VOID", "the customer has bought before")]
    await shop.buy(old, "10.00")
    assert await shop.balance(ann) == 0


async def test_erasing_cuts_referrals_off(shop: Shop) -> None:
    program = await setting(shop)
    ann, bea = await shop.customer("Ann"), await shop.customer("Bea")
    code = await code_of(shop, ann)
    await accept(shop, program, bea, code)
    exported = (await shop.change("exportCustomer", "data", id=ann))["data"]["plugins"]["loyalty"]
    assert exported["referral_codes"] == [code]
    assert [(one["came"], one["status"]) for one in exported["referrals"]] == [(False, "PENDING")]
    await shop.change("eraseCustomer", "receipt", id=ann)
    rows = await shop.client.service.database.fetch(
        "SELECT customer_id, referrer_id, status FROM loyalty_referral"
    )
    assert [(str(row["customer_id"]), row["referrer_id"], row["status"]) for row in rows] == [
        (key(bea), None, "VOID")
    ]
    await shop.buy(bea, "10.00")
    assert await shop.balance(bea) == 0
    assert await shop.owed() == []


async def test_a_refund_of_the_first_purchase_takes_its_part_of_the_referral_from_both(shop: Shop) -> None:
    program = await setting(shop)
    ann, bea = await shop.customer("Ann"), await shop.customer("Bea")
    await accept(shop, program, bea, await code_of(shop, ann))
    first = await shop.buy(bea, "100.00")
    second = await shop.buy(bea, "100.00")
    twin = await shop.customer("Twin")
    await shop.change("mergeCustomers", "customer { id }", winner=twin, losers=[ann])
    await shop.change(
        "adjustPoints", "account { id }", program=program, customer=twin, points=-40, reason="Spent"
    )
    await shop.refund(second, "100.00")
    assert (await shop.balance(twin), await shop.balance(bea)) == (10, 20)
    await shop.refund(first, "30.00")
    assert (await shop.balance(twin), await shop.balance(bea)) == (-5, 14)
    await shop.refund(first, "70.00")
    assert (await shop.balance(twin), await shop.balance(bea)) == (-40, 0)
    # whoever referred does not learn what was paid
    said = await shop.account(twin, "entries(first: 2) { nodes { kind points reason } }")
    reason = "Refund of the purchase that the referral was for"
    assert said["entries"]["nodes"] == [
        {"kind": "REFUNDED", "points": -35, "reason": reason},
        {"kind": "REFUNDED", "points": -15, "reason": reason},
    ]
    exported = await shop.client.data(
        "mutation ($c: ID!) { exportCustomer(input: {id: $c}) { data } }", c=twin
    )
    entries = exported["exportCustomer"]["data"]["plugins"]["loyalty"]["accounts"][0]["entries"]
    assert [entry["amount_minor"] for entry in entries if entry["kind"] == "REFUNDED"] == [None, None]
    assert await shop.owed() == []
    proof = await shop.client.data("mutation { verifyLoyalty { differences } }")
    assert proof["verifyLoyalty"] == {"differences": []}


async def test_a_refund_takes_nothing_of_a_referral_from_who_was_erased(shop: Shop) -> None:
    program = await setting(shop)
    ann, bea = await shop.customer("Ann"), await shop.customer("Bea")
    await accept(shop, program, bea, await code_of(shop, ann))
    first = await shop.buy(bea, "100.00")
    await shop.change("eraseCustomer", "receipt", id=ann)
    await shop.refund(first, "100.00")
    assert await shop.balance(bea) == 0
    rows = await shop.client.service.database.fetch("SELECT balance FROM loyalty_account ORDER BY balance")
    assert [row["balance"] for row in rows] == [0, 50]
    assert await shop.owed() == []


async def test_who_passed_a_code_on_sees_what_became_of_it_and_nothing_of_who_came(shop: Shop) -> None:
    program = await setting(shop)
    ann, bea, cid = [await shop.customer(name) for name in ("Ann", "Bea", "Cid")]
    code = await code_of(shop, ann)
    for customer in (bea, cid):
        await accept(shop, program, customer, code)
    purchase = await shop.buy(bea, "10.00")
    await shop.refund(purchase, "5.00")
    made = await shop.change("createToken", "secret", name="Ann", kind="CUSTOMER", customer=ann)
    own = CrmClient(shop.client.app, shop.client.http, made["secret"])
    asked = """query ($id: ID!) { customer(id: $id) {
      loyaltyReferralsMade { nodes { status points creditedAt program { name } } totalCount }
      loyaltyReferrals { nodes { id customer { name } } }
      loyalty { entries { nodes { reason } } } } }"""
    seen = (await own.data(asked, id=ann))["customer"]
    assert [
        (one["status"], one["points"], one["creditedAt"] is not None)
        for one in seen["loyaltyReferralsMade"]["nodes"]
    ] == [("PENDING", 0, False), ("CREDITED", 25, True)]
    assert seen["loyaltyReferrals"] == {"nodes": []}
    assert "Bea" not in str(seen)
    made_type: Any = shop.client.service.schema.graphql.type_map["LoyaltyReferralMade"]
    assert set(made_type.fields) == {"id", "status", "points", "createdAt", "creditedAt", "program"}
    # those of others are as if they were not there, by whichever way they are asked for
    assert (await own.data(asked, id=bea))["customer"] is None
    [row] = await shop.client.service.database.fetch(
        "SELECT id FROM loyalty_referral WHERE status = 'CREDITED'"
    )
    for kind, theirs in (("LoyaltyReferralMade", True), ("LoyaltyReferral", False)):
        found = await own.data(
            "query ($id: ID!) { node(id: $id) { id } }", id=encode_id(kind, str(row["id"]))
        )
        assert (found["node"] is not None) is theirs
