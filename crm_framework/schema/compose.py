"""One schema out of the core's parts and the plugins'. A plugin that does not fit is refused; the API lives.

Names are claimed in the host's order: on a clash the later plugin is refused, with a message that names both.
"""

from collections.abc import Mapping, Sequence
from dataclasses import MISSING, dataclass, field
from functools import cached_property
from itertools import chain

import strawberry
from graphql import GraphQLSchema
from strawberry.annotation import StrawberryAnnotation
from strawberry.schema.config import StrawberryConfig
from strawberry.types.base import StrawberryObjectDefinition
from strawberry.types.field import StrawberryField

from crm_framework.engine.declarations import PUBLIC, Source, source_of
from crm_framework.engine.errors import DeclarationError
from crm_framework.engine.filter_inputs import OF_SCALARS
from crm_framework.engine.filters import FilterSpec, Member
from crm_framework.engine.orders import OrderField
from crm_framework.engine.parts import SchemaParts
from crm_framework.engine.prepare import prepared
from crm_framework.engine.rows import type_name
from crm_framework.engine.schema import EngineSchema
from crm_framework.security.permissions import Permissions

from .clashes import Host, claims, owner_of, refuse_build, refuse_clash, refuse_shape, root_fields
from .inputs import FILTER
from .ownership import CORE, owners_of_types
from .scalars import PLAIN_SCALARS, SCALARS
from .sdl import PluginDirective, print_owned

ROOT_DESCRIPTIONS = {
    "Query": "Reads. Nothing here changes anything.",
    "Mutation": "Changes, each in a transaction of its own, one after another in the order of the request.",
    "Subscription": "What happens, as it happens.",
}


@dataclass(frozen=True)
class ComposedSchema:
    """A schema and who owns what in it. `members` maps an added `Type.member` to the plugin that adds it."""

    schema: "CrmSchema"
    parts: Mapping[str, Sequence[SchemaParts]]
    members: Mapping[str, str] = field(repr=False)

    @property
    def graphql(self) -> GraphQLSchema:
        """The schema as graphql-core knows it."""
        return self.schema._schema

    @cached_property
    def types(self) -> Mapping[str, str]:
        """Type name → owner: `core` or a plugin's name."""
        roots = {
            owner: [type_name(type_) for part in parts for type_ in part.types]
            for owner, parts in self.parts.items()
        }
        # the core's even where a plugin is the first that needs one
        roots[CORE] += [scalar.name for scalar in SCALARS.values()] + [*OF_SCALARS]
        return owners_of_types(self.graphql, self.members, roots)

    @cached_property
    def sdl(self) -> str:
        """The schema as text; every element that a plugin adds carries `@plugin(name:)`."""
        return print_owned(self.graphql, self.types, self.members)

    @cached_property
    def subjects(self) -> Mapping[str, Source]:
        """Types whose records are read from a table, by name."""
        found: dict[str, Source] = {}
        for name in self.graphql.type_map:
            definition = self.schema.get_type_by_name(name)
            if isinstance(definition, StrawberryObjectDefinition):
                source = source_of(definition.origin)
                if source is not None:
                    found[name] = source
        return found

    def added_by(self, plugin: str) -> list[str]:
        """What a plugin adds: its types, and `Type.member` for what it adds to the types of others."""
        types = [name for name, owner in self.types.items() if owner == plugin]
        members = [name for name, owner in self.members.items() if owner == plugin]
        return sorted([*types, *members])


class CrmSchema(EngineSchema):
    """The engine's schema, which knows what it was composed of, with filters as members of inputs."""

    composed: ComposedSchema

    def get_fields(self, type_definition: StrawberryObjectDefinition) -> list[StrawberryField]:
        """Also gives members that were made by `filter_member` the filter of this schema."""
        fields = super().get_fields(type_definition)
        for each in fields:
            spec = each.metadata.get(FILTER)
            if isinstance(spec, FilterSpec):
                annotation = self.filters.input(spec)
                given = annotation if each.default is MISSING else annotation | None
                each.type_annotation = StrawberryAnnotation(given)
        return fields


def compose(core: Sequence[SchemaParts], host: Host) -> ComposedSchema:
    """The schema of the core and of every enabled plugin that fits. Refuses the others through the host."""
    known = Permissions.of(host.declarations)
    _refuse_unpermitted_routes(host, known)
    offered = _without_clashes(core, host)
    if offered:
        try:
            return _build({CORE: core, **offered}, known)
        except Exception:
            return _one_by_one(core, offered, host, known)
    return _build({CORE: core}, known)


def _without_clashes(core: Sequence[SchemaParts], host: Host) -> dict[str, Sequence[SchemaParts]]:
    """The parts of each plugin whose members have names that no one before it has."""
    claimed: dict[str, str] = {}
    for part in core:
        claimed |= dict.fromkeys(claims(part), CORE)
    offered: dict[str, Sequence[SchemaParts]] = {}
    for name, parts in host.schema_parts():
        if not _is_enabled(name, host):
            continue  # it requires one that was refused a moment ago
        mine: dict[str, str] = {}
        try:
            claimed_here = claims(parts)
        except Exception:
            refuse_shape(host, name, parts)
            continue
        for claim in claimed_here:
            owner = mine.get(claim) or owner_of(claim, claimed, parts)
            if owner is not None:
                refuse_clash(host, name, claim, owner)
                break
            mine[claim] = name
        else:
            claimed |= mine
            offered[name] = (parts,)
    return {name: parts for name, parts in offered.items() if _is_enabled(name, host)}


