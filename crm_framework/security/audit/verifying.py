"""Goes through the audit log and its chain, and finds the first thing that is not as it was written.

Entries are read a page at a time, so that the log may be of any length. What is kept meanwhile is a count for
every erasure whose own entry is still to come.
"""

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any

import orjson

from crm_framework.errors import CrmError, ErrorCode
from crm_framework.events import CustomerErased
from crm_framework.storage.audit import erased_digest, is_genuine
from crm_framework.storage.clock import now, parse_time

from .chain import NO_KEYS, START, AuditKeys, Head, link_hash
from .sealing import BATCH, ENTRY_COLUMNS, UNSEALED, unsealed

if TYPE_CHECKING:
    from crm_framework.storage.database import Database

Progress = Callable[[int, int], None]
"""Called after every page with the positions checked, and how many there are."""

MOVED_WITHIN = 1_000
"""How far from its place a link that was moved is looked for."""

LINKS = (
    "SELECT c.position, c.entry_id AS link_entry, c.digest AS link_digest, c.hash, c.key_id,"
    f" {ENTRY_COLUMNS} FROM crm_audit_chain c LEFT JOIN crm_audit a ON a.id = c.entry_id"
    " {} ORDER BY c.position LIMIT " + str(BATCH)
)
FIRST_LINKS = LINKS.format("")
NEXT_LINKS = LINKS.format("WHERE c.position > ?")

COUNTS = (
    "SELECT (SELECT COUNT(*) FROM crm_audit) AS entries, (SELECT COUNT(*) FROM crm_audit_chain) AS links,"
    " (SELECT MAX(position) FROM crm_audit_chain) AS last,"
    f" (SELECT COUNT(*) FROM crm_audit a WHERE {UNSEALED}) AS unsealed"
)
"""In one statement, so that it holds while others write."""


@dataclass(frozen=True)
class Fault:
    """The first thing that is wrong: where, which entry, and what about it."""

    position: int | None
    entry_id: str | None
    what: str

    def __str__(self) -> str:
        at = "" if self.position is None else f"position {self.position}"
        entry = "" if self.entry_id is None else f"entry {self.entry_id}"
        return f"{', '.join(part for part in (at, entry) if part) or 'the number of rows'}: {self.what}"


@dataclass
class Verdict:
    """What a verification came to. `unsealed` entries were written and are not in the chain yet."""

    head: Head = START
    erased: int = 0
    unsealed: int = 0
    oldest_unsealed: datetime | None = None
    fault: Fault | None = None

    @property
    def sound(self) -> bool:
        return self.fault is None


@dataclass
class _Erasures:
    """Entries that were emptied, by the receipt that they name, and what the erasures vouch for."""

    emptied: dict[str, tuple[int, int | None, str]] = field(default_factory=dict)
    vouched: set[str] = field(default_factory=set)


class _Wrong(Exception):
    def __init__(self, position: int | None, entry_id: str | None, what: str) -> None:
        super().__init__(what)
        self.fault = Fault(position, entry_id, what)


async def verify(
    database: "Database",
    keys: AuditKeys = NO_KEYS,
    *,
    kept: Head | None = None,
    patience_seconds: float = 60.0,
    progress: Progress | None = None,
) -> Verdict:
    """Checks every link and every entry. `kept` is a head that was noted earlier and must still be there.

    An entry that is not in the chain is a fault once it is older than `patience_seconds`.
    Raises CrmError CONFIGURATION for a chain made with a key that is not among `keys`.
    """
    verdict = Verdict()
    erasures = _Erasures()
    try:
        await _chain(database, keys, verdict, erasures, kept, progress)
        await _rest(database, keys, verdict, erasures, now() - timedelta(seconds=patience_seconds))
        await _counted(database)
        for receipt, (_, position, entry_id) in erasures.emptied.items():
            if receipt not in erasures.vouched:
                raise _Wrong(position, entry_id, "is emptied, and no erasure vouches for it")
    except _Wrong as wrong:
        verdict.fault = wrong.fault
    return verdict


