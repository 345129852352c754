import asyncio
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from crm_framework.domain.customers.changes import find_by_reference
from crm_framework.domain.interactions.touches import NewInteraction, log_interaction
from crm_framework.domain.privacy.merge import MergeReport, merge_customers
from crm_framework.domain.rows import insert
from crm_framework.errors import CrmError, ErrorCode
from crm_framework.storage.clock import frozen
from crm_framework.storage.database import Database
from crm_framework.storage.ids import new_id
from crm_framework.storage.unit_of_work import UnitOfWork

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)


class Plugins:
    """A host with one plugin that keeps a label on interactions, or refuses."""

    def __init__(self, failure: Exception | None = None) -> None:
        self.failure = failure
        self.calls: list[tuple[str, tuple[str, ...]]] = []

    async def merge_customers(
        self, winner: str, losers: Sequence[str], tx: UnitOfWork
    ) -> Mapping[str, Mapping[str, int]]:
        self.calls.append((winner, tuple(losers)))
        await tx.execute("UPDATE crm_staff SET name = ? WHERE name = ?", ["moved", "Grace"])
        if self.failure is not None:
            raise self.failure
        return {"loyalty": {"loyalty_account": 1}}


async def merge(database: Database, winner: str, losers: list[str], **options: Any) -> MergeReport:
    with frozen(NOW):
        async with database.unit_of_work() as tx:
            return await merge_customers(tx, winner, losers, **options)


async def two(records: Any) -> tuple[str, str]:
    """Two records of one person, with something in every table that moves."""
    winner = await records.customer("Ada Lovelace", stage="PROSPECT", attributes={"size": 1})
    loser = await records.customer(
        "A. Lovelace",
        source="erp",
        reference="7",
        company="Analytical Engines",
        converted_at=NOW - timedelta(days=9),
        attributes={"size": 2, "colour": "red"},
        email="ada@example.com",
        phone="+4420111",
    )
    await records.contact_point(winner, "email", "ada@example.com", is_primary=True, consent="OPTED_IN")
    await records.contact_point(loser, "email", "ada@example.com", is_primary=True, consent="OPTED_OUT")
    await records.contact_point(loser, "phone", "+4420111", is_primary=True)
    await records.interaction(winner)
    await records.interaction(loser)
    await records.interaction(loser, kind="purchase", total_minor=5, currency="USD")
    async with records.database.unit_of_work() as tx:
        for key, tag in ((winner, "vip"), (loser, "vip"), (loser, "press")):
            await insert(tx, "crm_customer_tag", {"id": new_id(), "customer_id": key, "tag": tag})
        token = {"id": new_id(), "name": "portal", "digest": "d", "hint": "crm_abc", "kind": "CUSTOMER"}
        await insert(tx, "crm_token", {**token, "permissions": "[]", "customer_id": loser, "created_at": NOW})
        for delivered in (True, False):
            event = new_id()
            payload = '{"customer_id":"' + loser + '","changes":{}}'
            row = {"id": event, "type": "customer.updated", "customer_id": loser, "payload": payload}
            await insert(tx, "crm_event", {**row, "created_at": NOW})
            if not delivered:
                owed = {"id": new_id(), "event_id": event, "handler": "h", "status": "PENDING", "attempts": 1}
                await insert(tx, "crm_delivery", {**owed, "customer_id": loser, "next_at": NOW})
    return winner, loser


async def test_all_that_belongs_to_the_loser_moves(database: Database, records: Any) -> None:
    winner, loser = await two(records)
    earlier = await records.customer("Augusta", merged_into_id=loser)
    plugins = Plugins()
    report = await merge(database, winner, [loser], plugins=plugins)
    assert report.moved == {
        "core": {
            "crm_contact_point": 2,
            "crm_customer_tag": 2,
            "crm_interaction": 2,
            "crm_token": 1,
            "crm_event": 1,
            "crm_customer": 2,
        },
        "loyalty": {"loyalty_account": 1},
    }
    assert [(c.field, c.kept, c.loser, c.given_up) for c in report.conflicts] == [
        ("name", "Ada Lovelace", loser, "A. Lovelace"),
        ("attributes.size", 1, loser, 2),
        ("consent.email.ada@example.com", "OPTED_OUT", loser, "OPTED_IN"),
    ]
    assert plugins.calls == [(winner, (loser,))]
    row = await records.row("crm_customer", winner)
    assert (row["stage"], row["company"], row["email"], row["phone"], row["version"]) == (
        "CUSTOMER",
        "Analytical Engines",
        "ada@example.com",
        "+4420111",
        2,
    )
    assert row["search_text"] == "ada lovelace analytical engines example com 4420111"
    for table in ("crm_contact_point", "crm_customer_tag", "crm_interaction", "crm_token"):
        assert {owned["customer_id"] for owned in await records.rows(table)} == {winner}
    points = await records.rows("crm_contact_point", "channel = ?", "email")
    assert [(point["consent"], bool(point["is_primary"])) for point in points] == [("OPTED_OUT", True)]
    assert sorted(tag["tag"] for tag in await records.rows("crm_customer_tag")) == ["press", "vip"]
    for key in (loser, earlier):
        assert (await records.row("crm_customer", key))["merged_into_id"] == winner
    gone = await records.row("crm_customer", loser)
    assert (gone["name"], gone["email"], gone["search_text"], gone["version"]) == ("A. Lovelace", None, "", 2)
    delivered, owed, merged = await records.rows("crm_event")
    assert (delivered["customer_id"], owed["customer_id"]) == (loser, winner)
    assert (merged["type"], merged["customer_id"]) == ("customer.merged", winner)
    assert [row["customer_id"] for row in await records.rows("crm_delivery")] == [winner]
    told = (await records.events())[-1][1]
    assert (told["losers"], told["changes"]["company"]) == ([loser], [None, "Analytical Engines"])


