"""Every field of the API against every kind of actor. What is open to many is listed."""

import os
from collections.abc import Awaitable, Callable, Iterator
from pathlib import Path

import pytest
from graphql import GraphQLObjectType, get_named_type, is_leaf_type, is_required_argument

from crm_framework.engine.declarations import source_of
from crm_framework.engine.execute import execute
from crm_framework.engine.prepare import prepared
from crm_framework.schema.context import RequestContext
from crm_framework.security.actors import Actor, ActorKind, Grant
from crm_framework.security.permissions import Permissions
from crm_framework.security.scopes import NOBODY, one_customer
from crm_framework.server.service import Service
from crm_framework.testing import CrmClient

PUBLIC = {"Query.me", "Query.node", "Query.nodes", "Subscription.events"}
"""Root fields that need no permission: they ask for that of each record's type, by themselves."""

SHARED = {
    "AttributeDefinition", "BasketRule", "BusinessCalendar", "BusinessCalendarVersion", "ContactRule",
    "Job", "KnowledgeNote", "LoyaltyCampaign", "LoyaltyEarningReplay", "LoyaltyEarningRule",
    "LoyaltyEarningRuleVersion", "LoyaltyProgram", "LoyaltyProgramVersion", "LoyaltyReward", "LoyaltyTier",
    "LoyaltyRewardVersion", "LoyaltyTierVersion",
    "PredictionModel",
    "Role", "Schedule", "Segment", "SlaPolicy", "SlaPolicyVersion", "Staff", "Survey", "SurveyRun",
    "TicketTeam", "TicketTemplate", "TicketView", "Webhook",
}  # fmt: skip
"""Types whose rows are no customer's: whoever has the permission sees them all."""

NOT_FOR_SOME = {
    "Mutation.createBusinessCalendar",
    "Mutation.createSlaPolicy",
    "Mutation.createTicketTeam",
    "Mutation.recalculateTickets",
    "Mutation.reorderSlaPolicies",
    "Mutation.switchSlaPolicies",
    "Mutation.trySlaPolicy",
    "Mutation.updateBusinessCalendar",
    "Mutation.updateSlaPolicy",
    "Mutation.updateTicketTeam",
    "Query.ticketClockProof",
    "Query.analytics",
    "Query.basketRules",
    "BasketRuleConnection.nodes",
    "BasketRuleEdge.node",
    "PredictionModel.backTest",
    "PredictionModel.backTestReason",
    "PredictionModel.customers",
    "PredictionModel.purchaseModel",
    "PredictionModel.reason",
    "PredictionModel.repeaters",
    "PredictionModel.valueModel",
    "Query.dailyRevenue",
    "Query.exchangeRates",
    "Query.jobs",
    "Query.pointsLiability",
    "LoyaltyEarningReplay.points",
    "Survey.results",
    "SurveyRun.passedOver",
    "SurveyRun.results",
    "JobConnection.nodes",
    "JobEdge.node",
    "RetryJobPayload.job",
    "Mutation.retryJob",
    "Mutation.rebuildDailyFigures",
    "Mutation.verifyFigures",
    "Mutation.verifyLoyalty",
    "Mutation.replayEvents",
    "Mutation.retryDeliveries",
    "Mutation.addVoucherCodes",
    "Mutation.applyEarningReplay",
    "Mutation.createContactRule",
    "Mutation.createEarningRule",
    "Mutation.createLoyaltyCampaign",
    "Mutation.createReward",
    "Mutation.endEarningRule",
    "Mutation.endLoyaltyCampaign",
    "Mutation.replayEarning",
    "Mutation.updateEarningRule",
    "Mutation.updateReward",
    "Mutation.createLoyaltyProgram",
    "Mutation.createRole",
    "Mutation.createSegment",
    "Mutation.createStaff",
    "Mutation.createTier",
    "Mutation.createWebhook",
    "Mutation.deactivateStaff",
    "Mutation.deleteKnowledgeNote",
    "Mutation.deleteTicketTemplate",
    "Mutation.saveKnowledgeNote",
    "Mutation.saveTicketTemplate",
    "Query.ticketingReport",
    "Mutation.defineAttribute",
    "Mutation.deleteContactRule",
    "Mutation.deleteRole",
    "Mutation.deleteSegment",
    "Mutation.deleteWebhook",
    "Mutation.pauseWebhook",
    "Mutation.reactivateStaff",
    "Mutation.removeAttribute",
    "Mutation.replayWebhook",
    "Mutation.resumeWebhook",
    "Mutation.rotateWebhookSecret",
    "Mutation.closeSurvey",
    "Mutation.createSurvey",
    "Mutation.freezeSegments",
    "Mutation.setExchangeRates",
    "Mutation.setStaffRoles",
    "Mutation.testWebhook",
    "Mutation.updateAttribute",
    "Mutation.updateContactRule",
    "Mutation.updateLoyaltyProgram",
    "Mutation.updateRole",
    "Mutation.updateSegment",
    "Mutation.updateStaff",
    "Mutation.updateSurvey",
    "Mutation.updateTier",
    "Mutation.updateWebhook",
    "Query.webhook",
    "Query.webhooks",
    "WebhookConnection.nodes",
    "WebhookDelivery.webhook",
    "WebhookEdge.node",
    "WebhookPayload.webhook",
    "WebhookSecretPayload.webhook",
    "Webhook.filter",
}
"""What tells of all customers at once, and is refused to actors who see some of them."""

