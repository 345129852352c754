"""Asks for replays."""

import json
from datetime import datetime

from crm_framework import CrmError, ErrorCode, UnitOfWork, new_id
from crm_loyalty.earning.events import EarningReplayed
from crm_loyalty.earning.rules import Trigger
from crm_loyalty.earning.store import Offer, offers
from crm_loyalty.models import ReplayStatus

from .run import REPLAY, held, move

NO_HISTORY = ("segments",)
"""What of customers is known as it is, and not as it was: a segment may ask for anything."""


async def begin_replay(tx: UnitOfWork, program_id: str, from_at: datetime, until_at: datetime) -> str:
    """Key of the new replay, which the worker compares. The ledger stays as it is."""
    if from_at >= until_at:
        raise CrmError(
            ErrorCode.BAD_INPUT, "It ends before it begins.", path=("until_at",), hint="Give a later moment."
        )
    if not await tx.fetch("SELECT id FROM loyalty_program WHERE id = ?", [program_id]):
        raise CrmError(ErrorCode.NOT_FOUND, "There is no such programme.", path=("program",))
    offer = (await offers(tx, [Trigger.PURCHASE, Trigger.INTERACTION], program_id=program_id))[program_id]
    key = new_id()
    tx.insert(
        "loyalty_replay",
        {
            "id": key, "program_id": program_id, "from_at": from_at, "until_at": until_at, "rules_at": tx.now,
            "status": ReplayStatus.COMPARING, "present": json.dumps(present(offer)),
            "created_at": tx.now, "updated_at": tx.now,
        },
    )  # fmt: skip
    tx.defer(REPLAY, {"replay": key}, key=f"replay:{key}")
    changes = {"status": (None, str(ReplayStatus.COMPARING))}
    tx.emit(EarningReplayed(customer_id=None, replay_id=key, changes=changes))
    return key


def present(offer: Offer) -> list[str]:
    """What of customers a replay takes as it is when it runs: what some rule asks for and has no history."""
    return [name for name in NO_HISTORY if name in offer.asks]


async def apply_replay(tx: UnitOfWork, replay_id: str) -> None:
    """Has the worker enter what corrects the ledger. REFUSED before it was compared; once is enough."""
    replay = await held(tx, replay_id)
    status = ReplayStatus(replay["status"])
    if status in (ReplayStatus.CORRECTING, ReplayStatus.CORRECTED):
        return
    if status is ReplayStatus.COMPARING:
        raise CrmError(
            ErrorCode.REFUSED, "The replay is not compared yet.", path=("replay",),
            hint="Wait until its status is COMPARED, and look at its differences.",
        )  # fmt: skip
    await move(tx, replay, ReplayStatus.CORRECTING)
    tx.defer(REPLAY, {"replay": replay_id}, key=f"replay:{replay_id}")
