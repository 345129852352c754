"""A library, to test the engine with: authors write books, readers review them."""

from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from enum import Enum
from typing import Annotated, Any

import strawberry
from strawberry.schema.config import StrawberryConfig

from crm_framework.engine import (
    PUBLIC,
    Batch,
    BigInt,
    Connection,
    Context,
    EngineSchema,
    FilterSpec,
    Fragment,
    KeptList,
    Member,
    Node,
    OrderField,
    Orders,
    ReadyPage,
    RequestError,
    batch,
    children,
    column,
    computed,
    connection,
    decode_id,
    load,
    load_where,
    node,
    one,
    pages_of,
    record,
    reference,
    root,
)
from crm_framework.engine.ids import check_key, decode_key
from crm_framework.schema.scalars import SCALARS


@strawberry.enum(description="What a book is made of.")
class Binding(Enum):
    HARD = strawberry.enum_value("hard", description="Boards.")
    SOFT = strawberry.enum_value("soft", description="Paper.")


@strawberry.type(description="A sum of money.")
class Money:
    amount: Decimal = strawberry.field(description="In major units.")
    currency: str = strawberry.field(description="ISO 4217.")

    @batch(needs=("currency",))
    @staticmethod
    def symbol(sums: Batch[Any]) -> list[str]:
        "The currency's sign."
        CALLS.append(("symbol", len(sums)))
        return [{"EUR": "€"}.get(each.currency, each.currency) for each in sums]


BOOK_FILTER = FilterSpec(
    "BookFilter",
    [
        Member("title", "string", "The title.", column="title"),
        Member("year", "int", "Year of publication.", column="year"),
        Member("price", "decimal", "Price.", column="price"),
        Member("readingSeconds", "bigint", "How long it takes to read.", column="reading_seconds"),
        Member("publishedAt", "datetime", "When it came out.", column="published_at"),
        Member("boughtOn", "date", "When the library bought it.", column="bought_on"),
        Member("lent", "boolean", "Whether it is lent.", column="lent"),
        Member("binding", "enum", "Its binding.", column="binding", enum=Binding),
        Member("author", "id", "Its author.", column="author_id", of="Author"),
        Member(
            "reviewed",
            "custom",
            "Whether anyone reviewed it.",
            input=bool,
            condition=lambda value, dialect: Fragment(
                f"{'' if value else 'NOT '}EXISTS (SELECT 1 FROM lib_review AS r WHERE r.book_id = t.id)"
            ),
        ),
    ],
)
BOOK_ORDERS = Orders(
    "BookOrder",
    [
        OrderField("TITLE", "string", "By title.", column="title"),
        OrderField("YEAR", "int", "By year.", column="year", nullable=True),
        OrderField("PRICE", "decimal", "By price.", column="price", nullable=True),
        OrderField("PUBLISHED_AT", "datetime", "By date.", column="published_at", nullable=True),
        OrderField("BOUGHT_ON", "date", "By day.", column="bought_on"),
        OrderField("LENT", "boolean", "Those on the shelf first.", column="lent"),
        OrderField("BINDING", "enum", "By binding.", column="binding", nullable=True),
    ],
)


@dataclass
class Ending:
    """What some fields raise that would end the program."""

    error: BaseException


ending = Ending(SystemExit(3))


def _titled(title: str | None = None) -> Fragment | None:
    if title == "?":
        raise RequestError("BAD_INPUT", "title: that is none")
    return None if title is None else Fragment("t.title = ?", (title,))


@record(table="lib_author", permission="authors.read", where="t.born IS NOT NULL", shared=True)
class Life:
    """Of an author whose day of birth is known."""

    born: date | None = column("Day of birth.")


