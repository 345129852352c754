"""The books: what must be true of a database with all plugins on, whatever happened to the program before.

`faults` looks at everything: that what was acknowledged is there and nothing that nobody did, that each
change has its event and its audit entry, that each plugin did its part exactly once or still owes it, that
the audit log verifies, and that the sums agree.
"""

from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import msgspec
from crm_loyalty.rules import points_for

from crm_framework.security.audit.verifying import verify
from crm_framework.storage.database import Database

from .clerks import SOURCE, Note

TABLES = (
    "crm_customer", "crm_customer_tag", "crm_interaction", "crm_purchase_line", "crm_event", "crm_audit",
    "crm_delivery", "crm_idempotency", "loyalty_program", "loyalty_account", "loyalty_entry",
    "analytics_daily", "analytics_sales", "analytics_customer", "ticketing_ticket", "ticketing_message",
)  # fmt: skip

SEALED_LATER = 3600.0
"""Seconds that an audit entry may be outside the chain: a server that was killed seals when it is back."""

Row = dict[str, Any]


@dataclass(frozen=True)
class Books:
    """All rows by table, and what the clerks noted."""

    tables: dict[str, list[Row]]
    payloads: dict[str, dict[str, Any]]
    """Of the events, by id."""
    owed: frozenset[tuple[str, str]]
    """Event and handler of every delivery that is still owed."""
    notes: Sequence[Note]

    def of(self, table: str) -> list[Row]:
        return self.tables[table]

    def events(self, *types: str) -> Iterator[tuple[Row, dict[str, Any]]]:
        for event in self.of("crm_event"):
            if event["type"] in types:
                yield event, self.payloads[event["id"]]

    def done(self, deed: str) -> Iterator[Note]:
        return (note for note in self.notes if note["deed"] == deed and note["done"])

    def tried(self, deed: str) -> Iterator[Note]:
        return (note for note in self.notes if note["deed"] == deed)


async def read(database: Database, notes: Sequence[Note]) -> Books:
    tables = {table: await database.fetch(f"SELECT * FROM {table}") for table in TABLES}
    return Books(
        tables,
        {row["id"]: msgspec.json.decode(row["payload"]) for row in tables["crm_event"]},
        frozenset((row["event_id"], row["handler"]) for row in tables["crm_delivery"]),
        notes,
    )


async def faults(database: Database, notes: Sequence[Note]) -> list[str]:
    """Everything that is wrong, in words. `notes` is what the clerks noted up to then."""
    found = [] if database.dialect == "postgres" else await unsound(database)
    books = await read(database, notes)
    for look in LOOKS:
        found += look(books)
    verdict = await verify(database, patience_seconds=SEALED_LATER)
    if verdict.fault:
        found.append(f"the audit log does not verify: {verdict.fault}")
    return found


async def unsound(database: Database) -> list[str]:
    said = [row["integrity_check"] for row in await database.fetch("PRAGMA integrity_check")]
    broken = await database.fetch("PRAGMA foreign_key_check")
    return [one for one in said if one != "ok"] + [f"a reference leads nowhere: {row}" for row in broken]


