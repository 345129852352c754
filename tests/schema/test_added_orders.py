"""What plugins let lists be ordered by: every row once, nulls too, by the engine and its reference alike."""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from crm_framework import NewCustomer, NewInteraction, create_customer, log_interaction
from crm_framework.engine.execute import execute, reference_execute
from crm_framework.hooks.loaded import PluginStatus
from crm_framework.testing import CrmClient
from crm_framework.testing.apps import OpenClient, TemporaryPlugin

FIXTURES = Path(__file__).parents[1] / "fixture_plugins"
MAKE_SEGMENT = 'mutation { createSegment(input: {name: "All", filter: {}}) { errors { message } } }'
DAY = datetime(2025, 3, 1, tzinfo=UTC)
CONTACTED = {
    "Ada": (3, "Z"),
    "Ben": (0, None),
    "Cem": (1, "a"),
    "Dee": (0, "a"),
    "Eli": (3, None),
    "Fay": (2, "é"),
}
"""Customer → number of interactions, company."""


@pytest.fixture
def plugin_dir() -> Path:
    return FIXTURES


@pytest.fixture
async def client(open_client: OpenClient) -> CrmClient:
    made = await open_client("with_orders")
    async with made.service.database.unit_of_work() as tx:
        for name, (contacts, company) in CONTACTED.items():
            customer = await create_customer(tx, NewCustomer(name=name, company=company))
            for number in range(contacts):
                await log_interaction(
                    tx,
                    NewInteraction(
                        customer_id=customer.id,
                        kind="call",
                        occurred_at=DAY + timedelta(days=number, hours=len(name)),
                        outcome=None if number else "Sold",
                    ),
                )
    return made


async def walked(
    client: CrmClient, order: str, *, backwards: bool = False, field: str = "customers"
) -> list[str]:
    """The names in an order, a page of two at a time; both executors must agree on each page."""
    found: list[str] = []
    cursor = None
    first, after = ("last", "before") if backwards else ("first", "after")
    query = (
        f"query ($at: String) {{ {field}({first}: 2, {after}: $at, orderBy: {order})"
        " { nodes { name } pageInfo { startCursor endCursor hasNextPage hasPreviousPage } totalCount } }"
    )
    while True:
        page = (await both(client, query, {"at": cursor}))["customers"]
        assert page["totalCount"] == len(CONTACTED)
        names = [node["name"] for node in page["nodes"]]
        found = [*names, *found] if backwards else [*found, *names]
        info = page["pageInfo"]
        if not info["hasPreviousPage" if backwards else "hasNextPage"]:
            return found
        cursor = info["startCursor" if backwards else "endCursor"]


async def both(client: CrmClient, query: str, variables: dict[str, Any]) -> Any:
    service = client.service
    actor = await service.verifier.verify(client.token)
    answers = [
        await run(service.schema.schema, query, variables, None, service.context(actor, "test"))
        for run in (execute, reference_execute)
    ]
    assert answers[0].errors == answers[1].errors == []
    assert answers[0].data == answers[1].data
    return answers[0].response["data"]


def in_order(key: Any, *, descending: bool) -> list[str]:
    """As it should be: NULL is the largest value, ties go by age, in the direction of the order."""
    names = [(key(*CONTACTED[name]), place, name) for place, name in enumerate(CONTACTED)]
    ranked = sorted(
        ((value is not None, value), place, name) for value, place, name in names if value is not None
    )
    ranked += [((True, None), place, name) for value, place, name in names if value is None]
    return [name for *_, name in (reversed(ranked) if descending else ranked)]


LAST = ("LAST_CONTACT", lambda contacts, company: contacts or None)
ORDERS = [
    LAST,
    ("CONTACTS", lambda contacts, company: contacts),
    ("COMPANY", lambda contacts, company: company),
]


