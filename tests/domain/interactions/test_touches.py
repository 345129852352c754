import asyncio
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from crm_framework.domain.interactions.touches import (
    NewInteraction,
    first_changes,
    log_interaction,
    update_interaction,
)
from crm_framework.domain.models import Direction, Sentiment
from crm_framework.errors import CrmError, ErrorCode
from crm_framework.storage.clock import frozen, parse_time
from crm_framework.storage.database import Database
from crm_framework.storage.ids import new_id
from tests.domain.repeating import repeatably

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)


async def log(database: Database, **fields: Any) -> str:
    with frozen(NOW):
        return await repeatably(database, lambda tx: log_interaction(tx, NewInteraction(**fields)))


async def test_a_touch_is_kept_whole_and_told_once(database: Database, records: Any) -> None:
    customer, staff = await records.customer(), await records.staff()
    key = await log(
        database,
        customer_id=customer,
        kind="call",
        direction=Direction.OUTBOUND,
        subject=" About the offer ",
        body="Two lines\nof text",
        outcome="interested",
        sentiment=Sentiment.POSITIVE,
        occurred_at=datetime.fromisoformat("2026-03-01T10:00:00+01:00"),
        duration_seconds=90,
        staff_id=staff,
        follow_up_at=NOW + timedelta(days=7),
    )
    row = await records.row("crm_interaction", key)
    assert parse_time(row.pop("occurred_at")) == datetime(2026, 3, 1, 9, tzinfo=UTC)
    assert parse_time(row.pop("follow_up_at")) == NOW + timedelta(days=7)
    assert parse_time(row.pop("created_at")) == NOW
    assert row == {
        "id": key,
        "version": 1,
        "customer_id": customer,
        "kind": "call",
        "channel": "phone",
        "direction": "OUTBOUND",
        "subject": "About the offer",
        "body": "Two lines\nof text",
        "outcome": "interested",
        "sentiment": "POSITIVE",
        "duration_seconds": 90,
        "staff_id": staff,
        "reply_to_id": None,
        "source": None,
        "reference": None,
        "total_minor": None,
        "currency": None,
        "refund_of_id": None,
    }
    assert await records.events() == [
        (
            "interaction.logged",
            {
                "customer_id": customer,
                "interaction_id": key,
                "kind": "call",
                "changes": {
                    "channel": [None, "phone"],
                    "direction": [None, "OUTBOUND"],
                    "subject": [None, "About the offer"],
                    "body": [None, "Two lines\nof text"],
                    "outcome": [None, "interested"],
                    "sentiment": [None, "POSITIVE"],
                    "occurred_at": [None, "2026-03-01T09:00:00Z"],
                    "duration_seconds": [None, 90],
                    "follow_up_at": [None, "2026-03-08T12:00:00Z"],
                    "kind": [None, "call"],
                    "staff_id": [None, staff],
                },
            },
        )
    ]


async def test_it_took_place_now_unless_said_otherwise(database: Database, records: Any) -> None:
    key = await log(database, customer_id=await records.customer(), kind="note")
    row = await records.row("crm_interaction", key)
    assert (parse_time(row["occurred_at"]), row["channel"]) == (NOW, None)