def acknowledged_customers(books: Books) -> Iterator[str]:
    """Every one is there, merged into the right one, with its last name and its tags."""
    rows = {row["reference"]: row for row in books.of("crm_customer") if row["source"] == SOURCE}
    tags = {(row["customer_id"], row["tag"]) for row in books.of("crm_customer_tag")}
    for note in books.done("customer"):
        yield from (f"customer {ref} was acknowledged and is gone" for ref in note["refs"] if ref not in rows)
    tried = {ref for note in books.tried("customer") for ref in note["refs"]}
    yield from (f"customer {ref} is there and nobody made it" for ref in rows if ref not in tried)

    def today(ref: str) -> str | None:
        row = rows.get(ref)
        key: str | None = (row["merged_into_id"] or row["id"]) if row else None
        return key

    names: dict[str, list[Note]] = defaultdict(list)
    for note in books.tried("rename"):
        names[note["ref"]].append(note)
    for ref, notes in names.items():
        if ref not in rows or rows[ref]["merged_into_id"]:
            continue
        last = max((place for place, note in enumerate(notes) if note["done"]), default=-1)
        allowed = [note["name"] for note in notes[max(last, 0) :]]
        if last >= 0 and rows[ref]["name"] not in allowed:
            yield f"customer {ref} is called {rows[ref]['name']!r}, and was renamed to {allowed}"
    for note in books.done("tag"):
        if (today(note["ref"]), note["tag"]) not in tags:
            yield f"customer {note['ref']} lost the tag {note['tag']!r}"
    for note in books.done("merge"):
        for loser in note["losers"]:
            if loser not in rows or today(loser) in (rows[loser]["id"], None):
                yield f"customer {loser} was merged, which was acknowledged, and is not"
            elif today(loser) != today(note["winner"]):
                yield f"customer {loser} was merged into {note['winner']} and is not"


def acknowledged_interactions(books: Books) -> Iterator[str]:
    """Every purchase, refund and ticket is there once, with its amount, at the customer of today."""
    rows = {row["reference"]: row for row in books.of("crm_interaction") if row["source"] == SOURCE}
    customers = {row["reference"]: row for row in books.of("crm_customer") if row["source"] == SOURCE}
    for note in books.done("purchase"):
        for fact in note["purchases"]:
            row, buyer = rows.get(fact["ref"]), customers.get(fact["of"])
            if row is None or (row["total_minor"], row["currency"]) != (fact["total"], fact["currency"]):
                yield f"purchase {fact['ref']} was acknowledged and is {row}"
            elif buyer is None or row["customer_id"] != (buyer["merged_into_id"] or buyer["id"]):
                yield f"purchase {fact['ref']} is not with {fact['of']}, but {row['customer_id']}"
    for note in books.done("refund"):
        row = rows.get(note["ref"])
        if row is None or row["total_minor"] != -note["amount"]:
            yield f"refund {note['ref']} of {note['amount']} was acknowledged and is {row}"
        elif note["purchase"] not in rows or row["refund_of_id"] != rows[note["purchase"]]["id"]:
            yield f"refund {note['ref']} is not one of {note['purchase']}"
    tried = {fact["ref"] for note in books.tried("purchase") for fact in note["purchases"]}
    tried |= {note["ref"] for note in books.tried("refund")}
    yield from (f"interaction {ref} is there and nobody made it" for ref in rows if ref not in tried)
    for deed, table, column in (
        ("ticket", "ticketing_ticket", "subject"),
        ("message", "ticketing_message", "body"),
    ):
        counted = Counter(row[column] for row in books.of(table))
        for note in books.done(deed):
            if counted[note[column]] != 1:
                yield f"{deed} {note[column]!r} was acknowledged and is there {counted[note[column]]} times"


def every_change_has_its_event(books: Books) -> Iterator[str]:
    """Records and the events that tell of them: each one of the other, exactly.

    A customer's creation that a handler still owed when it was merged is the winner's, as all that was owed.
    """
    winners = {row["id"]: row["merged_into_id"] or row["id"] for row in books.of("crm_customer")}
    kinds = {"purchase": "purchase.recorded", "refund": "refund.recorded"}
    wanted: Counter[tuple[str, str]] = Counter()
    for row in books.of("crm_interaction"):
        wanted[kinds.get(row["kind"], "interaction.logged"), row["id"]] += 1
    wanted.update(("customer.created", winners[row["id"]]) for row in books.of("crm_customer"))
    wanted.update(("customer.merged", row["id"]) for row in books.of("crm_customer") if row["merged_into_id"])
    wanted.update(("ticketing.ticket_opened", row["id"]) for row in books.of("ticketing_ticket"))
    keys = {"ticketing.ticket_opened": "ticket_id"}
    told: Counter[tuple[str, str]] = Counter()
    for event, payload in books.events(
        "purchase.recorded", "refund.recorded", "interaction.logged", "customer.created",
        "ticketing.ticket_opened", "customer.merged",
    ):  # fmt: skip
        if event["type"] == "customer.merged":
            told.update((event["type"], loser) for loser in payload["losers"])
        elif event["type"] == "customer.created":
            told[event["type"], winners.get(payload["customer_id"], payload["customer_id"])] += 1
        else:
            told[event["type"], payload[keys.get(event["type"], "interaction_id")]] += 1
    yield from _unlike("events of records", wanted, told)
    amounts = {row["id"]: (row["total_minor"], row["currency"]) for row in books.of("crm_interaction")}
    for event, payload in books.events("purchase.recorded", "refund.recorded"):
        sign = 1 if event["type"] == "purchase.recorded" else -1
        if amounts.get(payload["interaction_id"]) != (sign * payload["total_minor"], payload["currency"]):
            yield f"the event {payload} tells another amount than the record"