def _one_by_one(
    core: Sequence[SchemaParts],
    offered: Mapping[str, Sequence[SchemaParts]],
    host: Host,
    known: Permissions,
) -> ComposedSchema:
    """Adds plugin after plugin, to find the ones that spoil the schema. The core alone must build."""
    best = _build({CORE: core}, known)
    accepted: dict[str, Sequence[SchemaParts]] = {CORE: core}
    for name, parts in offered.items():
        if not _is_enabled(name, host):
            continue
        try:
            best = _build({**accepted, name: parts}, known)
            accepted[name] = parts
        except Exception as error:
            refuse_build(host, name, error, best.types, best.members)
    if set(accepted) - {CORE} - {plugin.name for plugin in host.enabled}:
        raise AssertionError("a plugin was accepted before one that it requires")
    return best


def _build(parts: Mapping[str, Sequence[SchemaParts]], known: Permissions) -> ComposedSchema:
    members: dict[str, str] = {}
    extend: dict[type, list[StrawberryField]] = {}
    filters: dict[str, list[Member]] = {}
    orders: dict[str, list[OrderField]] = {}
    roots: dict[str, list[StrawberryField]] = {name: [] for name in ROOT_DESCRIPTIONS}
    for owner, each in parts.items():
        for part in each:
            for type_, fields in part.extend.items():
                extend.setdefault(type_, []).extend(fields)
            for name, fields in root_fields(part).items():
                roots[name].extend(fields)
            for name, added in part.filters.items():
                filters.setdefault(name, []).extend(added)
            for name, chosen in part.orders.items():
                orders.setdefault(name, []).extend(chosen)
            if owner != CORE:
                members |= dict.fromkeys(claims(part), owner)
    types = {name: _root(name) for name, fields in roots.items() if fields}
    schema = CrmSchema(
        query=types["Query"],
        mutation=types.get("Mutation"),
        subscription=types.get("Subscription"),
        extend={**extend, **{type_: roots[name] for name, type_ in types.items()}},
        filters=filters,
        orders=orders,
        types=[PluginDirective, *(type_ for part in chain(*parts.values()) for type_ in part.types)],
        config=StrawberryConfig(scalar_map=SCALARS),
        plain_scalars=PLAIN_SCALARS,
    )
    for name in schema.filters.unused():
        raise DeclarationError(name, "there is no such filter", "Name one that a list takes")
    for name in schema.orders.unused():
        raise DeclarationError(name, "there is no such order", "Name one that a list takes")
    added_to: list[tuple[str, Sequence[Member | OrderField]]] = [*filters.items(), *orders.items()]
    for name, given in added_to:
        for one in given:
            if one.permission is not None:
                _check_permission(f"{name}.{one.name}", one.permission, known)
    _check_permissions(schema, known)
    _check_owners(schema)
    composed = ComposedSchema(schema, parts, members)
    # a plugin's fields of its own types need no mark: the type has it
    others = {name: by for name, by in members.items() if composed.types.get(name.partition(".")[0]) != by}
    schema.composed = ComposedSchema(schema, parts, others)
    return schema.composed


def _check_permissions(schema: EngineSchema, known: Permissions) -> None:
    rules = prepared(schema).rules
    for (type_, name), needed in rules.fields.items():
        for permission in needed:
            _check_permission(f"{type_}.{name}", permission, known)
    for type_, permission in rules.types.items():
        _check_permission(type_, permission, known)


def _check_owners(schema: EngineSchema) -> None:
    """Of every type it must be known whose its rows are, or that they are nobody's."""
    for kind in prepared(schema).rules.types:
        definition = schema.get_type_by_name(kind)
        source = source_of(getattr(definition, "origin", None))
        if source is not None and not source.shared and source.owner is None:
            raise DeclarationError(
                kind,
                "it does not say which customer a row belongs to",
                "Give it a column customer_id, say owner=… or owner=Through(…), or shared=True if its rows"
                " are no customer's",
            )


def _check_permission(element: str, permission: str, known: Permissions) -> None:
    if permission[:1] == "@":  # these rest on a permission that is checked with them, or on none
        return
    if permission not in (PUBLIC, *known.by_name) and not known.of_absent(permission):
        raise DeclarationError(
            element,
            f"it needs the permission {permission!r}, which nobody declares",
            "List it in Plugin(permissions=…)",
        )


def _refuse_unpermitted_routes(host: Host, known: Permissions) -> None:
    """Takes out plugins with a route that needs a permission which does not exist: nobody could use it."""
    for plugin in host.declarations:
        for route in plugin.routes:
            try:
                _check_permission(f"Its route {route.path}", route.permission, known)
            except DeclarationError as error:
                if _is_enabled(plugin.name, host):
                    host.refuse(plugin.name, f"{error.where}: {error.problem}.", f"{error.todo}.")


def _root(name: str) -> type:
    """A root type of its own for each schema: what is added to one is not in another."""
    return strawberry.type(type(name, (), {}), name=name, description=ROOT_DESCRIPTIONS[name])


def _is_enabled(name: str, host: Host) -> bool:
    return any(plugin.name == name for plugin in host.enabled)
