"""What plugins owe over the API: read with one permission, acted on with another, audited."""

from datetime import timedelta
from typing import Any

import pytest

from crm_framework.domain.deliveries import REPLAY_LIMIT, Past, replay_events
from crm_framework.errors import CrmError
from crm_framework.security.actors import Actor, ActorKind
from crm_framework.storage.clock import frozen, now
from crm_framework.storage.deliveries import deliver_due
from tests.storage.owing import Careful, change, owed, renamed

from .conftest import Api, create

LISTED = """{ eventDeliveries {
    totalCount nodes { plugin status attempts error event { type } customer { name } } } }"""


def actor(*permissions: str) -> Actor:
    return Actor(kind=ActorKind.INTEGRATION, id="ops", name="ops", permissions=frozenset(permissions))


async def owing(api: Api, count: int = 1) -> tuple[Careful, str]:
    """A handler that owes so many events of one customer, and the customer's id."""
    customer = await create(api, "Ada")
    (row,) = await api.database.fetch("SELECT id FROM crm_customer")
    careful = Careful(hard={"0"})
    api.database.handlers = [careful]
    for number in range(count):
        await change(api.database, renamed(row["id"], str(number)))
    careful.hard.clear()
    careful.calls.clear()
    return careful, customer


async def park(api: Api) -> None:
    async with api.database.unit_of_work() as tx:
        await tx.execute("UPDATE crm_delivery SET status = 'PARKED', attempts = 10")


async def test_what_is_owed_is_listed(api: Api) -> None:
    _, customer = await owing(api, 2)
    assert await api.data(LISTED) == {
        "eventDeliveries": {
            "totalCount": 2,
            "nodes": [
                {
                    "plugin": "careful",
                    "status": "PENDING",
                    "attempts": attempts,
                    "error": error,
                    "event": {"type": "customer.updated"},
                    "customer": {"name": "Ada"},
                }
                for attempts, error in ((1, "ValueError: 0 is too hard"), (0, None))
            ],
        }
    }
    assert len(api.statements) == 4
    few = await api.data(
        "query($filter: EventDeliveryFilter) { eventDeliveries(filter: $filter) { nodes { attempts } } }",
        filter={"attempts": {"gte": 1}, "customer": {"eq": customer}, "plugin": {"eq": "careful"}},
    )
    assert few["eventDeliveries"]["nodes"] == [{"attempts": 1}]
    parked = await api.data("{ eventDeliveries(filter: {status: {eq: PARKED}}) { nodes { attempts } } }")
    assert parked["eventDeliveries"]["nodes"] == []


async def test_events_are_listed_and_found(api: Api) -> None:
    await owing(api)
    found = await api.data("{ events { nodes { id type payload customer { name } } } }")
    updated, created = found["events"]["nodes"]
    assert (updated["type"], created["type"]) == ("customer.updated", "customer.created")
    assert updated["payload"]["changes"] == {"name": [None, "0"]}
    assert updated["customer"] == {"name": "Ada"}
    one = await api.data("query($id: ID!) { event(id: $id) { type } }", id=updated["id"])
    assert one == {"event": {"type": "customer.updated"}}
    some = await api.data('{ events(filter: {type: {eq: "customer.created"}}) { nodes { type } } }')
    assert some["events"]["nodes"] == [{"type": "customer.created"}]


@pytest.mark.parametrize("field", ["events { totalCount }", "eventDeliveries { totalCount }"])
async def test_they_are_not_for_everybody(api: Api, field: str) -> None:
    clerk = actor("customers.read", "events.manage")
    code, _ = await api.refused(f"{{ {field} }}", clerk)
    assert code == "FORBIDDEN"