def every_event_has_its_audit_entry(books: Books) -> Iterator[str]:
    wanted = Counter((row["type"], str(row["created_at"])) for row in books.of("crm_event"))
    found = Counter((row["action"], str(row["at"])) for row in books.of("crm_audit"))
    yield from _unlike("audit entries of events", wanted, found)
    events = {row["id"] for row in books.of("crm_event")}
    yield from (f"the event {event} is owed and gone" for event, _ in books.owed if event not in events)


def money_agrees(books: Books) -> Iterator[str]:
    """Lines add up to purchases; refunds take back no more than was paid."""
    lines: Counter[str] = Counter()
    refunded: Counter[str] = Counter()
    for line in books.of("crm_purchase_line"):
        lines[line["interaction_id"]] += line["amount_minor"]
    for row in books.of("crm_interaction"):
        if row["kind"] == "refund":
            refunded[row["refund_of_id"]] -= row["total_minor"]
    for row in books.of("crm_interaction"):
        itemised = row["id"] in lines or row["source"] == SOURCE  # a purchase may be a total alone
        if row["kind"] == "purchase" and itemised and lines[row["id"]] != row["total_minor"]:
            yield f"the lines of {row['reference']} add up to {lines[row['id']]}, not {row['total_minor']}"
        if row["kind"] == "purchase" and refunded[row["id"]] > row["total_minor"]:
            yield f"more than {row['reference']} was refunded"


def points_follow_purchases(books: Books) -> Iterator[str]:
    """The loyalty plugin entered each purchase and refund once, unless it owes it; balances are sums."""
    programs = books.of("loyalty_program")
    made = [row for row in books.of("loyalty_entry") if row["kind"] != "MERGED"]  # it changes no points
    entries = Counter((row["program_id"], row["source_key"]) for row in made)
    points = {(row["program_id"], row["source_key"]): row["points"] for row in books.of("loyalty_entry")}
    wanted: Counter[tuple[str, str]] = Counter()
    behind = {
        event["customer_id"] for event in books.of("crm_event") if (event["id"], "loyalty") in books.owed
    }
    for event, payload in books.events("purchase.recorded"):
        for program in (one for one in programs if one["currency"] == payload["currency"]):
            cause = program["id"], f"purchase:{payload['interaction_id']}"
            wanted[cause] += (event["id"], "loyalty") not in books.owed
            earns = points_for(payload["total_minor"], payload["currency"], program["points_per_unit"])
            if cause in points and points[cause] != earns:
                yield f"{cause} earned {points[cause]} points, not {earns}"
    for event, payload in books.events("refund.recorded"):
        for program in (one for one in programs if one["currency"] == payload["currency"]):
            cause = program["id"], f"refund:{payload['interaction_id']}"
            if event["customer_id"] in behind:  # what it gives back may not be earned yet
                wanted[cause] += entries[cause]
            else:
                wanted[cause] += 1
    yield from _unlike("points", wanted, entries)
    sums: Counter[str] = Counter()
    for row in books.of("loyalty_entry"):
        sums[row["account_id"]] += row["points"]
    for account in books.of("loyalty_account"):
        key, balance = account["id"], account["balance"]
        if balance != sums[key]:
            yield f"account {key} has {balance} points, and entries of {sums[key]}"


