"""Makes and ends campaigns. What one says never changes, so that the past stays what it was."""

import json
from dataclasses import dataclass
from datetime import datetime

from crm_framework import CrmError, ErrorCode, UnitOfWork, among, new_id
from crm_loyalty.earning.condition_checks import check_condition_names, check_conditions
from crm_loyalty.earning.conditions import ANYTHING, Conditions
from crm_loyalty.earning.plain import to_plain
from crm_loyalty.earning.store import moment
from crm_loyalty.text import line, taken

from .events import CampaignChanged


@dataclass(frozen=True, kw_only=True)
class NewCampaign:
    """`percent` multiplies: 200 doubles. It holds from `starts_at` on and before `ends_at`."""

    program_id: str
    name: str
    percent: int
    starts_at: datetime | None = None
    ends_at: datetime | None = None
    rules: tuple[str, ...] = ()
    conditions: Conditions = ANYTHING


async def create_campaign(tx: UnitOfWork, new: NewCampaign) -> str:
    """Key of the new campaign. BAD_INPUT for what makes no sense, CONFLICT for a name that is taken."""
    name = line(new.name)
    if not 1 <= new.percent <= 10_000:
        raise CrmError(
            ErrorCode.BAD_INPUT, f"{new.percent} percent is out of range.", path=("percent",),
            hint="Give 1 to 10000; 200 doubles.",
        )  # fmt: skip
    if new.starts_at is not None and new.ends_at is not None and new.starts_at >= new.ends_at:
        raise CrmError(
            ErrorCode.BAD_INPUT, "It ends before it begins.", path=("ends_at",), hint="Give a later moment."
        )
    check_conditions(new.conditions)
    if not await tx.fetch("SELECT id FROM loyalty_program WHERE id = ?", [new.program_id]):
        raise CrmError(ErrorCode.NOT_FOUND, "There is no such programme.", path=("program",))
    await check_condition_names(tx, new.program_id, new.conditions)
    if new.rules:
        where = among("id", list(new.rules), tx.dialect)
        rows = await tx.fetch(
            f"SELECT id FROM loyalty_rule WHERE program_id = ? AND {where.sql}", [new.program_id, *where.args]
        )
        if {str(row["id"]) for row in rows} != set(new.rules):
            raise CrmError(ErrorCode.NOT_FOUND, "There is no such rule in the programme.", path=("rules",))
    key = new_id()
    written = await tx.execute(
        "INSERT INTO loyalty_campaign (id, program_id, name, percent, starts_at, ends_at, rules, conditions,"
        " created_at, updated_at) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)"
        " ON CONFLICT (program_id, name) DO NOTHING",
        [
            key, new.program_id, name, new.percent, new.starts_at, new.ends_at, json.dumps(list(new.rules)),
            json.dumps(to_plain(new.conditions)), tx.now, tx.now,
        ],
    )  # fmt: skip
    if not written:
        raise taken(name)
    tx.emit(CampaignChanged(customer_id=None, campaign_id=key, changes={"name": (None, name)}))
    return key


async def end_campaign(tx: UnitOfWork, campaign_id: str) -> None:
    """Ends it now, if it has not ended."""
    await tx.lock("loyalty_campaign", [campaign_id], strength="NO KEY UPDATE")
    rows = await tx.fetch("SELECT ends_at FROM loyalty_campaign WHERE id = ?", [campaign_id])
    if not rows:
        raise CrmError(ErrorCode.NOT_FOUND, "There is no such campaign.", path=("campaign",))
    ends_at = moment(rows[0]["ends_at"])
    if ends_at is not None and ends_at <= tx.now:
        return
    await tx.execute(
        "UPDATE loyalty_campaign SET ends_at = ?, version = version + 1, updated_at = ? WHERE id = ?",
        [tx.now, tx.now, campaign_id],
    )
    changes = {"ends_at": (ends_at.isoformat() if ends_at else None, tx.now.isoformat())}
    tx.emit(CampaignChanged(customer_id=None, campaign_id=campaign_id, changes=changes))
