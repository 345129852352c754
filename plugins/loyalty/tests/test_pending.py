"""Points that are pending can be cancelled: with a reason, once, and for good."""

from crm_loyalty.ledger.verify import verify

from crm_framework.testing import CrmClient, run_jobs

from .shop import Shop

SEEN = """balance pending entries { nodes { id kind pending reason corrects { kind } } }"""


async def test_pending_points_are_cancelled_with_a_reason_and_stay_so(client: CrmClient) -> None:
    shop = Shop(client)
    program = await shop.program(pointsPerUnit=1, pendingDays=5)
    ada = await shop.customer()
    purchase = await shop.buy(ada, "10.00")
    [entry] = (await shop.account(ada, SEEN))["entries"]["nodes"]
    cancel = {"entry": entry["id"], "reason": "  bought  by staff "}
    for wrong, refusal in (
        ({"reason": " "}, ("BAD_INPUT", ["reason"])),
        ({"reason": "x" * 1001}, ("BAD_INPUT", ["reason"])),
        ({"entry": ada}, ("BAD_INPUT", ["entry"])),
    ):
        assert (await shop.refused("cancelPendingPoints", "account { id }", **cancel | wrong))[:2] == refusal
    reader = await client.acting_with("loyalty.read", "customers.read")
    [error] = await reader.errors(
        "mutation ($i: CancelPendingPointsInput!) { cancelPendingPoints(input: $i) { errors { code } } }",
        i=cancel,
    )
    assert error["extensions"]["code"] == "FORBIDDEN"
    assert (await shop.account(ada, "pending"))["pending"] == 10
    asked = {**cancel, "idempotencyKey": "once"}
    done = await shop.change("cancelPendingPoints", f"account {{ {SEEN} }}", **asked)
    account = done["account"]
    assert (account["balance"], account["pending"]) == (0, 0)
    newest = account["entries"]["nodes"][0]
    assert {name: newest[name] for name in ("kind", "pending", "reason", "corrects")} == {
        "kind": "CANCELLED", "pending": -10, "reason": "bought by staff", "corrects": {"kind": "PENDING"},
    }  # fmt: skip
    assert await shop.change("cancelPendingPoints", f"account {{ {SEEN} }}", **asked) == done
    code, path, message = await shop.refused("cancelPendingPoints", "account { id }", **cancel)
    assert (code, path, message) == ("REFUSED", ["entry"], "Nothing is pending by this entry.")
    # neither a refund nor a replay of the rules takes it once more, or gives it back
    await shop.refund(purchase, "4.00")
    window = {"fromAt": "2020-01-01T00:00:00Z", "untilAt": "2100-01-01T00:00:00Z"}
    again = await shop.change("replayEarning", "replay { id }", program=program, **window)
    await run_jobs(client)
    await shop.change("applyEarningReplay", "replay { id }", replay=again["replay"]["id"])
    await run_jobs(client)
    assert await shop.account(ada, "balance pending lifetime") == {"balance": 0, "pending": 0, "lifetime": 0}
    told = await client.service.database.fetch(
        "SELECT COUNT(*) AS n FROM crm_event WHERE type = 'loyalty.points_cancelled'"
    )
    audited = await client.service.database.fetch(
        "SELECT COUNT(*) AS n FROM crm_audit WHERE action = 'loyalty.points_cancelled'"
    )
    assert (told[0]["n"], audited[0]["n"]) == (1, 1)
    async with client.service.database.unit_of_work() as tx:
        assert (await verify(tx)).differences == []
