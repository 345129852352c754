"""`crm demo`: loads the demo company, all of it marked: source `demo`, and a tag on its customers.

What plugins add to it comes from their hook `demo`, in the same transaction.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

import click

from crm_framework.cli.demo_company import SOURCE, STAFF, company
from crm_framework.cli.running import console, run, settings_of
from crm_framework.domain.customers.bulk import ImportReport, import_customers
from crm_framework.domain.customers.segments import NewSegment, create_segment
from crm_framework.domain.customers.staff import create_staff
from crm_framework.domain.interactions.bulk import import_interactions
from crm_framework.hooks.dispatch import PluginHost
from crm_framework.runtime import open_runtime
from crm_framework.security.actors import Actor
from crm_framework.settings import Settings
from crm_framework.storage.database import Database
from crm_framework.storage.unit_of_work import UnitOfWork

SEGMENT = NewSegment(
    name="Demo company",
    description="Invented customers, loaded by `crm demo`.",
    condition={"tags": {"any": [SOURCE]}},
)


@click.command("demo")
@click.option("--if-empty", is_flag=True, help="Only into a database that has no customers yet.")
@click.pass_context
def command(context: click.Context, if_empty: bool) -> None:
    """Loads a small demo company, and what the plugins add to it. A second run adds nothing."""
    loaded = run(_load(settings_of(context), if_empty))
    if loaded.customers:
        console.print(
            f"Loaded the demo company: {loaded.customers} customers, all with the tag and the source"
            f" {SOURCE!r}."
        )
    for plugin, counts in loaded.added.items():
        if counts:
            listed = ", ".join(f"{count} {what}" for what, count in counts.items())
            console.print(f"Added by {plugin}: {listed}.")
    if not if_empty and not loaded.anything:
        console.print("The demo company is there already.")


@dataclass(frozen=True)
class Loaded:
    """How many customers are new, and what plugins added."""

    customers: int = 0
    added: Mapping[str, Mapping[str, int]] = field(default_factory=dict)

    @property
    def anything(self) -> bool:
        return bool(self.customers or any(self.added.values()))


async def _load(settings: Settings, if_empty: bool) -> Loaded:
    async with open_runtime(settings) as runtime:
        if if_empty and await runtime.database.fetch("SELECT 1 FROM crm_customer LIMIT 1"):
            return Loaded()
        return await load_demo(runtime.database, runtime.host)


async def load_demo(database: Database, host: PluginHost) -> Loaded:
    """Loads what is not there yet."""
    # One transaction, so that a demo is there as a whole or not at all.
    async with database.unit_of_work(Actor.system("crm demo")) as tx:
        created = await _fill(tx)
        customers = await tx.fetch(
            "SELECT id FROM crm_customer WHERE source = ? AND erased_at IS NULL AND merged_into_id IS NULL"
            " AND archived_at IS NULL ORDER BY LENGTH(reference), reference",
            (SOURCE,),
        )
        staff = await tx.fetch(
            "SELECT id FROM crm_staff WHERE source = ? AND active ORDER BY reference", (SOURCE,)
        )
        keys = [str(row["id"]) for row in customers]
        return Loaded(created, await host.demo(keys, [str(row["id"]) for row in staff], tx) if keys else {})


async def _fill(tx: UnitOfWork) -> int:
    demo = company(tx.now)
    staff = [(await create_staff(tx, member)).id for member in STAFF]
    customers = [
        replace(customer, owner_id=staff[owner])
        for customer, owner in zip(demo.customers, demo.owners, strict=True)
    ]
    report = _sound(await import_customers(tx, customers))
    _sound(await import_interactions(tx, demo.interactions))
    if not await tx.fetch("SELECT 1 FROM crm_segment WHERE name = ?", (SEGMENT.name,)):
        await create_segment(tx, SEGMENT, _accept)
    return report.created


def _accept(condition: Mapping[str, Any]) -> None:
    """The condition stands above and is right."""


def _sound(report: ImportReport) -> ImportReport:
    for row in report.errors:
        assert row.error is not None
        raise row.error
    return report
