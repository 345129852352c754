"""Takes new entries of the audit log into the chain, right after the commit that wrote them.

Not in that commit: every write would then wait for the one before to be on disk (ADR 0018). A process knows
what it wrote and seals it a moment later, many entries at once. Two processes that seal at the same moment
make the same position, and the later one does it again behind the other. What a process wrote and did not
seal, because it was killed, is found by the next one that sweeps.
"""

import asyncio
import logging
import time
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager, suppress
from typing import TYPE_CHECKING, Any

from tortoise.exceptions import IntegrityError

from crm_framework.storage.audit import CONTENT, Written, is_genuine
from crm_framework.storage.gathered import Gathered, Outdated
from crm_framework.storage.sessions import to_the_end
from crm_framework.storage.sql import CONVERTERS

from .chain import LINK_COLUMNS, NO_KEYS, START, AuditKeys, Head, links

if TYPE_CHECKING:
    from crm_framework.storage.database import Database

log = logging.getLogger(__name__)

DELAY_SECONDS = 0.1
"""How long entries are gathered before they are sealed together."""
SWEEP_SECONDS = 60.0
YOUNG_SECONDS = 10.0
"""Younger entries are left to the process that wrote them."""
REACH_SECONDS = 15 * 60.0
"""How far a sweep goes back behind the last seal: longer than a transaction takes from an entry's key to its
commit. `crm audit seal` goes back to the beginning."""
BATCH = 1_000
MAX_WAITING = 100_000
"""Entries that a process keeps for later while it cannot seal; those beyond are left to a sweep."""
ATTEMPTS = 50

HEAD = "SELECT position, hash FROM crm_audit_chain ORDER BY position DESC LIMIT 1"
UNMOVED = "SELECT 1 WHERE COALESCE((SELECT MAX(position) FROM crm_audit_chain), 0) = ?"
UNSEALED = "NOT EXISTS (SELECT 1 FROM crm_audit_chain c WHERE c.entry_id = a.id)"
ENTRY_COLUMNS = ", ".join(f"a.{name}" for name in (*CONTENT, "salt", "digest", "erased_by", "erased_digest"))


