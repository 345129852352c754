"""`crm export`: customers and interactions as files that `crm import` reads back."""

import csv
import json
from collections.abc import AsyncIterator, Iterable, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Any

import click

from crm_framework.cli.import_rows import CUSTOMER_FIELDS, INTERACTION_FIELDS
from crm_framework.cli.mapping import ATTRIBUTE
from crm_framework.cli.running import errors, run, settings_of
from crm_framework.domain.rows import json_of, marks, time_text
from crm_framework.domain.values import money
from crm_framework.errors import CrmError, ErrorCode
from crm_framework.runtime import open_runtime
from crm_framework.settings import Settings
from crm_framework.storage.clock import parse_time
from crm_framework.storage.database import Database

PAGE = 500
OWN_SOURCE = "crm"
"""Source of records that came from nowhere else; their reference is the key they have here."""

Record = dict[str, Any]


@click.group("export")
def command() -> None:
    """Writes NDJSON, or CSV where the file is called so; nested parts (contact points, lines) need NDJSON."""


@command.command("customers")
@click.argument("file", type=click.Path(path_type=Path, dir_okay=False))
@click.pass_context
def customers(context: click.Context, file: Path) -> None:
    """Exports all customers but those that were merged away or erased."""
    run(_export(settings_of(context), file, "customers"))


@command.command("interactions")
@click.argument("file", type=click.Path(path_type=Path, dir_okay=False))
@click.pass_context
def interactions(context: click.Context, file: Path) -> None:
    """Exports all interactions, purchases with their lines and refunds."""
    run(_export(settings_of(context), file, "interactions"))


async def _export(settings: Settings, file: Path, what: str) -> None:
    async with open_runtime(settings) as runtime:
        database = runtime.database
        names = [
            row["name"]
            for row in await database.fetch("SELECT name FROM crm_attribute_definition ORDER BY name")
        ]
        flat = {
            "customers": [*CUSTOMER_FIELDS, *(f"{ATTRIBUTE}{name}" for name in names)],
            "interactions": list(INTERACTION_FIELDS),
        }[what]
        pages = _customers(database) if what == "customers" else _interactions(database)
        count = 0
        with _opened(file) as stream:
            write = _csv_writer(stream, flat) if file.suffix.lower() == ".csv" else _ndjson_writer(stream)
            async for page in pages:
                write(page)
                count += len(page)
    errors.print(f"{count} {what} written to {file}.", markup=False)


@contextmanager
def _opened(file: Path) -> Any:
    """A file beside the real one, which takes its place once everything is written."""
    part = file.with_name(f"{file.name}.part")
    try:
        with part.open("w", encoding="utf-8", newline="") as stream:
            yield stream
        part.replace(file)
    except OSError as error:
        part.unlink(missing_ok=True)
        raise CrmError(
            ErrorCode.BAD_INPUT, f"{file} cannot be written: {error.strerror}.", hint="Nothing was exported."
        ) from error
    except BaseException:
        part.unlink(missing_ok=True)
        raise


def _ndjson_writer(stream: IO[str]) -> Any:
    def write(records: Iterable[Record]) -> None:
        for record in records:
            # Contact points say the same as the short fields, and more.
            short = ("email", "phone", "city", "country") if record.get("contactPoints") else ()
            present = {
                name: value
                for name, value in record.items()
                if value not in (None, [], {}) and name not in short
            }
            stream.write(json.dumps(present, ensure_ascii=False) + "\n")

    return write


def _csv_writer(stream: IO[str], columns: Sequence[str]) -> Any:
    writer = csv.DictWriter(
        stream, [name for name in columns if name not in ("contactPoints", "attributes", "lines")]
    )
    writer.writeheader()

    def write(records: Iterable[Record]) -> None:
        for record in records:
            row = {name: value for name, value in record.items() if name in writer.fieldnames}
            row |= {
                f"{ATTRIBUTE}{name}": _cell(value) for name, value in record.get("attributes", {}).items()
            }
            if len(lines := record.get("lines", ())) == 1:
                (line,) = lines
                row |= {"productName" if name == "name" else name: value for name, value in line.items()}
            writer.writerow({name: _cell(value) for name, value in row.items()})

    return write


def _cell(value: object) -> object:
    if isinstance(value, list):
        return ";".join(map(str, value))
    if isinstance(value, bool):
        return "true" if value else "false"
    return value


async def _pages(database: Database, sql: str) -> AsyncIterator[list[dict[str, Any]]]:
    """Rows of `sql`, which selects from a table called t, in the order of their keys."""
    after = "00000000-0000-0000-0000-000000000000"
    while rows := await database.fetch(f"{sql} AND t.id > ? ORDER BY t.id LIMIT {PAGE}", (after,)):
        yield rows
        after = rows[-1]["id"]


