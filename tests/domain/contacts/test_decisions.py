from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from msgspec.structs import replace

from crm_framework.domain import kinds
from crm_framework.domain.contacts.decisions import contact_decisions
from crm_framework.domain.contacts.policy import ContactReason
from crm_framework.domain.contacts.rules import ContactRuleFields, create_contact_rule
from crm_framework.errors import CrmError, ErrorCode
from crm_framework.hooks.specs import InteractionKind
from crm_framework.storage.database import Database
from crm_framework.storage.ids import new_id

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)
HOUR = timedelta(hours=1)


async def rule(database: Database, **fields: Any) -> None:
    async with database.unit_of_work() as tx:
        await create_contact_rule(tx, ContactRuleFields(**fields))


@pytest.fixture
def complaints() -> Iterator[None]:
    """A vocabulary in which a plugin marked `complaint` as a support case."""
    before = kinds.current()
    kind = InteractionKind("complaint", "Something went wrong.", support_case=True)
    kinds.install(kinds.Vocabulary({**before.kinds, "complaint": kind}, before.channels))
    yield
    kinds.install(before)


async def test_each_customer_is_judged_by_its_own_records(
    database: Database, records: Any, complaints: None
) -> None:
    await rule(database, max_touches=1, window_hours=24, rest_hours=48)
    await rule(database, channel="email", quiet_from="20:00", quiet_until="08:00")
    free, touched, asleep, resting, out, archived, erased = [
        await records.customer(name, **columns)
        for name, columns in (
            ("free", {}),
            ("touched", {}),
            ("asleep", {"time_zone": "Asia/Tokyo"}),
            ("resting", {}),
            ("out", {}),
            ("archived", {"archived_at": NOW}),
            ("erased", {"erased_at": NOW}),
        )
    ]
    await records.interaction(free, direction="OUTBOUND", occurred_at=NOW - 24 * HOUR)
    await records.interaction(free, direction="INBOUND", occurred_at=NOW - HOUR)
    await records.interaction(free, direction=None, occurred_at=NOW - HOUR)
    await records.interaction(touched, direction="OUTBOUND", channel="phone", occurred_at=NOW - HOUR)
    await records.interaction(resting, kind="complaint", direction="INBOUND", occurred_at=NOW - 40 * HOUR)
    await records.contact_point(out, "email", "a@example.com", consent="OPTED_IN")
    await records.contact_point(out, "email", "b@example.com", consent="OPTED_OUT", is_primary=True)
    keys = [free, touched, asleep, resting, out, archived, erased, new_id()]
    with database.counting() as statements:
        decisions = await contact_decisions(database, keys, "email", NOW)
    assert len(statements) == 4
    assert {key: (d.reason, d.next_allowed_at) for key, d in decisions.items()} == {
        free: (ContactReason.ALLOWED, NOW),
        touched: (ContactReason.OVERALL_LIMIT, NOW + 23 * HOUR + 0 * HOUR),
        asleep: (ContactReason.QUIET_HOURS, NOW + 11 * HOUR),
        resting: (ContactReason.SUPPORT_REST, NOW + 20 * HOUR),
        out: (ContactReason.OPTED_OUT, None),
        archived: (ContactReason.ARCHIVED, None),
        erased: (ContactReason.ERASED, None),
    }
    with database.counting() as statements:
        assert (await contact_decisions(database, [free], "phone", NOW))[free].allowed
    assert len(statements) == 4


async def test_a_merged_customer_is_judged_by_the_winners_records(database: Database, records: Any) -> None:
    await rule(database, max_touches=1, window_hours=24)
    out, touched = await records.customer("out"), await records.customer("touched")
    await records.contact_point(out, "email", "a@example.com", consent="OPTED_OUT", is_primary=True)
    await records.interaction(touched, direction="OUTBOUND", occurred_at=NOW - HOUR)
    keys = [
        await records.customer("one", merged_into_id=out),
        await records.customer("other", merged_into_id=touched),
    ]
    decisions = await contact_decisions(database, [*keys, out, "none", ""], "email", NOW)
    assert {key: decision.reason for key, decision in decisions.items()} == {
        keys[0]: ContactReason.OPTED_OUT,
        keys[1]: ContactReason.OVERALL_LIMIT,
        out: ContactReason.OPTED_OUT,
    }


