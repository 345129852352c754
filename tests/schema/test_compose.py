"""Composition: plugins add to the core's types; one that does not fit is refused by name."""

from collections.abc import Sequence
from dataclasses import dataclass, field

import pytest
import strawberry

from crm_framework.engine import PUBLIC, FilterSpec, Member, Node, SchemaParts, column, computed, node, root
from crm_framework.engine.connections import Connection, connection
from crm_framework.engine.declarations import DeclaredField
from crm_framework.hooks.specs import Permission, Plugin
from crm_framework.schema.compose import ComposedSchema, compose


@node(table="crm_customer", permission="customers.read", owner="id")
class Person(Node):
    """A person."""

    name: str = column("The name.")


def query(name: str, type_: type) -> DeclaredField:
    def resolve() -> object:
        return None

    resolve.__name__ = name
    resolve.__doc__ = "A field."
    resolve.__annotations__["return"] = type_ | None
    return root(permission=PUBLIC)(resolve)


def greeting(name: str) -> str:
    """Says hello."""
    return f"Hello {name}"


def type_called(name: str, module: str = "first", **members: type) -> type:
    made = type(name, (), {"__annotations__": members, "__qualname__": f"{module}.{name}"})
    return strawberry.type(made, description="A type.")


def people() -> DeclaredField:
    filter_ = FilterSpec("PersonFilter", [Member("name", "string", "The name.", column="name")])
    field: DeclaredField = connection(description="People.", filter=filter_, permission="customers.read")
    field.python_name = "people"
    field.type = Connection[Person]
    return field


CITY = Member("city", "string", "The city.", column="city")
CORE = [SchemaParts(query=[query("person", Person)])]


@dataclass(frozen=True)
class FakePlugin:
    name: str


@dataclass
class FakeHost:
    """Offers parts in order; `requires` maps a plugin to the one that it cannot be without."""

    parts: dict[str, SchemaParts] = field(default_factory=dict)
    requires: dict[str, str] = field(default_factory=dict)
    refused: dict[str, str] = field(default_factory=dict)
    plugins: list[Plugin] = field(default_factory=list)

    @property
    def enabled(self) -> Sequence[FakePlugin]:
        return [FakePlugin(name) for name in self.parts if name not in self.refused]

    @property
    def declarations(self) -> Sequence[Plugin]:
        return self.plugins

    def schema_parts(self) -> Sequence[tuple[str, SchemaParts]]:
        return list(self.parts.items())

    def refuse(self, name: str, reason: str, hint: str) -> None:
        self.refused[name] = reason
        for other, needed in self.requires.items():
            if needed == name:
                self.refused[other] = f"requires {name}"


def fields(composed: ComposedSchema, type_: str) -> list[str]:
    return list(composed.graphql.type_map[type_].fields)  # type: ignore[attr-defined]  # an object type


def test_plugin_adds_fields_and_types() -> None:
    account = type_called("Account", points=int)
    host = FakeHost(
        {
            "hello": SchemaParts(extend={Person: [computed()(greeting)]}),
            "loyalty": SchemaParts(query=[query("account", account)]),
        }
    )
    composed = compose(CORE, host)
    assert host.refused == {}
    assert fields(composed, "Person") == ["id", "name", "greeting"]
    assert composed.types == {"Query": "core", "Person": "core", "Node": "core", "Account": "loyalty"}
    assert composed.added_by("hello") == ["Person.greeting"]
    assert composed.added_by("loyalty") == ["Account", "Query.account"]
    assert 'greeting: String! @plugin(name: "hello")' in composed.sdl
    assert 'type Account @plugin(name: "loyalty")' in composed.sdl


@pytest.mark.parametrize("given", [None, {"query": []}, SchemaParts(query=["account"])])  # type: ignore[list-item]  # wrong on purpose
def test_parts_that_are_none_refuse_their_plugin(given: SchemaParts) -> None:
    good = SchemaParts(extend={Person: [computed()(greeting)]})
    host = FakeHost({"broken": given, "hello": good})
    composed = compose(CORE, host)
    assert list(host.refused) == ["broken"]
    assert host.refused["broken"].startswith("Its hook schema returned ")
    assert composed.added_by("hello") == ["Person.greeting"]


def test_two_schemas_in_one_process_keep_apart() -> None:
    host = FakeHost({"hello": SchemaParts(extend={Person: [computed()(greeting)]})})
    with_plugin = compose(CORE, host)
    without = compose(CORE, FakeHost())
    again = compose(CORE, FakeHost(dict(host.parts)))
    assert fields(with_plugin, "Person") == fields(again, "Person") == ["id", "name", "greeting"]
    assert fields(without, "Person") == ["id", "name"]
    assert with_plugin.sdl == again.sdl