async def _children(
    database: Database, table: str, parent: str, keys: Sequence[str], order: str
) -> dict[str, list[dict[str, Any]]]:
    found: dict[str, list[dict[str, Any]]] = {key: [] for key in keys}
    sql = f"SELECT * FROM {table} WHERE {parent} IN ({marks(len(keys))}) ORDER BY {parent}, {order}"
    for row in await database.fetch(sql, keys):
        found[row[parent]].append(row)
    return found


async def _customers(database: Database) -> AsyncIterator[list[Record]]:
    sql = "SELECT t.* FROM crm_customer t WHERE t.merged_into_id IS NULL AND t.erased_at IS NULL"
    async for rows in _pages(database, sql):
        keys = [row["id"] for row in rows]
        points = await _children(database, "crm_contact_point", "customer_id", keys, "position, id")
        tags = await _children(database, "crm_customer_tag", "customer_id", keys, "tag")
        yield [_customer(row, points[row["id"]], [tag["tag"] for tag in tags[row["id"]]]) for row in rows]


def _customer(row: Mapping[str, Any], points: Sequence[Mapping[str, Any]], tags: list[str]) -> Record:
    source, reference = _reference(row["source"], row["reference"], row["id"])
    return {
        "source": source,
        "reference": reference,
        "name": row["name"],
        "kind": row["kind"],
        "stage": row["stage"],
        "company": row["company"],
        "email": row["email"],
        "phone": row["phone"],
        "city": row["city"],
        "country": row["country"],
        "contactPoints": [
            {
                "channel": point["channel"],
                "value": point["value"],
                "address": json_of(point["address"]),
                "label": point["label"],
                "primary": bool(point["is_primary"]),
                "consent": point["consent"],
                "consentSource": point["consent_source"],
            }
            for point in points
        ],
        "tags": tags,
        "attributes": json_of(row["attributes"]) or {},
        "locale": row["locale"],
        "timeZone": row["time_zone"],
        "confidential": bool(row["confidential"]),
        "convertedAt": _moment(row["converted_at"]),
        "formerAt": _moment(row["former_at"]),
    }


async def _interactions(database: Database) -> AsyncIterator[list[Record]]:
    sql = (
        "SELECT t.*, c.source AS customer_source, c.reference AS customer_reference,"
        " p.source AS purchase_source, p.reference AS purchase_reference"
        " FROM crm_interaction t JOIN crm_customer c ON c.id = t.customer_id"
        " LEFT JOIN crm_interaction p ON p.id = t.refund_of_id WHERE c.erased_at IS NULL"
    )
    async for rows in _pages(database, sql):
        keys = [row["id"] for row in rows]
        lines = await _children(database, "crm_purchase_line", "interaction_id", keys, "position")
        yield [_interaction(row, lines[row["id"]]) for row in rows]


def _interaction(row: Mapping[str, Any], lines: Sequence[Mapping[str, Any]]) -> Record:
    source, reference = _reference(row["source"], row["reference"], row["id"])
    customer = _reference(row["customer_source"], row["customer_reference"], row["customer_id"])
    purchase: tuple[str | None, str | None] = (None, None)
    if row["refund_of_id"]:
        purchase = _reference(row["purchase_source"], row["purchase_reference"], row["refund_of_id"])
    currency = row["currency"]

    def amount(minor: int | None) -> str | None:
        return None if minor is None else money.format_minor(minor, currency)

    return {
        "source": source,
        "reference": reference,
        "customerSource": customer[0],
        "customerReference": customer[1],
        "kind": row["kind"],
        "occurredAt": _moment(row["occurred_at"]),
        "channel": row["channel"],
        "direction": row["direction"],
        "subject": row["subject"],
        "body": row["body"],
        "outcome": row["outcome"],
        "sentiment": row["sentiment"],
        "durationSeconds": row["duration_seconds"],
        "followUpAt": _moment(row["follow_up_at"]),
        "total": amount(row["total_minor"]),
        "currency": currency,
        "lines": [
            {
                "sku": line["sku"],
                "name": line["name"],
                "category": line["category"],
                "quantity": line["quantity"],
                "unitPrice": amount(line["unit_price_minor"]),
                "amount": amount(line["amount_minor"]),
            }
            for line in lines
        ],
        "refundOfSource": purchase[0],
        "refundOfReference": purchase[1],
    }


def _reference(source: str | None, reference: str | None, key: str) -> tuple[str, str]:
    return (source, reference) if source and reference else (OWN_SOURCE, key)


def _moment(value: Any) -> str | None:
    return None if value is None else time_text(parse_time(value))