OWN_CHANGES = {
    "acceptReferral", "addContactPoint", "answerSurvey", "cancelReservation", "confirmReservation",
    "createReferralCode", "logInteraction", "openTicket", "rateTicket", "redeemReward", "removeContactPoint",
    "replyToTicket", "reserveReward", "setConsent",
    "updateContactPoint", "updateCustomer",
}  # fmt: skip
"""What customers may change themselves."""

CUSTOMERS_SEE = Path(__file__).with_name("customers_see.txt")
RENEW = os.environ.get("CRM_TEST_RENEW_GOLDEN") == "1"
KEY = "018f0000-0000-7000-8000-000000000001"


@pytest.fixture
async def service(open_client: Callable[..., Awaitable[CrmClient]]) -> Service:
    return (await open_client("ticketing", "loyalty", "analytics")).service


def fields(service: Service) -> Iterator[tuple[str, str, tuple[str, ...]]]:
    """(type, field, all that selecting it needs)."""
    rules = prepared(service.schema.schema).rules
    for kind in service.schema.graphql.type_map.values():
        if isinstance(kind, GraphQLObjectType) and not kind.name.startswith("__"):
            for name, field in kind.fields.items():
                target = rules.types.get(get_named_type(field.type).name)
                needs = rules.fields.get((kind.name, name), ())
                yield kind.name, name, needs if target is None else (*needs, target)


def actor(kind: ActorKind, permissions: frozenset[str], *scoped: Grant) -> Actor:
    return Actor(kind=kind, id=KEY, name="x", permissions=permissions, customer_id=KEY, scoped=scoped)


def known(service: Service) -> Permissions:
    return Permissions.of(service.host.declarations)


async def test_every_root_field_needs_a_permission(service: Service) -> None:
    roots = {"Query", "Mutation", "Subscription"}
    plain = {
        f"{type_}.{name}"
        for type_, name, needs in fields(service)
        if type_ in roots and not [need for need in needs if need and need[:1] != "@"]
    }
    own = {f"Mutation.{name}" for name in OWN_CHANGES}  # these need `@own:` and the permission
    assert plain - own == PUBLIC


async def test_every_type_with_rows_says_whose_they_are(service: Service) -> None:
    shared = set()
    for name, permission in prepared(service.schema.schema).rules.types.items():
        definition = service.schema.schema.get_type_by_name(name)
        source = source_of(getattr(definition, "origin", None))
        assert source is not None
        assert permission
        assert (source.owner is None) == source.shared
        if source.shared:
            shared.add(name)
    assert shared == SHARED


