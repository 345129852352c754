"""Makes and changes rewards."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields
from datetime import datetime
from typing import Any

from crm_framework import CrmError, ErrorCode, UnitOfWork, new_id
from crm_loyalty.earning.store import check_tiers
from crm_loyalty.models import CodeSource, RewardKind
from crm_loyalty.text import json_list, line, plain_of, taken

from .checks import check_whole
from .codes import add_codes
from .events import RewardChanged
from .versions import SAYS, keep_version, said


@dataclass(frozen=True, kw_only=True)
class NewReward:
    """`value_minor` or `percent` is what a discount takes off, `sku` names a product. A voucher has `codes`;
    its stock, where they come from a pool, is the number of free ones."""

    program_id: str
    name: str
    kind: RewardKind
    cost_points: int
    description: str | None = None
    value_minor: int | None = None
    percent: int | None = None
    sku: str | None = None
    cost_minor: int = 0
    codes: CodeSource | None = None
    stock: int | None = None
    per_customer: int | None = None
    valid_from: datetime | None = None
    valid_until: datetime | None = None
    tiers: tuple[str, ...] = ()
    hold_minutes: int = 30


async def create_reward(tx: UnitOfWork, new: NewReward) -> str:
    """Key of the new reward. BAD_INPUT for what does not fit, CONFLICT for a name that is taken."""
    name = line(new.name)
    values = {field.name: getattr(new, field.name) for field in fields(new)}
    check_whole(values)
    programs = await tx.fetch("SELECT id FROM loyalty_program WHERE id = ?", [new.program_id])
    if not programs:
        raise CrmError(ErrorCode.NOT_FOUND, "There is no such programme.", path=("program",))
    await check_tiers(tx, new.program_id, new.tiers, "tiers")
    key = new_id()
    pool = new.codes is CodeSource.POOL
    row = values | {
        "id": key,
        "name": name,
        "tiers": list(new.tiers),
        "stock": 0 if pool else new.stock,
        "created_at": tx.now,
        "updated_at": tx.now,
    }
    written = await tx.execute(
        f"INSERT INTO loyalty_reward ({', '.join(row)}) VALUES ({', '.join('?' * len(row))})"
        " ON CONFLICT (program_id, name) DO NOTHING",
        [json_list(value) if isinstance(value, list) else value for value in row.values()],
    )
    if not written:
        raise taken(name)
    await keep_version(tx, key)
    tx.emit(RewardChanged(customer_id=None, reward_id=key, changes={"name": (None, name)}))
    return key


@dataclass(frozen=True, kw_only=True)
class RewardChange:
    """What stands in `values` changes: columns of the reward by their names."""

    values: Mapping[str, Any]
    expected_version: int | None = None


async def update_reward(tx: UnitOfWork, reward_id: str, change: RewardChange) -> None:
    """Changes what is offered from now on; redemptions keep what they cost, and what the reward was then. An
    amount that a discount takes off takes the place of a percentage, and the other way round.

    CONFLICT for a stale version, and the refusals of `create_reward` for what it would be then.
    """
    await tx.lock("loyalty_reward", [reward_id], strength="NO KEY UPDATE")
    rows = await tx.fetch(
        f"SELECT version, program_id, kind, codes, stock, {', '.join(SAYS)} FROM loyalty_reward WHERE id = ?",
        [reward_id],
    )
    if not rows:
        raise CrmError(ErrorCode.NOT_FOUND, "There is no such reward.", path=("reward",))
    before = said(rows[0])
    if change.expected_version is not None and change.expected_version != before["version"]:
        raise CrmError(
            ErrorCode.CONFLICT,
            f"The reward has version {before['version']} by now, not {change.expected_version}.",
            path=("expected_version",),
            hint="Read it again.",
        )
    values = dict(change.values)
    if "name" in values:
        values["name"] = line(values["name"])
    if before["codes"] == CodeSource.POOL and "stock" in values:
        raise CrmError(
            ErrorCode.BAD_INPUT, "The stock of a pool is the number of its free codes.", path=("stock",),
            hint="Add codes instead.",
        )  # fmt: skip
    for one, other in (("value_minor", "percent"), ("percent", "value_minor")):
        if values.get(one) is not None:
            values.setdefault(other, None)
    changes = {name: (before[name], value) for name, value in values.items() if before[name] != value}
    if not changes:
        return
    check_whole(_whole(before | values))
    if "tiers" in changes:
        await check_tiers(tx, str(before["program_id"]), values["tiers"], "tiers")
    if "name" in changes:
        others = await tx.fetch(
            "SELECT id FROM loyalty_reward WHERE name = ? AND id <> ? AND program_id ="
            " (SELECT program_id FROM loyalty_reward WHERE id = ?)",
            [values["name"], reward_id, reward_id],
        )
        if others:
            raise taken(values["name"])
    sets = ", ".join(f"{name} = ?" for name in changes)
    await tx.execute(
        f"UPDATE loyalty_reward SET {sets}, version = version + 1, updated_at = ? WHERE id = ?",
        [
            *(json_list(values[name]) if name == "tiers" else values[name] for name in changes),
            tx.now,
            reward_id,
        ],
    )
    if changes.keys() & set(SAYS):
        await keep_version(tx, reward_id)
    told = {name: (plain_of(old), plain_of(new)) for name, (old, new) in changes.items()}
    tx.emit(RewardChanged(customer_id=None, reward_id=reward_id, changes=told))


async def currency_of_reward(tx: UnitOfWork, reward_id: str) -> str:
    """The currency of a reward's programme. NOT_FOUND for an unknown reward."""
    rows = await tx.fetch(
        "SELECT p.currency FROM loyalty_reward r JOIN loyalty_program p ON p.id = r.program_id"
        " WHERE r.id = ?",
        [reward_id],
    )
    if not rows:
        raise CrmError(ErrorCode.NOT_FOUND, "There is no such reward.", path=("reward",))
    return str(rows[0]["currency"])