@pytest.mark.parametrize(
    ("fields", "code", "message", "path", "hint"),
    [
        ({"kind": "cal"}, "BAD_INPUT", "'cal' is no kind of interaction.", ("kind",), "Did you mean 'call'?"),
        (
            {"channel": "emial"},
            "BAD_INPUT",
            "'emial' is no channel.",
            ("channel",),
            "Did you mean 'email'?",
        ),
        (
            {"kind": "purchase"},
            "BAD_INPUT",
            "A purchase has amounts and cannot be logged as a plain interaction.",
            ("kind",),
            "Record it as a purchase.",
        ),
        (
            {"occurred_at": datetime(2026, 2, 1)},  # a time without a zone is the point
            "BAD_INPUT",
            "2026-02-01 00:00:00 names no moment: it has no time zone.",
            ("occurredAt",),
            "Write it such as 2024-01-31T09:00:00Z.",
        ),
        (
            {"occurred_at": NOW + timedelta(days=1, seconds=1)},
            "BAD_INPUT",
            "occurredAt lies in the future: 2026-03-02T12:00:01Z.",
            ("occurredAt",),
            "Record what took place; a plan belongs into followUpAt.",
        ),
        (
            {"follow_up_at": NOW - timedelta(days=1)},
            "BAD_INPUT",
            "followUpAt (2026-02-28T12:00:00Z) is before occurredAt (2026-03-01T12:00:00Z).",
            ("followUpAt",),
            "Name a later time, or leave it out.",
        ),
        (
            {"duration_seconds": -1},
            "BAD_INPUT",
            "duration must be whole seconds from 0 to 366 days, not -1.",
            ("duration",),
            None,
        ),
        (
            {"sentiment": "GREAT"},
            "BAD_INPUT",
            "'GREAT' is no sentiment.",
            ("sentiment",),
            "Known are: POSITIVE, NEUTRAL, NEGATIVE.",
        ),
        (
            {"source": "shop"},
            "BAD_INPUT",
            "source is given without reference.",
            ("reference",),
            "Give both or neither: together they name the record.",
        ),
        (
            {"staff_id": "nobody"},
            "NOT_FOUND",
            "There is no member of staff 'nobody'.",
            ("staffId",),
            "Check the id.",
        ),
        ({"customer_id": "x"}, "NOT_FOUND", "There is no customer 'x'.", ("customerId",), "Check the id."),
    ],
)
async def test_what_does_not_fit_is_refused_and_nothing_is_kept(
    database: Database,
    records: Any,
    fields: dict[str, Any],
    code: str,
    message: str,
    path: tuple[str, ...],
    hint: str | None,
) -> None:
    customer = await records.customer()
    before = await records.everything()
    with pytest.raises(CrmError) as refused:
        await log(database, **{"customer_id": customer, "kind": "call", **fields})
    error = refused.value
    assert (error.code, error.message, error.path, error.hint) == (ErrorCode(code), message, path, hint)
    assert await records.everything() == before


async def test_keys_that_lead_nowhere_are_not_found(database: Database, records: Any) -> None:
    customer = await records.customer()
    for fields in ({"customer_id": new_id()}, {"staff_id": new_id()}, {"reply_to_id": new_id()}):
        with pytest.raises(CrmError) as refused:
            await log(database, **{"customer_id": customer, "kind": "call", **fields})
        assert refused.value.code is ErrorCode.NOT_FOUND
    assert await records.count("crm_interaction") == 0


async def test_a_losers_key_leads_to_the_winner(database: Database, records: Any) -> None:
    winner = await records.customer()
    loser = await records.customer("A. Lovelace", merged_into_id=winner)
    earlier = await records.customer("Augusta", merged_into_id=loser)
    key = await log(database, customer_id=earlier, kind="visit")
    assert (await records.row("crm_interaction", key))["customer_id"] == winner
    assert [fields["customer_id"] for _, fields in await records.events()] == [winner]


async def test_an_erased_customer_takes_no_more_records(database: Database, records: Any) -> None:
    customer = await records.customer(erased_at=NOW)
    with pytest.raises(CrmError) as refused:
        await log(database, customer_id=customer, kind="visit")
    assert (refused.value.code, refused.value.path) == (ErrorCode.REFUSED, ("customerId",))
    assert await records.count("crm_interaction") == 0


async def test_a_reply_answers_the_same_customer(database: Database, records: Any) -> None:
    customer, other = await records.customer(), await records.customer("Charles Babbage")
    asked = await log(database, customer_id=customer, kind="message", direction="INBOUND")
    key = await log(database, customer_id=customer, kind="message", direction="OUTBOUND", reply_to_id=asked)
    assert (await records.row("crm_interaction", key))["reply_to_id"] == asked
    with pytest.raises(CrmError) as refused:
        await log(database, customer_id=other, kind="message", reply_to_id=asked)
    assert (refused.value.code, refused.value.path) == (ErrorCode.BAD_INPUT, ("replyToId",))
    assert await records.count("crm_interaction") == 2


async def test_the_same_reference_again_returns_the_first_record(database: Database, records: Any) -> None:
    customer = await records.customer()
    first = await log(database, customer_id=customer, kind="call", source="pbx", reference="1", subject="a")
    again = await log(database, customer_id=customer, kind="call", source="pbx", reference="1", subject="b")
    other = await log(database, customer_id=customer, kind="call", source="pbx", reference="2")
    assert again == first != other
    assert (await records.row("crm_interaction", first))["subject"] == "a"
    assert len(await records.events()) == 2