async def _chain(
    database: "Database",
    keys: AuditKeys,
    verdict: Verdict,
    erasures: _Erasures,
    kept: Head | None,
    progress: Progress | None,
) -> None:
    count = await database.fetch_aside("SELECT MAX(position) AS last FROM crm_audit_chain")
    last, keyed = count[0]["last"], False
    last = last if isinstance(last, int) else 0
    if kept is not None and kept.position == 0 and kept != START:
        raise _Wrong(0, None, "the kept head is none")
    rows = await database.fetch_aside(FIRST_LINKS)
    while rows:
        for row in rows:
            await _link(database, keys, verdict.head, row)
            if keyed and row["key_id"] is None:
                raise _Wrong(row["position"], row["link_entry"], "the link has no key, and those before had")
            keyed = row["key_id"] is not None
            await _entry(database, keys, row, erasures)
            verdict.erased += row["erased_by"] is not None
            verdict.head = Head(row["position"], bytes(row["hash"]))
            if kept is not None and kept.position == verdict.head.position and kept != verdict.head:
                raise _Wrong(
                    kept.position, row["link_entry"], "the hash is not the one that was kept: the chain up to"
                    " here was made anew",
                )  # fmt: skip
        if progress is not None:
            progress(verdict.head.position, max(last, verdict.head.position))
        rows = await database.fetch_aside(NEXT_LINKS, [verdict.head.position])
    if kept is not None and kept.position > verdict.head.position:
        raise _Wrong(
            verdict.head.position + 1, None,
            f"the chain ends before the position {kept.position} that was kept: its end was removed",
        )  # fmt: skip
    if keys.keys and verdict.head.position and not keyed:
        raise _Wrong(
            verdict.head.position, None,
            "there is an audit key, and the chain was made without one. If the key was set just now, any"
            " change makes the first link with it",
        )  # fmt: skip


async def _link(database: "Database", keys: AuditKeys, head: Head, row: dict[str, Any]) -> None:
    expected, entry_id = head.position + 1, row["link_entry"]
    if not isinstance(row["position"], int) or row["position"] < expected:
        at = str(row["position"])[:40]
        raise _Wrong(expected, entry_id, f"a link was put in at {at!r}, which is no position of the chain")
    if row["position"] != expected:
        missing = row["position"] - expected
        raise _Wrong(expected, None, f"{missing} link(s) of the chain were removed here")
    if row["key_id"] not in keys.by_id:
        raise CrmError(
            ErrorCode.CONFIGURATION,
            f"The link at position {expected} was made with an audit key ({row['key_id']}) that is not set.",
            hint="Put the key of that time into audit_keys, behind the present one.",
        )
    if _fits(keys, head, row):
        return
    before = bytes(row["hash"])
    near = await database.fetch_aside(
        "SELECT position, entry_id AS link_entry, digest AS link_digest, hash, key_id FROM crm_audit_chain"
        f" WHERE position > ? ORDER BY position LIMIT {MOVED_WITHIN}",
        [expected],
    )
    for other in near:
        if _fits(keys, head, other):
            at = other["position"]
            what = f"is not the link that belongs here, which stands at position {at}"
            moved = await _at_home(database, keys, at, row)
            raise _Wrong(expected, entry_id, f"{what}: links were {'reordered' if moved else 'inserted'}")
    raise _Wrong(
        expected, entry_id, f"the link was altered: its hash is {before.hex()[:12]}… and should differ"
    )


def _fits(keys: AuditKeys, head: Head, row: dict[str, Any]) -> bool:
    """Whether the link's hash is right for what it says, behind `head`."""
    if row["key_id"] not in keys.by_id:
        return False
    made = link_hash(
        keys.by_id[row["key_id"]],
        head.hash,
        head.position + 1,
        row["link_entry"],
        bytes(row["link_digest"]),
    )
    return made == bytes(row["hash"])


