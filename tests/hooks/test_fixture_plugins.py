"""Each hook at work, in the plugins of tests/fixture_plugins, on both databases."""

import asyncio
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from crm_framework import (
    CrmError,
    ErrorCode,
    OutgoingMessage,
    Permission,
    PurchaseRecorded,
    RefundRecorded,
    UnitOfWork,
    new_id,
    now,
    parse_time,
    send_message,
    tag_customers,
)
from crm_framework.cli.demo import load_demo
from crm_framework.domain.models import Customer, CustomerKind, CustomerStage, Interaction
from crm_framework.hooks.discovery import load_plugins
from crm_framework.hooks.dispatch import PluginHost
from crm_framework.hooks.loaded import PluginStatus
from crm_framework.runtime import migrations_of, open_database
from crm_framework.schema.compose import compose
from crm_framework.schema.core import CORE_PARTS
from crm_framework.settings import Settings
from crm_framework.storage.database import Database
from crm_framework.storage.deliveries import deliver_due
from crm_framework.storage.migration.migrator import migrate
from crm_framework.testing import CrmClient, frozen, queued_messages, run_jobs
from crm_framework.testing.apps import OpenClient
from crm_framework.testing.filling import fill_customers

FOLDER = Path(__file__).resolve().parents[1] / "fixture_plugins"
FIXTURES = sorted(file.stem for file in FOLDER.glob("*.py"))


def load(*enabled: str, **sections: Any) -> PluginHost:
    return load_plugins(Settings(plugin_dir=str(FOLDER), plugins=enabled, sections=sections))


@pytest.fixture
def host() -> PluginHost:
    return load("with_event_handler", "with_guard", "with_privacy", "with_timeline")


@pytest.fixture
async def opened(
    database_url: str, host: PluginHost, monkeypatch: pytest.MonkeyPatch
) -> AsyncIterator[Database]:
    """The database with the tables, guards and handlers of the plugins."""
    monkeypatch.syspath_prepend(str(FOLDER))
    await migrate(database_url, migrations_of(host))
    async with await open_database(
        Settings(database_url=database_url, handler_budget_ms=10_000), host
    ) as database:
        yield database


async def customer(name: str) -> str:
    made = await Customer.create(
        kind=CustomerKind.PERSON,
        stage=CustomerStage.PROSPECT,
        name=name,
        sort_name=name.lower(),
        created_at=now(),
        updated_at=now(),
    )
    return str(made.id)


async def purchase(tx: UnitOfWork, customer_id: str, total_minor: int = 100) -> None:
    made = await Interaction.create(
        customer_id=customer_id, kind="purchase", occurred_at=tx.now, created_at=tx.now
    )
    tx.emit(
        PurchaseRecorded(
            customer_id=customer_id,
            interaction_id=str(made.id),
            kind="purchase",
            total_minor=total_minor,
            currency="EUR",
        )
    )


async def emitted(database: Database) -> list[tuple[str, str]]:
    rows = await database.fetch("SELECT type, customer_id FROM crm_event ORDER BY id")
    return [(row["type"], row["customer_id"]) for row in rows]


def test_those_that_should_work_do() -> None:
    statuses = {entry.name: entry.status for entry in load(*FIXTURES).plugins if entry.name in FIXTURES}
    assert statuses == {
        **dict.fromkeys(FIXTURES, PluginStatus.ENABLED),
        "broken_import": PluginStatus.BROKEN,
        "incompatible": PluginStatus.INCOMPATIBLE,
    }


def test_a_requirement_comes_first() -> None:
    order = [entry.name for entry in load("with_requirement", "with_computed_field", "with_settings").enabled]
    assert order == ["with_computed_field", "with_settings", "with_requirement"]


def test_a_plugin_that_ends_the_program_on_import_is_reported(capsys: pytest.CaptureFixture[str]) -> None:
    entry = load("broken_import").get("broken_import")
    assert entry is not None
    assert entry.reason == "It cannot be imported: SystemExit: gone (broken_import.py, line 10)."
    assert capsys.readouterr().out == ""


def test_declared_words_are_collected() -> None:
    host = load("with_kind", "with_permission")
    assert [kind.name for kind in host.kinds] == ["demonstration"]
    assert [channel.name for channel in host.channels] == ["pigeon"]
    assert host.permissions == (Permission("with_permission.see", "See the secret."),)


