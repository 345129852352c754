"""Every field of every type, member of a filter and order, asked for by every kind of actor.

`test_who_sees_what` looks at what is declared, and asks for the fields of the roots; here each is asked for
where the schema offers it. What was refused has read nothing.
"""

from collections.abc import Awaitable, Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from itertools import chain
from pathlib import Path

import pytest
from graphql import (
    GraphQLBoolean,
    GraphQLInputObjectType,
    GraphQLInputType,
    GraphQLObjectType,
    get_named_type,
    get_nullable_type,
    is_input_object_type,
    is_leaf_type,
    is_list_type,
    is_required_argument,
)

from crm_framework.engine.connections import Connected
from crm_framework.engine.declarations import DeclaredField
from crm_framework.engine.execute import execute
from crm_framework.engine.ids import decode_key, encode_id
from crm_framework.engine.prepare import prepared
from crm_framework.security.actors import Actor, ActorKind, Grant
from crm_framework.security.scopes import NOBODY, one_customer
from crm_framework.server.service import Service
from crm_framework.testing import CrmClient

from .test_who_sees_what import KEY, REFUSES_ITSELF, actor, known

IDS = {"follower": encode_id("Staff", KEY), "policy": encode_id("SlaPolicy", KEY)}
"""What a member that takes an id is given, where it is none of a segment."""
SEGMENT = encode_id("Segment", KEY)


@pytest.fixture
def plugin_dir() -> Path:
    return Path(__file__).parents[1] / "fixture_plugins"


@pytest.fixture
async def client(open_client: Callable[..., Awaitable[CrmClient]]) -> CrmClient:
    # Thousands of refusals in a row would use up any budget on a slow machine, and be refused for that.
    return await open_client("ticketing", "loyalty", "analytics", "with_orders", rate_limit_per_minute=0)


@pytest.fixture
def service(client: CrmClient) -> Service:
    return client.service


@dataclass(frozen=True)
class Step:
    """A field on the way from a root, and all that selecting it needs."""

    type: str
    field: str
    needs: tuple[str, ...]


Way = tuple[Step, ...]


def ways(service: Service) -> dict[str, Way]:
    """The shortest way from a root to each object type; queries before mutations."""
    schema = service.schema.graphql
    rules = prepared(service.schema.schema).rules
    found: dict[str, Way] = {"Query": (), "Mutation": ()}
    waiting = ["Query"]
    later = ["Mutation"]
    while waiting or later:
        if not waiting:
            waiting, later = later, []
        name = waiting.pop(0)
        kind = schema.type_map[name]
        assert isinstance(kind, GraphQLObjectType)
        for field, declared in kind.fields.items():
            target = get_named_type(declared.type)
            if not isinstance(target, GraphQLObjectType) or target.name in found:
                continue
            found[target.name] = (*found[name], Step(name, field, needs_of(service, name, field)))
            waiting.append(target.name)
    assert rules.types.keys() <= found.keys()
    return found


def needs_of(service: Service, type_: str, field: str) -> tuple[str, ...]:
    rules = prepared(service.schema.schema).rules
    kind = service.schema.graphql.type_map[type_]
    assert isinstance(kind, GraphQLObjectType)
    target = rules.types.get(get_named_type(kind.fields[field].type).name)
    needs = tuple(need for need in rules.fields.get((type_, field), ()) if need)
    return needs if target is None else (*needs, target)


def document(service: Service, way: Way, given: str = "") -> str:
    """An operation that selects the last field of the way. Required arguments are variables without a value,
    `given` is what the last field is given besides."""
    variables: list[str] = []
    text = ""
    for depth, step in enumerate(way):
        kind = service.schema.graphql.type_map[step.type]
        assert isinstance(kind, GraphQLObjectType)
        field = kind.fields[step.field]
        arguments = []
        for name, argument in field.args.items():
            one_by_id = step.type == "Query" and name == "id"
            if one_by_id or is_required_argument(argument):
                variables.append(f"${name}{depth}: {argument.type}")
                arguments.append(f"{name}: ${name}{depth}")
        if step is way[-1] and given:
            arguments.append(given)
        text += f" {{ {step.field}" + (f"({', '.join(arguments)})" if arguments else "")
        if step is way[-1] and not is_leaf_type(get_named_type(field.type)):
            text += " { __typename }"
    head = f"({', '.join(variables)})" if variables else ""
    return f"{way[0].type.lower()}{head}{text}{' }' * len(way)}"


def actors(service: Service, needs: tuple[str, ...]) -> Iterator[Actor]:
    """One with exactly what is needed, those who lack one of it each, and one of every other kind."""
    plain = frozenset(need for need in needs if need[:1] != "@")
    yield actor(ActorKind.INTEGRATION, plain)
    for need in sorted(plain):
        yield actor(ActorKind.INTEGRATION, plain - {need})
    yield actor(ActorKind.INTEGRATION, frozenset())
    yield actor(ActorKind.CUSTOMER, known(service).self_service)
    every = frozenset(known(service).by_name)
    yield actor(ActorKind.PARTNER, every, Grant(every, one_customer(KEY)))
    yield actor(ActorKind.STAFF, every, Grant(every, NOBODY))


