"""What keeps the key of a merged customer: the winner decides who sees it, and it is found under each key."""

import asyncio
from collections.abc import AsyncGenerator, Awaitable, Callable
from dataclasses import dataclass, replace
from typing import Any

import pytest

from crm_framework.domain.rows import insert
from crm_framework.engine.execute import subscribe
from crm_framework.engine.ids import decode_key, encode_id
from crm_framework.schema.webhook_filters import webhook_api
from crm_framework.security.actors import Actor, ActorKind, Grant
from crm_framework.security.permissions import CORE_PERMISSIONS, Permissions
from crm_framework.security.scopes import Reach, own_customers, tagged, where
from crm_framework.security.tokens import create_token
from crm_framework.security.verify import TokenVerifier
from crm_framework.storage.ids import new_id

from .conftest import ADMIN, Api, create

RIGHTS = frozenset(permission.name for permission in CORE_PERMISSIONS)
WAYS = {"node", "auditLog", "events", "subscription", "webhookDeliveries"}


@dataclass(frozen=True)
class Merged:
    """A loser that was within reach, a winner that was not, and how to move the winner."""

    api: Api
    actor: Actor
    winner: str
    loser: str
    move: Callable[[bool], Awaitable[Any]]
    far_owner: str

    async def seen(self) -> set[str]:
        """The ways on which the actor finds the loser's own records."""
        key = decode_key(self.loser, "Customer")
        data = await self.api.data(
            """query($w: ID!, $l: ID!) { nodes(ids: [$w, $l]) { id }
              auditLog(filter: {action: {eq: "customer.created"}}) { nodes { subject { id } } }
              auditOf: auditLog(filter: {customer: {eq: $l}, action: {eq: "customer.created"}}) {
                nodes { subject { id } } }
              events(filter: {type: {eq: "customer.created"}}) { nodes { payload customer { id } } }
              eventsOf: events(filter: {customer: {in: [$w, $l]}, type: {eq: "customer.created"}}) {
                nodes { payload } }
              webhookDeliveries { nodes { customer { id } } }
              deliveriesOf: webhookDeliveries(filter: {customer: {in: [$w, $l]}}) { totalCount } }""",
            self.actor,
            w=self.winner,
            l=self.loser,
        )
        entries = {node["subject"]["id"] for node in data["auditLog"]["nodes"]}
        happened = {node["payload"]["customer_id"] for node in data["events"]["nodes"]}
        sent = [node["customer"] for node in data["webhookDeliveries"]["nodes"]]
        seen = {"node"} if any(data["nodes"]) else set()
        seen |= {"auditLog"} if self.loser in entries else set()
        seen |= {"events"} if key in happened else set()
        seen |= {"webhookDeliveries"} if sent else set()
        seen |= {"subscription"} if key in await self._told() else set()
        assert (self.loser in {node["subject"]["id"] for node in data["auditOf"]["nodes"]}) == (
            self.loser in entries
        )
        assert (key in {node["payload"]["customer_id"] for node in data["eventsOf"]["nodes"]}) == (
            key in happened
        )
        assert data["deliveriesOf"]["totalCount"] == len(sent)
        return seen

    async def _told(self) -> set[str]:
        """Keys of the customers that were made, as the stream tells the actor."""
        last = decode_key(await create(self.api, "Last", **IN_REACH), "Customer")
        found: set[str] = set()
        context = self.api.context(self.actor)
        context.subjects = self.api.schema.subjects
        text = """subscription { events(types: ["customer.created"], after: "") {
            subject { id } customer { id } } }"""
        stream = await subscribe(self.api.schema.schema, text, {}, None, context)
        assert isinstance(stream, AsyncGenerator)
        try:
            async with asyncio.timeout(60):
                async for result in stream:
                    assert result.errors == []
                    key = decode_key(result.data["events"]["subject"]["id"], "Customer")
                    assert result.data["events"]["customer"] is not None
                    if key == last:
                        return found
                    found.add(key)
        finally:
            await stream.aclose()
        raise AssertionError("the stream ended")


IN_REACH: dict[str, Any] = {"company": "In", "tags": ["gold"]}


