"""Reads of the whole API, with every plugin on, by one who may see everything."""

from crm_framework.hooks.dispatch import PluginHost
from crm_framework.schema.compose import compose
from crm_framework.schema.core import CORE_PARTS

from .conftest import ADMIN, Company
from .duel import Duel
from .operations import Shape, generate
from .trials import Trials

REQUESTS = 3
"""With other variables, of one document."""


async def test_reads_of_the_whole_schema(firm: Company) -> None:
    service = firm.service
    trials = Trials(f"reads on {service.database.dialect}", 0.19)
    for case in trials.cases():
        rng = case.rng()
        operation = generate(service.schema.graphql, rng, firm.pools)
        duel = Duel(service.schema.schema, lambda: service.context(ADMIN, "request"))
        for _ in range(REQUESTS):
            name, variables = operation.request(rng)
            apart = rng.random() < 0.2
            trials.ran += 1
            found = await duel.differ(operation.text, variables, name, apart=apart)
            if found:
                trials.failed(case, await duel.told(operation.text, variables, name, found, apart=apart))
                break
            if not operation.variables[name]:
                break
    trials.end()


async def test_one_text_over_two_schemas(firm: Company) -> None:
    """The same with and without plugins, in turn: what is kept of one is not used for the other."""
    service = firm.service
    schemas = [service.schema.schema, compose(CORE_PARTS, PluginHost()).schema]
    trials = Trials(f"two schemas on {service.database.dialect}", 0.01)
    for case in trials.cases():
        rng = case.rng("schemas")
        operation = generate(rng.choice(schemas)._schema, rng, firm.pools, Shape(fields=20))
        name, variables = operation.request(rng)
        for schema in rng.sample(schemas, 2):
            duel = Duel(schema, lambda: service.context(ADMIN, "request"))
            trials.ran += 1
            found = await duel.differ(operation.text, variables, name)
            if found:
                trials.failed(case, await duel.told(operation.text, variables, name, found))
                break
    trials.end()