def ledgers_are_whole(books: Books) -> Iterator[str]:
    """Each account's book has as many entries as the account says, and ends with its digest."""
    last: dict[str, tuple[int, str]] = {}
    for row in sorted(books.of("loyalty_entry"), key=lambda row: row["seq"]):
        number, _ = last.get(row["book_id"], (0, ""))
        last[row["book_id"]] = number + 1, row["digest"]
        if row["seq"] != number + 1:
            yield f"entry {number + 1} of the book {row['book_id']} is missing"
    for account in books.of("loyalty_account"):
        found = last.get(account["id"], (0, ""))
        if found != (account["entries_number"], account["digest"]):
            yield f"the book of {account['id']} has {found[0]} entries, {account['entries_number']} were made"


def figures_follow(books: Books) -> Iterator[str]:
    """The analytics plugin counted what it does not owe."""
    wanted: Counter[str] = Counter()
    found: Counter[str] = Counter()
    owes = any(handler == "analytics" for _, handler in books.owed)
    for row in books.of("analytics_sales"):
        for name in ("purchases", "refunds", "revenue_minor"):
            found[f"{name} {row['currency']}"] += row[name]
    for row in books.of("crm_interaction"):
        if row["kind"] in ("purchase", "refund"):
            wanted[f"{row['kind']}s {row['currency']}"] += 1
            wanted[f"revenue_minor {row['currency']}"] += row["total_minor"]
    if not owes:  # a later event of the same day counts what an earlier one owes
        yield from _unlike("daily figures", wanted, found)
    days, together = (
        Counter({name: sum(row[name] for row in books.of(table)) for name in ("purchases", "refunds")})
        for table in ("analytics_daily", "analytics_customer")
    )
    yield from _unlike("figures of customers", days, together)
    told: Counter[str] = Counter()
    for event, payload in books.events("ticketing.ticket_opened", "loyalty.points_changed"):
        if (event["id"], "analytics") not in books.owed:
            told["tickets"] += event["type"] == "ticketing.ticket_opened"
            told["points"] += payload.get("points", 0)
    counted = Counter(
        tickets=sum(row["tickets"] or 0 for row in books.of("analytics_customer")),
        points=sum(row["points"] or 0 for row in books.of("analytics_customer")),
    )
    yield from _unlike("activity", told, counted)


def nothing_is_left_with_losers(books: Books) -> Iterator[str]:
    losers = {row["id"] for row in books.of("crm_customer") if row["merged_into_id"]}
    for table in (
        "crm_interaction", "crm_customer_tag", "ticketing_ticket", "loyalty_account", "analytics_daily",
        "analytics_customer",
    ):  # fmt: skip
        left = sum(row["customer_id"] in losers for row in books.of(table))
        if left and not books.owed:
            yield f"{left} rows of {table} are left with customers that were merged away"


def keys_have_results(books: Books) -> Iterator[str]:
    for row in books.of("crm_idempotency"):
        if row["result"] == "null":
            yield f"the idempotency key {row['key_text']} is taken and has no result"


LOOKS = (
    acknowledged_customers,
    acknowledged_interactions,
    every_change_has_its_event,
    every_event_has_its_audit_entry,
    money_agrees,
    points_follow_purchases,
    ledgers_are_whole,
    figures_follow,
    nothing_is_left_with_losers,
    keys_have_results,
)
"""What is looked at after every cut and kill. A guarantee that is added to the product gets its look here."""


def _unlike(what: str, wanted: Counter[Any], found: Counter[Any]) -> Iterable[str]:
    for key in wanted.keys() | found.keys():
        if wanted[key] != found[key]:
            yield f"{what}: {key} is there {found[key]} times instead of {wanted[key]}"