async def test_one_reference_at_the_same_moment_is_one_record(database: Database, records: Any) -> None:
    customer = await records.customer()
    fields = {"customer_id": customer, "kind": "call", "source": "pbx", "reference": "1"}
    keys = await asyncio.gather(*(log(database, **fields) for _ in range(6)))
    assert len(set(keys)) == 1
    assert await records.count("crm_interaction") == 1
    assert len(await records.events()) == 1


async def update(database: Database, key: str, changes: dict[str, object], **more: Any) -> None:
    with frozen(NOW):
        async with database.unit_of_work() as tx:
            assert await update_interaction(tx, key, changes, **more) == key


async def test_a_change_is_told_with_before_and_after(database: Database, records: Any) -> None:
    customer = await records.customer()
    key = await log(database, customer_id=customer, kind="call", subject="Offer", outcome="open")
    await update(
        database,
        key,
        {"outcome": "won", "subject": None, "kind": "call", "follow_up_at": NOW},
        expected_version=1,
    )
    row = await records.row("crm_interaction", key)
    assert (row["outcome"], row["subject"], row["version"]) == ("won", None, 2)
    assert (await records.events())[1:] == [
        (
            "interaction.updated",
            {
                "customer_id": customer,
                "interaction_id": key,
                "kind": "call",
                "changes": {
                    "outcome": ["open", "won"],
                    "subject": ["Offer", None],
                    "follow_up_at": [None, "2026-03-01T12:00:00Z"],
                },
            },
        )
    ]


async def test_a_change_to_the_same_values_is_none(database: Database, records: Any) -> None:
    key = await log(database, customer_id=await records.customer(), kind="call", outcome="won")
    before = await records.everything()
    await update(database, key, {"outcome": " won ", "occurred_at": NOW})
    assert await records.everything() == before


@pytest.mark.parametrize(
    ("changes", "version", "code", "path"),
    [
        ({"outcome": "won"}, 7, "CONFLICT", ("expectedVersion",)),
        ({"customer_id": "x"}, None, "BAD_INPUT", ("customerId",)),
        ({"kind": "purchase"}, None, "BAD_INPUT", ("kind",)),
        ({"kind": "viist"}, None, "BAD_INPUT", ("kind",)),
        ({"occurred_at": NOW + timedelta(days=9)}, None, "BAD_INPUT", ("occurredAt",)),
        ({"staff_id": new_id()}, None, "NOT_FOUND", ("staffId",)),
    ],
)
async def test_a_change_that_does_not_fit_changes_nothing(
    database: Database,
    records: Any,
    changes: dict[str, object],
    version: int | None,
    code: str,
    path: tuple[str, ...],
) -> None:
    key = await log(database, customer_id=await records.customer(), kind="call", outcome="open")
    before = await records.everything()
    with pytest.raises(CrmError) as refused:
        await update(database, key, changes, expected_version=version)
    assert (refused.value.code, refused.value.path) == (ErrorCode(code), path)
    assert await records.everything() == before


async def test_the_date_of_a_purchase_stays_but_its_words_may_change(
    database: Database, records: Any
) -> None:
    key = await records.interaction(
        await records.customer(), kind="purchase", total_minor=100, currency="USD", occurred_at=NOW
    )
    with pytest.raises(CrmError) as refused:
        await update(database, key, {"occurred_at": NOW - timedelta(days=1)})
    assert (refused.value.code, refused.value.path) == (ErrorCode.REFUSED, ("occurredAt",))
    await update(database, key, {"outcome": "delivered"})
    assert (await records.row("crm_interaction", key))["outcome"] == "delivered"


def test_a_new_interaction_tells_what_was_given_but_what_follows_from_it() -> None:
    values: dict[str, Any] = {
        "id": new_id(),
        "customer_id": new_id(),
        "subject": "Offer",
        "kind": "call",
        "occurred_at": datetime(2024, 2, 29, 12, tzinfo=UTC),
        "duration_seconds": 0,
        "body": None,
        "created_at": NOW,
        "version": 1,
    }
    assert list(first_changes(values).items()) == [
        ("subject", (None, "Offer")),
        ("kind", (None, "call")),
        ("occurred_at", (None, "2024-02-29T12:00:00Z")),
        ("duration_seconds", (None, 0)),
    ]
