"""`client.command`: the commands of plugins, on what the client has open."""

from pathlib import Path

import pytest

from crm_framework.testing import CommandResult
from crm_framework.testing.apps import OpenClient


@pytest.fixture
def plugin_dir() -> Path:
    return Path(__file__).parents[1] / "fixture_plugins"


async def test_a_command_and_the_api_see_the_same_database(open_client: OpenClient) -> None:
    client = await open_client("with_commands", with_commands={"tag": "chosen"})
    create = (
        "mutation ($input: CreateCustomerInput!) { createCustomer(input: $input) { errors { message } } }"
    )
    for name, city in (("Ada", "Lyon"), ("Ben", "Berlin")):
        await client.data(create, input={"name": name, "city": city})
    assert await client.command("with_commands", "mark", "Lyon") == CommandResult(0, "1 marked\n", "")
    assert await client.command("with_commands", "count") == CommandResult(0, "1\n", "")
    answer = await client.data("{ customers { nodes { name tags } } }")
    assert answer["customers"]["nodes"] == [
        {"name": "Ada", "tags": ["chosen"]},
        {"name": "Ben", "tags": []},
    ]
    async with client.service.database.unit_of_work() as tx:
        rows = await tx.fetch("SELECT actor_kind, actor_name FROM crm_audit WHERE action = 'customer.tagged'")
    assert rows == [{"actor_kind": "SYSTEM", "actor_name": "crm with_commands mark"}]


async def test_what_goes_wrong_is_told_as_at_the_terminal(open_client: OpenClient) -> None:
    client = await open_client("with_commands", with_commands={"tag": ""})
    create = 'mutation { createCustomer(input: {name: "Ada", city: "Lyon"}) { errors { message } } }'
    await client.data(create)
    ran = await client.command("with_commands", "mark", "Lyon")
    assert (ran.code, ran.output, ran.errors.startswith("crm: ")) == (1, "", True)
    assert (await client.command("with_commands", "mark")).code == 2
