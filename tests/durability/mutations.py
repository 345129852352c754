"""For each mutation of the schema an input that succeeds, and what must be there for it."""

import base64
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from itertools import count
from typing import Any

import orjson

from crm_framework.security.actors import Actor
from crm_framework.server.operations import Operation
from crm_framework.server.service import Service
from crm_framework.storage.ids import new_id

Input = dict[str, Any]


@dataclass
class Desk:
    """Makes what mutations need, each thing anew, over the API itself."""

    service: Service
    numbers: "count[int]" = field(default_factory=count)

    def new(self, what: str) -> str:
        return f"{what}-{next(self.numbers)}"

    def takes_key(self, name: str) -> bool:
        """Whether the mutation can be asked for again by an idempotency key."""
        found = self._input_type(name)
        return found is not None and "idempotencyKey" in self.service.schema.graphql.type_map[found].fields  # type: ignore[attr-defined]  # an input's

    def _input_type(self, name: str) -> str | None:
        arguments = self.service.schema.graphql.mutation_type.fields[name].args  # type: ignore[union-attr]  # there are some
        return str(arguments["input"].type).rstrip("!") if "input" in arguments else None

    async def run(self, name: str, input_: Input, selection: str) -> Mapping[str, Any]:
        """A mutation that must succeed; its payload."""
        kind = self._input_type(name)
        head, call = (f"mutation($input: {kind}!)", f"{name}(input: $input)") if kind else ("mutation", name)
        operation = Operation(
            f"{head} {{ answer: {call} {{ {selection} errors {{ message }} }} }}",
            {"input": input_},
            None,
            False,
        )
        context = self.service.context(Actor.system("desk"), "desk")
        answer = orjson.loads((await self.service.execute(operation, context)).encoded())
        assert "errors" not in answer, (name, answer)
        payload: Mapping[str, Any] = answer["data"]["answer"]
        assert payload["errors"] == [], (name, payload)
        return payload

    async def make(self, name: str, what: str, /, **input_: Any) -> str:
        """The id of the record that a mutation made."""
        return str((await self.run(name, input_, f"{what} {{ id }}"))[what]["id"])

    async def customer(self, **more: Any) -> str:
        return await self.make("createCustomer", "customer", name=self.new("Customer"), **more)

    async def contact_point(self) -> Input:
        customer, mail = await self.customer(), self.new("mail") + "@example.com"
        input_ = {"customer": customer, "contactPoint": {"channel": "email", "value": mail}}
        return {
            "customer": customer,
            "contactPoint": await self.make("addContactPoint", "contactPoint", **input_),
        }

    async def purchase(self) -> str:
        return await self.make("recordPurchase", "interaction", **await buy(self))

    async def staff(self) -> str:
        return await self.make("createStaff", "staff", name=self.new("Staff"))

    async def segment(self) -> str:
        return await self.make("createSegment", "segment", name=self.new("Segment"), filter={})

    async def attribute(self) -> str:
        return await self.make("defineAttribute", "attributeDefinition", **await define(self))

    async def role(self) -> str:
        return await self.make("createRole", "role", **await new_role(self))

    async def rule(self) -> str:
        return await self.make("createContactRule", "contactRule", **await rule(self))

    async def webhook(self) -> str:
        return await self.make("createWebhook", "webhook", **await webhook(self))

    async def program(self) -> str:
        return await self.make("createLoyaltyProgram", "program", **await program(self))

    async def ticket(self) -> str:
        return await self.make("openTicket", "ticket", **await ticket(self))

    async def calendar(self) -> str:
        return await self.make("createBusinessCalendar", "calendar", **await calendar(self))

    async def policy(self) -> str:
        return await self.make("createSlaPolicy", "policy", **await policy(self))

    async def team(self) -> str:
        return await self.make("createTicketTeam", "team", **await team(self))


async def buy(desk: Desk) -> Input:
    lines = [{"sku": "S1", "quantity": 2, "unitPrice": {"amount": "9.50", "currency": "EUR"}}]
    return {"customer": await desk.customer(), "lines": lines, "currency": "EUR"}


async def refund(desk: Desk) -> Input:
    return {"purchase": await desk.purchase(), "amount": {"amount": "5.00", "currency": "EUR"}}


async def define(desk: Desk) -> Input:
    return {"name": f"attribute{next(desk.numbers)}", "type": "TEXT"}


