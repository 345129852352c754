"""Whatever is done to a row of the audit log or of its chain is found, and the first wrong place named."""

import json
from base64 import b64decode
from datetime import timedelta, timezone
from itertools import combinations
from typing import Any
from uuid import UUID

import pytest

from crm_framework.errors import CrmError, ErrorCode
from crm_framework.security.audit.chain import NO_KEYS, AuditKeys, Head, links
from crm_framework.security.audit.sealing import Sealer, read_head, sealing
from crm_framework.security.audit.verifying import Fault, verify
from crm_framework.storage.audit import AUDIT_COLUMNS, AuditRecord, audit_row, personal_digest, who_acts
from crm_framework.storage.clock import now, parse_time
from crm_framework.storage.database import Database
from crm_framework.storage.ids import new_id
from crm_framework.storage.sql import sqlite_args

from .conftest import ADMIN, KEYS, Intruder, Row, chain, entries, fill, positions

ENTRIES = 12


async def fault(database: Database, keys: AuditKeys = NO_KEYS, **options: Any) -> Fault | None:
    return (await verify(database, keys, **options)).fault


async def named(database: Database, position: int | None, entry: str | None, what: str) -> None:
    found = await fault(database, patience_seconds=-1)
    assert found is not None
    assert (found.position, found.entry_id) == (position, entry), found
    assert what in found.what


def other_than(value: Any) -> Any:
    """A value of the same type that is another one."""
    match value:
        case None:
            return None
        case bytes():
            return bytes(byte ^ 1 for byte in value)
        case str() if _is_key(value):
            return new_id()
        case str() if value.startswith("{"):
            return value.replace("{", '{"x": [1, 2], ', 1) if len(value) > 2 else '{"x": [1, 2]}'
        case str() if value[:2] == "20":
            return "19" + value[2:]
        case str():
            return f"{value}x"[-20:]
        case _:
            return value - timedelta(microseconds=1)


def _is_key(value: str) -> bool:
    try:
        UUID(value)
    except ValueError:
        return False
    return len(value) == 36


def given_to(column: str) -> Any:
    """A value for a column that was null."""
    if column in ("actor_id", "request_id", "reason"):
        return "x"
    return bytes(32) if column in ("salt", "erased_digest") else new_id()


async def test_what_was_written_is_sound(database: Database) -> None:
    await fill(database)
    verdict = await verify(database)
    assert (verdict.fault, verdict.head.position, verdict.unsealed) == (None, ENTRIES, 0)
    assert verdict.erased == 6
    assert verdict.head == await read_head(database)
    assert len(await entries(database)) == ENTRIES


async def test_every_value_of_every_entry_counts(database: Database, intruder: Intruder) -> None:
    await fill(database)
    stored = {row["id"]: row for row in await intruder.rows("SELECT * FROM crm_audit")}
    vouching = {
        json.loads(row["changes"])["receipt"][1]: row["position"]
        for row in await entries(database)
        if row["action"] == "customer.erased"
    }
    tried = 0
    for row in await entries(database):
        position, key, original = row["position"], row["id"], stored[row["id"]]
        for column in original:
            if column == "id":
                continue
            value = other_than(original[column]) if original[column] is not None else given_to(column)
            await intruder.run(f"UPDATE crm_audit SET {column} = ? WHERE id = ?", value, key)
            found = await fault(database)
            assert found is not None, (position, column)
            left = ("changes", "actor_name") if original["actor_kind"] == "CUSTOMER" else ("changes",)
            if original["erased_by"] is not None and column in left:
                assert found.position == vouching[original["erased_by"]], (column, found)
                assert key in found.what
            elif original["erased_by"] is not None and column == "erased_by":
                assert found.position == vouching[original["erased_by"]], (column, found)
                assert "emptied 3 entries, and 2 say that it did" in found.what
            else:
                assert (found.position, found.entry_id) == (position, key), (column, found)
                assert found.what == "the entry was altered"
            await intruder.run(f"UPDATE crm_audit SET {column} = ? WHERE id = ?", original[column], key)
            tried += 1
    assert tried == ENTRIES * 16
    assert await fault(database) is None


