"""What holds for every element of the schema, of the core and of each plugin of this repository."""

from pathlib import Path

import pytest
from graphql import (
    GraphQLEnumType,
    GraphQLInputObjectType,
    GraphQLInterfaceType,
    GraphQLObjectType,
    is_introspection_type,
    is_specified_directive,
    is_specified_scalar_type,
)

from crm_framework.engine.prepare import prepared
from crm_framework.hooks.discovery import load_plugins
from crm_framework.hooks.dispatch import PluginHost
from crm_framework.hooks.loaded import PluginStatus
from crm_framework.schema.compose import ComposedSchema
from crm_framework.schema.core import compose_schema
from crm_framework.security.permissions import Permissions
from crm_framework.settings import Settings

ROOT = Path(__file__).parents[2]
PLUGINS = tuple(sorted(path.parent.name for path in ROOT.glob("plugins/*/pyproject.toml")))

API = {
    "Query": "node nodes me customer customers interactions duplicateCustomers segments attributeDefinitions"
    " staff auditLog plugins",
    "Mutation": "createCustomer updateCustomer convertProspect archiveCustomer assignOwner setConsent"
    " tagCustomers mergeCustomers eraseCustomer exportCustomer importCustomers logInteraction recordPurchase"
    " recordRefund importInteractions defineAttribute createSegment createStaff createToken revokeToken",
    "Customer": "id version kind stage name email phone company city country contactPoints owner backup tags"
    " attributes attribute source reference locale timeZone createdAt updatedAt convertedAt mergedIds"
    " interactions timeline canContact",
    "Interaction": "id version customer kind channel direction subject body outcome sentiment occurredAt"
    " duration staff followUpAt source reference total lines refundOf createdAt",
}


@pytest.fixture(scope="module")
def host() -> PluginHost:
    """All plugins of this repository, which must be installed."""
    return load_plugins(Settings(plugins=PLUGINS))


@pytest.fixture(scope="module")
def whole(host: PluginHost) -> ComposedSchema:
    composed = compose_schema(host)
    states = {plugin.name: plugin.status for plugin in host.plugins if plugin.name in PLUGINS}
    assert states == dict.fromkeys(PLUGINS, PluginStatus.ENABLED)
    return composed


def test_the_committed_schema_is_the_one_that_is_served(whole: ComposedSchema) -> None:
    committed = (ROOT / "schema.graphql").read_text(encoding="utf-8")
    assert committed == whole.sdl, "run `make schema`, and look at what changed"


def test_every_plugin_owns_what_it_adds(whole: ComposedSchema) -> None:
    assert {"core", *PLUGINS} == set(whole.types.values()) | set(whole.members.values())
    for plugin in PLUGINS:
        assert f'@plugin(name: "{plugin}")' in whole.sdl


def test_every_element_is_described(whole: ComposedSchema) -> None:
    missing: list[str] = []
    for name, kind in whole.graphql.type_map.items():
        if is_introspection_type(kind) or is_specified_scalar_type(kind):
            continue
        if not kind.description:
            missing.append(name)
        members = {}
        if isinstance(kind, GraphQLObjectType | GraphQLInterfaceType | GraphQLInputObjectType):
            members = dict(kind.fields)
        elif isinstance(kind, GraphQLEnumType):
            members = dict(kind.values)
        for member, element in members.items():
            if not element.description:
                missing.append(f"{name}.{member}")
            for argument, each in getattr(element, "args", {}).items():
                if not each.description:
                    missing.append(f"{name}.{member}({argument}:)")
    for directive in whole.graphql.directives:
        if not is_specified_directive(directive) and not directive.description:
            missing.append(f"@{directive.name}")
    assert missing == []


def test_every_root_field_is_permitted_by_a_known_permission(host: PluginHost, whole: ComposedSchema) -> None:
    rules = prepared(whole.schema).rules
    known = set(Permissions.of(host.declarations).by_name)
    roots = {element: needs for element, needs in rules.fields.items() if element[0] in ("Query", "Mutation")}
    assert {element for element, needs in roots.items() if not needs} == set()
    public = {name for (_, name), needs in roots.items() if needs == ("",)}
    assert public == {"me", "node", "nodes"}
    used = {permission for needs in rules.fields.values() for permission in needs} | set(rules.types.values())
    # `@own:`, `@all:` and `@within:` ask for more of a permission than that it is there
    named = {name for permission in used for name in permission.split(":") if not name.startswith("@")}
    assert named - {""} <= known


def test_every_mutation_takes_one_input_and_answers_with_errors(whole: ComposedSchema) -> None:
    mutation = whole.graphql.mutation_type
    assert mutation is not None
    for name, field in mutation.fields.items():
        assert list(field.args) in (["input"], []), name
        for argument in field.args.values():
            assert str(argument.type).endswith("Input!"), name
        assert str(field.type).endswith("Payload!"), name
        payload = whole.graphql.type_map[str(field.type).rstrip("!")]
        assert isinstance(payload, GraphQLObjectType)
        assert str(payload.fields["errors"].type) == "[UserError!]!", name


def test_every_connection_has_pages_and_nodes(whole: ComposedSchema) -> None:
    named = [name for name in whole.graphql.type_map if name.endswith("Connection")]
    assert len(named) > 5
    for name in named:
        kind = whole.graphql.type_map[name]
        assert isinstance(kind, GraphQLObjectType)
        counted = set() if name == "TimelineConnection" else {"totalCount"}
        assert {"edges", "nodes", "pageInfo"} | counted <= set(kind.fields), name


@pytest.mark.parametrize("type_name", list(API))
def test_names_that_others_build_on(whole: ComposedSchema, type_name: str) -> None:
    kind = whole.graphql.type_map[type_name]
    assert isinstance(kind, GraphQLObjectType)
    assert set(API[type_name].split()) - set(kind.fields) == set()


def test_the_core_marks_nothing_as_a_plugins(core_schema: ComposedSchema) -> None:
    assert set(core_schema.types.values()) == {"core"}
    assert "@plugin(" not in core_schema.sdl.replace("directive @plugin(", "")
