"""A schema of some size, once of objects that functions make, once of rows of tables."""

from typing import Any

import strawberry

from crm_framework.engine import encode_id
from tests.engine import library
from tests.engine.conftest import Library

from .harness import Ask, answering, schema_of, told


@strawberry.type
class Image:
    url: str
    width: int
    height: int


@strawberry.type
class Author:
    id: str
    name: str

    @strawberry.field
    def pic(self, width: int, height: int) -> Image:
        return Image(url="cdn://123", width=width, height=height)

    @strawberry.field
    def recent_article(self) -> "Article":
        return _article(1)


@strawberry.type
class Article:
    id: str
    is_published: bool
    author: Author
    title: str
    body: str
    hidden: strawberry.Private[str]
    keywords: list[str | None]


def _article(id: int) -> Article:
    return Article(
        id=str(id),
        is_published=True,
        author=Author(id="123", name="John Smith"),
        title=f"My Article {id}",
        body="This is a post",
        hidden="This data is not exposed in the schema",
        keywords=["foo", "bar", 1, True, None],  # type: ignore[list-item]  # made text by their type
    )


SCHEMA = schema_of(
    answering("article", Article | None, lambda id: _article(int(id)), id=strawberry.ID),
    answering("feed", list[Article], lambda: [_article(number + 1) for number in range(10)]),
)

TEXT = """{
  feed { id title }
  article(id: "1") { ...articleFields
    author { id name pic(width: 640, height: 480) { url width height }
             recentArticle { ...articleFields keywords } } }
}
fragment articleFields on Article { id isPublished title body }"""


async def test_objects_of_functions(ask: Ask) -> None:
    shown = {"id": "1", "isPublished": True, "title": "My Article 1", "body": "This is a post"}
    assert await ask(SCHEMA, TEXT) == (
        {
            "feed": [{"id": str(n), "title": f"My Article {n}"} for n in range(1, 11)],
            "article": {
                **shown,
                "author": {
                    "id": "123",
                    "name": "John Smith",
                    "pic": {"url": "cdn://123", "width": 640, "height": 480},
                    "recentArticle": {**shown, "keywords": ["foo", "bar", "1", "true", None]},
                },
            },
        },
        set(),
    )


async def test_what_is_private_is_no_field(ask: Ask) -> None:
    result = await ask.result(SCHEMA, "{ feed { hidden } }")
    assert (result.refused, result.code) == (True, "BAD_INPUT")


async def test_rows_of_tables(ask: Ask, filled: Library) -> None:
    text = """query ($id: ID!) {
                authors(limit: 10) { id name }
                node(id: $id) { ...bookFields ... on Book {
                  author { id name shelf(least: 5) { count top { ...bookFields facts } } } } }
              }
              fragment bookFields on Book { id title lent binding price boughtOn publishedAt readingTime }"""
    id = encode_id("Book", library.key(1000))
    found = await ask(filled.schema, text, {"id": id}, context=filled.visit(translate=told))
    shown: dict[str, Any] = {
        "id": id,
        "title": "T000-000",
        "lent": False,
        "binding": None,
        "price": "10.50",
        "boughtOn": "2024-02-01",
        "publishedAt": "2024-01-01T12:00:00+00:00",
        "readingTime": 0.0,
    }
    author = encode_id("Author", library.key(0))
    assert found == (
        {
            "authors": [{"id": encode_id("Author", library.key(n)), "name": f"A00{n}"} for n in range(4)],
            "node": {
                **shown,
                "author": {
                    "id": author,
                    "name": "A000",
                    "shelf": {"count": 5, "top": {**shown, "facts": {"pages": 100}}},
                },
            },
        },
        set(),
    )