def _whole(row: Mapping[str, Any]) -> dict[str, Any]:
    """The reward as it would be made anew."""
    codes = None if row["codes"] is None else CodeSource(row["codes"])
    stock = None if codes is CodeSource.POOL else row["stock"]
    return {**row, "kind": RewardKind(row["kind"]), "codes": codes, "stock": stock}


async def add_voucher_codes(tx: UnitOfWork, reward_id: str, codes: Sequence[str]) -> int:
    """Adds codes to the pool of a reward; how many are free now. Those that it has already change nothing."""
    await tx.lock("loyalty_reward", [reward_id], strength="NO KEY UPDATE")
    rows = await tx.fetch("SELECT codes, stock FROM loyalty_reward WHERE id = ?", [reward_id])
    if not rows:
        raise CrmError(ErrorCode.NOT_FOUND, "There is no such reward.", path=("reward",))
    if rows[0]["codes"] != CodeSource.POOL:
        raise CrmError(
            ErrorCode.BAD_INPUT, "The reward has no pool of codes.", path=("reward",),
            hint="Make a voucher with codes: POOL.",
        )  # fmt: skip
    before = await tx.fetch("SELECT COUNT(*) AS n FROM loyalty_voucher_code WHERE reward_id = ?", [reward_id])
    await add_codes(tx, reward_id, codes)
    after = await tx.fetch("SELECT COUNT(*) AS n FROM loyalty_voucher_code WHERE reward_id = ?", [reward_id])
    added = int(after[0]["n"]) - int(before[0]["n"])
    stock = int(rows[0]["stock"]) + added
    await tx.execute(
        "UPDATE loyalty_reward SET stock = ?, updated_at = ? WHERE id = ?", [stock, tx.now, reward_id]
    )
    if added:
        changes = {"stock": (rows[0]["stock"], stock)}
        tx.emit(RewardChanged(customer_id=None, reward_id=reward_id, changes=changes))
    return stock
