"""The engine's own library: rows, plain objects, unions, computed and batch fields, resolvers that fail."""

from collections.abc import Sequence

import pytest

from crm_framework.engine import encode_id
from tests.engine import library
from tests.engine.conftest import Library
from tests.engine.conftest import filled as filled
from tests.engine.conftest import reader as reader
from tests.engine.conftest import schema as schema
from tests.engine.conftest import shelves as shelves

from .duel import Duel
from .operations import Shape, generate
from .trials import Trials
from .values import Pools

# of graphql-core beside: where one field fails at once, it lets go of what others would have waited for
pytestmark = pytest.mark.filterwarnings("ignore:coroutine 'GraphQLCoreConverter:RuntimeWarning")


async def _pools(filled: Library) -> Pools:
    cursors: dict[str, Sequence[str]] = {}
    for name in ("TITLE", "YEAR", "PRICE", "PUBLISHED_AT", "BOUGHT_ON", "LENT", "BINDING"):
        for direction, sign in (("ASC", ""), ("DESC", "-")):
            order = f"orderBy: [{{field: {name}, direction: {direction}}}]"
            data = await filled.data(f"{{ books({order}) {{ edges {{ cursor }} }} }}")
            cursors[f"{sign}{name},{sign}id"] = [edge["cursor"] for edge in data["books"]["edges"]]
    authors = [encode_id("Author", library.key(number)) for number in range(5)]
    books = [encode_id("Book", library.key(1000 * (a + 1) + b)) for a in range(4) for b in range(5)]
    return Pools(
        texts={
            "title": ["T000-000", "T001-002", "T00"],
            "search": ["001"],
            "mode": ["all", "short", "refused", "each"],
        },
        ids={"Author": authors, "Book": books, "malformed": ["", "x", encode_id("Poster", "1")]},
        cursors=cursors,
        orders={"Author.catalogue": "-PUBLISHED_AT,-id"},
        moments=["2024-01-02T12:00:00Z", "2024-01-04T12:00:00+00:00", "2024-02-03T00:00:00Z"],
        numbers={
            "first": (0, 1, 2, 3, 5, 7, 200),
            "last": (0, 1, 2, 5),
            "year": (1899, 1900, 1902),
            "limit": (0, 1, 2, 4),
        },
        id_type=lambda place, hint: "Author" if hint == "author" else None,
    )


async def test_operations_over_the_library(filled: Library) -> None:
    # a title and a name that some batch functions stumble over, and a book whose author is gone
    await filled.reader.run("UPDATE lib_author SET name = 'B' WHERE id = ?", [library.key(1)])
    await filled.reader.run("DELETE FROM lib_author WHERE id = ?", [library.key(3)])
    pools = await _pools(filled)
    trials = Trials(f"library on {filled.reader.dialect}", 0.07)
    for case in trials.cases():
        rng = case.rng("library")
        operation = generate(filled.schema._schema, rng, pools, Shape(fields=30))
        rights = library.EVERYTHING
        if rng.random() < 0.15:
            rights -= {rng.choice(sorted(rights))}

        def visit(rights: frozenset[str] = rights) -> library.Visit:
            return filled.visit(permissions=rights, show_suggestions="introspect" in rights)

        duel = Duel(filled.schema, visit)
        for _ in range(3):
            name, variables = operation.request(rng)
            # a batch that gives a list of the wrong length fails all of a level: there levels are seen
            apart = rng.random() < 0.2 and "fragile" not in operation.text
            trials.ran += 1
            found = await duel.differ(operation.text, variables, name, apart=apart)
            if found:
                trials.failed(case, await duel.told(operation.text, variables, name, found, apart=apart))
                break
    trials.end()
