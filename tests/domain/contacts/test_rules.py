import asyncio
from typing import Any

import pytest

from crm_framework.domain.contacts.rules import (
    ContactRuleFields,
    create_contact_rule,
    delete_contact_rule,
    update_contact_rule,
)
from crm_framework.errors import CrmError, ErrorCode
from crm_framework.storage.database import Database
from crm_framework.storage.ids import new_id


async def create(database: Database, **fields: Any) -> str:
    async with database.unit_of_work() as tx:
        return await create_contact_rule(tx, ContactRuleFields(**fields))


async def test_a_rule_is_made_changed_and_removed(database: Database, records: Any) -> None:
    key = await create(database, channel="email", max_touches=2, window_hours=168)
    async with database.unit_of_work() as tx:
        await update_contact_rule(
            tx, key, {"max_touches": 0, "quiet_from": "22:00", "quiet_until": "07:30"}, expected_version=1
        )
    row = await records.row("crm_contact_rule", key)
    kept = ("version", "channel", "max_touches", "window_hours", "quiet_from", "quiet_until", "rest_hours")
    assert [row[name] for name in kept] == [2, "email", 0, 168, "22:00", "07:30", None]
    async with database.unit_of_work() as tx:
        await delete_contact_rule(tx, key, expected_version=2)
    assert await records.count("crm_contact_rule") == 0
    assert [
        (type_, told["kind"], told["record_id"], told["changes"]) for type_, told in await records.events()
    ] == [
        (
            "setting.changed",
            "contact_rule",
            key,
            {"channel": [None, "email"], "max_touches": [None, 2], "window_hours": [None, 168]},
        ),
        (
            "setting.changed",
            "contact_rule",
            key,
            {"max_touches": [2, 0], "quiet_from": [None, "22:00"], "quiet_until": [None, "07:30"]},
        ),
        (
            "setting.changed",
            "contact_rule",
            key,
            {
                "channel": ["email", None],
                "max_touches": [0, None],
                "window_hours": [168, None],
                "quiet_from": ["22:00", None],
                "quiet_until": ["07:30", None],
            },
        ),
    ]


async def test_a_change_to_the_same_values_is_none(database: Database, records: Any) -> None:
    key = await create(database, max_touches=2, window_hours=168)
    before = await records.everything()
    async with database.unit_of_work() as tx:
        await update_contact_rule(tx, key, {"max_touches": 2})
    assert await records.everything() == before


@pytest.mark.parametrize(
    ("fields", "path"),
    [
        ({"channel": "emial"}, ("channel",)),
        ({"max_touches": 2}, ("windowHours",)),
        ({"max_touches": -1, "window_hours": 1}, ("maxTouches",)),
        ({"max_touches": True, "window_hours": 1}, ("maxTouches",)),
        ({"max_touches": 1, "window_hours": 0}, ("windowHours",)),
        ({"max_touches": 1, "window_hours": 90_000}, ("windowHours",)),
        ({"quiet_from": "22:00"}, ("quietUntil",)),
        ({"quiet_until": "22:00"}, ("quietFrom",)),
        ({"quiet_from": "22:00", "quiet_until": "22:00"}, ("quietUntil",)),
        ({"quiet_from": "24:00", "quiet_until": "07:00"}, ("quietFrom",)),
        ({"quiet_from": "22:00", "quiet_until": "7:00"}, ("quietUntil",)),
        ({"rest_hours": -1}, ("restHours",)),
    ],
)
async def test_what_is_not_clear_is_refused(
    database: Database, records: Any, fields: dict[str, Any], path: tuple[str, ...]
) -> None:
    with pytest.raises(CrmError) as refused:
        await create(database, **fields)
    assert (refused.value.code, refused.value.path) == (ErrorCode.BAD_INPUT, path)
    assert await records.count("crm_contact_rule") + await records.count("crm_event") == 0


async def test_a_channel_has_one_rule_and_all_channels_together_one(database: Database, records: Any) -> None:
    await create(database, channel="phone", max_touches=0)
    other = await create(database, channel="email", max_touches=0)
    with pytest.raises(CrmError) as refused:
        await create(database, channel="email", max_touches=1, window_hours=1)
    assert (refused.value.code, refused.value.message) == (
        ErrorCode.CONFLICT,
        "There is a rule for the channel 'email' already.",
    )
    with pytest.raises(CrmError) as moved:
        async with database.unit_of_work() as tx:
            await update_contact_rule(tx, other, {"channel": "phone"})
    assert moved.value.code is ErrorCode.CONFLICT
    outcomes = await asyncio.gather(
        *(create(database, max_touches=0) for _ in range(4)), return_exceptions=True
    )
    assert sum(isinstance(outcome, str) for outcome in outcomes) == 1
    assert [o.message for o in outcomes if isinstance(o, CrmError)] == [
        "There is a rule for all channels together already."
    ] * 3
    assert await records.count("crm_contact_rule") == 3


async def test_a_stale_version_and_an_unknown_rule_are_refused(database: Database, records: Any) -> None:
    key = await create(database, max_touches=0)
    for rule, version, code in ((key, 4, ErrorCode.CONFLICT), (new_id(), None, ErrorCode.NOT_FOUND)):
        with pytest.raises(CrmError) as refused:
            async with database.unit_of_work() as tx:
                await update_contact_rule(tx, rule, {"rest_hours": 1}, expected_version=version)
        assert refused.value.code is code
        with pytest.raises(CrmError) as kept:
            async with database.unit_of_work() as tx:
                await delete_contact_rule(tx, rule, expected_version=version)
        assert kept.value.code is code
    assert (await records.row("crm_contact_rule", key))["version"] == 1