@pytest.fixture
def plugin_dir() -> Path:
    return FOLDER


@pytest.fixture
async def client(open_client: OpenClient) -> CrmClient:
    """With every fixture plugin that adds to the schema, and three customers."""
    names = ("with_batch_field", "with_computed_field", "with_filter", "with_permission", "with_settings")
    made = await open_client(*names, with_settings={"word": "Dearest"})
    async with made.service.database.unit_of_work() as tx:
        keys = await fill_customers(tx, 3)
        await purchase(tx, keys[1])
    return made


async def test_hook_schema_adds_fields_to_the_types_of_others(client: CrmClient) -> None:
    with client.statements() as statements:
        answer = await client.data(
            "{ customers(first: 2) { nodes { name greeting salutation interactionCount } } }"
        )
    assert answer["customers"]["nodes"] == [
        {
            "name": f"Customer {number}",
            "greeting": f"Hello, Customer {number}!",
            "salutation": f"Dearest Customer {number}",
            "interactionCount": number,
        }
        for number in (0, 1)
    ]
    assert len(statements) == 2


async def test_hook_schema_a_list_costs_what_it_says(open_client: OpenClient) -> None:
    client = await open_client("with_list", rate_limit_per_minute=1_000)
    query = "query ($to: Int!) { years(since: 2001, until: $to) { number } }"
    assert await client.data(query, to=2003) == {"years": [{"number": n} for n in (2001, 2002, 2003)]}
    [error] = await client.errors(query, to=3900)
    assert error["extensions"]["code"] == "RATE_LIMITED"
    assert "1,900 objects" in error["message"]


async def test_hook_schema_a_field_of_query_takes_the_filter_of_customers(open_client: OpenClient) -> None:
    client = await open_client("with_customer_figure", "with_filter")
    async with client.service.database.unit_of_work() as tx:
        keys = await fill_customers(tx, 3)
        await tag_customers(tx, keys[:2], add=["vip"])
    made = await client.data(
        """mutation { createSegment(input: {name: "VIP", filter: {tags: {any: ["vip"]}}}) { segment { id }
        } }"""
    )
    segment = made["createSegment"]["segment"]["id"]
    query = "query ($filter: CustomerFilter) { customerFigure(filter: $filter) }"
    assert await client.data("{ customerFigure }") == {"customerFigure": 3}
    for filter, number in (
        (None, 3),
        ({"name": {"eq": "customer 1"}}, 1),
        ({"segment": segment}, 2),
        ({"not": {"segment": segment}}, 1),
        ({"nameLength": {"gte": 11}}, 0),
    ):
        assert await client.data(query, filter=filter) == {"customerFigure": number}
    [error] = await client.errors(query, filter={"segment": "nonsense"})
    assert error["extensions"]["code"] == "BAD_INPUT"
    reader = await client.acting_with("customers.read")
    assert await reader.data("{ customerFigure }") == {"customerFigure": 3}
    [error] = await reader.errors(query, filter={"segment": segment})
    assert error["extensions"]["code"] == "FORBIDDEN"


async def test_hook_schema_adds_members_to_filters(client: CrmClient) -> None:
    query = "query ($length: Int) { customers(filter: {nameLength: {gte: $length}}) { totalCount } }"
    assert await client.data(query, length=10) == {"customers": {"totalCount": 3}}
    assert await client.data(query, length=11) == {"customers": {"totalCount": 0}}


async def test_hook_schema_fields_need_their_permission(client: CrmClient) -> None:
    allowed = await client.acting_with("with_permission.see")
    assert await allowed.data("{ secret }") == {"secret": "hidden"}
    refused = await client.acting_with("customers.read")
    [error] = await refused.errors("{ secret }")
    assert error["extensions"]["code"] == "FORBIDDEN"


def test_hook_schema_refuses_the_later_of_two_owners_of_a_name() -> None:
    host = load("with_computed_field", "clashing")
    composed = compose(CORE_PARTS, host)
    entry = host.get("with_computed_field")
    assert entry is not None
    assert (entry.status, entry.reason) == (
        PluginStatus.REFUSED,
        "It adds Customer.greeting, which belongs to the plugin clashing already.",
    )
    assert composed.members == {"Customer.greeting": "clashing"}


