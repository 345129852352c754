"""Making and changing tiers."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

import orjson

from crm_framework import CrmError, ErrorCode, UnitOfWork, new_id, parse_time
from crm_loyalty.events import TierCreated, TierUpdated
from crm_loyalty.programs.versions import keep_version
from crm_loyalty.text import line

from .standing import texts

MOST_TIERS = 50
"""In one programme."""
MOST_BENEFITS = 50


MOST_PERCENT = 10_000
YEARS = (1900, 9000)
"""In which a tier may begin."""


async def create_tier(
    tx: UnitOfWork,
    program_id: str,
    name: str,
    threshold: int,
    benefits: Sequence[str],
    percent: int = 100,
    *,
    from_at: datetime | None = None,
) -> str:
    """The new tier's key. It is there from `from_at` on, or for what happened before it was made, too. Who
    has it earns `percent` of what rules give, for what happens from now on. The programme's accounts are
    judged anew by a job.

    NOT_FOUND without the programme, BAD_INPUT for values out of range, CONFLICT for a name or a threshold
    that another of its tiers has.
    """
    given = _checked({"name": name, "threshold": threshold, "benefits": benefits, "percent": percent})
    if from_at is not None and not YEARS[0] <= from_at.year <= YEARS[1]:
        raise CrmError(
            ErrorCode.BAD_INPUT,
            f"{from_at} is out of range.",
            path=("from_at",),
            hint=f"Give a moment of the years {YEARS[0]} to {YEARS[1]}, or leave it out.",
        )
    await tx.lock("loyalty_program", [program_id])
    if not await tx.fetch("SELECT 1 AS one FROM loyalty_program WHERE id = ?", [program_id]):
        raise CrmError(ErrorCode.NOT_FOUND, "There is no such programme.", path=("program",))
    others = await tx.fetch("SELECT id, name, threshold FROM loyalty_tier WHERE program_id = ?", [program_id])
    if len(others) >= MOST_TIERS:
        raise CrmError(ErrorCode.REFUSED, f"A programme has {MOST_TIERS} tiers at most.")
    _refuse_taken(given, others)
    key = new_id()
    await tx.execute(
        "INSERT INTO loyalty_tier (id, program_id, name, threshold, benefits, percent, created_at)"
        " VALUES (?, ?, ?, ?, ?, ?, ?)",
        [key, program_id, given["name"], threshold, _text(given["benefits"]), percent, tx.now],
    )
    await _keep_version(tx, key, 1, given, from_at)
    if percent != 100:
        await keep_version(tx, program_id)
    changes = {"name": (None, given["name"]), "threshold": (None, threshold)}
    changes |= {"percent": (None, percent)} if percent != 100 else {}
    tx.emit(TierCreated(customer_id=None, tier_id=key, program_id=program_id, changes=changes))
    tx.defer("loyalty.tiers", {"program": program_id}, key=f"tiers:{program_id}")
    return key


async def update_tier(
    tx: UnitOfWork, tier_id: str, members: Mapping[str, Any], *, expected_version: int | None = None
) -> str:
    """Changes `name`, `threshold`, `benefits` or `percent`, for what happens from now on: which tiers were
    reached and lost before stays as it was. With another threshold the programme's accounts are judged anew.

    NOT_FOUND, CONFLICT for a stale version, and the refusals of `create_tier`.
    """
    rows = await tx.fetch("SELECT program_id FROM loyalty_tier WHERE id = ?", [tier_id])
    if not rows:
        raise CrmError(ErrorCode.NOT_FOUND, "There is no such tier.", path=("tier",))
    empty = next((name for name, value in members.items() if value is None), None)
    if empty is not None:
        raise CrmError(ErrorCode.BAD_INPUT, "It cannot be null.", path=(empty,), hint="Leave it out.")
    given, program_id = _checked(dict(members)), str(rows[0]["program_id"])
    await tx.lock("loyalty_program", [program_id])
    tiers = await tx.fetch(
        "SELECT id, version, name, threshold, benefits, percent FROM loyalty_tier WHERE program_id = ?",
        [program_id],
    )
    (before,) = (dict(row) for row in tiers if row["id"] == tier_id)
    if expected_version is not None and expected_version != before["version"]:
        raise CrmError(
            ErrorCode.CONFLICT,
            f"The tier has version {before['version']} by now, not {expected_version}.",
            path=("expected_version",),
            hint="Read it again.",
        )
    before["benefits"] = texts(before["benefits"])
    changed = {name: value for name, value in given.items() if value != before[name]}
    if not changed:
        return tier_id
    _refuse_taken(changed, [other for other in tiers if other["id"] != tier_id])
    settings = ", ".join(f"{name} = ?" for name in changed)
    values = [_text(value) if name == "benefits" else value for name, value in changed.items()]
    await tx.execute(
        f"UPDATE loyalty_tier SET {settings}, version = version + 1 WHERE id = ?", [*values, tier_id]
    )
    (held,) = await tx.fetch(
        "SELECT from_at FROM loyalty_tier_version WHERE tier_id = ? AND until_at IS NULL", [tier_id]
    )
    # one that is to begin later does not begin by a change of it
    begins = tx.now if held["from_at"] is None else max(tx.now, parse_time(held["from_at"]))
    await _keep_version(tx, tier_id, before["version"] + 1, before | changed, begins)
    if "percent" in changed or ("name" in changed and before["percent"] != 100):
        await keep_version(tx, program_id)
    changes = {name: (before[name], value) for name, value in changed.items()}
    tx.emit(TierUpdated(customer_id=None, tier_id=tier_id, program_id=program_id, changes=changes))
    if "threshold" in changed:
        tx.defer("loyalty.tiers", {"program": program_id}, key=f"tiers:{program_id}")
    return tier_id


async def _keep_version(
    tx: UnitOfWork, tier_id: str, number: int, says: Mapping[str, Any], from_at: datetime | None
) -> None:
    """What the tier says from a moment on; the version before ends then. The programme is held."""
    if number > 1:
        await tx.execute(
            "UPDATE loyalty_tier_version SET until_at = ? WHERE tier_id = ? AND until_at IS NULL",
            [from_at, tier_id],
        )
    tx.insert(
        "loyalty_tier_version",
        {
            "id": new_id(), "tier_id": tier_id, "number": number, "from_at": from_at, "name": says["name"],
            "threshold": says["threshold"], "benefits": _text(says["benefits"]), "percent": says["percent"],
            "created_at": tx.now,
        },
    )  # fmt: skip


def _refuse_taken(given: Mapping[str, Any], others: Sequence[Mapping[str, Any]]) -> None:
    for other in others:
        for name in ("name", "threshold"):
            if name in given and given[name] == other[name]:
                raise _taken(other, name)


def _checked(values: dict[str, Any]) -> dict[str, Any]:
    """Without needless spaces. BAD_INPUT, with its place, for what is out of range."""
    if "name" in values:
        values["name"] = line(values["name"])
    if not 0 <= values.get("threshold", 0) < 2**53:
        raise CrmError(ErrorCode.BAD_INPUT, f"{values['threshold']} is out of range.", path=("threshold",))
    if not 1 <= values.get("percent", 100) <= MOST_PERCENT:
        raise CrmError(
            ErrorCode.BAD_INPUT,
            f"{values['percent']} percent is out of range.",
            path=("percent",),
            hint=f"Give 1 to {MOST_PERCENT}; 150 is half as many points again.",
        )
    if "benefits" in values:
        benefits = [" ".join(benefit.split()) for benefit in values["benefits"]]
        if len(benefits) > MOST_BENEFITS or not all(1 <= len(benefit) <= 500 for benefit in benefits):
            raise CrmError(
                ErrorCode.BAD_INPUT,
                f"A tier has {MOST_BENEFITS} benefits at most, each of 1 to 500 characters.",
                path=("benefits",),
            )
        values["benefits"] = benefits
    return values


def _text(benefits: Sequence[str]) -> str:
    return orjson.dumps(benefits).decode()


def _taken(other: Mapping[str, Any], path: str) -> CrmError:
    return CrmError(
        ErrorCode.CONFLICT,
        f"The programme has the tier {other['name']!r} from {other['threshold']} on.",
        path=(path,),
    )