async def rule(desk: Desk) -> Input:
    async with desk.service.database.unit_of_work() as tx:  # there is one for each channel
        await tx.execute("DELETE FROM crm_contact_rule")
    return {"channel": "email", "maxTouches": 2, "windowHours": 72}


async def webhook(desk: Desk) -> Input:
    async with desk.service.database.unit_of_work() as tx:  # there may not be many
        await tx.execute("DELETE FROM crm_webhook_delivery")
        await tx.execute("DELETE FROM crm_webhook")
    return {"url": "https://hooks.invalid/"}  # nobody is there


async def ticket(desk: Desk) -> Input:
    return {"customer": await desk.customer(), "subject": desk.new("Ticket"), "body": "Help"}


OPEN_ALWAYS: Input = {"timeZone": "Europe/Berlin", "alwaysOpen": True}
PROMISE: Input = {"targets": [{"clock": "FIRST_RESPONSE", "target": "PT4H"}]}


async def calendar(desk: Desk) -> Input:
    return {"name": desk.new("Calendar"), "rules": OPEN_ALWAYS}


async def policy(desk: Desk) -> Input:
    return {"name": desk.new("Policy"), "calendar": await desk.calendar(), "rules": PROMISE}


async def team(desk: Desk) -> Input:
    return {"name": desk.new("Team"), "members": [await desk.staff()]}


async def switched(desk: Desk) -> Input:
    async with desk.service.database.unit_of_work() as tx:  # one without conditions is on, and no other
        await tx.execute("UPDATE ticketing_policy SET active_number = NULL")
    return {"on": [await desk.policy()]}


async def ordered(desk: Desk) -> Input:
    async with desk.service.database.unit_of_work() as tx:  # all must be named
        await tx.execute("UPDATE ticketing_ticket SET policy_version_id = NULL")
        await tx.execute("DELETE FROM ticketing_policy_version")
        await tx.execute("DELETE FROM ticketing_policy")
    return {"policies": [await desk.policy(), await desk.policy()][::-1]}


async def recalculated(desk: Desk) -> Input:
    ticket = await desk.ticket()
    await desk.run("switchSlaPolicies", await switched(desk), "changed")
    return {"tickets": [ticket]}


async def assigned(desk: Desk) -> Input:
    return {"ticket": await desk.ticket(), "assignee": await desk.staff()}


async def urgent(desk: Desk) -> Input:
    return {"ticket": await desk.ticket(), "priority": "URGENT"}


async def other_category(desk: Desk) -> Input:
    return {"ticket": await desk.ticket(), "category": "complaint"}


async def tried(desk: Desk) -> Input:
    return {"policy": await desk.policy()}


async def merge(desk: Desk) -> Input:
    loser = await buy(desk)
    await desk.make("recordPurchase", "interaction", **loser)
    return {"winner": await desk.customer(email="a@example.com"), "losers": [loser["customer"]]}


async def erase(desk: Desk) -> Input:
    bought = await buy(desk)
    await desk.make("recordPurchase", "interaction", **bought)
    return {"id": bought["customer"], "reason": "asked for"}


async def import_customers(desk: Desk) -> Input:
    names = [desk.new("Row") for _ in range(3)]
    return {"rows": [{"name": name, "source": "desk", "reference": name} for name in names]}


async def import_interactions(desk: Desk) -> Input:
    rows = [{**await buy(desk), "kind": "purchase", "source": "desk", "reference": desk.new("r")}]
    return {"rows": [*rows, {"kind": "note", "customer": rows[0]["customer"], "subject": "Said"}]}


async def archived(desk: Desk) -> Input:
    customer = await desk.customer()
    await desk.run("archiveCustomer", {"id": customer}, "customer { id }")
    return {"id": customer}


async def inactive(desk: Desk) -> Input:
    staff = await desk.staff()
    await desk.run("deactivateStaff", {"id": staff}, "staff { id }")
    return {"id": staff}


async def leaving(desk: Desk) -> Input:
    staff = await desk.staff()
    await desk.customer(owner=staff)
    return {"id": staff, "successor": await desk.staff()}


async def token(desk: Desk) -> Input:
    return {"name": desk.new("Token"), "permissions": ["customers.read"]}


async def log(desk: Desk) -> Input:
    return {"customer": await desk.customer(), "kind": "call", "subject": "Hello"}


Make = Callable[[Desk], Awaitable[Input]]


