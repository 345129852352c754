"""The proof that accounts are what their entries come to, and that no entry was changed or removed.

Each account is replayed from its entries by the rules; its chain of digests, which covers what each rule
gave, is computed anew and must end at the account's own digest, with as many entries as it says. That, and
whose the account is, is sealed: who can write to the database can compute a whole chain anew, and makes no
seal without the secrets `audit_keys`. Tiers are what the rules make of the entries. An account that was put
back to an earlier state of its own, with its seal, shows against heads that were kept elsewhere.
"""

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from crm_framework import UnitOfWork, among, parse_time
from crm_loyalty.tiers.proof import misjudged

from .accounts import SEALED, is_genuine
from .book import Book
from .digest import FIRST, digest, reason_digest
from .entries import Effect, Entry, Kind, Lot, Pending, Use
from .lots import LOT, PENDING, lot_of, pending_of
from .replay import replay
from .shares import digest_of

CHUNK = 200
"""Accounts that are replayed at once."""
MOST = 100
"""Differences that are told."""


@dataclass
class Proof:
    """What was looked at, and what does not fit."""

    accounts: int = 0
    entries: int = 0
    differences: list[str] = field(default_factory=list)


async def verify(tx: UnitOfWork) -> Proof:
    """Looks at every account, in one transaction."""
    proof = Proof()
    last: str | None = FROM_THE_FIRST
    while last is not None and len(proof.differences) < MOST:
        last = await verify_some(tx, proof, last)
    return proof


FROM_THE_FIRST = ""


async def verify_some(tx: UnitOfWork, proof: Proof, last: str) -> str | None:
    """Looks at the accounts that follow `last`, some at once, and adds to `proof`; the last of them.

    None when all were looked at. Each call may have a transaction of its own, so that nobody waits for long.
    """
    after, args = ("AND id > ?", [last]) if last else ("", [])
    rows = await tx.fetch(
        "SELECT id FROM loyalty_account WHERE (merged_into_id IS NULL) IS TRUE"
        f" {after} ORDER BY id LIMIT {CHUNK}",
        args,
    )
    if not rows:
        proof.differences = [*proof.differences, *await _strays(tx)][:MOST]
        return None
    keys = [str(row["id"]) for row in rows]
    found = await look(tx, keys)
    wrong = [key for key, texts in found.differences.items() if texts]
    if wrong:
        # what was entered between two statements is no difference: once more, with them held
        await tx.lock("loyalty_account", wrong)
        again = await look(tx, wrong)
        told = [text for texts in again.differences.values() for text in texts]
        proof.differences = [*proof.differences, *told][:MOST]
    proof.accounts += len(keys)
    proof.entries += found.entries
    return keys[-1]


async def replayed(tx: UnitOfWork, account_id: str) -> tuple[Book, list[str]]:
    """An account as its entries make it, and where they do not fit the rules or the tables."""
    found = await look(tx, [account_id])
    return found.books[account_id], found.differences[account_id]


@dataclass
class Look:
    """What some accounts come to by their entries, and what of each does not fit."""

    entries: int
    books: dict[str, Book]
    differences: dict[str, list[str]]


async def look(tx: UnitOfWork, keys: Sequence[str], *, sealed: bool = True) -> Look:
    """`sealed` says that seals are looked at too."""
    accounts, heads = await _accounts(tx, keys)
    entries = await entries_of_accounts(tx, keys)
    lots, pending = await _tables(tx, keys)
    given = await _shares(tx, keys)
    tiers = await misjudged(tx, keys)
    books: dict[str, dict[str, list[Entry]]] = defaultdict(lambda: defaultdict(list))
    differences: dict[str, list[str]] = {key: [] for key in keys}
    for account_id, entry, said in entries:
        books[account_id][entry.book_id].append(entry)
        differences[account_id] += said
        if digest_of(given[account_id].pop(entry.id, [])) != entry.shares_digest:
            differences[account_id].append(f"what rules gave of entry {entry.id} was changed")
    made: dict[str, Book] = {}
    for key in keys:
        texts = differences[key]
        own = books[key]
        for book_id in {key, *own}:
            texts += _chain(heads.get(book_id), book_id, own.get(book_id, []))
            if sealed and (head := heads.get(book_id)) is not None:
                texts += _seal(tx, head)
        result = replay(own, key)
        texts += result.differences
        made[key] = result.book
        texts += _kept(accounts[key], result.book, lots[key], pending[key])
        texts += [f"what rules gave of entry {entry_id} is not the account's" for entry_id in given[key]]
        texts += tiers.get(key, [])
        differences[key] = [f"account {key}: {text}" for text in texts]
    return Look(len(entries), made, differences)


