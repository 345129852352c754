"""Templates and notes of knowledge as they are kept: named texts, each with a version."""

from dataclasses import dataclass
from typing import Literal

from crm_framework import CrmError, ErrorCode, UnitOfWork, new_id
from crm_ticketing.named import checked_name, held_row, insert_named, update_named
from crm_ticketing.tickets.held import check_category

from .templates import BODY_LIMIT, check


@dataclass(frozen=True, kw_only=True)
class Text:
    """A named text; `category` is that of the tickets for which it is meant."""

    name: str
    body: str
    category: str | None = None


@dataclass(frozen=True)
class Shelf:
    """A table of such texts; those with `variables` are templates."""

    table: Literal["ticketing_template", "ticketing_knowledge"]
    what: str
    variables: bool


TEMPLATES = Shelf("ticketing_template", "template", variables=True)
KNOWLEDGE = Shelf("ticketing_knowledge", "note", variables=False)


async def put(
    tx: UnitOfWork,
    shelf: Shelf,
    text: Text,
    categories: tuple[str, ...],
    *,
    key: str | None = None,
    expected_version: int | None = None,
) -> str:
    """Adds a text, or with `key` replaces one. Its key. CONFLICT for a taken name, or a stale version."""
    if text.category is not None:
        check_category(text.category, categories)
    values = {
        "name": checked_name(text.name),
        "category": text.category,
        "body": check(text.body) if shelf.variables else _body(text.body),
        "updated_at": tx.now,
    }
    if key is None:
        key = new_id()
        await insert_named(tx, shelf.table, shelf.what, {"id": key, **values, "created_at": tx.now})
    else:
        await held_row(tx, shelf.table, shelf.what, key, "category", expected_version)
        await update_named(tx, shelf.table, shelf.what, key, values)
    return key


async def take_away(tx: UnitOfWork, shelf: Shelf, key: str) -> None:
    """Deletes a text. NOT_FOUND."""
    await held_row(tx, shelf.table, shelf.what, key, "category")
    await tx.execute(f"DELETE FROM {shelf.table} WHERE id = ?", [key])


def _body(body: str) -> str:
    text = body.strip()
    if not 1 <= len(text) <= BODY_LIMIT or "\0" in text:
        raise CrmError(ErrorCode.BAD_INPUT, f"A text has 1 to {BODY_LIMIT} characters.", path=("body",))
    return text
