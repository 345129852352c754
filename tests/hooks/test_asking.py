"""Routes and commands of a plugin ask what other plugins' hooks tell."""

from crm_framework import NewCustomer, create_customer
from crm_framework.testing.apps import OpenClient, TemporaryPlugin

ASKING = '''
from datetime import UTC, datetime
import click
from crm_framework import *

@hookimpl
async def figures(window):
    days = float((window.end - window.start).days)
    return [Figure(name="days", description="Days of the window.", value=days)]

@hookimpl
async def signals(customer_ids):
    return [Signal(customer_id=key, kind="late", at=datetime(2025, 1, 1, tzinfo=UTC), text="Late.")
        for key in customer_ids]

@hookimpl
async def signalled():
    return Fragment("t.name = ?", ("Ada",))

async def told(asked):
    window = Window(datetime(2025, 1, 1, tzinfo=UTC), datetime(2025, 1, 8, tzinfo=UTC))
    [row] = await asked.reader.fetch("SELECT id FROM crm_customer")
    figures, signals = await asked.figures(window), await asked.signals([row["id"]])
    signalled = await asked.signalled()
    return [figures.found[0].value, signals.by_customer[row["id"]][0].kind,
        signalled.conditions["asking"].sql]

async def handle(request):
    return RouteAnswer(body=await told(request))

@click.group()
def command():
    """Asks."""

@command.command()
@click.pass_context
def ask(context):
    click.echo(run_command(context, told))

plugin = Plugin(name="asking", requires_api="1.0", summary="Asks.", commands=__name__,
    routes=[Route("/x", handle, permission=PUBLIC, description="X.")])
'''


async def test_routes_and_commands_can_ask_what_other_plugins_tell(
    open_client: OpenClient, temporary_plugin: TemporaryPlugin
) -> None:
    temporary_plugin("asking", ASKING)
    client = await open_client("asking")
    async with client.service.database.unit_of_work() as tx:
        await create_customer(tx, NewCustomer(name="Ada"))
    answer = await client.request("GET", "/plugins/asking/x", token=False)
    assert answer.json() == [7.0, "late", "t.name = ?"], answer.text
    assert (await client.command("asking", "ask")).output == "[7.0, 'late', 't.name = ?']\n"