def _chain(head: Mapping[str, Any] | None, book_id: str, entries: Sequence[Entry]) -> Iterator[str]:
    if head is None:
        yield f"the account {book_id} is not there, of whose book these entries are"
        return
    last = FIRST
    for number, entry in enumerate(entries, 1):
        if entry.seq != number:
            yield f"entry {number} of the book {book_id} is missing"
            return
        last = digest(last, entry)
        if last != entry.digest:
            yield f"entry {entry.id} (number {number} of the book {book_id}) was changed"
            return
    if (len(entries), last) != (head["entries_number"], head["digest"]):
        yield f"the book {book_id} has {len(entries)} entries, {head['entries_number']} were made"


def _seal(tx: UnitOfWork, head: Mapping[str, Any]) -> Iterator[str]:
    if is_genuine(tx, head):
        return
    if head["seal"]:
        yield (
            f"the account {head['id']} was changed after it was sealed: whose it is, how many entries it has,"
            " or which; or it was sealed under another secret than those of audit_keys"
        )
    else:
        yield (
            f"the account {head['id']} is not sealed, and there are audit_keys: somebody else has made it, or"
            " it was there before them (`crm loyalty seal` seals those that fit otherwise)"
        )


def _kept(
    account: Mapping[str, Any],
    book: Book,
    lots: Sequence[Mapping[str, Any]],
    pending: Sequence[Mapping[str, Any]],
) -> Iterator[str]:
    for name, kept, made in (
        ("balance", account["balance"], book.balance),
        ("pending", account["pending"], book.pending),
        ("deficit", account["deficit"], book.deficit),
        ("sum of the entries", account["points"], book.balance),
        ("lifetime", account["lifetime"], account["earned"]),
        ("balance without lots", account["balance"], book.open_points - book.deficit),
    ):
        if kept != made:
            yield f"{name} is {kept}, the entries come to {made}"
    if account["strange"]:
        yield f"{account['strange']} of its entries are of another programme than the account"
    there = {row["id"]: lot_of(dict(row)) for row in lots}
    if there != book.lots:
        wrong = sorted(key for key in {*there, *book.lots} if there.get(key) != book.lots.get(key))
        yield f"lots differ from what the entries come to: {', '.join(wrong)}"
    waiting = {row["id"]: pending_of(dict(row)) for row in pending}
    if waiting != book.held:
        wrong = sorted(key for key in {*waiting, *book.held} if waiting.get(key) != book.held.get(key))
        yield f"pending points differ from what the entries come to: {', '.join(wrong)}"


async def _accounts(
    tx: UnitOfWork, keys: Sequence[str]
) -> tuple[dict[str, dict[str, Any]], dict[str, dict[str, Any]]]:
    """The accounts with the sums of their entries, and the heads of all books that have entries of theirs."""
    where = among("a.id", keys, tx.dialect)
    rows = await tx.fetch(
        "SELECT a.id, a.balance, a.pending, a.deficit, a.lifetime, COALESCE(SUM(e.points), 0) AS points,"
        f" COALESCE(SUM(CASE WHEN e.kind IN ('{Kind.EARNED}', '{Kind.UNLOCKED}') THEN e.points END), 0)"
        " AS earned, COUNT(CASE WHEN e.program_id <> a.program_id THEN 1 END) AS strange"
        " FROM loyalty_account a LEFT JOIN loyalty_entry e ON e.account_id = a.id"
        f" WHERE {where.sql} GROUP BY a.id",
        where.args,
    )
    books = among("account_id", keys, tx.dialect)
    heads = await tx.fetch(
        f"SELECT {SEALED} FROM loyalty_account WHERE id IN"
        f" (SELECT book_id FROM loyalty_entry WHERE {books.sql}) OR {among('id', keys, tx.dialect).sql}",
        [*books.args, *books.args],
    )
    return {row["id"]: row for row in rows}, {row["id"]: row for row in heads}


async def entries_of_accounts(tx: UnitOfWork, keys: Sequence[str]) -> list[tuple[str, Entry, list[str]]]:
    """Account, entry, and what is wrong with its words; in the order of the books."""
    where = among("account_id", keys, tx.dialect)
    ids = f"(SELECT id FROM loyalty_entry WHERE {where.sql})"
    rows = await tx.fetch(
        "SELECT e.*, a.customer_id FROM loyalty_entry e JOIN loyalty_account a ON a.id = e.account_id"
        f" WHERE {where.sql} ORDER BY e.book_id, e.seq",
        where.args,
    )
    opened: dict[str, list[Lot]] = defaultdict(list)
    for row in await tx.fetch(
        f"SELECT entry_id, {LOT} FROM loyalty_lot WHERE entry_id IN {ids} ORDER BY id", where.args
    ):
        opened[row["entry_id"]].append(lot_of(row).lot)
    uses: dict[str, list[Use]] = defaultdict(list)
    for row in await tx.fetch(
        f"SELECT entry_id, lot_id, points FROM loyalty_allocation WHERE entry_id IN {ids} ORDER BY id",
        where.args,
    ):
        uses[row["entry_id"]].append(Use(row["lot_id"], row["points"]))
    held: dict[str, Pending] = {}
    for row in await tx.fetch(f"SELECT {PENDING} FROM loyalty_pending WHERE id IN {ids}", where.args):
        held[row["id"]] = pending_of(row).pending
    found: list[tuple[str, Entry, list[str]]] = []
    for row in rows:
        effect = Effect(
            points=row["points"],
            pending=row["pending"],
            deficit=row["deficit"],
            opened=tuple(opened[row["id"]]),
            uses=tuple(uses[row["id"]]),
            held=held.get(row["id"]),
        )
        found.append((row["account_id"], _entry(row, effect), list(_words(row))))
    return found