@node(table="lib_author", permission="authors.read", hidden={"mentor_id": str})
class Author(Node):
    """Someone who writes."""

    name: str = column("Full name.")
    born: date | None = column("Day of birth.")
    mentor: "Author | None" = reference("mentor_id", "Who taught the author.")
    books: "list[Book]" = children(key="author_id", order=("title",), description="All books, by title.")
    catalogue: "Connection[Book]" = connection(
        key="author_id",
        filter=BOOK_FILTER,
        orders=BOOK_ORDERS,
        default_order=("-PUBLISHED_AT",),
        description="Books, in pages.",
    )

    debut: "Book | None" = one(
        key="author_id",
        order=("published_at", "title"),
        narrow=_titled,
        description="The book that came out first, of those with this title.",
    )
    life: Life = one(key="id", otherwise={}, description="When the author was born, if that is known.")

    @computed()
    @staticmethod
    def greeting(name: str) -> str:
        "A salutation."
        return f"Dear {name}"

    @computed()
    @staticmethod
    def exits(name: str) -> str:
        "Leaves."
        raise ending.error

    @batch()
    @staticmethod
    async def exits_later(authors: "Batch[Author]", info: strawberry.Info) -> list[str]:
        "Leaves, too."
        raise ending.error

    @strawberry.field
    def exits_plainly(self) -> int:
        "Leaves, as an ordinary resolver."
        raise ending.error

    @strawberry.field
    async def exits_plainly_later(self) -> int:
        "Leaves, as an ordinary resolver in its own time."
        raise ending.error


@node(table="lib_book", permission="books.read", hidden={"author_id": str})
class Book(Node):
    """Something to read."""

    title: str = column("The title.")
    year: int | None = column("Year of publication.")
    price: Decimal | None = column("Price, in major units.")
    published_at: datetime | None = column("When it came out.")
    bought_on: date = column("When the library bought it.")
    lent: bool = column("Whether it is lent.")
    binding: Binding | None = column("Its binding.")
    facts: strawberry.scalars.JSON = column("Whatever else is known.")
    reading_time: timedelta | None = column("How long it takes to read.", sql="reading_seconds")
    reading_seconds: BigInt | None = column("How many seconds it takes to read.")
    best: "Review | None" = one(
        key="book_id", order=("-stars",), permission="reviews.read", description="The best review."
    )
    author: Author = reference("author_id", "Who wrote it.")
    reviews: "list[Review]" = children(
        key="book_id", order=("-stars",), description="Reviews.", permission="reviews.read"
    )

    @computed()
    @staticmethod
    def cost(price: Decimal | None) -> Money | None:
        "The price as money."
        return None if price is None else Money(amount=price, currency="EUR")


@record(table="lib_review", permission="reviews.read", hidden={"book_id": str})
class Review:
    """What a reader thought."""

    stars: int = column("1 to 5.")
    text: str | None = column("In words.")
    book: Book = reference("book_id", "The book.")


@strawberry.type(description="An author's shelf.")
class Shelf:
    author_id: strawberry.Private[str]
    count: int = strawberry.field(description="How many books.")
    top: "Book | None" = strawberry.field(description="The first book.")
    author: Author | None = reference("author_id", "Whose shelf it is.")
    value: Money | None = strawberry.field(description="What it is worth.", default=None)


@strawberry.type(description="A poster.")
class Poster:
    headline: str = strawberry.field(description="In large letters.")


Find = Annotated[Author | Book | Poster, strawberry.union("Find", description="Whatever was found.")]

CALLS: list[tuple[str, int]] = []
"""(batch, number of parents) of each call of a batch function."""


@batch()
async def shelf(authors: Batch[Author], info: strawberry.Info, least: int = 0) -> list[Shelf | None]:
    "The author's shelf, if it holds at least so many books."
    CALLS.append(("shelf", len(authors)))
    books = await load_where(info, Book, Fragment("1 = 1"), order=("title",))
    shelves: list[Shelf | None] = []
    for key in authors.ids:
        own = [one for one in books if one.author_id == key]  # type: ignore[attr-defined]  # a hidden column
        worth = Money(amount=Decimal(len(own)), currency="EUR")
        shelves.append(
            Shelf(author_id=key, count=len(own), top=own[0] if own else None, value=worth)
            if len(own) >= least
            else None
        )
    return shelves


@batch(needs=("name",))
def fragile(authors: Batch[Author], mode: str = "each") -> list[str]:
    "Fails in several ways."
    if mode == "all":
        raise ValueError("secret text")
    if mode == "short":
        return ["only one"]
    if mode == "refused":
        raise RequestError("BAD_INPUT", "mode: refused is refused")
    results: list[Any] = [
        ValueError(f"no {name}") if name.startswith("B") else name for name in authors.column("name")
    ]
    return results


@batch(permission="secrets.read")
def secret(authors: Batch[Author]) -> list[str]:
    "For the few."
    return [f"secret {key}" for key in authors.ids]


