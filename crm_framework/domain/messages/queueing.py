"""Messages on their way out: stored in the transaction of the change that they tell of, and sent after it.

So a message leaves if the change stands, and not otherwise. A job for each, `sending.SEND`, sends it.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from crm_framework.domain.contacts.decisions import contact_decisions
from crm_framework.domain.contacts.policy import ContactDecision
from crm_framework.domain.customers.keys import live_customers
from crm_framework.domain.customers.locks import Hold
from crm_framework.domain.rows import insert_sql, json_text, select_in, time_text
from crm_framework.errors import CrmError, ErrorCode
from crm_framework.events import MessageQueued
from crm_framework.hooks.messages import OutgoingMessage
from crm_framework.storage.clock import now
from crm_framework.storage.ids import new_id

from .checks import checked

if TYPE_CHECKING:
    from crm_framework.storage.unit_of_work import UnitOfWork

SEND = "crm.send_message"
"""The job that sends one message; its payload names it."""
COLUMNS = (
    *("id", "customer_id", "channel", "recipient", "subject", "text", "headers", "reply_to", "message_id"),
    *("key_text", "state", "attempts", "created_at"),
)


@dataclass(frozen=True, kw_only=True)
class QueuedMessage:
    """A message that will be sent: its key, and the Message-ID that answers to an e-mail refer to.

    `repeated` says that there was one under this key already; these are that one's.
    """

    id: str
    message_id: str
    repeated: bool = False


async def send_message(
    tx: "UnitOfWork", message: OutgoingMessage, *, respect_policy: bool = True
) -> QueuedMessage:
    """Has a message sent once the transaction is committed; if it is not, nothing is sent.

    With `respect_policy`, consent and the contact rules have the last word: REFUSED says why not, before
    anything was written. Without it only an erased customer is refused: that is for what answers a
    customer's own message, or what they must be told. BAD_INPUT for what cannot be sent as it is; NOT_FOUND
    for a customer that is not there. Nothing is asked about somebody who is no customer.
    """
    (outcome,) = await send_messages(tx, [message], respect_policy=respect_policy)
    if isinstance(outcome, CrmError):
        raise outcome
    return outcome


async def send_messages(
    tx: "UnitOfWork", messages: Sequence[OutgoingMessage], *, respect_policy: bool = True
) -> list[QueuedMessage | CrmError]:
    """The same for many, with a few statements for all; what `send_message` would raise, in its place.

    Of those to one customer in one call each is judged as if there were no other.
    """
    outcomes: list[QueuedMessage | CrmError | None] = [None] * len(messages)
    ready: dict[int, OutgoingMessage] = {}
    for index, message in enumerate(messages):
        try:
            ready[index] = checked(message)
        except CrmError as error:
            outcomes[index] = error
    ready = await _to_live_customers(tx, ready, outcomes)
    if respect_policy:
        ready = await _as_allowed(tx, ready, outcomes)
    for index, queued in (await _stored(tx, ready)).items():
        outcomes[index] = queued
    return [outcome for outcome in outcomes if outcome is not None]


Outcomes = list["QueuedMessage | CrmError | None"]


async def _to_live_customers(
    tx: "UnitOfWork", ready: dict[int, OutgoingMessage], outcomes: Outcomes
) -> dict[int, OutgoingMessage]:
    """Those to customers under the key that counts today, held so that no merge or erasure comes between."""
    wanted = {message.customer_id for message in ready.values() if message.customer_id is not None}
    found = await live_customers(tx, wanted, Hold.ADD) if wanted else {}
    kept: dict[int, OutgoingMessage] = {}
    for index, message in ready.items():
        if message.customer_id is None:
            kept[index] = message
            continue
        customer = found[message.customer_id]
        if isinstance(customer, CrmError):
            outcomes[index] = customer.under("customerId")
        else:
            kept[index] = replace(message, customer_id=customer.id)
    return kept


async def _as_allowed(
    tx: "UnitOfWork", ready: dict[int, OutgoingMessage], outcomes: Outcomes
) -> dict[int, OutgoingMessage]:
    decisions: dict[tuple[str, str], ContactDecision] = {}
    for channel in sorted({message.channel for message in ready.values() if message.customer_id}):
        keys = {
            message.customer_id
            for message in ready.values()
            if message.customer_id and message.channel == channel
        }
        # this moment, not the beginning's: what was sent while we waited for the customer counts
        found = await contact_decisions(tx, sorted(keys), channel, now())
        decisions |= {(channel, key): decision for key, decision in found.items()}
    kept: dict[int, OutgoingMessage] = {}
    for index, message in ready.items():
        decision = decisions.get((message.channel, message.customer_id or ""))
        if decision is None or decision.allowed:
            kept[index] = message
        else:
            outcomes[index] = _refused(message.channel, decision)
    return kept


def _refused(channel: str, decision: ContactDecision) -> CrmError:
    at = decision.next_allowed_at
    return CrmError(
        ErrorCode.REFUSED,
        f"The customer is not to be contacted on {channel}. {decision.explanation}",
        path=("customerId",),
        hint=f"It is allowed from {time_text(at)} on."
        if at
        else "Answers to the customer's own message are.",
    )


async def _stored(tx: "UnitOfWork", ready: dict[int, OutgoingMessage]) -> dict[int, QueuedMessage]:
    domain = tx.database.settings.email.domain
    new = {
        index: replace(message, id=(key := new_id()), message_id=f"<{key}@{domain}>")
        for index, message in ready.items()
    }
    plain = [message for message in new.values() if message.key is None]
    tx.insert_values("crm_message", COLUMNS, [_row(tx, message) for message in plain])
    under_key = await _under_keys(tx, [message for message in new.values() if message.key is not None])
    queued: dict[int, QueuedMessage] = {}
    for index, message in new.items():
        known = QueuedMessage(id=message.id, message_id=message.message_id)
        if message.key is not None:
            known = under_key[message.key]
            known = replace(known, repeated=known.id != message.id)
        queued[index] = known
        if not known.repeated:
            _follow_up(tx, message)
    return queued


async def _under_keys(tx: "UnitOfWork", messages: Sequence[OutgoingMessage]) -> dict[str, QueuedMessage]:
    """What stands under each key once these are in, or those that were there before them.

    Whoever asks at the same moment waits here for the one that was first. In the order of the keys, so that
    no two wait for each other.
    """
    if not messages:
        return {}
    rows = [_row(tx, message) for message in sorted(messages, key=lambda one: (one.key or "", one.id))]
    await tx.execute_many(insert_sql("crm_message", COLUMNS, or_nothing=True), rows)
    keys = sorted({message.key for message in messages if message.key is not None})
    found = await select_in(tx, "SELECT id, message_id, key_text FROM crm_message", "key_text", keys)
    return {row["key_text"]: QueuedMessage(id=str(row["id"]), message_id=row["message_id"]) for row in found}


def _follow_up(tx: "UnitOfWork", message: OutgoingMessage) -> None:
    tx.emit(
        MessageQueued(
            customer_id=message.customer_id,
            message=message.id,
            channel=message.channel,
            changes={"state": (None, "QUEUED")},
        )
    )
    tx.defer(SEND, {"message": message.id})


def _row(tx: "UnitOfWork", message: OutgoingMessage) -> tuple[object, ...]:
    return (
        message.id,
        message.customer_id,
        message.channel,
        message.to,
        message.subject,
        message.text,
        json_text(dict(message.headers)),
        message.reply_to,
        message.message_id,
        message.key,
        "QUEUED",
        0,
        tx.now,
    )