@pytest.mark.parametrize(("name", "key"), ORDERS)
@pytest.mark.parametrize("direction", ["ASC", "DESC"])
async def test_every_customer_comes_once_and_in_order(
    client: CrmClient, name: str, key: Any, direction: str
) -> None:
    expected = in_order(key, descending=direction == "DESC")
    order = f"[{{field: {name}, direction: {direction}}}]"
    assert await walked(client, order) == expected
    assert await walked(client, order, backwards=True) == expected
    # those without a value at the other end, in the same order among themselves
    without = [each for each in expected if key(*CONTACTED[each]) is None]
    having = [each for each in expected if each not in without]
    nulls, other = ("LAST", [*having, *without]) if direction == "DESC" else ("FIRST", [*without, *having])
    order = f"[{{field: {name}, direction: {direction}, nulls: {nulls}}}]"
    assert await walked(client, order) == other
    assert await walked(client, order, backwards=True) == other


async def test_added_orders_break_each_others_ties(client: CrmClient) -> None:
    order = "[{field: COMPANY, direction: DESC}, {field: LAST_CONTACT}, {field: NAME, direction: DESC}]"
    expected = ["Eli", "Ben", "Fay", "Cem", "Dee", "Ada"]
    assert await walked(client, order) == expected
    assert await walked(client, order, backwards=True) == expected


async def test_other_lists_that_take_the_order_have_it_too(client: CrmClient) -> None:
    await client.data(MAKE_SEGMENT)
    query = """query ($at: String) { segments { nodes { members(first: 4, after: $at,
        orderBy: [{field: LAST_CONTACT, direction: DESC}]) { nodes { name } pageInfo { endCursor } } } } }"""
    found: list[str] = []
    at = None
    for _ in range(2):
        [segment] = (await both(client, query, {"at": at}))["segments"]["nodes"]
        found += [node["name"] for node in segment["members"]["nodes"]]
        at = segment["members"]["pageInfo"]["endCursor"]
    assert found == in_order(LAST[1], descending=True)
    text = "{ interactions(orderBy: [{field: OUTCOME}]) { nodes { outcome } } }"
    rows = (await both(client, text, {}))["interactions"]["nodes"]
    assert [row["outcome"] for row in rows] == ["Sold"] * 4 + [None] * 5


async def test_an_order_needs_its_permission_wherever_it_is_used(client: CrmClient) -> None:
    await client.data(MAKE_SEGMENT)
    lists = {
        "customers(orderBy: [{field: %s}]) { nodes { name } }": "CustomerOrder",
        "segments { nodes { members(orderBy: [{field: %s}]) { nodes { name } } } }": "CustomerOrder",
    }
    allowed = await client.acting_with("customers.read", "settings.read", "interactions.read")
    refused = await client.acting_with("customers.read", "settings.read")
    for text, order in lists.items():
        await allowed.data(f"{{ {text % 'CONTACTS'} }}")
        await refused.data(f"{{ {text % 'COMPANY'} }}")
        with refused.statements() as statements:
            [error] = await refused.errors(f"{{ {text % 'CONTACTS'} }}")
        assert error["extensions"]["code"] == "FORBIDDEN"
        assert f"{order}.CONTACTS" in error["message"]
        assert [sql for sql in statements if "FROM crm_customer" in sql] == []


async def test_a_cursor_of_one_order_is_none_of_another(client: CrmClient) -> None:
    query = (
        "query ($at: String) { customers(first: 1, after: $at, orderBy: [{field: %s}])"
        " { pageInfo { endCursor } } }"
    )
    page = await client.data(query % "CONTACTS")
    [error] = await client.errors(query % "LAST_CONTACT", at=page["customers"]["pageInfo"]["endCursor"])
    assert error["extensions"]["code"] == "BAD_INPUT"


async def test_the_sdl_names_the_owner_of_each_value(client: CrmClient) -> None:
    sdl = client.service.schema.sdl
    for name in ("LAST_CONTACT", "CONTACTS", "COMPANY", "OUTCOME"):
        assert f'\n  {name} @plugin(name: "with_orders")\n' in sdl
    assert "  NAME @plugin" not in sdl
    assert client.service.schema.added_by("with_orders") == [
        "CustomerOrderField.COMPANY",
        "CustomerOrderField.CONTACTS",
        "CustomerOrderField.LAST_CONTACT",
        "InteractionOrderField.OUTCOME",
    ]


SOURCE = """
from crm_framework import OrderField, Plugin, SchemaParts, hookimpl
plugin = Plugin(name="{name}", requires_api="1.0", summary="S.", uses={uses})
@hookimpl
def schema():
    return SchemaParts(orders={{"{order}": [{fields}]}})
"""