@batch()
def grid(authors: Batch[Author]) -> list[list[list[Shelf]]]:
    "Shelves in rows and columns."
    CALLS.append(("grid", len(authors)))
    return [[[Shelf(author_id=key, count=n, top=None) for n in range(2)]] * 2 for key in authors.ids]


@batch(needs=("name",))
def posters(authors: Batch[Author], info: strawberry.Info) -> list[Connection[Poster]]:
    "Pages that a function has made."
    pages = [ReadyPage([Poster(headline=name)], [name], total_count=7) for name in authors.column("name")]
    return pages_of(info.context, pages)


@root(permission=PUBLIC, name="node")
async def node_field(info: strawberry.Info, id: strawberry.ID) -> Node | None:
    "A record by its id."
    type_name, key = decode_id(id)
    kinds: dict[str, type[Node]] = {"Author": Author, "Book": Book}
    if type_name not in kinds:
        raise RequestError("BAD_INPUT", f"there is no {type_name}")
    return (await load(info, kinds[type_name], [check_key(id, key, "uuid")]))[0]


@root(permission=PUBLIC, restricted=True, by_key="id")
async def book(
    info: strawberry.Info, id: strawberry.ID | None = None, title: str | None = None
) -> Book | None:
    "One book, by its id or its title."
    CALLS.append(("book", 1))
    if id is not None:
        return (await load(info, Book, [decode_key(id, "Book")], columns=()))[0]
    found = await load_where(info, Book, Fragment("t.title = ?", (title,)), columns=())
    return found[0] if found else None


@root(permission="authors.read")
async def authors(info: strawberry.Info, limit: int = 100) -> list[Author]:
    "Authors by name."
    return await load_where(info, Author, Fragment("1 = 1"), order=("name",), limit=limit)


@root(permission=PUBLIC)
async def finds(info: strawberry.Info) -> list[Find]:
    "Things of several types."
    found: Sequence[Any] = [
        *await load_where(info, Author, Fragment("1 = 1"), order=("name",), limit=2),
        Poster(headline="Read!"),
        *await load_where(info, Book, Fragment("1 = 1"), order=("title",), limit=2),
    ]
    return list(found)


@root(permission=PUBLIC)
def fail() -> int:
    "Fails."
    raise ZeroDivisionError("secret text")


@root(permission=PUBLIC)
def leave() -> int:
    "Calls it a day."
    raise ending.error


@root(permission=PUBLIC)
async def leave_later() -> int:
    "Calls it a day, in its own time."
    raise ending.error


@root(permission=PUBLIC)
def too_large() -> int:
    "No 32-bit integer."
    return 2**40


@root(permission="authors.read")
async def arrivals(info: strawberry.Info, upto: int = 2) -> AsyncIterator[Shelf]:
    "Shelves, one after the other."
    for each in await load_where(info, Author, Fragment("1 = 1"), order=("name",), limit=upto):
        yield Shelf(author_id=each.id, count=1, top=None)


@root(permission=PUBLIC)
async def broken() -> AsyncIterator[Shelf]:
    "One shelf, then a fault."
    yield Shelf(author_id="", count=1, top=None)
    raise ZeroDivisionError("secret text")


KEPT = {
    "old": KeptList({"year": {"lt": 1900}}, [{"field": "TITLE", "direction": "DESC"}]),
    "coloured": KeptList({"colour": {"eq": "red"}}),
    "dear": KeptList({"dearer": 1}),
    "by colour": KeptList({}, [{"field": "COLOUR", "direction": "ASC"}]),
}


def search(
    search: Annotated[str | None, strawberry.argument(description="A word of the title.")] = None,
    kept: Annotated[str | None, strawberry.argument(description="The name of a list.")] = None,
) -> Fragment | Awaitable[KeptList] | None:
    """Books whose title has the word, and those of the list."""
    found = Fragment("t.title LIKE ?", (f"%{search}%",)) if search else None
    return found if kept is None else _looked_up(kept, found)


async def _looked_up(name: str, found: Fragment | None) -> KeptList:
    return replace(KEPT[name], where=found)


@strawberry.type(description="What can be asked.")
class Query:
    books: Connection[Book] = connection(
        description="All books, in pages.",
        filter=BOOK_FILTER,
        orders=BOOK_ORDERS,
        narrow=search,
        permission=PUBLIC,
    )
    writers: Connection[Author] = connection(description="All authors, in pages.", permission=PUBLIC)
    node = node_field
    book = book
    authors = authors
    finds = finds
    fail = fail
    leave = leave
    leave_later = leave_later
    too_large = too_large