def of(make: Callable[[Desk], Awaitable[str]], **more: Any) -> Make:
    """The input that names the id of a record, and more."""

    async def made(desk: Desk) -> Input:
        return {"id": await make(desk), **more}

    return made


def with_point(**more: Any) -> Make:
    async def made(desk: Desk) -> Input:
        return {**await desk.contact_point(), **more}

    return made


async def create(desk: Desk) -> Input:
    return {"name": desk.new("New"), "email": "new@example.com", "tags": ["a", "b"]}


async def assign(desk: Desk) -> Input:
    return {"id": await desk.customer(), "owner": await desk.staff()}


async def tag(desk: Desk) -> Input:
    return {"customers": [await desk.customer(), await desk.customer()], "add": ["a", "b"]}


async def add_point(desk: Desk) -> Input:
    return {"customer": await desk.customer(), "contactPoint": {"channel": "phone", "value": "+49301234567"}}


async def update_interaction(desk: Desk) -> Input:
    return {"id": await desk.make("logInteraction", "interaction", **await log(desk)), "subject": "Other"}


async def revoke(desk: Desk) -> Input:
    return {"id": await desk.make("createToken", "token", **await token(desk))}


async def reply(desk: Desk) -> Input:
    return {"ticket": await desk.ticket(), "body": "Done"}


async def two_tickets(desk: Desk) -> tuple[str, str]:
    owner = await desk.customer()
    first, second = [
        await desk.make("openTicket", "ticket", customer=owner, subject=desk.new("Ticket"), body="Help")
        for _ in range(2)
    ]
    return first, second


async def note(desk: Desk) -> Input:
    return {"ticket": await desk.ticket(), "body": "Between us"}


async def received(desk: Desk) -> Input:
    return {
        "ticket": await desk.ticket(),
        "body": "Well?",
        "source": "chat",
        "reference": desk.new("message"),
    }


async def merge_of_tickets(desk: Desk) -> Input:
    winner, loser = await two_tickets(desk)
    return {"winner": winner, "losers": [loser]}


async def link(desk: Desk) -> Input:
    one, other = await two_tickets(desk)
    return {"ticket": one, "other": other, "kind": "RELATED"}


async def linked(desk: Desk) -> Input:
    input_ = await link(desk)
    await desk.run("linkTickets", input_, "ticket { id }")
    return input_


async def follower(desk: Desk) -> Input:
    return {"ticket": await desk.ticket(), "add": [await desk.staff()]}


async def ticket_tag(desk: Desk) -> Input:
    return {"ticket": await desk.ticket(), "add": ["late"]}


async def ticket_attributes(desk: Desk) -> Input:
    return {"ticket": await desk.ticket(), "attributes": {}}


async def many_tickets(desk: Desk) -> Input:
    return {"tickets": list(await two_tickets(desk)), "status": "OPEN"}


async def rating(desk: Desk) -> Input:
    resolved = await desk.ticket()
    await desk.run("changeTicketStatus", {"ticket": resolved, "status": "RESOLVED"}, "ticket { id }")
    return {"ticket": resolved, "rating": 4}


async def ticket_template(desk: Desk) -> Input:
    return {"name": desk.new("Template"), "body": "Dear {{customer.name}}"}


async def knowledge_note(desk: Desk) -> Input:
    return {"name": desk.new("Note"), "body": "Known.", "category": "question"}


async def ticket_view(desk: Desk) -> Input:
    return {"name": desk.new("View"), "filter": {"status": {"eq": "OPEN"}}, "shared": True}


async def template_there(desk: Desk) -> Input:
    return {"id": await desk.make("saveTicketTemplate", "template", **await ticket_template(desk))}


async def knowledge_there(desk: Desk) -> Input:
    return {"id": await desk.make("saveKnowledgeNote", "note", **await knowledge_note(desk))}


async def view_there(desk: Desk) -> Input:
    return {"id": await desk.make("saveTicketView", "view", **await ticket_view(desk)), "shared": True}


async def change_status(desk: Desk) -> Input:
    return {"ticket": await desk.ticket(), "status": "RESOLVED"}


async def named(desk: Desk) -> Input:
    return {"name": desk.new("Staff")}


async def segment(desk: Desk) -> Input:
    return {"name": desk.new("Segment"), "filter": {"city": {"eq": "Lyon"}}}


async def program(desk: Desk) -> Input:
    return {"name": desk.new("Program"), "currency": "JPY", "pointsPerUnit": 1}