async def merged(api: Api, scope: str) -> Merged:
    ids = {}
    for name in ("sam", "pat"):
        ids[name] = (await api.change("createStaff", {"name": name}, "staff { id }"))["staff"]["id"]
    IN_REACH["owner"] = ids["sam"]
    loser = await create(api, "Secret", email="secret@example.com", **IN_REACH)
    winner = await create(
        api, "Winner", company="Out", owner=ids["pat"], confidential=scope == "confidential"
    )

    async def move(near: bool) -> None:
        name, input = {
            "confidential": ("updateCustomer", {"id": winner, "confidential": not near}),
            "OWN": ("assignOwner", {"id": winner, "owner": ids["sam" if near else "pat"]}),
            "SEGMENT": ("updateCustomer", {"id": winner, "company": "In" if near else "Out"}),
            "tag": ("tagCustomers", {"customers": [winner], "add" if near else "remove": ["gold"]}),
        }[scope]
        await api.change(name, input, "changed" if scope == "tag" else "customer { id }")

    reach: Reach | None = {
        "OWN": own_customers(decode_key(ids["sam"], "Staff")),
        "SEGMENT": where("t.company = ?", ("In",)),
        "tag": tagged("gold"),
    }.get(scope)
    rights = RIGHTS - {"customers.confidential"} if reach is None else RIGHTS
    actor = Actor(
        kind=ActorKind.PARTNER if scope == "tag" else ActorKind.INTEGRATION,
        id="a",
        name="a",
        permissions=rights,
        scoped=() if reach is None else (Grant(rights, reach),),
    )
    await delivery(api, loser)
    found = Merged(api, actor, winner, loser, move, ids["pat"])
    assert await found.seen() == WAYS
    await api.change("mergeCustomers", {"winner": winner, "losers": [loser]}, "customer { id }")
    return found


async def delivery(api: Api, customer: str) -> None:
    """One to a webhook, of the event that made the customer."""
    key = decode_key(customer, "Customer")
    [event] = await api.database.fetch(
        "SELECT id FROM crm_event WHERE customer_id = ? AND type = 'customer.created'", (key,)
    )
    made = await api.change(
        "createWebhook", {"url": "https://example.com/", "types": ["customer.*"]}, "webhook { id }"
    )
    async with api.database.unit_of_work() as tx:
        await insert(
            tx,
            "crm_webhook_delivery",
            {
                "id": new_id(),
                "webhook_id": decode_key(made["webhook"]["id"], "Webhook"),
                "event_id": str(event["id"]),
                "customer_id": key,
                "type": "customer.created",
                "status": "DELIVERED",
                "attempts": 1,
                "next_at": tx.now,
                "created_at": tx.now,
            },
        )


@pytest.mark.parametrize("scope", ["confidential", "OWN", "SEGMENT", "tag"])
async def test_the_winner_decides_who_sees_what_the_loser_left(api: Api, scope: str) -> None:
    found = await merged(api, scope)
    # tags are united, so that a partner's customer stays one
    assert await found.seen() == (WAYS if scope == "tag" else set())
    for near in (True, False, True):
        await found.move(near)
        assert await found.seen() == (WAYS if near else set())
    leads = await api.data(
        "query($l: ID!) { webhookDeliveries { nodes { customer { id } } } events(filter: {customer: {eq: $l},"
        ' type: {eq: "customer.created"}}) { nodes { customer { id } } } }',
        found.actor,
        l=found.loser,
    )
    assert leads["webhookDeliveries"]["nodes"] == [{"customer": {"id": found.winner}}]
    assert leads["events"]["nodes"] == [{"customer": {"id": found.winner}}] * 2
    # the same where the winner goes on into another one
    top = await create(api, "Top", company="Out", owner=found.far_owner, confidential=scope == "confidential")
    await api.change("mergeCustomers", {"winner": top, "losers": [found.winner]}, "customer { id }")
    far = replace(found, winner=top)
    assert await far.seen() == (WAYS if scope == "tag" else set())


async def test_customers_of_a_losers_token_are_the_winner(api: Api) -> None:
    winner, loser = await create(api, "Winner"), await create(api, "Loser")
    other = await create(api, "Other")
    known = Permissions.of([])
    verifier = TokenVerifier(api.database, self_service=known.self_service)
    key = decode_key(loser, "Customer")
    async with api.database.unit_of_work(Actor.system()) as tx:
        issued = await create_token(tx, known, name="T", kind=ActorKind.CUSTOMER, customer_id=key, grants=())
    await api.change("mergeCustomers", {"winner": winner, "losers": [loser]}, "customer { id }")
    own = await verifier.verify(issued.secret)
    await verifier.close()
    assert own.customer_id == decode_key(winner, "Customer")
    seen = await api.data("{ customers { nodes { id } } }", own)
    assert seen == {"customers": {"nodes": [{"id": winner}]}}
    for list_ in ("auditLog", "events", "webhookDeliveries"):
        assert (await api.refused(f"{{ {list_} {{ totalCount }} }}", own))[0] == "FORBIDDEN"
    wide = replace(ADMIN, kind=ActorKind.CUSTOMER, customer_id=own.customer_id)
    data = await api.data("{ auditLog { nodes { subject { id } customer { id } } } }", wide)
    assert {node["customer"]["id"] for node in data["auditLog"]["nodes"]} == {winner}
    subjects = {node["subject"]["id"] for node in data["auditLog"]["nodes"]}
    assert subjects >= {winner, loser}
    assert other not in subjects