async def test_parked_ones_are_retried(api: Api) -> None:
    careful, _ = await owing(api, 2)
    await park(api)
    (first, _) = (await api.data("{ eventDeliveries { nodes { id } } }"))["eventDeliveries"]["nodes"]
    text = (
        "mutation($input: RetryDeliveriesInput!) { retryDeliveries(input: $input) { count errors { code } } }"
    )
    code, _ = await api.refused(text, actor("events.read"), input={"plugin": "careful"})
    assert code == "FORBIDDEN"
    assert [row["status"] for row in await owed(api.database)] == ["PARKED", "PARKED"]
    assert await api.change("retryDeliveries", {"deliveries": [first["id"]]}, "count") == {
        "count": 1,
        "errors": [],
    }
    assert [(row["status"], row["attempts"]) for row in await owed(api.database)] == [
        ("PENDING", 0),
        ("PARKED", 10),
    ]
    assert (await api.change("retryDeliveries", {"plugin": "careful"}, "count"))["count"] == 1
    assert await api.errors("retryDeliveries", {}) == [
        {
            "code": "BAD_INPUT",
            "message": "No deliveries are chosen.",
            "path": None,
            "hint": "Name deliveries or a plugin.",
        }
    ]
    told = await api.data('{ auditLog(filter: {action: {eq: "deliveries.retried"}}) { nodes { changes } } }')
    assert told["auditLog"]["nodes"] == [{"changes": {"count": [None, 1]}}] * 2
    await deliver_due(api.database)
    assert sorted(word for call in careful.calls for word in call if word in ("0", "1")) == ["0", "1"]


async def test_those_that_wait_for_their_next_attempt_are_tried_at_once(api: Api) -> None:
    careful, _ = await owing(api)
    assert await deliver_due(api.database) == 0
    for count in (1, 0):  # then it is due, and has not failed since
        assert (await api.change("retryDeliveries", {"plugin": "careful"}, "count"))["count"] == count
    assert [(row["status"], row["attempts"]) for row in await owed(api.database)] == [("PENDING", 0)]
    assert await deliver_due(api.database) == 1
    assert careful.calls[-1] == ["0"]


async def test_past_events_are_replayed(api: Api) -> None:
    careful, customer = await owing(api, 2)
    with frozen(now() + timedelta(minutes=1)):
        assert await deliver_due(api.database) == 2
    careful.calls.clear()
    wanted: dict[str, Any] = {"plugin": "careful", "types": ["customer.updated"], "customer": customer}
    counted = await api.change("replayEvents", {**wanted, "dryRun": True}, "count dryRun")
    assert (counted["count"], counted["dryRun"]) == (2, True)
    assert await owed(api.database) == []
    assert (await api.change("replayEvents", wanted, "count"))["count"] == 2
    assert (await api.change("replayEvents", wanted, "count"))["count"] == 0
    while await deliver_due(api.database):
        pass
    assert [call for call in careful.calls if call in (["0"], ["1"])] == [["0"], ["1"]]
    audited = await api.data(
        '{ auditLog(filter: {action: {eq: "events.replayed"}}) { nodes { subject { type } changes } } }'
    )
    assert audited["auditLog"]["nodes"] == [{"subject": {"type": "Plugin"}, "changes": {"count": [None, 2]}}]
    (error,) = await api.errors("replayEvents", {**wanted, "plugin": "careless"})
    assert (error["code"], error["path"]) == ("BAD_INPUT", ["plugin"])
    assert error["hint"] == "Did you mean careful?"


async def test_past_events_are_replayed_under_the_keys_from_before_a_merge(api: Api) -> None:
    _, customer = await owing(api, 1)
    with frozen(now() + timedelta(minutes=1)):
        assert await deliver_due(api.database) == 1
    winner = await create(api, "Ada Lovelace")
    await api.change("mergeCustomers", {"winner": winner, "losers": [customer]}, "customer { name }")
    for asked in (winner, customer):
        wanted = {"plugin": "careful", "types": ["customer.updated"], "customer": asked, "dryRun": True}
        assert (await api.change("replayEvents", wanted, "count"))["count"] == 1


async def test_parked_ones_among_the_replayed_are_retried(api: Api) -> None:
    await owing(api)
    await park(api)
    asked = {"plugin": "careful", "types": ["customer.updated"]}
    assert (await api.change("replayEvents", {**asked, "dryRun": True}, "count"))["count"] == 1
    assert (await api.change("replayEvents", asked, "count"))["count"] == 1
    row = (await owed(api.database))[0]
    assert (row["status"], row["attempts"]) == ("PENDING", 0)


async def test_too_many_at_once_are_refused(api: Api, monkeypatch: pytest.MonkeyPatch) -> None:
    await owing(api, 3)
    monkeypatch.setattr("crm_framework.domain.deliveries.REPLAY_LIMIT", 2)
    assert REPLAY_LIMIT == 100_000
    api.database.handlers = [Careful("other")]
    with pytest.raises(CrmError, match="more than 2 events"):
        async with api.database.unit_of_work() as tx:
            await replay_events(tx, "other", Past(types=["customer.updated"]))
    assert {row["handler"] for row in await owed(api.database)} == {"careful"}
