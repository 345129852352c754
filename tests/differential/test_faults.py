"""Resolvers that fail, nulls where none may be, values and types that do not fit: errors, paths and nulls."""

from collections.abc import AsyncIterator

import pytest

from tests.engine.conftest import LibraryReader, PostgresReader, SqliteReader
from tests.engine.library import TYPES, moment

from . import faulty
from .duel import Duel
from .operations import Shape, generate
from .trials import Trials
from .values import Pools

RATES = (0.0, 0.02, 0.1, 0.3)
"""How often something goes wrong."""


@pytest.fixture
async def reader(empty_database_url: str) -> AsyncIterator[LibraryReader]:
    opened: LibraryReader
    if empty_database_url.startswith("sqlite"):
        opened = SqliteReader(empty_database_url.removeprefix("sqlite://"))
    else:
        opened = await PostgresReader.open(empty_database_url)
    await opened.run(faulty.TABLE.format(**TYPES[opened.dialect]))
    for number, parent, name, amount, note, colour in faulty.ROWS:
        await opened.insert(
            "chaos_thing",
            id=faulty.key(number),
            parent_id=None if parent is None else faulty.key(parent),
            name=name,
            amount=amount,
            note=note,
            at=moment(number) if number % 2 else None,
            colour=colour,
        )
    yield opened
    await opened.close()


async def test_faults_of_every_sort(reader: LibraryReader) -> None:
    schema = faulty.make_schema()
    pools = Pools(
        ids={"Thing": ["x"]}, numbers={"limit": (0, 1, 3, 6), "number": (0, 1, 9), "first": (0, 1, 2, 5)}
    )
    trials = Trials(f"faults on {reader.dialect}", 0.09)
    for case in trials.cases():
        rng = case.rng("faults")
        shape = Shape(fields=rng.choice((8, 30, 60)), introspection=False)
        operation = generate(schema._schema, rng, pools, shape)
        duel = Duel(schema, lambda: faulty.ChaosContext(reader, page_default=3))
        for number in range(3):
            name, variables = operation.request(rng)
            faulty.CHAOS.seed = f"{case.seed}/{case.number}/{number}"
            faulty.CHAOS.rate = rng.choice(RATES)
            apart = rng.random() < 0.3
            trials.ran += 1
            found = await duel.differ(operation.text, variables, name, apart=apart)
            if found:
                told = await duel.told(operation.text, variables, name, found, apart=apart)
                trials.failed(case, f"rate {faulty.CHAOS.rate}, seed {faulty.CHAOS.seed}: {told}")
                break
    trials.end()