async def of_program(desk: Desk) -> Input:
    return {"program": await desk.program(), "pointsPerUnit": 3}


async def tier(desk: Desk) -> Input:
    return {"program": await desk.program(), "name": desk.new("Tier"), "threshold": 100}


async def adjust(desk: Desk) -> Input:
    customer = await desk.customer()
    return {"program": await desk.program(), "customer": customer, "points": 5, "reason": "a gift"}


async def transfer(desk: Desk) -> Input:
    given = await adjust(desk)
    await desk.run("adjustPoints", given, "account { id }")
    ends = {"fromCustomer": given["customer"], "toCustomer": await desk.customer()}
    return {"program": given["program"], **ends, "points": 3}


async def earning_rule(desk: Desk) -> Input:
    return {"program": await desk.program(), "name": desk.new("Rule"), "trigger": "PURCHASE", "points": 5}


async def of_rule(desk: Desk) -> Input:
    return {"rule": await desk.make("createEarningRule", "rule", **await earning_rule(desk))}


async def more_of_rule(desk: Desk) -> Input:
    return {**await of_rule(desk), "points": 7}


async def campaign(desk: Desk) -> Input:
    return {"program": await desk.program(), "name": desk.new("Campaign"), "percent": 200}


async def of_campaign(desk: Desk) -> Input:
    return {"campaign": await desk.make("createLoyaltyCampaign", "campaign", **await campaign(desk))}


async def reward(desk: Desk) -> Input:
    kind = {"kind": "PRODUCT", "sku": "cup", "costPoints": 3, "stock": 5}
    return {"program": await desk.program(), "name": desk.new("Reward"), **kind}


async def of_reward(desk: Desk) -> Input:
    return {"reward": await desk.make("createReward", "reward", **await reward(desk)), "stock": 9}


async def codes(desk: Desk) -> Input:
    made = {**await reward(desk), "kind": "VOUCHER", "codes": "POOL", "sku": None, "stock": None}
    key = await desk.make("createReward", "reward", **made)
    return {"reward": key, "codes": [f"CODE{next(desk.numbers)}" for _ in range(3)]}


async def redeem(desk: Desk) -> Input:
    given = await adjust(desk)
    await desk.run("adjustPoints", given, "account { id }")
    made = await reward(desk) | {"program": given["program"]}
    return {"customer": given["customer"], "reward": await desk.make("createReward", "reward", **made)}


async def redeemed(desk: Desk) -> Input:
    return {"redemption": await desk.make("redeemReward", "redemption", **await redeem(desk))}


async def reserved(desk: Desk) -> Input:
    return {"redemption": await desk.make("reserveReward", "redemption", **await redeem(desk))}


async def referring(desk: Desk) -> Input:
    return {"customer": await desk.customer()}


async def referred(desk: Desk) -> Input:
    made = await desk.run("createReferralCode", await referring(desk), "referralCode { code }")
    customer = await desk.customer()
    return {"program": await desk.program(), "customer": customer, "code": made["referralCode"]["code"]}


async def again(desk: Desk) -> Input:
    window = {"fromAt": "2026-01-01T00:00:00Z", "untilAt": "2026-02-01T00:00:00Z"}
    return {"program": await desk.program(), **window}


async def compared(desk: Desk) -> Input:
    key = await desk.make("replayEarning", "replay", **await again(desk))
    async with desk.service.database.unit_of_work() as tx:  # as the worker leaves it
        await tx.execute("UPDATE loyalty_replay SET status = 'COMPARED'")
    return {"replay": key}


async def replay(desk: Desk) -> Input:
    bought = await buy(desk)
    await desk.make("recordPurchase", "interaction", **bought)
    return {"plugin": "loyalty", "customer": bought["customer"]}


async def retry(desk: Desk) -> Input:
    await desk.run("replayEvents", await replay(desk), "count")
    return {"plugin": "loyalty"}


async def new_role(desk: Desk) -> Input:
    return {"name": desk.new("Role"), "permissions": ["customers.read"]}


async def give_role(desk: Desk) -> Input:
    return {"staff": await desk.staff(), "roles": [await desk.role()]}


async def failed_job(desk: Desk) -> Input:
    key = new_id()
    async with desk.service.database.unit_of_work() as tx:
        await tx.execute(
            "INSERT INTO crm_job (id, name, payload, status, run_at, attempts, created_at)"
            " VALUES (?, 'desk.job', '{}', 'FAILED', ?, 3, ?)",
            [key, tx.now, tx.now],
        )
    return {"id": base64.b64encode(f"Job:{key}".encode()).decode()}


