"""What one role gets never holds what it may not see, whoever asked the same before it."""

from collections.abc import Sequence
from random import Random

from crm_framework.engine.result import Result
from crm_framework.schema.context import RequestContext
from crm_framework.security.actors import CONFIDENTIAL, Actor, ActorKind, Grant
from crm_framework.security.scopes import NOBODY, Reach

from .company import ERASED, MARK, MERGED
from .conftest import ADMIN, Company
from .duel import Duel
from .operations import generate
from .trials import Trials

READS = (
    "customers.read",
    "interactions.read",
    "staff.read",
    "settings.read",
    "tokens.manage",
    "audit.read",
    "plugins.read",
    "schema.introspect",
    "loyalty.read",
    "ticketing.read",
    "analytics.read",
)
SHOWN_BY = {
    "c": {"customers.read"},
    "i": {"interactions.read"},
    "t": {"ticketing.read", "interactions.read"},  # a ticket's messages are interactions too
    "s": {"staff.read"},
    "l": {"loyalty.read"},
    "g": {"settings.read"},
    "a": {"settings.read"},
    "k": {"tokens.manage"},
}
"""Letter of a mark → permissions, one of which an answer with it needs. The audit log tells everything."""

SHARED = "lsag"
"""Programmes, staff, definitions of attributes, and segments, but not whom they mean."""


def roles(rng: Random, keys: Sequence[str]) -> list[Actor]:
    """Who asks, one after the other."""
    few = rng.sample(READS, rng.randrange(len(READS)))
    most = [name for name in READS if name not in rng.sample(READS, rng.choice((1, 1, 2, 3)))]
    found = [ADMIN, _actor(frozenset(most)), _actor(frozenset(few)), _customer(rng, keys)]
    found += [_scoped(rng, keys, frozenset(READS)), _scoped(rng, keys, frozenset(most))]
    rng.shuffle(found)
    return found


def _actor(permissions: frozenset[str]) -> Actor:
    if "settings.read" in permissions:  # some of those without it see what is confidential
        permissions |= {CONFIDENTIAL}
    return Actor(kind=ActorKind.INTEGRATION, id="role", name="role", permissions=permissions)


def _whole(keys: Sequence[str]) -> list[int]:
    """Numbers of the customers whose marks are all their own."""
    return [n for n in range(len(keys)) if n not in {*MERGED, *MERGED.values(), *ERASED}]


def _scoped(rng: Random, keys: Sequence[str], permissions: frozenset[str]) -> Actor:
    """A partner, or staff with roles, who reach some of the customers with all that they may do."""
    numbers = rng.sample(_whole(keys), rng.randrange(6))
    places = ", ".join("?" for _ in numbers)
    reach = Reach(f"{{row}}.id IN ({places})", tuple(keys[n] for n in numbers)) if numbers else NOBODY
    if rng.random() < 0.5:
        permissions |= {CONFIDENTIAL}
    return Actor(
        kind=rng.choice((ActorKind.PARTNER, ActorKind.STAFF)),
        id="scoped",
        name=f"scoped {' '.join(map(str, numbers))}",
        permissions=permissions,
        scoped=(Grant(permissions, reach),),
    )


def _customer(rng: Random, keys: Sequence[str]) -> Actor:
    """A customer whose token grants more than it ever should: the records are restricted all the same."""
    number = rng.choice(_whole(keys))
    permissions = rng.choice((frozenset({"*"}), frozenset(READS), frozenset({"customers.read"})))
    return Actor(
        kind=ActorKind.CUSTOMER,
        id=keys[number],
        name=f"customer {number}",
        permissions=permissions,
        customer_id=keys[number],
    )


def leaks(result: Result, actor: Actor, asked: str) -> list[str]:
    """The marks in an answer that this actor may not see; those that the request itself names are known."""
    found = []
    for mark in MARK.finditer(result.encoded().decode()):
        letter, number = mark.groups()
        if mark[0] in asked:
            continue
        if actor.kind is ActorKind.CUSTOMER:
            allowed = letter in "cit" and actor.name == f"customer {number}"
            # no customer's records are everybody's who has the permission, which no token of customers grants
            allowed |= letter in SHARED and any(actor.may(permission) for permission in SHOWN_BY[letter])
        else:
            allowed = any(actor.may(permission) for permission in SHOWN_BY[letter])
            allowed |= actor.may("audit.read")
            if letter in "cit":
                secret = int(number) % 5 == 2 and int(number) not in MERGED
                allowed &= not secret or actor.may(CONFIDENTIAL)
                allowed &= not actor.scoped or number in actor.name.split()
        if not allowed:
            found.append(mark[0])
    return found


async def test_roles_that_ask_the_same_in_turn(firm: Company) -> None:
    service = firm.service
    trials = Trials(f"roles on {service.database.dialect}", 0.12)
    for case in trials.cases():
        rng = case.rng("roles")
        operation = generate(service.schema.graphql, rng, firm.pools)
        requests = [operation.request(rng) for _ in range(2)]
        for actor in roles(rng, firm.keys):
            name, variables = rng.choice(requests)
            page = rng.choice((2, 5))

            def context(actor: Actor = actor, page: int = page) -> RequestContext:
                made = service.context(actor, "request")
                made.page_default = page
                return made

            duel = Duel(service.schema.schema, context)
            trials.ran += 1
            result, found = await duel.fight(operation.text, variables, name)
            asked = f"{operation.text} {variables}"
            if seen := leaks(result, actor, asked):
                trials.failed(case, f"{actor} sees {seen} in {result.encoded()!r} of\n{asked}")
            if found:
                told = await duel.told(operation.text, variables, name, found)
                trials.failed(case, f"as {actor}: {told}")
                break
    trials.end()


async def test_marks_are_there_to_be_seen(firm: Company) -> None:
    """The test above would find nothing in answers without marks."""
    duel = Duel(firm.service.schema.schema, lambda: firm.service.context(ADMIN, "request"))
    text = """{ customers(first: 20) { nodes { name company interactions { nodes { subject body } }
                tickets { nodes { subject } } loyalty { program { name } } owner { name } } }
                segments { nodes { name } } tokens { nodes { name } }
                attributeDefinitions { description } }"""
    result, found = await duel.fight(text, {}, None)
    assert (found, result.errors) == (None, [])
    assert {mark[1] for mark in MARK.finditer(result.encoded().decode())} == set(SHOWN_BY)
    assert set(leaks(result, _actor(frozenset()), "")) == {
        mark[0] for mark in MARK.finditer(result.encoded().decode())
    }