async def test_a_loser_leads_to_the_winner_by_key_and_reference(database: Database, records: Any) -> None:
    winner, loser = await two(records)
    await merge(database, winner, [loser])
    async with database.unit_of_work() as tx:
        assert await find_by_reference(tx, "erp", "7") == winner
        key = await log_interaction(tx, NewInteraction(customer_id=loser, kind="call"))
    assert (await records.row("crm_interaction", key))["customer_id"] == winner


async def test_a_dry_run_tells_the_same_and_changes_nothing(database: Database, records: Any) -> None:
    winner, loser = await two(records)
    await records.staff()
    before = await records.everything()
    planned = await merge(database, winner, [loser], plugins=Plugins(), dry_run=True)
    assert await records.everything() == before
    done = await merge(database, winner, [loser], plugins=Plugins())
    assert (planned.moved, planned.conflicts, planned.losers) == (done.moved, done.conflicts, done.losers)
    assert (planned.dry_run, done.dry_run) == (True, False)


async def test_a_plugin_that_fails_aborts_all(database: Database, records: Any) -> None:
    winner, loser = await two(records)
    await records.staff()
    before = await records.everything()
    with pytest.raises(CrmError) as refused:
        await merge(database, winner, [loser], plugins=Plugins(CrmError(ErrorCode.REFUSED, "No.")))
    assert refused.value.message == "No."
    assert await records.everything() == before


async def test_again_is_no_error_and_changes_nothing(database: Database, records: Any) -> None:
    winner, loser = await two(records)
    await merge(database, winner, [loser])
    before = await records.everything()
    plugins = Plugins()
    report = await merge(database, winner, [loser], plugins=plugins)
    assert (report.losers, report.moved, plugins.calls) == ((), {}, [])
    assert await records.everything() == before


async def test_no_circle_and_no_second_winner(database: Database, records: Any) -> None:
    one, other, third = [await records.customer(name) for name in ("one", "other", "third")]
    await merge(database, one, [other])
    before = await records.everything()
    for winner, losers, code, path in (
        (one, [one], ErrorCode.BAD_INPUT, ("losers", "0")),
        (other, [third, one], ErrorCode.BAD_INPUT, ("losers", "1")),
        (other, [other], ErrorCode.BAD_INPUT, ("losers", "0")),
        (third, [other], ErrorCode.CONFLICT, ("losers", "0")),
        (third, [one, new_id()], ErrorCode.NOT_FOUND, ("losers", "1")),
        (new_id(), [one], ErrorCode.NOT_FOUND, ("winner",)),
        (third, [], ErrorCode.BAD_INPUT, ("losers",)),
    ):
        with pytest.raises(CrmError) as refused:
            await merge(database, winner, losers)
        assert (refused.value.code, refused.value.path) == (code, path)
    assert await records.everything() == before
    report = await merge(database, other, [third])
    assert (report.winner, report.losers) == (one, (third,))


async def test_an_erased_customer_cannot_be_merged(database: Database, records: Any) -> None:
    one, erased = await records.customer(), await records.customer(erased_at=NOW)
    for winner, loser in ((one, erased), (erased, one)):
        with pytest.raises(CrmError) as refused:
            await merge(database, winner, [loser])
        assert refused.value.code is ErrorCode.REFUSED
    assert await records.count("crm_event") == 0


async def test_merges_of_overlapping_sets_at_the_same_moment(database: Database, records: Any) -> None:
    keys = [await records.customer(str(n)) for n in range(6)]
    for key in keys:
        await records.interaction(key)
    a, b, c, d, e, f = keys
    plans = [(a, [b, c]), (c, [b, d]), (b, [a, e]), (e, [f, a]), (d, [c, b, f])]
    outcomes = await asyncio.gather(
        *(merge(database, winner, losers) for winner, losers in plans), return_exceptions=True
    )
    assert any(isinstance(outcome, MergeReport) for outcome in outcomes)
    for outcome in outcomes:
        if not isinstance(outcome, MergeReport):
            assert isinstance(outcome, CrmError)
            assert outcome.code in (ErrorCode.BAD_INPUT, ErrorCode.CONFLICT)
    into = {row["id"]: row["merged_into_id"] for row in await records.rows("crm_customer")}
    alive = {key for key, winner in into.items() if winner is None}
    assert all(winner in alive for winner in into.values() if winner is not None)
    assert {row["customer_id"] for row in await records.rows("crm_interaction")} <= alive
    assert await records.count("crm_interaction") == 6


async def test_touches_logged_during_a_merge_end_with_the_winner(database: Database, records: Any) -> None:
    winner, loser = await records.customer(), await records.customer()

    async def log() -> None:
        async with database.unit_of_work() as tx:
            await log_interaction(tx, NewInteraction(customer_id=loser, kind="call"))

    await asyncio.gather(
        *(log() for _ in range(4)), merge(database, winner, [loser]), *(log() for _ in range(4))
    )
    assert {row["customer_id"] for row in await records.rows("crm_interaction")} == {winner}
    assert await records.count("crm_interaction") == 8