class TestClashes:
    @pytest.fixture
    def plugin_dir(self, tmp_path: Path) -> Path:
        return tmp_path

    @pytest.mark.parametrize(
        ("order", "fields", "reason"),
        [
            (
                "CustomerOrder",
                ['OrderField("NAME", "string", "By name.", column="name")'],
                "It adds CustomerOrderField.NAME, which belongs to the core already.",
            ),
            (
                "TicketOrder",
                ['OrderField("NUMBER", "int", "By number.", column="number")'],
                "It adds TicketOrderField.NUMBER, which belongs to the plugin ticketing already.",
            ),
            (
                "CustomerOrder",
                ['OrderField("X", "int", "By X.", sql="1")'] * 2,
                "It adds CustomerOrderField.X, which belongs to the plugin adding already.",
            ),
            (
                "CustomerOrder",
                ['OrderField("by name", "string", "By name.", column="name")'],
                "Its part of the schema cannot be built: CustomerOrderField.by name: that is",
            ),
            (
                "NobodyOrder",
                ['OrderField("X", "int", "By X.", sql="1")'],
                "Its part of the schema cannot be built: NobodyOrder: there is no such order",
            ),
            (
                "CustomerOrder",
                ['OrderField("X", "int", "By X.", sql="1", permission="adding.nothing")'],
                "Its part of the schema cannot be built: CustomerOrder.X: it needs the permission",
            ),
        ],
    )
    async def test_what_does_not_fit_costs_only_its_plugin(
        self,
        open_client: OpenClient,
        temporary_plugin: TemporaryPlugin,
        order: str,
        fields: Sequence[str],
        reason: str,
    ) -> None:
        text = SOURCE.format(name="adding", uses=["ticketing"], order=order, fields=", ".join(fields))
        temporary_plugin("adding", text)
        client = await open_client("adding", "ticketing")
        entry = client.service.host.get("adding")
        assert entry is not None
        assert entry.status is PluginStatus.REFUSED
        assert (entry.reason or "").startswith(reason)
        assert await client.data("{ tickets(orderBy: [{field: NUMBER}]) { totalCount } }")

    async def test_the_later_of_two_plugins_is_refused(
        self, open_client: OpenClient, temporary_plugin: TemporaryPlugin
    ) -> None:
        field = 'OrderField("LOUDNESS", "int", "By loudness.", sql="LENGTH(t.name)")'
        for name in ("early", "late"):
            temporary_plugin(name, SOURCE.format(name=name, uses=[], order="CustomerOrder", fields=field))
        client = await open_client("early", "late")
        entry = client.service.host.get("late")
        assert entry is not None
        assert (
            entry.reason == "It adds CustomerOrderField.LOUDNESS, which belongs to the plugin early already."
        )
        await client.data("{ customers(orderBy: [{field: LOUDNESS}]) { totalCount } }")

    async def test_a_plugin_adds_to_the_lists_of_another(
        self, open_client: OpenClient, temporary_plugin: TemporaryPlugin
    ) -> None:
        field = (
            'OrderField("SUBJECT", "string", "By subject.", column="subject", permission="ticketing.read")'
        )
        text = SOURCE.format(name="adding", uses=["ticketing"], order="TicketOrder", fields=field)
        temporary_plugin("adding", text)
        client = await open_client("adding", "ticketing")
        await client.data("""mutation { createCustomer(input: {name: "Ada"}) { errors { message } } }""")
        [customer] = (await client.data("{ customers { nodes { id } } }"))["customers"]["nodes"]
        for subject in ("b", "c", "a"):
            await client.data(
                "mutation ($input: OpenTicketInput!) { openTicket(input: $input) { errors { message } } }",
                input={"customer": customer["id"], "subject": subject, "body": "Help."},
            )
        query = "{ customers { nodes { tickets(orderBy: [{field: SUBJECT}]) { nodes { subject } } } } }"
        [found] = (await both(client, query, {}))["customers"]["nodes"]
        assert [ticket["subject"] for ticket in found["tickets"]["nodes"]] == ["a", "b", "c"]
