"""Every added element names its plugin in the SDL; all that is the core's stands bare."""

import strawberry
from graphql import build_schema

from crm_framework.schema.ownership import owners_of_types
from crm_framework.schema.sdl import PluginDirective, print_owned

SOURCE = """
type Query { customer(filter: Filter): Customer  tickets: [Ticket!]! }
type Customer { name: String!  loyalty(order: Order): Account  rank: Int }
type Account { tier: Tier  customer: Customer }
type Tier { name: String  tickets: [Ticket!]! }
type Ticket { subject: String }
type Loose { id: ID! }
input Filter { name: String  tier: TierFilter }
input TierFilter { eq: String }
enum Order { UP DOWN }
"""

MEMBERS = {
    "Customer.loyalty": "loyalty",
    "Filter.tier": "loyalty",
    "Query.tickets": "ticketing",
    "Tier.tickets": "ticketing",
    "Customer.rank": "ticketing",
}


def test_a_type_belongs_to_the_first_owner_that_leads_to_it() -> None:
    schema = build_schema(SOURCE)
    owners = owners_of_types(schema, MEMBERS, {"core": [], "loyalty": ["Loose"], "ticketing": ["Tier"]})
    assert owners == {
        "Query": "core",
        "Customer": "core",
        "Filter": "core",
        "Account": "loyalty",
        "Tier": "loyalty",
        "Order": "loyalty",
        "TierFilter": "loyalty",
        "Loose": "loyalty",
        "Ticket": "ticketing",
    }


def test_sdl_marks_types_and_members_once() -> None:
    schema = build_schema(SOURCE)
    owners = owners_of_types(schema, MEMBERS, {"core": [], "loyalty": ["Loose"], "ticketing": []})
    assert (
        print_owned(schema, owners, MEMBERS)
        == """\
type Query {
  customer(filter: Filter): Customer
  tickets: [Ticket!]! @plugin(name: "ticketing")
}

type Account @plugin(name: "loyalty") {
  tier: Tier
  customer: Customer
}

type Customer {
  name: String!
  loyalty(order: Order): Account @plugin(name: "loyalty")
  rank: Int @plugin(name: "ticketing")
}

input Filter {
  name: String
  tier: TierFilter @plugin(name: "loyalty")
}

type Loose @plugin(name: "loyalty") {
  id: ID!
}

enum Order @plugin(name: "loyalty") {
  UP
  DOWN
}

type Ticket @plugin(name: "ticketing") {
  subject: String
}

type Tier @plugin(name: "loyalty") {
  name: String
  tickets: [Ticket!]! @plugin(name: "ticketing")
}

input TierFilter @plugin(name: "loyalty") {
  eq: String
}
"""
    )


def test_directive_is_part_of_the_schema() -> None:
    @strawberry.type
    class Query:
        one: int = 1

    schema = strawberry.Schema(Query, types=[PluginDirective])
    assert print_owned(schema._schema, {}, {}).startswith(
        '"""\nThe plugin that adds this element; without it, the element is the core\'s.\n"""\n'
        "directive @plugin(name: String!) on OBJECT |"
    )
