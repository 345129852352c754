"""The contact policy over the API."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from crm_framework.domain.interactions.touches import NewInteraction, log_interaction
from crm_framework.domain.models import Direction
from crm_framework.engine.execute import execute
from crm_framework.engine.ids import decode_key, encode_id
from crm_framework.security.actors import Actor, ActorKind
from crm_framework.settings import Settings
from crm_framework.storage.clock import frozen
from crm_framework.storage.ids import new_id

from .conftest import ADMIN, Api

NOON = datetime(2026, 3, 2, 12, tzinfo=UTC)
RULE = "contactRule { id version channel maxTouches windowHours quietFrom quietUntil restHours }"
DECISION = "allowed reason explanation nextAllowedAt"
ALLOWED = {
    "allowed": True,
    "reason": "ALLOWED",
    "explanation": "Nothing speaks against it.",
    "nextAllowedAt": "2026-03-02T12:00:00Z",
}


async def rule(api: Api, **fields: Any) -> dict[str, Any]:
    found: dict[str, Any] = (await api.change("createContactRule", fields, RULE))["contactRule"]
    return found


async def customer(api: Api, **fields: Any) -> str:
    made = await api.change("createCustomer", {"name": "Zoe", **fields}, "customer { id }")
    id: str = made["customer"]["id"]
    return id


async def touch(api: Api, of: str, at: datetime, direction: Direction = Direction.OUTBOUND) -> str:
    new = NewInteraction(
        customer_id=decode_key(of, "Customer"),
        kind="message",
        channel="email",
        direction=direction,
        occurred_at=at,
        outcome="sent",
    )
    async with api.database.unit_of_work(ADMIN) as tx:
        return encode_id("Interaction", await log_interaction(tx, new))


async def decision(api: Api, of: str, arguments: str = 'channel: "email"') -> dict[str, Any]:
    ask = f"query($id: ID!) {{ customer(id: $id) {{ canContact({arguments}) {{ {DECISION} }} }} }}"
    with frozen(NOON):
        found: dict[str, Any] = (await api.data(ask, id=of))["customer"]["canContact"]
    return found


async def test_rules_are_made_changed_and_deleted(api: Api) -> None:
    email = await rule(api, channel="email", maxTouches=2, windowHours=24)
    assert email.pop("id")
    assert email == {
        "version": 1,
        "channel": "email",
        "maxTouches": 2,
        "windowHours": 24,
        "quietFrom": None,
        "quietUntil": None,
        "restHours": None,
    }
    overall = await rule(api, quietFrom="22:00", quietUntil="07:00", restHours=48)
    assert (overall["channel"], overall["quietFrom"], overall["restHours"]) == (None, "22:00", 48)
    changed = await api.change(
        "updateContactRule",
        {"id": overall["id"], "restHours": None, "quietUntil": "08:00", "expectedVersion": 1},
        RULE,
    )
    assert changed["contactRule"] == {**overall, "version": 2, "restHours": None, "quietUntil": "08:00"}
    ask = "{ contactRules { channel version createdAt updatedAt } }"
    rules = (await api.data(ask))["contactRules"]
    assert [(one["channel"], one["version"]) for one in rules] == [("email", 1), (None, 2)]
    assert len(api.statements) == 1
    deleted = await api.change("deleteContactRule", {"id": overall["id"], "expectedVersion": 2}, RULE)
    assert deleted["contactRule"] is None
    assert await api.count("crm_contact_rule") == 1


async def test_the_same_key_makes_one_rule(api: Api) -> None:
    wanted = {"channel": "email", "maxTouches": 0, "idempotencyKey": "k"}
    assert await rule(api, **wanted) == await rule(api, **wanted)
    assert await api.count("crm_contact_rule") == 1


@pytest.mark.parametrize(
    ("input", "code", "path"),
    [
        ({"channel": "owl"}, "BAD_INPUT", ["channel"]),
        ({"channel": "email"}, "CONFLICT", ["channel"]),
        ({"maxTouches": -1}, "BAD_INPUT", ["maxTouches"]),
        ({"maxTouches": 3}, "BAD_INPUT", ["windowHours"]),
        ({"quietFrom": "22:00"}, "BAD_INPUT", ["quietUntil"]),
        ({"quietFrom": "25:00", "quietUntil": "07:00"}, "BAD_INPUT", ["quietFrom"]),
        ({"quietFrom": "07:00", "quietUntil": "07:00"}, "BAD_INPUT", ["quietUntil"]),
        ({"restHours": -1}, "BAD_INPUT", ["restHours"]),
    ],
)
async def test_create_refuses(api: Api, input: dict[str, Any], code: str, path: list[str]) -> None:
    await rule(api, channel="email", maxTouches=0)
    (error,) = await api.errors("createContactRule", input)
    assert (error["code"], error["path"]) == (code, path)
    assert await api.count("crm_contact_rule") == 1


async def test_a_stale_change_and_unknown_rules_are_refused(api: Api) -> None:
    made = await rule(api, channel="email", maxTouches=0)
    unknown = encode_id("ContactRule", new_id())
    for mutation in ("updateContactRule", "deleteContactRule"):
        (stale,) = await api.errors(mutation, {"id": made["id"], "expectedVersion": 7})
        assert (stale["code"], stale["path"]) == ("CONFLICT", ["expectedVersion"])
        assert stale["message"] == "The contact rule is at version 1, not at 7: it changed meanwhile."
        (missing,) = await api.errors(mutation, {"id": unknown})
        assert (missing["code"], missing["path"]) == ("NOT_FOUND", ["id"])
        (other,) = await api.errors(mutation, {"id": encode_id("Staff", new_id())})
        assert (other["code"], other["path"]) == ("BAD_INPUT", ["id"])
    assert (await api.data("{ contactRules { version } }"))["contactRules"] == [{"version": 1}]


async def test_without_rules_nothing_speaks_against_it(api: Api) -> None:
    assert await decision(api, await customer(api)) == ALLOWED


async def test_a_limit_and_when_it_ends(api: Api) -> None:
    await rule(api, channel="email", maxTouches=1, windowHours=24)
    zoe = await customer(api)
    await touch(api, zoe, NOON - timedelta(hours=4))
    assert await decision(api, zoe) == {
        "allowed": False,
        "reason": "CHANNEL_LIMIT",
        "explanation": "1 of at most 1 touches on email within 24 hours.",
        "nextAllowedAt": "2026-03-03T08:00:00Z",
    }
    assert await decision(api, zoe, 'channel: "phone"') == ALLOWED
    later = await decision(api, zoe, 'channel: "email", at: "2026-03-03T09:00:00+01:00"')
    assert (later["allowed"], later["nextAllowedAt"]) == (True, "2026-03-03T08:00:00Z")


async def test_quiet_hours_go_by_the_customers_zone(api: Api) -> None:
    await rule(api, quietFrom="20:00", quietUntil="08:00")
    far = await customer(api, timeZone="Asia/Tokyo")
    found = await decision(api, far)
    assert (found["allowed"], found["reason"], found["nextAllowedAt"]) == (
        False,
        "QUIET_HOURS",
        "2026-03-02T23:00:00Z",
    )
    assert await decision(api, await customer(api)) == ALLOWED


@pytest.mark.parametrize(
    ("settings", "reason"),
    [
        (Settings(), "ALLOWED"),
        (Settings(default_time_zone="Asia/Tokyo"), "QUIET_HOURS"),
        (Settings(unknown_consent_allows=False), "CONSENT_UNKNOWN"),
    ],
)
async def test_settings_decide_where_nothing_is_known(api: Api, settings: Settings, reason: str) -> None:
    await rule(api, quietFrom="20:00", quietUntil="08:00")
    await customer(api)
    context = replace(api.context(), settings=settings)
    ask = '{ customers { nodes { canContact(channel: "email") { reason } } } }'
    with frozen(NOON):
        result = await execute(api.schema.schema, ask, None, None, context)
    assert result.data == {"customers": {"nodes": [{"canContact": {"reason": reason}}]}}


async def test_a_reply_is_always_allowed_to_its_writer_alone(api: Api) -> None:
    await rule(api, maxTouches=0)
    zoe, ben = await customer(api), await customer(api)
    asked = await touch(api, zoe, NOON - timedelta(hours=1), Direction.INBOUND)
    arguments = f'channel: "email", replyTo: "{asked}"'
    assert (await decision(api, zoe, arguments))["reason"] == "REPLY"
    assert (await decision(api, ben, arguments))["reason"] == "NO_TOUCHES"
    assert (await decision(api, ben))["nextAllowedAt"] is None


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ('channel: "owl"', "owl"),
        ('channel: "email", at: "2999-01-01T00:00:00Z"', "a year from now"),
        ('channel: "email", replyTo: "nonsense"', "is no id of this API"),
        (f'channel: "email", replyTo: "{encode_id("Customer", new_id())}"', "the id of an Interaction"),
        (f'channel: "email", replyTo: "{encode_id("Interaction", new_id())}"', "There is no interaction"),
    ],
    ids=["no channel", "far off", "no id", "a customer", "nothing there"],
)
async def test_can_contact_refuses(api: Api, arguments: str, message: str) -> None:
    zoe = await customer(api)
    ask = f"query($id: ID!) {{ customer(id: $id) {{ canContact({arguments}) {{ allowed }} }} }}"
    code, text = await api.refused(ask, id=zoe)
    assert code == "BAD_INPUT"
    assert message in text


@pytest.mark.parametrize("many", [1, 7])
async def test_a_fixed_number_of_statements_for_any_number(api: Api, many: int) -> None:
    await rule(api, channel="email", maxTouches=1, windowHours=24)
    for number in range(many):
        await touch(api, await customer(api, name=f"C{number}"), NOON - timedelta(hours=1))
    ask = '{ customers { nodes { name canContact(channel: "email") { reason } } } }'
    with frozen(NOON):
        found = (await api.data(ask))["customers"]["nodes"]
    assert found == [{"name": f"C{n}", "canContact": {"reason": "CHANNEL_LIMIT"}} for n in range(many)]
    assert len(api.statements) == 5  # customers, rules, what decides of them, consents, touches


async def test_needs_the_permissions(api: Api) -> None:
    def actor(*permissions: str) -> Actor:
        return Actor(kind=ActorKind.INTEGRATION, id="n", name="n", permissions=frozenset(permissions))

    create = "mutation { createContactRule(input: {maxTouches: 0}) { errors { code } } }"
    rules = "{ contactRules { id } }"
    for text, lacking, having in (
        (rules, "settings.read", "customers.read"),
        (create, "settings.write", "settings.read"),
        (
            '{ customers { nodes { canContact(channel: "email") { allowed } } } }',
            "customers.read",
            "settings.read",
        ),
    ):
        code, message = await api.refused(text, actor(having))
        assert code == "FORBIDDEN"
        assert lacking in message
        assert api.statements == []
    assert await api.count("crm_contact_rule") == 0