async def test_hook_before_change_refuses_and_rolls_back(opened: Database) -> None:
    async with opened.unit_of_work():
        key = await customer("Ada")
    with pytest.raises(CrmError) as caught:
        async with opened.unit_of_work() as tx:
            await purchase(tx, key, total_minor=1_000_001)
    assert (caught.value.code, caught.value.path) == (ErrorCode.REFUSED, ("lines",))
    assert await emitted(opened) == []
    assert await opened.fetch("SELECT id FROM crm_interaction") == []
    async with opened.unit_of_work() as tx:
        await purchase(tx, key, total_minor=1_000_000)
    assert len(await opened.fetch("SELECT id FROM crm_interaction")) == 1


def test_hook_before_change_uses_the_settings() -> None:
    entry = load("with_guard", with_guard={"largest_purchase_minor": 5}).get("with_guard")
    assert entry is not None
    assert entry.settings is not None
    assert entry.settings.largest_purchase_minor == 5  # type: ignore[attr-defined]  # of its own class


async def test_hook_on_events_takes_effect_with_the_change(opened: Database) -> None:
    async with opened.unit_of_work() as tx:
        ada, ben = await customer("Ada"), await customer("Ben")
        await purchase(tx, ada)
        await purchase(tx, ada)
    async with opened.unit_of_work() as tx:
        await purchase(tx, ada)
        await purchase(tx, ben)
    assert await emitted(opened) == [
        ("purchase.recorded", ada),
        ("purchase.recorded", ada),
        ("with_event_handler.first_purchase", ada),
        ("purchase.recorded", ada),
        ("purchase.recorded", ben),
        ("with_event_handler.first_purchase", ben),
    ]
    assert await opened.fetch("SELECT id FROM crm_delivery") == []