LISTS = """query($a: AuditFilter, $e: EventFilter, $d: WebhookDeliveryFilter, $o: EventDeliveryFilter) {
  auditLog(filter: $a) { totalCount nodes { id } } events(filter: $e) { totalCount nodes { id } }
  webhookDeliveries(filter: $d) { totalCount nodes { id } }
  eventDeliveries(filter: $o) { totalCount nodes { id } } }"""


async def test_history_is_found_by_each_key_that_the_customer_had(api: Api) -> None:
    first, second, third = [await create(api, name) for name in ("first", "second", "third")]
    other = await create(api, "other")
    await delivery(api, first)
    await api.change("mergeCustomers", {"winner": second, "losers": [first]}, "customer { id }")
    await api.change("mergeCustomers", {"winner": third, "losers": [second]}, "customer { id }")

    async def listed(filter: dict[str, Any]) -> Any:
        return await api.data(LISTS, a=filter, e=filter, d=filter, o=filter)

    whole = await listed({"customer": {"eq": third}})
    assert whole["webhookDeliveries"]["totalCount"] == 1
    created = await api.data(
        "query($c: ID) { events(filter: {customer: {eq: $c}, type: {eq: \"customer.created\"}})"
        " { nodes { customer { id } } } }",
        c=third,
    )  # fmt: skip
    assert created["events"]["nodes"] == [{"customer": {"id": third}}] * 3
    both = {"customer": {"eq": first, "in": [second, other]}}
    for filter in (
        {"customer": {"eq": first}},
        {"customer": {"in": [second]}},
        both,
        {"or": [{"customer": {"eq": second}}]},
        {"not": {"not": {"customer": {"eq": first}}}},
        {"customer": {"eq": first, "isNull": False}},
    ):
        assert await listed(filter) == whole
    # the rest has none of it
    alone = await listed({"customer": {"eq": other}})
    none = await listed({"customer": {"eq": encode_id("Customer", new_id())}})
    everything = await listed({"customer": {"isNull": False}})
    for list_ in whole:
        assert alone[list_]["totalCount"] + whole[list_]["totalCount"] == everything[list_]["totalCount"]
        assert none[list_]["totalCount"] == 0
    rest = await listed({"not": {"customer": {"eq": first}}, "customer": {"isNull": False}})
    assert rest == alone
    assert await listed({"customer": {"in": []}}) == none


async def test_one_more_statement_finds_the_keys(api: Api) -> None:
    id = await create(api, "Ann")
    await api.data("query($c: ID) { auditLog(filter: {customer: {eq: $c}}) { nodes { id } } }", c=id)
    assert len(api.statements) == 2
    await api.data("{ auditLog { nodes { id } } }")
    assert len(api.statements) == 1


async def test_many_keys_are_one_argument(api: Api) -> None:
    ids = [await create(api, f"C{n}") for n in range(3)]
    many = [*ids[:2], *(encode_id("Customer", new_id()) for _ in range(500))]
    found = await api.data(
        "query($c: [ID!]) { auditLog(filter: {customer: {in: $c}}) { totalCount } }", c=many
    )
    assert found == {"auditLog": {"totalCount": 2}}


@pytest.mark.parametrize(
    ("comparison", "message"),
    [
        ({"eq": encode_id("Staff", new_id())}, "the id of a Customer is expected here"),
        ({"in": ["x"]}, "customer: in: 'x' is no id of this API"),
        ({"in": [encode_id("Customer", new_id())] * 1001}, "customer: in: 1001 values are too many"),
        ({"eq": None}, "customer: eq: null is no value to compare with"),
    ],
)
async def test_what_names_no_customers_is_refused(api: Api, comparison: dict[str, Any], message: str) -> None:
    code, text = await api.refused(LISTS,
                                   a={"customer": comparison})  # fmt: skip
    assert code == "BAD_INPUT"
    assert message in text


async def test_a_webhooks_filter_is_about_the_winner(api: Api) -> None:
    winner, loser = await create(api, "Winner", confidential=True), await create(api, "Loser")
    keys = [decode_key(id, "Customer") for id in (winner, loser)]
    await api.change("mergeCustomers", {"winner": winner, "losers": [loser]}, "customer { id }")
    conditions = {str(flag): {"confidential": {"eq": flag}} for flag in (True, False)}
    found = await webhook_api(api.database, api.schema.schema, api.host).matching(conditions, keys)
    assert found == {"True": frozenset(keys), "False": frozenset()}
