"""How many statements each shape of a list costs: the number of parents never matters."""

import pytest

from .conftest import Library

SHAPES = {
    "columns": ("{ authors { id name born greeting } }", 1),
    "reference": ("{ authors { mentor { name } } }", 2),
    "reference of a reference": ("{ authors { mentor { mentor { name } } } }", 3),
    "children": ("{ authors { books { title } } }", 2),
    "children of children": ("{ authors { books { reviews { stars } } } }", 3),
    "back and forth": ("{ authors { books { author { books { title } } } } }", 4),
    "two fields of one level": ("{ authors { mentor { name } books { title } } }", 3),
    "one field twice": ("{ authors { a: books { title } b: books { year author { name } } } }", 3),
    "batch": ("{ authors { shelf { count } } }", 2),
    "objects of a batch": ("{ authors { shelf { author { name } top { reviews { stars } } } } }", 4),
    "lists of lists": ("{ authors { grid { author { name } } } }", 2),
    "computed objects": ("{ authors { books { cost { symbol } } } }", 2),
    "pages": ("{ authors { catalogue(first: 2) { nodes { title } } } }", 2),
    "edges, nodes and page info": (
        """{ authors { catalogue(first: 2) { nodes { title } edges { cursor node { year } }
             pageInfo { hasNextPage endCursor } } } }""",
        2,
    ),
    "pages of two orders": (
        """{ authors { a: catalogue(first: 2) { nodes { title } }
             b: catalogue(first: 2, orderBy: [{field: TITLE}]) { nodes { title } } } }""",
        3,
    ),
    "references of pages": (
        "{ authors { catalogue(first: 2) { nodes { author { name } reviews { stars } } } } }",
        4,
    ),
    "count alone": ("{ authors { catalogue { totalCount } } }", 2),
    "pages with count": ("{ authors { catalogue(first: 1) { totalCount nodes { title } } } }", 3),
    "filtered pages with count": (
        """{ authors { catalogue(first: 1, filter: {title: {contains: "0"}, not: {isOld: true}})
             { totalCount nodes { title } } } }""",
        3,
    ),
    "backward pages": ("{ authors { catalogue(last: 2) { nodes { title } } } }", 2),
    "a page looked at not at all": ("{ authors { catalogue { __typename } } }", 1),
    "root pages": ("{ writers(first: 100) { totalCount nodes { books { title } } } }", 3),
    "root page info": ("{ writers(first: 100) { pageInfo { hasNextPage } } }", 1),
    "union": ("{ finds { ... on Author { books { title } } ... on Book { author { name } } } }", 4),
}


@pytest.mark.parametrize("shape", SHAPES)
async def test_the_number_of_statements_is_fixed(shelves: Library, shape: str) -> None:
    text, expected = SHAPES[shape]
    counts = []
    filled = 0
    for parents in (1, 10, 50):
        await shelves.grow(filled, parents)
        filled = parents
        await shelves.data(text)
        counts.append(len(shelves.reader.log))
    assert counts == [expected] * 3