async def resend(desk: Desk) -> Input:
    id = await desk.webhook()
    await desk.purchase()
    latest = await desk.service.database.fetch("SELECT id FROM crm_event ORDER BY position DESC LIMIT 2")
    events = [base64.b64encode(f"Event:{row['id']}".encode()).decode() for row in latest]
    return {"id": id, "events": events}


async def paused(desk: Desk) -> Input:
    id = await desk.webhook()
    await desk.run("pauseWebhook", {"id": id}, "webhook { id }")
    return {"id": id}


async def nothing(desk: Desk) -> Input:
    await desk.purchase()
    return {}


async def summed_up(desk: Desk) -> Input:
    """One purchase since figures were last summed up, however often that was tried in vain."""
    await desk.run("rebuildDailyFigures", {}, "customers")
    return await nothing(desk)


async def rates(desk: Desk) -> Input:
    return {"rates": [{"currency": "JPY", "base": "EUR", "validFrom": "2024-01-01", "rate": "0.0061"}]}


async def frozen(desk: Desk) -> Input:
    return {"segments": [await desk.segment()]}


async def customer(desk: Desk) -> str:
    return await desk.customer()


async def buyer(desk: Desk) -> str:
    return await desk.customer(stage="CUSTOMER")


async def former(desk: Desk) -> str:
    return await desk.customer(stage="FORMER")