async def test_removed_entries_and_links(database: Database, intruder: Intruder) -> None:
    await fill(database)
    stored = {row["id"]: row for row in await intruder.rows("SELECT * FROM crm_audit")}
    whole = {row["position"]: row for row in await intruder.rows("SELECT * FROM crm_audit_chain")}
    for position, link in whole.items():
        entry = link["entry_id"]
        await intruder.remove("crm_audit", "id", entry)
        await named(database, position, entry, "the entry was removed")
        await intruder.remove("crm_audit_chain", "position", position)
        if position < ENTRIES:
            await named(database, position, None, "1 link(s) of the chain were removed here")
        else:
            assert await fault(database) is None  # the end, all of it: that shows by a head kept elsewhere
            found = await fault(database, kept=Head(position, bytes(link["hash"])))
            assert found is not None
            assert (found.position, "its end was removed" in found.what) == (ENTRIES, True)
        await intruder.put("crm_audit", stored[entry])
        if position < ENTRIES:
            await named(database, position, None, "removed here")
        else:
            await named(database, None, entry, "not in the chain")
        await intruder.put("crm_audit_chain", link)
    assert await fault(database) is None


async def test_every_value_of_every_link_counts(database: Database, intruder: Intruder) -> None:
    await fill(database)
    for link in await intruder.rows("SELECT * FROM crm_audit_chain"):
        position = link["position"]
        for column, what in (
            ("entry_id", "the link was altered"),
            ("digest", "the link was altered"),
            ("hash", "the link was altered"),
        ):
            await intruder.run(
                f"UPDATE crm_audit_chain SET {column} = ? WHERE position = ?",
                other_than(link[column]),
                position,
            )
            found = await fault(database)
            assert found is not None
            assert (found.position, what in found.what) == (position, True)
            await intruder.run(
                f"UPDATE crm_audit_chain SET {column} = ? WHERE position = ?", link[column], position
            )
    assert await fault(database) is None


async def test_links_in_another_order(database: Database, intruder: Intruder) -> None:
    await fill(database)
    entry = {row["position"]: row["entry_id"] for row in await chain(database)}
    for one, other in combinations(positions(await chain(database)), 2):
        await _swap(intruder, one, other)
        await named(database, one, entry[other], "links were reordered")
        await _swap(intruder, one, other)
    assert await fault(database) is None


async def _swap(intruder: Intruder, one: int, other: int) -> None:
    for at, to in ((one, 0), (other, one), (0, other)):
        await intruder.run("UPDATE crm_audit_chain SET position = ? WHERE position = ?", to, at)


@pytest.mark.parametrize("place", range(1, ENTRIES + 1))
async def test_an_entry_put_in_between(database: Database, intruder: Intruder, place: int) -> None:
    """With all that it takes for itself: a digest and a hash that fit."""
    await fill(database)
    rows = await chain(database)
    before = Head(place - 1, bytes(rows[place - 2]["hash"]) if place > 1 else bytes(32))
    forged = await _forge(database, intruder)
    _, (link,) = links(before, [(forged["id"], forged["digest"])], None)
    await intruder.run("UPDATE crm_audit_chain SET position = -position - 1 WHERE position >= ?", place)
    await intruder.run("UPDATE crm_audit_chain SET position = -position WHERE position < 0")
    names = ("position", "entry_id", "digest", "hash", "key_id")
    await intruder.put("crm_audit_chain", dict(zip(names, link, strict=True)))
    found = await fault(database)
    assert found is not None  # the first that does not follow is the one behind
    assert (found.position, found.entry_id) == (place + 1, rows[place - 1]["entry_id"])
    assert "altered" in found.what


async def test_a_link_put_in_that_does_not_fit(database: Database, intruder: Intruder) -> None:
    await fill(database)
    await intruder.run("UPDATE crm_audit_chain SET position = -position - 1 WHERE position >= 4")
    await intruder.run("UPDATE crm_audit_chain SET position = -position WHERE position < 0")
    forged = await _forge(database, intruder)
    link = {"position": 4, "entry_id": forged["id"], "digest": forged["digest"], "hash": bytes(32)}
    await intruder.put("crm_audit_chain", link)
    await named(database, 4, forged["id"], "links were inserted")


