"""The office in which clerks write: empty, with every plugin's tables, and two loyalty programmes."""

from crm_loyalty.programs import create_program

from crm_framework.app import open_service
from crm_framework.runtime import load_host, migrations_of
from crm_framework.security.actors import Actor
from crm_framework.settings import Settings
from crm_framework.storage.migration.migrator import migrate

from .clerks import CURRENCIES

PLUGINS = ("analytics", "loyalty", "ticketing")
SECTIONS = {"analytics": {"survey_url": "https://crm.example.com", "survey_secrets": ["0123456789abcdef"]}}


def settings(url: str) -> Settings:
    return Settings(database_url=url, plugins=PLUGINS, sections=SECTIONS, handler_budget_ms=30_000)


async def prepare(url: str) -> None:
    """Makes the tables in an empty database, and a programme for each currency."""
    chosen = settings(url)
    await migrate(url, migrations_of(await load_host(chosen)))
    async with open_service(chosen) as service:
        for rate, currency in enumerate(CURRENCIES, 1):
            async with service.database.unit_of_work(Actor.system("office")) as tx:
                await create_program(tx, f"Points for {currency}", currency, rate)
