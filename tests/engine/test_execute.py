from crm_framework.engine import encode_id

from . import library
from .conftest import Library


async def test_a_tree_is_resolved_level_by_level(filled: Library) -> None:
    found = await filled.data(
        """{ authors(limit: 2) { id name born greeting mentor { name }
             books { title year price lent binding facts readingTime publishedAt boughtOn
                     cost { amount symbol } }
             shelf { count top { title author { name } } author { name } value { symbol } } } }"""
    )
    first, second = found["authors"]
    assert first["id"] == encode_id("Author", library.key(0))
    assert (first["name"], first["born"], first["greeting"], first["mentor"]) == (
        "A000",
        "1970-01-01",
        "Dear A000",
        None,
    )
    assert second["mentor"] == {"name": "A000"}
    assert [book["title"] for book in second["books"]] == [f"T001-00{b}" for b in range(5)]
    assert first["books"][1] == {
        "title": "T000-001",
        "year": 1900,
        "price": "11.50",
        "lent": True,
        "binding": "HARD",
        "facts": {"pages": 101},
        "readingTime": None,
        "publishedAt": "2024-01-02T12:00:00+00:00",
        "boughtOn": "2024-02-02",
        "cost": {"amount": "11.50", "symbol": "€"},
    }
    assert first["shelf"] == {
        "count": 5,
        "top": {"title": "T000-000", "author": {"name": "A000"}},
        "author": {"name": "A000"},
        "value": {"symbol": "€"},
    }