@pytest.mark.parametrize(
    ("second", "element", "owner"),
    [
        (SchemaParts(extend={Person: [computed()(greeting)]}), "Person.greeting", "the plugin first"),
        (
            SchemaParts(extend={Person: [computed(name="name")(greeting)]}),
            "Person.name",
            "the type Person itself",
        ),
        (SchemaParts(query=[query("person", Person)]), "Query.person", "the core"),
        (SchemaParts(query=[query("account", Person)]), "Query.account", "the plugin first"),
        (
            SchemaParts(query=[query("mine", type_called("Account", "second", id=int))]),
            "the type Account",
            "the plugin first",
        ),
        (
            SchemaParts(query=[query("mine", type_called("Person", "second", id=int))]),
            "the type Person",
            "the core",
        ),
        (SchemaParts(types=[type_called("Node", "second", id=int)]), "the type Node", "the core"),
    ],
)
def test_clash_refuses_the_later_plugin_and_names_both(second: SchemaParts, element: str, owner: str) -> None:
    first = SchemaParts(
        extend={Person: [computed()(greeting)]}, query=[query("account", type_called("Account", points=int))]
    )
    host = FakeHost({"first": first, "second": second})
    composed = compose(CORE, host)
    assert host.refused == {"second": f"It adds {element}, which belongs to {owner} already."}
    assert fields(composed, "Person") == ["id", "name", "greeting"]
    assert fields(composed, "Query") == ["person", "account"]


def test_a_name_given_twice_by_one_plugin_is_refused() -> None:
    host = FakeHost({"twice": SchemaParts(extend={Person: [computed()(greeting), computed()(greeting)]})})
    compose(CORE, host)
    assert host.refused == {"twice": "It adds Person.greeting, which belongs to the plugin twice already."}


def test_what_cannot_be_built_is_refused_and_the_rest_lives() -> None:
    def needs_more(surname: str) -> str:
        """Needs a column that is not there."""
        return surname

    host = FakeHost(
        {
            "broken": SchemaParts(extend={Person: [computed()(needs_more)]}),
            "good": SchemaParts(extend={Person: [computed()(greeting)]}),
        }
    )
    composed = compose(CORE, host)
    assert list(host.refused) == ["broken"]
    assert host.refused["broken"].startswith(
        "Its part of the schema cannot be built: Person.needs_more: it needs 'surname', which is no column of"
    )
    assert fields(composed, "Person") == ["id", "name", "greeting"]


def test_a_plugin_goes_with_the_one_that_it_requires() -> None:
    clash = SchemaParts(extend={Person: [computed(name="name")(greeting)]})
    more = SchemaParts(extend={Person: [computed()(greeting)]})
    host = FakeHost({"base": clash, "extra": more}, requires={"extra": "base"})
    composed = compose(CORE, host)
    assert set(host.refused) == {"base", "extra"}
    assert fields(composed, "Person") == ["id", "name"]


def test_a_fault_of_the_core_is_no_plugins_fault() -> None:
    host = FakeHost({"hello": SchemaParts(extend={Person: [computed()(greeting)]})})
    with pytest.raises(Exception, match="Person is defined multiple times"):
        compose([*CORE, SchemaParts(types=[type_called("Person", id=int)])], host)
    assert host.refused == {}


def test_plugin_adds_members_to_a_filter() -> None:
    host = FakeHost({"towns": SchemaParts(filters={"PersonFilter": [CITY]})})
    core = [*CORE, SchemaParts(query=[people()])]
    composed = compose(core, host)
    assert host.refused == {}
    assert fields(composed, "PersonFilter") == ["name", "city", "and", "or", "not"]
    assert fields(compose(core, FakeHost()), "PersonFilter") == ["name", "and", "or", "not"]
    assert 'city: StringFilter @plugin(name: "towns")' in composed.sdl


@pytest.mark.parametrize(
    ("member", "owner"),
    [(Member("name", "string", "It.", column="name"), "the core"), (CITY, "the plugin towns")],
)
def test_a_member_of_a_filter_has_one_owner(member: Member, owner: str) -> None:
    host = FakeHost(
        {
            "towns": SchemaParts(filters={"PersonFilter": [CITY]}),
            "late": SchemaParts(filters={"PersonFilter": [member]}),
        }
    )
    composed = compose([*CORE, SchemaParts(query=[people()])], host)
    name = f"PersonFilter.{member.name}"
    assert host.refused == {"late": f"It adds {name}, which belongs to {owner} already."}
    assert fields(composed, "PersonFilter") == ["name", "city", "and", "or", "not"]


def test_members_for_a_filter_that_is_not_there_are_refused() -> None:
    host = FakeHost({"towns": SchemaParts(filters={"TownFilter": [CITY]})})
    compose(CORE, host)
    assert host.refused["towns"].startswith(
        "Its part of the schema cannot be built: TownFilter: there is no such filter"
    )


def test_a_permission_that_nobody_declares_is_refused() -> None:
    asking = SchemaParts(extend={Person: [computed(permission="hello.read")(greeting)]})
    host = FakeHost({"hello": asking})
    composed = compose(CORE, host)
    assert host.refused["hello"].startswith(
        "Its part of the schema cannot be built: Person.greeting: it needs the permission 'hello.read',"
    )
    assert fields(composed, "Person") == ["id", "name"]
    declared = Plugin(
        name="hello",
        requires_api="1.0",
        summary="Says hello.",
        permissions=[Permission("hello.read", "See it.")],
    )
    host = FakeHost({"hello": asking}, plugins=[declared])
    assert fields(compose(CORE, host), "Person") == ["id", "name", "greeting"]
    assert host.refused == {}