async def _forge(database: Database, intruder: Intruder, key: bytes | None = None) -> Row:
    record = AuditRecord(
        who=who_acts(ADMIN), action="customer.updated", subject_type="Customer", subject_id="x", changes={}
    )
    values = audit_row(record, at=now(), key=key)
    converted = sqlite_args(values) if database.dialect == "sqlite" else values
    forged = dict(zip(AUDIT_COLUMNS, converted, strict=True))
    await intruder.put("crm_audit", forged)
    return forged


async def test_an_entry_put_beside_the_chain(database: Database, intruder: Intruder) -> None:
    await fill(database)
    forged = await _forge(database, intruder)
    assert (await verify(database)).unsealed == 1  # it may be one that is about to be sealed
    await named(database, None, forged["id"], "put in by somebody else")


@pytest.mark.parametrize("keys", [NO_KEYS, KEYS], ids=["no keys", "keys"])
@pytest.mark.parametrize("position", [0, -1, -7, 10_000])
async def test_a_link_where_the_chain_has_none(
    database: Database, intruder: Intruder, position: int, keys: AuditKeys
) -> None:
    """It keeps a forged entry from being looked at as one without a link."""
    await fill(database, keys)
    forged = await _forge(database, intruder)
    link = {"position": position, "entry_id": forged["id"], "digest": b"\0", "hash": b"\0", "key_id": None}
    await intruder.put("crm_audit_chain", link)
    found = await fault(database, keys)
    assert found is not None
    if position < 1:
        assert (found.position, found.entry_id) == (1, forged["id"])
        assert f"a link was put in at '{position}'" in found.what
    else:
        assert (found.position, "removed here" in found.what) == (ENTRIES + 1, True)


@pytest.mark.parametrize("position", ["x", 3.5, b"3"])
async def test_a_position_that_is_no_number(database: Database, intruder: Intruder, position: Any) -> None:
    await fill(database)
    if database.dialect == "postgres":
        return  # its columns hold numbers only
    forged = await _forge(database, intruder)
    link = {"position": position, "entry_id": forged["id"], "digest": b"\0", "hash": b"\0", "key_id": None}
    await intruder.put("crm_audit_chain", link)
    found = await fault(database)
    assert found is not None
    assert (found.entry_id, "a link was put in" in found.what) == (forged["id"], True)


async def test_a_link_put_in_while_the_others_are_read(database: Database, intruder: Intruder) -> None:
    await fill(database)
    forged = await _forge(database, intruder)
    link = {"position": 0, "entry_id": forged["id"], "digest": b"\0", "hash": b"\0", "key_id": None}
    told: list[int] = []
    if intruder._sqlite is None:
        return  # the callback cannot await; what is counted is the same statement
    others = intruder._sqlite

    def put_in(done: int, of: int) -> None:
        told.append(done)
        others.execute(
            f"INSERT INTO crm_audit_chain ({', '.join(link)}) VALUES (?, ?, ?, ?, ?)", tuple(link.values())
        )

    verdict = await verify(database, progress=put_in)
    assert told == [ENTRIES]
    assert f"there are {ENTRIES + 1} links" in str(verdict.fault)


async def test_values_spelt_another_way(database: Database, intruder: Intruder) -> None:
    """SQLite compares moments as texts, and takes bytes for a text."""
    await fill(database)
    if database.dialect == "postgres":
        return  # its columns have types
    for row in await entries(database):
        moved = parse_time(row["at"]).astimezone(timezone(timedelta(hours=-23)))
        for column, value in (
            ("at", moved.isoformat(" ", "microseconds")),
            ("at", row["at"].replace(" ", "T")),
            ("at", row["at"].replace("+00:00", "")),
            ("at", "some day"),
            ("action", row["action"].encode()),
            ("action", b64decode("abcd")),
        ):
            await intruder.run(f"UPDATE crm_audit SET {column} = ? WHERE id = ?", value, row["id"])
            await named(database, row["position"], row["id"], "the entry was altered")
            await intruder.run(f"UPDATE crm_audit SET {column} = ? WHERE id = ?", row[column], row["id"])
    assert await fault(database) is None


