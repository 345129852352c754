"""Reads of the whole API, with every plugin on, by one who may see everything."""

from .conftest import ADMIN, Company
from .duel import Duel
from .operations import generate
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