class Sealer:
    """Seals what this process writes. `close` seals the rest."""

    def __init__(
        self, database: "Database", keys: AuditKeys = NO_KEYS, *, delay: float = DELAY_SECONDS
    ) -> None:
        self._database = database
        self._keys = keys
        self._delay = delay
        self._waiting: list[Written] = []
        self._since: float | None = None
        self._task: asyncio.Task[None] | None = None
        self._sweeper: asyncio.Task[None] | None = None
        self._sealing = asyncio.Lock()
        self._head: Head | None = None
        self._closed = False
        database.auditors.append(self._written)

    @property
    def waiting(self) -> int:
        """Entries that this process wrote and has not sealed yet."""
        return len(self._waiting)

    @property
    def lag_seconds(self) -> float:
        """For how long the oldest of them has waited."""
        return 0.0 if self._since is None else time.monotonic() - self._since

    def _written(self, entries: Sequence[Written]) -> None:
        if len(self._waiting) + len(entries) > MAX_WAITING:
            log.error("The audit log cannot be sealed; %d entries are left to a later sweep", len(entries))
            return
        self._waiting += entries
        if self._since is None:
            self._since = time.monotonic()
        if self._task is None and not self._closed:
            self._task = asyncio.create_task(self._soon())

    async def _soon(self) -> None:
        wait = self._delay
        while self._waiting:
            await asyncio.sleep(wait)
            try:
                await self.seal_waiting()
                wait = self._delay
            except Exception as error:
                wait = min(max(wait, 0.1) * 2, 30.0)
                log.warning("The audit log could not be sealed, again in %.1f s: %s", wait, error)
        self._task = None

    async def seal_waiting(self) -> None:
        """Seals what this process has written until now."""
        async with self._sealing:
            entries, since = self._waiting, self._since
            self._waiting, self._since = [], None
            try:
                while entries:
                    await to_the_end(self._seal(entries[:BATCH], self._keys.current))
                    entries = entries[BATCH:]
            except BaseException:
                self._waiting, self._since = [*entries, *self._waiting], since
                raise

    async def _seal(self, entries: Sequence[Written], key: bytes | None) -> None:
        for attempt in range(ATTEMPTS):
            if self._head is None:
                self._head = await read_head(self._database)
            if attempt:
                entries = await self._still_unsealed(entries)
            if not entries:
                return
            head, rows = links(self._head, entries, key)
            try:
                await self._insert(self._head.position, rows)
            except (Outdated, IntegrityError):  # another process sealed meanwhile
                self._head = None
                await asyncio.sleep(0.002 * attempt)
            except BaseException:
                self._head = None
                raise
            else:
                self._head = head
                return
        raise TimeoutError(f"other processes were faster {ATTEMPTS} times")

    async def _insert(self, position: int, rows: Sequence[tuple[Any, ...]]) -> None:
        converter = CONVERTERS[self._database.dialect]
        gathered = Gathered(assumed=[(UNMOVED, [position])])
        gathered.add("crm_audit_chain", LINK_COLUMNS, converter.rows(rows))
        session = self._database.begin()
        try:
            await session.commit(gathered)
        finally:
            await session.close()

    async def _still_unsealed(self, entries: Sequence[Written]) -> list[Written]:
        sealed: set[str] = set()
        for start in range(0, len(entries), 500):
            keys = [key for key, _ in entries[start : start + 500]]
            among = ", ".join("?" * len(keys))
            sealed |= {
                row["entry_id"]
                for row in await self._database.fetch_aside(
                    f"SELECT entry_id FROM crm_audit_chain WHERE entry_id IN ({among})", keys
                )
            }
        return [entry for entry in entries if entry[0] not in sealed]

    async def sweep(self, *, everything: bool = False) -> int:
        """Seals what another process wrote and did not seal; the number of entries.

        One that does not prove genuine is left out: `crm audit verify` names it.
        """
        after = "" if everything else await self._reach()
        young = None if everything else _key_at(time.time() - YOUNG_SECONDS)
        return await self._sweep(after, young, self._keys.keys or (None,), self._keys.current)

    async def adopt(self) -> None:
        """Seals what was written before there was a key, and without it, so that no later link goes without.

        Does nothing where there is no key, and where links have one already.
        """
        if self._keys.keys:
            rows = await self._database.fetch_aside(
                "SELECT key_id FROM crm_audit_chain ORDER BY position DESC LIMIT 1"
            )
            if not rows or rows[0]["key_id"] is None:
                await self._sweep(await self._reach(), None, (None,), None)

    async def _sweep(
        self, after: str, before: str | None, accepted: Sequence[bytes | None], key: bytes | None
    ) -> int:
        sealed = 0
        while rows := await unsealed(self._database, after=after, before=before):
            after = rows[-1]["id"]
            genuine: list[Written] = []
            for row in rows:
                if is_genuine(row, accepted):
                    genuine.append((row["id"], bytes(row["digest"])))
                else:
                    log.error("The entry %s of the audit log is not genuine and is not sealed", row["id"])
            async with self._sealing:
                await to_the_end(self._seal(genuine, key))
            sealed += len(genuine)
        return sealed

    async def _reach(self) -> str:
        """The key behind which a sweep looks."""
        rows = await self._database.fetch_aside(
            "SELECT entry_id FROM crm_audit_chain ORDER BY position DESC LIMIT 1"
        )
        if not rows:
            return ""
        sealed = int(rows[0]["entry_id"].replace("-", "")[:12], 16) / 1000
        return _key_at(min(sealed, time.time()) - REACH_SECONDS)

    def sweep_regularly(self) -> None:
        """Sweeps now and every minute, until it is closed."""
        self._sweeper = asyncio.create_task(self._sweep_on())

    async def _sweep_on(self) -> None:
        while True:
            try:
                if found := await self.sweep():
                    log.warning("%d entries of the audit log had been left unsealed", found)
            except Exception as error:
                log.warning("The audit log could not be swept: %s", error)
            await asyncio.sleep(SWEEP_SECONDS)

    async def close(self) -> None:
        """Seals what is left; what cannot be sealed now is left to a sweep."""
        self._closed = True
        if self._written in self._database.auditors:
            self._database.auditors.remove(self._written)
        for task in (self._sweeper, self._task):
            if task is not None:
                task.cancel()
                with suppress(asyncio.CancelledError):
                    await task
        try:
            await self.seal_waiting()
        except Exception as error:
            log.warning("%d entries of the audit log are left to a sweep: %s", self.waiting, error)


@asynccontextmanager
async def sealing(database: "Database", keys: AuditKeys) -> AsyncIterator[Sealer]:
    """Seals what is written in the block, the last of it at its end."""
    sealer = Sealer(database, keys)
    try:
        await sealer.adopt()
        yield sealer
    finally:
        await to_the_end(sealer.close())


async def read_head(database: "Database") -> Head:
    """Where the chain ends now."""
    rows = await database.fetch_aside(HEAD)
    return Head(rows[0]["position"], bytes(rows[0]["hash"])) if rows else START


async def unsealed(database: "Database", *, after: str, before: str | None) -> list[dict[str, Any]]:
    """Up to BATCH entries with a key above `after` and below `before` that are not in the chain, in the order
    of their keys. Empty and None stand for no bound."""
    bounds: list[str] = []
    args: list[str] = []
    for bound, key in (("a.id > ?", after), ("a.id < ?", before)):
        if key:
            bounds.append(f" AND {bound}")
            args.append(key)
    return await database.fetch_aside(
        f"SELECT {ENTRY_COLUMNS} FROM crm_audit a WHERE {UNSEALED}{''.join(bounds)}"
        f" ORDER BY a.id LIMIT {BATCH}",
        args,
    )


def _key_at(seconds: float) -> str:
    """The least key of a time."""
    digits = f"{max(0, int(seconds * 1000)):012x}"
    return f"{digits[:8]}-{digits[8:12]}-0000-0000-000000000000"