INPUTS: dict[str, tuple[Make, str]] = {
    "createCustomer": (create, "customer { name tags }"),
    "updateCustomer": (of(customer, name="Renamed"), "customer { name }"),
    "convertProspect": (of(customer), "customer { stage }"),
    "lapseCustomer": (of(buyer), "customer { stage }"),
    "returnCustomer": (of(former), "customer { stage }"),
    "archiveCustomer": (of(customer), "customer { id }"),
    "unarchiveCustomer": (archived, "customer { id }"),
    "assignOwner": (assign, "customer { owner { name } }"),
    "tagCustomers": (tag, "changed"),
    "addContactPoint": (add_point, "contactPoint { id }"),
    "updateContactPoint": (with_point(label="Office"), "contactPoint { label }"),
    "removeContactPoint": (with_point(), "customer { id }"),
    "setConsent": (with_point(consent="OPTED_IN", source="form"), "contactPoint { consent }"),
    "logInteraction": (log, "interaction { id }"),
    "updateInteraction": (update_interaction, "interaction { subject }"),
    "recordPurchase": (buy, "interaction { id customer { name } }"),
    "recordRefund": (refund, "interaction { id }"),
    "createContactRule": (rule, "contactRule { id }"),
    "updateContactRule": (of(Desk.rule, maxTouches=9), "contactRule { id }"),
    "deleteContactRule": (of(Desk.rule), "contactRule { id }"),
    "mergeCustomers": (merge, "losers"),
    "exportCustomer": (of(customer), "data"),
    "eraseCustomer": (erase, "receipt"),
    "importCustomers": (import_customers, "created failed"),
    "importInteractions": (import_interactions, "created failed"),
    "createSegment": (segment, "segment { id }"),
    "updateSegment": (of(Desk.segment, description="Other"), "segment { id }"),
    "deleteSegment": (of(Desk.segment), "segment { id }"),
    "defineAttribute": (define, "attributeDefinition { id }"),
    "updateAttribute": (of(Desk.attribute, description="Other"), "attributeDefinition { id }"),
    "removeAttribute": (of(Desk.attribute), "attributeDefinition { id }"),
    "createStaff": (named, "staff { id }"),
    "updateStaff": (of(Desk.staff, name="Renamed"), "staff { id }"),
    "deactivateStaff": (leaving, "staff { id }"),
    "reactivateStaff": (inactive, "staff { id }"),
    "createRole": (new_role, "role { id }"),
    "updateRole": (of(Desk.role, description="Other"), "role { id }"),
    "deleteRole": (of(Desk.role), "role { id }"),
    "setStaffRoles": (give_role, "staff { id }"),
    "createToken": (token, "token { id }"),
    "revokeToken": (revoke, "token { id }"),
    "replayEvents": (replay, "count"),
    "retryDeliveries": (retry, "count"),
    "retryJob": (failed_job, "job { id }"),
    "createWebhook": (webhook, "webhook { id }"),
    "updateWebhook": (of(Desk.webhook, types=["customer.*"]), "webhook { types }"),
    "deleteWebhook": (of(Desk.webhook), "webhook { id }"),
    "rotateWebhookSecret": (of(Desk.webhook), "webhook { id }"),
    "pauseWebhook": (of(Desk.webhook), "webhook { status }"),
    "resumeWebhook": (paused, "webhook { status }"),
    "testWebhook": (of(Desk.webhook), "delivery { status }"),
    "replayWebhook": (resend, "count"),
    "createLoyaltyProgram": (program, "program { id }"),
    "updateLoyaltyProgram": (of_program, "program { pointsPerUnit }"),
    "createTier": (tier, "tier { id }"),
    "createEarningRule": (earning_rule, "rule { id }"),
    "updateEarningRule": (more_of_rule, "rule { version }"),
    "endEarningRule": (of_rule, "rule { active }"),
    "createLoyaltyCampaign": (campaign, "campaign { id }"),
    "endLoyaltyCampaign": (of_campaign, "campaign { version }"),
    "createReward": (reward, "reward { id }"),
    "updateReward": (of_reward, "reward { stock }"),
    "addVoucherCodes": (codes, "reward { stock }"),
    "redeemReward": (redeem, "redemption { id }"),
    "reserveReward": (redeem, "redemption { id }"),
    "confirmReservation": (reserved, "redemption { status }"),
    "cancelReservation": (reserved, "redemption { status }"),
    "fulfilRedemption": (redeemed, "redemption { status }"),
    "reverseRedemption": (redeemed, "redemption { status }"),
    "createReferralCode": (referring, "referralCode { id }"),
    "acceptReferral": (referred, "referral { id }"),
    "replayEarning": (again, "replay { id }"),
    "applyEarningReplay": (compared, "replay { status }"),
    "adjustPoints": (adjust, "account { balance }"),
    "transferPoints": (transfer, "fromAccount { balance }"),
    "verifyLoyalty": (nothing, "accounts"),
    "openTicket": (ticket, "ticket { id }"),
    "replyToTicket": (reply, "ticket { id }"),
    "changeTicketStatus": (change_status, "ticket { id }"),
    "changeTicketPriority": (urgent, "ticket { id }"),
    "changeTicketCategory": (other_category, "ticket { id }"),
    "assignTicket": (assigned, "ticket { id }"),
    "recalculateTickets": (recalculated, "changed"),
    "createBusinessCalendar": (calendar, "calendar { id }"),
    "updateBusinessCalendar": (of(Desk.calendar, rules=OPEN_ALWAYS), "calendar { id }"),
    "createSlaPolicy": (policy, "policy { id }"),
    "updateSlaPolicy": (of(Desk.policy, rules=PROMISE), "policy { id }"),
    "switchSlaPolicies": (switched, "changed"),
    "reorderSlaPolicies": (ordered, "changed"),
    "trySlaPolicy": (tried, "taken"),
    "createTicketTeam": (team, "team { id }"),
    "updateTicketTeam": (of(Desk.team, categories=["complaint"]), "team { id }"),
    "addTicketNote": (note, "ticket { id }"),
    "receiveTicketMessage": (received, "ticket { id }"),
    "mergeTickets": (merge_of_tickets, "ticket { id }"),
    "linkTickets": (link, "ticket { id }"),
    "unlinkTickets": (linked, "ticket { id }"),
    "followTicket": (follower, "ticket { id }"),
    "tagTicket": (ticket_tag, "ticket { id }"),
    "setTicketAttributes": (ticket_attributes, "ticket { id }"),
    "changeTickets": (many_tickets, "changed"),
    "rateTicket": (rating, "ticket { id }"),
    "saveTicketTemplate": (ticket_template, "template { id }"),
    "deleteTicketTemplate": (template_there, "template { id }"),
    "saveKnowledgeNote": (knowledge_note, "note { id }"),
    "deleteKnowledgeNote": (knowledge_there, "note { id }"),
    "saveTicketView": (ticket_view, "view { id }"),
    "deleteTicketView": (view_there, "view { id }"),
    "rebuildDailyFigures": (summed_up, "customers"),
    "verifyFigures": (nothing, "customers"),
    "setExchangeRates": (rates, "count"),
    "freezeSegments": (frozen, "members"),
}
"""Mutation → maker of its input, and what is selected of its payload."""