@strawberry.type(description="What can be listened to.")
class Subscription:
    arrivals = arrivals
    broken = broken


async def _dear(context: Any, values: Sequence[int]) -> Callable[[Any, str], Fragment]:
    """Dearer than most: what most are is read before a list is."""
    CALLS.append(("dear", 1))
    [(middle,)] = await context.reader.rows("SELECT AVG(price) FROM lib_book")

    def condition(value: Any, dialect: str) -> Fragment:
        if value > 9:
            raise RequestError("BAD_INPUT", f"{value} times is more than any book")
        return Fragment(f"t.price > {float(middle or 0)} * ?", (value,))

    return condition


PLUGIN_MEMBERS = {
    "BookFilter": [
        Member("dearer", "custom", "So many times dearer than the mean.", input=int, lookup=_dear),
        Member(
            "isOld",
            "custom",
            "Before 1900.",
            input=bool,
            condition=lambda value, _: Fragment(f"t.year {'<' if value else '>='} 1900"),
        ),
    ]
}


DURATION = strawberry.scalar(name="Duration", serialize=lambda value: value.total_seconds())
WIDE: dict[object, Any] = {BigInt: SCALARS[BigInt]}
CONFIG = StrawberryConfig(scalar_map={timedelta: DURATION, **WIDE})
MOMENT = strawberry.scalar(
    name="DateTime",
    serialize=lambda value: value.isoformat().replace("+00:00", "Z"),
    parse_value=datetime.fromisoformat,
)
PLAIN_CONFIG = StrawberryConfig(scalar_map={timedelta: DURATION, datetime: MOMENT, **WIDE})
"""Moments as orjson writes them, for a schema with `plain_scalars`."""


def make_schema(config: StrawberryConfig = CONFIG, **options: Any) -> EngineSchema:
    """The library's schema, with the fields that other packages add."""
    return EngineSchema(
        Query,
        subscription=Subscription,
        extend={Author: [shelf, fragile, secret, grid, posters]},
        filters=PLUGIN_MEMBERS,
        types=[Poster],
        config=config,
        **options,
    )


EVERYTHING = frozenset({"authors.read", "books.read", "reviews.read", "secrets.read", "introspect"})


class Visit(Context):
    """A request to the library."""

    permissions: frozenset[str] = EVERYTHING

    def may(self, permission: str) -> bool:
        return permission == PUBLIC or permission in self.permissions


TABLES = (
    "CREATE TABLE lib_author (id {key} PRIMARY KEY, name {text} NOT NULL, born {date}, mentor_id {key})",
    """CREATE TABLE lib_book (
        id {key} PRIMARY KEY, author_id {key} NOT NULL, title {text} NOT NULL, year INTEGER, price {decimal},
        published_at {moment}, bought_on {date} NOT NULL, lent {boolean} NOT NULL, binding {text},
        facts {json} NOT NULL, reading_seconds BIGINT)""",
    """CREATE TABLE lib_review (
        id {key} PRIMARY KEY, book_id {key} NOT NULL, stars INTEGER NOT NULL, text {text})""",
    "CREATE INDEX lib_book_author ON lib_book (author_id, published_at, id)",
    "CREATE INDEX lib_book_title ON lib_book (title, id)",
    "CREATE INDEX lib_review_book ON lib_review (book_id)",
)
TYPES = {
    "sqlite": {
        "key": "CHAR(36)",
        "text": "TEXT",
        "date": "DATE",
        "moment": "TIMESTAMP",
        "decimal": "VARCHAR(40)",
        "boolean": "INT",
        "json": "TEXT",
    },
    "postgres": {
        "key": "UUID",
        "text": 'TEXT COLLATE "C"',
        "date": "DATE",
        "moment": "TIMESTAMPTZ",
        "decimal": "NUMERIC(20, 2)",
        "boolean": "BOOLEAN",
        "json": "JSONB",
    },
}


def key(number: int) -> str:
    """The n-th key."""
    return f"00000000-0000-7000-8000-{number:012d}"


def moment(day: int) -> datetime:
    """A moment in 2024, `day` days after its beginning."""
    return datetime(2024, 1, 1, 12, tzinfo=UTC) + timedelta(days=day)