async def refused(
    service: Service, text: str, asking: Actor, variables: Mapping[str, object] | None = None
) -> tuple[bool, bool]:
    """Whether the answer names a permission that is missing, and whether anything was read."""
    context = service.context(asking, "request")
    with service.database.counting() as statements:
        result = await execute(service.schema.schema, text, variables or {}, None, context)
    others = [error for error in result.errors if "no such segment" not in error["message"]]
    codes = {error["extensions"]["code"] for error in others}
    assert codes <= {"FORBIDDEN"} or variables is None, (text, result.errors)
    return "FORBIDDEN" in codes, bool(statements)


async def test_every_field_of_every_type_where_it_is_offered(service: Service) -> None:
    wrong: list[object] = []
    asked = 0
    for type_, way in ways(service).items():
        kind = service.schema.graphql.type_map[type_]
        assert isinstance(kind, GraphQLObjectType)
        for field in kind.fields:
            whole = (*way, Step(type_, field, needs_of(service, type_, field)))
            if (whole[0].type, whole[0].field) in REFUSES_ITSELF:
                continue
            needs = tuple(dict.fromkeys(chain.from_iterable(step.needs for step in whole)))
            text = document(service, whole)
            for asking in actors(service, needs):
                expected = not all(asking.may(need) for need in needs)
                if not expected and whole[0].type == "Mutation":
                    continue  # it is not the place to change anything
                asked += 1
                denied, read = await refused(service, text, asking)
                if denied != expected or (expected and read):
                    wrong.append((text, asking.kind, sorted(asking.permissions)[:3], denied, read))
    assert wrong == []
    assert asked > 2_000


async def test_every_member_of_every_filter_and_every_order(service: Service, client: CrmClient) -> None:
    """Of each list that the schema offers: what needs a permission of its own is refused without."""
    made = await client.data(
        'mutation { createCustomer(input: {name: "Ann"}) { customer { id } errors { message } } }'
    )
    id_ = made["createCustomer"]["customer"]["id"]
    own = decode_key(id_, "Customer")
    wrong: list[object] = []
    guarded: set[str] = set()
    for type_, way in ways(service).items():
        for name, field in lists(service, type_):
            whole = (*way, Step(type_, name, needs_of(service, type_, name)))
            needs = tuple(dict.fromkeys(chain.from_iterable(step.needs for step in whole)))
            for given, permissions in guarded_choices(service, field):
                guarded.add(f"{type_}.{name}({given})")
                assert [step.field for step in way] in ([], ["customer"]), (
                    "make the parents of this list as well"
                )
                text = document(service, whole, given)
                for asking in actors(service, tuple(dict.fromkeys((*needs, *permissions)))):
                    if not all(asking.may(need) for need in needs):
                        continue  # refused for the list itself, which the other test looks at
                    denied, _ = await refused(service, text, replace(asking, customer_id=own), {"id0": id_})
                    sees_it = type_ == "Query" or asking.kind in (ActorKind.INTEGRATION, ActorKind.CUSTOMER)
                    if sees_it and denied == all(map(asking.may, permissions)):
                        wrong.append((text, asking.kind, sorted(asking.permissions)[:3], denied))
    assert wrong == []
    assert len(guarded) > 10, guarded


def lists(service: Service, type_: str) -> Iterator[tuple[str, Connected]]:
    kind = service.schema.graphql.type_map[type_]
    assert isinstance(kind, GraphQLObjectType)
    for name, described in kind.fields.items():
        field = described.extensions.get("strawberry-definition")
        if isinstance(field, DeclaredField) and isinstance(field.declaration, Connected):
            yield name, field.declaration


def guarded_choices(service: Service, listed: Connected) -> Iterator[tuple[str, tuple[str, ...]]]:
    """An argument for each member and order that needs permissions, and these."""
    if listed.filter is not None:
        kind = service.schema.graphql.type_map[listed.filter.name]
        assert isinstance(kind, GraphQLInputObjectType)
        for member in listed.filter.members:
            if member.permission is not None:
                value = literal(kind.fields[member.name].type, IDS.get(member.name, SEGMENT))
                needs = tuple(need for need in (member.permission, member.also) if need is not None)
                yield f"filter: {{{member.name}: {value}}}", needs
    if listed.orders is not None:
        for order in listed.orders.fields:
            if order.permission is not None:
                yield f"orderBy: [{{field: {order.name}}}]", (order.permission,)


def literal(kind: GraphQLInputType, id: str) -> str:
    """A value that fits: the emptiest, or the id."""
    plain = get_nullable_type(kind)
    if plain is GraphQLBoolean:
        return "true"
    return "[]" if is_list_type(plain) else "{}" if is_input_object_type(plain) else f'"{id}"'