def _entry(row: Mapping[str, Any], effect: Effect) -> Entry:
    return Entry(
        id=row["id"],
        book_id=row["book_id"],
        seq=row["seq"],
        kind=Kind(row["kind"]),
        effect=effect,
        source_key=row["source_key"],
        at=parse_time(row["at"]),
        posted_at=parse_time(row["created_at"]),
        qualifying_points=row["qualifying_points"],
        qualifying_minor=row["qualifying_minor"],
        qualifies_at=parse_time(row["qualifies_at"]),
        amount_minor=row["amount_minor"],
        corrects_id=row["corrects_id"],
        other_id=row["other_id"],
        reason_digest=row["reason_digest"],
        shares_digest=row["shares_digest"],
        digest=row["digest"],
    )


def _words(row: Mapping[str, Any]) -> Iterator[str]:
    """Words that are there are those that were written; erased ones are gone, with their salt and with whose
    the account was."""
    reason, salt = row["reason"], row["reason_salt"]
    if (reason is None) != (salt is None) or (
        reason is not None and row["reason_digest"] != reason_digest(reason, salt)
    ):
        yield f"the reason of entry {row['id']} was changed"
    elif reason is None and row["reason_digest"] is not None and row["customer_id"] is not None:
        yield f"the reason of entry {row['id']} is gone, and nobody was erased"


async def _tables(
    tx: UnitOfWork, keys: Sequence[str]
) -> tuple[dict[str, list[dict[str, Any]]], dict[str, list[dict[str, Any]]]]:
    where = among("account_id", keys, tx.dialect)
    lots: dict[str, list[dict[str, Any]]] = defaultdict(list)
    for row in await tx.fetch(f"SELECT {LOT} FROM loyalty_lot WHERE {where.sql}", where.args):
        lots[row["account_id"]].append(row)
    pending: dict[str, list[dict[str, Any]]] = defaultdict(list)
    for row in await tx.fetch(f"SELECT {PENDING} FROM loyalty_pending WHERE {where.sql}", where.args):
        pending[row["account_id"]].append(row)
    return lots, pending


async def _shares(tx: UnitOfWork, keys: Sequence[str]) -> dict[str, dict[str, list[dict[str, Any]]]]:
    """What rules gave, by account and entry."""
    where = among("account_id", keys, tx.dialect)
    found: dict[str, dict[str, list[dict[str, Any]]]] = defaultdict(lambda: defaultdict(list))
    for row in await tx.fetch(
        "SELECT account_id, entry_id, rule_id, rule_version_id, day, points, because FROM loyalty_share"
        f" WHERE {where.sql}",
        where.args,
    ):
        found[row["account_id"]][row["entry_id"]].append(row)
    return found


async def _strays(tx: UnitOfWork) -> list[str]:
    """What is left with accounts that are gone or were merged into others, whose it should be, and with
    entries that are gone.
    """
    found = []
    for question, says in STRAYS:
        rows = await tx.fetch(f"{question} LIMIT {MOST}")
        found += [says.format(**row) for row in rows]
    return found


STRAYS = (
    (
        "SELECT e.id FROM loyalty_entry e LEFT JOIN loyalty_account a ON a.id = e.account_id"
        " WHERE a.id IS NULL ORDER BY e.id",
        "entry {id} is of an account that is not there",
    ),
    (
        "SELECT e.id FROM loyalty_entry e JOIN loyalty_account a ON a.id = e.account_id"
        " WHERE a.merged_into_id IS NOT NULL ORDER BY e.id",
        "entry {id} is left with an account that was merged into another",
    ),
    (
        "SELECT id FROM loyalty_account WHERE merged_into_id IS NOT NULL AND (balance <> 0 OR pending <> 0"
        " OR deficit <> 0 OR lifetime <> 0 OR tier_id IS NOT NULL) ORDER BY id",
        "account {id} was merged into another, and has points or a tier again",
    ),
    (
        "SELECT s.id, s.entry_id FROM loyalty_share s LEFT JOIN loyalty_entry e ON e.id = s.entry_id"
        " AND e.account_id = s.account_id WHERE e.id IS NULL ORDER BY s.id",
        "what a rule gave of entry {entry_id} is of an entry that is not there, or of another account",
    ),
    (
        "SELECT u.id, u.entry_id FROM loyalty_allocation u LEFT JOIN loyalty_entry e ON e.id = u.entry_id"
        " WHERE e.id IS NULL ORDER BY u.id",
        "what entry {entry_id} took from a lot is of an entry that is not there",
    ),
)
"""A question for rows that nobody has, and what is told of each."""