async def test_who_sees_some_customers_only_is_refused_what_tells_of_all(service: Service) -> None:
    every = frozenset(known(service).by_name)
    scoped = actor(ActorKind.STAFF, every, Grant(every, NOBODY))
    refused = {
        f"{type_}.{name}"
        for type_, name, needs in fields(service)
        if not all(scoped.may(need) for need in needs)
    }
    assert refused == NOT_FOR_SOME


async def test_customers_see_what_is_listed(service: Service) -> None:
    own = actor(ActorKind.CUSTOMER, known(service).self_service)
    rules = prepared(service.schema.schema).rules
    open_ = []
    for type_, name, needs in fields(service):
        of_type = rules.types.get(type_)
        if all(own.may(need) for need in needs) and (of_type is None or own.may(of_type)):
            open_.append(f"{type_}.{name}")
    reachable = _reachable(service, set(open_))
    text = "".join(f"{one}\n" for one in sorted(open_) if one.partition(".")[0] in reachable)
    if RENEW:
        CUSTOMERS_SEE.write_text(text, encoding="utf-8")
    assert text == CUSTOMERS_SEE.read_text(encoding="utf-8")
    assert {line.removeprefix("Mutation.") for line in text.split() if "Mutation." in line} == OWN_CHANGES


def _reachable(service: Service, open_: set[str]) -> set[str]:
    """Types that open fields lead to from the roots."""
    types = service.schema.graphql.type_map
    found: set[str] = set()
    waiting = ["Query", "Mutation"]
    while waiting:
        name = waiting.pop()
        kind = types[name]
        if name in found or not isinstance(kind, GraphQLObjectType):
            continue
        found.add(name)
        waiting += [
            get_named_type(field.type).name for one, field in kind.fields.items() if f"{name}.{one}" in open_
        ]
    return found


async def test_each_permission_opens_what_it_says_and_nothing_runs_without(service: Service) -> None:
    """Each root field, asked by an actor with nothing, with each permission alone, and by a customer."""
    names = list(known(service).by_name)
    actors = [actor(ActorKind.INTEGRATION, frozenset({name})) for name in ("", *names)]
    actors.append(actor(ActorKind.CUSTOMER, known(service).self_service))
    every = frozenset(names)
    actors.append(actor(ActorKind.PARTNER, every, Grant(every, one_customer(KEY))))
    wrong: list[object] = []
    for type_, name, needs in fields(service):
        if type_ not in ("Query", "Mutation"):
            continue
        text = document(service, type_, name)
        for asking in actors:
            expected = all(asking.may(need) for need in needs)
            if expected and type_ == "Mutation":
                continue  # it is not the place to change anything
            context: RequestContext = service.context(asking, "request")
            with service.database.counting() as statements:
                result = await execute(service.schema.schema, text, {}, None, context)
            refused = any(error["extensions"]["code"] == "FORBIDDEN" for error in result.errors)
            if refused == expected and (type_, name) not in REFUSES_ITSELF:
                wrong.append((text, sorted(asking.permissions)[:2], asking.kind, result.errors))
            if not expected and statements:
                wrong.append((text, "ran", statements))
    assert wrong == []


REFUSES_ITSELF = {("Query", "node"), ("Query", "nodes")}
"""Which of these is refused, their functions say."""


def document(service: Service, type_: str, name: str) -> str:
    """The smallest operation with this field; required arguments are variables that are not given."""
    field = service.schema.graphql.type_map[type_].fields[name]  # type: ignore[attr-defined]  # an object type
    needed = {each: one.type for each, one in field.args.items() if is_required_argument(one)}
    declared = ", ".join(f"${each}: {kind}" for each, kind in needed.items())
    given = ", ".join(f"{each}: ${each}" for each in needed)
    head = f"({declared})" if needed else ""
    arguments = f"({given})" if needed else ""
    below = "" if is_leaf_type(get_named_type(field.type)) else " { __typename }"
    return f"{type_.lower()}{head} {{ {name}{arguments}{below} }}"