async def test_a_chain_made_anew_shows_by_a_head_kept_elsewhere(
    database: Database, intruder: Intruder
) -> None:
    await fill(database)
    kept = await read_head(database)
    assert await fault(database, kept=kept) is None
    await _make_anew(database, intruder)
    assert await fault(database) is None
    found = await fault(database, kept=kept)
    assert found is not None
    assert (found.position, "made anew" in found.what) == (kept.position, True)


async def test_a_chain_with_a_key_is_not_made_anew_without_it(database: Database, intruder: Intruder) -> None:
    await fill(database, KEYS)
    assert await fault(database, KEYS) is None
    await _make_anew(database, intruder)
    found = await fault(database, KEYS)
    assert found is not None


async def test_a_key_that_is_not_set_is_asked_for(database: Database) -> None:
    await fill(database, KEYS)
    with pytest.raises(CrmError) as unknown:
        await verify(database, AuditKeys.of(["another key, as long as that"]))
    assert unknown.value.code is ErrorCode.CONFIGURATION


async def _make_anew(database: Database, intruder: Intruder) -> None:
    """As one who knows how: one entry less, and all links computed again."""
    rows = await chain(database)
    await intruder.run("DELETE FROM crm_audit WHERE id = ?", rows[0]["entry_id"])
    await intruder.run("DELETE FROM crm_audit_chain")
    last = rows[-1]
    extra = await _forge(database, intruder)
    written = [(row["entry_id"], bytes(row["digest"])) for row in rows[1:]]
    _, made = links(Head(0, bytes(32)), [*written, (extra["id"], extra["digest"])], None)
    assert len(made) == last["position"]
    names = ("position", "entry_id", "digest", "hash", "key_id")
    await intruder.put("crm_audit_chain", *(dict(zip(names, link, strict=True)) for link in made))


async def test_a_forged_entry_is_not_sealed_with_the_key(database: Database, intruder: Intruder) -> None:
    await fill(database, KEYS)
    forged = await _forge(database, intruder)
    sealer = Sealer(database, KEYS)
    assert await sealer.sweep(everything=True) == 0
    await sealer.close()
    found = await fault(database, KEYS, patience_seconds=-1)
    assert found is not None
    assert found.entry_id == forged["id"]


async def test_a_key_from_some_day_on_and_another_later(database: Database) -> None:
    await fill(database)
    found = await fault(database, KEYS)
    assert found is not None
    assert "made without one" in found.what
    await fill(database, KEYS)
    assert await fault(database, KEYS) is None
    both = AuditKeys((b"a newer key of the tests", *KEYS.keys))
    await fill(database, both)
    verdict = await verify(database, both)
    assert (verdict.fault, verdict.head.position) == (None, 3 * ENTRIES)
    await fill(database)
    found = await fault(database, both)
    assert found is not None
    assert (found.position, "the link has no key" in found.what) == (3 * ENTRIES + 1, True)


async def test_emptied_without_an_erasure(database: Database, intruder: Intruder) -> None:
    """Somebody hides what an entry said by making it look erased; under their own receipt, or a real one."""
    await fill(database)
    rows = await entries(database)
    victim = next(row for row in rows if row["erased_by"] is None)
    real = next(row["erased_by"] for row in rows if row["erased_by"] is not None)
    for receipt in (new_id(), real):
        await intruder.run(
            "UPDATE crm_audit SET changes = '{}', salt = NULL, erased_by = ?, erased_digest = ? WHERE id = ?",
            receipt,
            personal_digest(victim),
            victim["id"],
        )
        found = await fault(database)
        assert found is not None
        if receipt == real:
            assert "the erasure emptied 3 entries, and 4 say that it did" in found.what
        else:
            assert (found.position, found.entry_id) == (victim["position"], victim["id"])


async def test_progress_is_told_by_the_page(database: Database) -> None:
    await fill(database)
    told: list[tuple[int, int]] = []
    await verify(database, progress=lambda done, of: told.append((done, of)))
    assert told == [(ENTRIES, ENTRIES)]
    async with sealing(database, NO_KEYS):
        pass
    assert (await verify(database)).sound