async def test_consent_is_the_primary_points_or_the_strictest(database: Database, records: Any) -> None:
    primary_in = await records.customer()
    await records.contact_point(primary_in, "email", "a@example.com", consent="OPTED_IN", is_primary=True)
    await records.contact_point(primary_in, "email", "b@example.com", consent="OPTED_OUT")
    none_primary = await records.customer()
    await records.contact_point(none_primary, "email", "a@example.com", consent="OPTED_IN")
    await records.contact_point(none_primary, "email", "b@example.com", consent="OPTED_OUT")
    nothing_known = await records.customer()
    by_phone = await records.customer()
    await records.contact_point(by_phone, "phone", "+4930123456", consent="OPTED_OUT", is_primary=True)

    async def reasons(channel: str, **settings: Any) -> list[ContactReason]:
        keys = [primary_in, none_primary, nothing_known, by_phone]
        decisions = await contact_decisions(database, keys, channel, NOW, **settings)
        return [decisions[key].reason for key in keys]

    assert await reasons("email") == [
        ContactReason.ALLOWED,
        ContactReason.OPTED_OUT,
        ContactReason.ALLOWED,
        ContactReason.ALLOWED,
    ]
    assert await reasons("email", unknown_consent_allows=False) == [
        ContactReason.ALLOWED,
        ContactReason.OPTED_OUT,
        ContactReason.CONSENT_UNKNOWN,
        ContactReason.CONSENT_UNKNOWN,
    ]
    assert (await reasons("sms"))[3] is ContactReason.OPTED_OUT
    database.settings = replace(database.settings, unknown_consent_allows=False)
    assert (await reasons("email"))[2] is ContactReason.CONSENT_UNKNOWN
    assert (await reasons("email", unknown_consent_allows=True))[2] is ContactReason.ALLOWED


async def test_a_reply_opens_the_way_to_its_customer_alone(database: Database, records: Any) -> None:
    await rule(database, max_touches=0)
    asking, other = await records.customer(), await records.customer()
    asked = await records.interaction(asking, direction="INBOUND", kind="message")
    decisions = await contact_decisions(database, [asking, other], "chat", NOW, reply_to=asked)
    assert {key: decision.reason for key, decision in decisions.items()} == {
        asking: ContactReason.REPLY,
        other: ContactReason.NO_TOUCHES,
    }
    ours = await records.interaction(asking, direction="OUTBOUND", kind="message")
    for message, code in ((ours, ErrorCode.BAD_INPUT), (new_id(), ErrorCode.NOT_FOUND)):
        with pytest.raises(CrmError) as refused:
            await contact_decisions(database, [asking], "chat", NOW, reply_to=message)
        assert (refused.value.code, refused.value.path) == (code, ("replyTo",))


async def test_bad_channels_and_times_are_refused(database: Database, records: Any) -> None:
    customer = await records.customer()
    for channel, at, path in (
        ("emial", NOW, ("channel",)),
        ("email", datetime(2026, 1, 1), ("at",)),
        ("email", datetime(9999, 1, 1, tzinfo=UTC), ("at",)),
        ("email", datetime(1066, 1, 1, tzinfo=UTC), ("at",)),
    ):
        with pytest.raises(CrmError) as refused:
            await contact_decisions(database, [customer], channel, at)
        assert (refused.value.code, refused.value.path) == (ErrorCode.BAD_INPUT, path)


async def test_the_default_zone_serves_customers_without_one(database: Database, records: Any) -> None:
    await rule(database, quiet_from="20:00", quiet_until="08:00")
    customer = await records.customer()
    decision = (await contact_decisions(database, [customer], "email", NOW, default_zone="Asia/Tokyo"))[
        customer
    ]
    assert (decision.reason, decision.next_allowed_at) == (ContactReason.QUIET_HOURS, NOW + 11 * HOUR)
    database.settings = replace(database.settings, default_time_zone="Asia/Tokyo")
    assert (await contact_decisions(database, [customer], "email", NOW))[customer] == decision