async def _at_home(database: "Database", keys: AuditKeys, position: int, row: dict[str, Any]) -> bool:
    """Whether the link belongs at `position`, where another stands that belongs in its place."""
    before = position if position - 1 == row["position"] else position - 1
    rows = await database.fetch_aside("SELECT hash FROM crm_audit_chain WHERE position = ?", [before])
    return bool(rows) and _fits(keys, Head(position - 1, bytes(rows[0]["hash"])), row)


async def _entry(database: "Database", keys: AuditKeys, row: dict[str, Any], erasures: _Erasures) -> None:
    position, entry_id = row["position"], row["link_entry"]
    if row["id"] is None:
        raise _Wrong(position, entry_id, "the entry was removed")
    accepted = keys.keys if row["key_id"] is not None else (None,)
    if bytes(row["digest"]) != bytes(row["link_digest"]) or not is_genuine(row, accepted):
        raise _Wrong(position, entry_id, "the entry was altered")
    await _emptied(database, row, position, erasures)


async def _emptied(
    database: "Database", row: dict[str, Any], position: int | None, erasures: _Erasures
) -> None:
    receipt = row["erased_by"]
    if receipt is not None:
        count, first, entry_id = erasures.emptied.get(receipt, (0, position, row["id"]))
        erasures.emptied[receipt] = (count + 1, first, entry_id)
    elif row["action"] == CustomerErased.type:
        await _vouched(database, row, position, erasures)


async def _vouched(
    database: "Database", row: dict[str, Any], position: int | None, erasures: _Erasures
) -> None:
    """Compares what an erasure says that it left with what is there."""
    changes = orjson.loads(row["changes"])
    receipt, count, digest = (changes[name][1] for name in ("receipt", "auditEntries", "auditDigest"))
    emptied = await database.fetch_aside(
        "SELECT id, actor_name, changes FROM crm_audit WHERE erased_by = ? ORDER BY id", [receipt]
    )
    left = [(one["id"], one["actor_name"], one["changes"]) for one in emptied]
    if len(left) != count:
        raise _Wrong(
            position, row["id"], f"the erasure emptied {count} entries, and {len(left)} say that it did"
        )
    if erased_digest(left) != digest:
        raise _Wrong(
            position, row["id"], "one of the entries that the erasure emptied was altered afterwards:"
            f" {', '.join(one[0] for one in left[:5])}{' …' if len(left) > 5 else ''}",
        )  # fmt: skip
    erasures.vouched.add(receipt)
    erasures.emptied.pop(receipt, None)


async def _rest(
    database: "Database", keys: AuditKeys, verdict: Verdict, erasures: _Erasures, until: datetime
) -> None:
    """Entries that are not in the chain."""
    after, forgotten = "", None
    while rows := await unsealed(database, after=after, before=None):
        after = rows[-1]["id"]
        for row in rows:
            verdict.unsealed += 1
            if not is_genuine(row, (*keys.keys, None) if keys.keys else (None,)):
                raise _Wrong(None, row["id"], "the entry was altered, or put in by somebody else")
            at = parse_time(row["at"])
            verdict.oldest_unsealed = min(at, verdict.oldest_unsealed or at)
            await _emptied(database, row, None, erasures)
            if forgotten is None and at < until:
                forgotten = row["id"]
    if forgotten is not None:
        raise _Wrong(
            None, forgotten, f"the entry is not in the chain, nor are {verdict.unsealed - 1} more: it was put"
            " in by somebody else, its link was removed, or nobody sealed it (`crm audit seal`)",
        )  # fmt: skip


async def _counted(database: "Database") -> None:
    """Every row was read: as many links as the last one's position says, and an entry for each of them."""
    (found,) = await database.fetch_aside(COUNTS)
    if found["links"] != (found["last"] or 0):
        raise _Wrong(
            None, None,
            f"there are {found['links']} links, and the last one has the position {found['last']}",
        )  # fmt: skip
    if found["entries"] != found["links"] + found["unsealed"]:
        raise _Wrong(
            None, None,
            f"there are {found['entries']} entries, for {found['links']} links and {found['unsealed']}"
            " entries without one",
        )  # fmt: skip