async def test_hook_on_events_may_come_later(database_url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(str(FOLDER))
    host = load("with_later_handler")
    await migrate(database_url, migrations_of(host))
    async with await open_database(Settings(database_url=database_url), host) as database:
        async with database.unit_of_work() as tx:
            ada = await customer("Ada")
            await purchase(tx, ada)
            tx.emit(
                RefundRecorded(
                    customer_id=ada,
                    interaction_id=new_id(),
                    kind="refund",
                    total_minor=-100,
                    currency="EUR",
                    purchase_id=new_id(),
                )
            )
        company = "SELECT company FROM crm_customer"
        assert await database.fetch(company) == [{"company": None}]
        assert len(await database.fetch("SELECT id FROM crm_delivery")) == 1
        with frozen(now() + timedelta(seconds=1)):
            assert await deliver_due(database) == 1
        assert await database.fetch(company) == [{"company": "gave back"}]


async def test_hook_timeline_pages_over_customers(opened: Database, host: PluginHost) -> None:
    async with opened.unit_of_work():
        ada, ben = await customer("Ada"), await customer("Ben")
        won = datetime(2024, 5, 1, tzinfo=UTC)
        await Customer.filter(id=ada).update(converted_at=won)
    timeline = await host.timeline([ada, ben], None, 10, None, opened)
    assert timeline.failures == {}
    assert [(entry.plugin, entry.customer_id, entry.at, entry.kind) for entry in timeline.entries] == [
        ("with_timeline", ada, won, "conversion")
    ]
    earlier = datetime(2024, 4, 30, tzinfo=UTC)
    assert (await host.timeline([ada], earlier, 10, None, opened)).entries == ()
    assert (await host.timeline([ada], None, 10, ["call"], opened)).entries == ()


async def test_hook_demo_adds_to_the_invented_company_once(open_client: OpenClient) -> None:
    client = await open_client("with_demo")
    database, host = client.service.database, client.service.host
    first, second = [await load_demo(database, host) for _ in range(2)]
    assert (first.customers, first.added) == (24, {"with_demo": {"letters": 24}})
    assert (second.customers, second.added, second.anything) == (0, {"with_demo": {}}, False)
    [letter] = await database.fetch(
        "SELECT MAX(occurred_at) AS at FROM crm_interaction WHERE source = 'with_demo'"
    )
    assert parse_time(letter["at"]) < now() - timedelta(days=30)


async def test_hook_send_serves_a_channel_of_its_own(open_client: OpenClient) -> None:
    client = await open_client("with_sender")
    database = client.service.database
    for text in ("Come in.", "x" * 1_001):
        async with database.unit_of_work() as tx:
            await send_message(tx, OutgoingMessage(channel="courier", to="Main Street 5", text=text))
    assert await run_jobs(client, sending=True, failing=True) == ["crm.send_message"] * 2
    plugin = client.service.host.get("with_sender")
    assert plugin is not None
    carried: list[OutgoingMessage] = plugin.module.carried  # type: ignore[union-attr]  # it was loaded
    assert [message.text for message in carried] == ["Come in."]
    rows = await database.fetch("SELECT state, sent_by, error FROM crm_message ORDER BY id")
    assert [(row["state"], row["sent_by"], row["error"]) for row in rows] == [
        ("SENT", "with_sender", None),
        ("FAILED", None, "The plugin with_sender did not send it (REFUSED). Couriers carry 1000 characters."),
    ]
    carried.clear()


async def test_hook_send_is_for_what_handlers_of_events_left(open_client: OpenClient) -> None:
    client = await open_client("with_messages")
    create = """mutation ($name: String!, $points: [ContactPointInput!]!) {
      createCustomer(input: {name: $name, contactPoints: $points}) {
        customer { tags } errors { message } } }"""
    for name, consent in (("Ada", "OPTED_IN"), ("Ben", "OPTED_OUT")):
        points = [{"channel": "email", "value": f"{name.lower()}@example.com", "consent": consent}]
        answer = await client.data(create, name=name, points=points)
        assert answer["createCustomer"] == {"customer": {"tags": []}, "errors": []}
    (welcome,) = await queued_messages(client)
    assert (welcome.to, welcome.subject) == ("ada@example.com", "Welcome")
    assert welcome.text == "Dear Ada,\n\nit is good to have you with us."
    await run_jobs(client, sending=True, failing=True)  # there is no mail server
    found = await client.data("{ customers { nodes { name tags } } }")
    assert [(node["name"], node["tags"]) for node in found["customers"]["nodes"]] == [
        ("Ada", ["unreached"]),
        ("Ben", []),
    ]


async def note(tx: UnitOfWork, customer_id: str, text: str) -> None:
    await tx.execute(
        "INSERT INTO with_privacy_note (id, customer_id, text) VALUES (?, ?, ?)",
        [new_id(), customer_id, text],
    )


async def test_hook_merge_customers_moves_all_that_is_the_losers(opened: Database, host: PluginHost) -> None:
    async with opened.unit_of_work() as tx:
        ada, twin, ben = await customer("Ada"), await customer("Ada"), await customer("Ben")
        for owner in (ada, twin, ben):
            await note(tx, owner, "once")
        assert await host.merge_customers(ada, [twin], tx) == {"with_privacy": {"with_privacy_note": 1}}
    rows = await opened.fetch("SELECT customer_id FROM with_privacy_note ORDER BY id")
    assert [row["customer_id"] for row in rows] == [ada, ada, ben]


async def test_hook_schema_adds_a_subscription(open_client: OpenClient) -> None:
    client = await open_client("with_subscription")
    query = 'subscription { customerArrived(after: "") { name interactions(first: 1) { totalCount } } }'
    create = "mutation ($name: String!) { createCustomer(input: {name: $name}) { errors { message } } }"
    async with client.subscription(query) as answers:
        for name in ("Ada", "Grace"):
            await client.data(create, name=name)
            async with asyncio.timeout(30):
                answer = await anext(answers)
            assert answer == {"data": {"customerArrived": {"name": name, "interactions": {"totalCount": 0}}}}


async def test_hook_export_customer_gives_what_is_held(opened: Database, host: PluginHost) -> None:
    async with opened.unit_of_work() as tx:
        ada = await customer("Ada")
        await note(tx, ada, "Likes tea.")
        assert await host.export_customer(ada, tx) == {"with_privacy": {"notes": ["Likes tea."]}}


async def test_hook_erase_customer_removes_only_theirs(opened: Database, host: PluginHost) -> None:
    async with opened.unit_of_work() as tx:
        ada, ben = await customer("Ada"), await customer("Ben")
        await note(tx, ada, "Likes tea.")
        await note(tx, ben, "Likes coffee.")
        assert await host.erase_customer(ada, tx) == {"with_privacy": {"with_privacy_note": 1}}
    assert await opened.fetch("SELECT customer_id, text FROM with_privacy_note") == [
        {"customer_id": ben, "text": "Likes coffee."}
    ]
