"""Sends past events to a webhook, whether it got them or not, under the ids that they had."""

from typing import TYPE_CHECKING

from crm_framework.domain.deliveries import Past
from crm_framework.domain.rows import for_update
from crm_framework.errors import CrmError, ErrorCode
from crm_framework.events import SettingChanged

from .changes import held
from .passing import Api, matches_of, passes, store

if TYPE_CHECKING:
    from crm_framework.storage.unit_of_work import UnitOfWork

REPLAY_LIMIT = 10_000
"""Events of one call."""


async def replay_webhook(tx: "UnitOfWork", webhook_id: str, past: Past, api: Api) -> int:
    """How many events will be sent: those of `past` that the webhook's types and filter let through.

    Those that still wait are left as they are. NOT_FOUND; BAD_INPUT for more than `REPLAY_LIMIT`.
    """
    webhook = await held(tx, webhook_id)
    condition, values = past.condition()
    rows = await tx.fetch(
        f"SELECT e.id, e.type, e.customer_id FROM crm_event e WHERE {condition}"
        f" ORDER BY e.position LIMIT {REPLAY_LIMIT + 1} {for_update(tx, 'KEY SHARE')}",
        values,
    )
    if len(rows) > REPLAY_LIMIT:
        raise CrmError(
            ErrorCode.BAD_INPUT,
            f"These are more than {REPLAY_LIMIT} events.",
            hint="Replay them in parts, by time.",
        )
    wanted = [row for row in rows if webhook.wants(row["type"])]
    matches = await matches_of(api, [(webhook, row["customer_id"]) for row in wanted])
    problem = matches.get(webhook.id)
    if isinstance(problem, str):
        raise CrmError(
            ErrorCode.REFUSED, f"The webhook's filter fits no more: {problem}.", hint="Change it first."
        )
    owed = [
        (webhook.id, row["id"], row["type"], row["customer_id"])
        for row in wanted
        if passes(webhook, row["customer_id"], matches)
    ]
    await store(tx, owed, again=True)
    if owed:
        changes = {"replayed": (None, len(owed))}
        tx.emit(SettingChanged(customer_id=None, kind="webhook", record_id=webhook.id, changes=changes))
    return len(owed)
