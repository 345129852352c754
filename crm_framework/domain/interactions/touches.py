"""Touches with customers: logged once, corrected later if need be. Purchases have a file of their own."""

from collections.abc import Mapping
from dataclasses import dataclass, fields
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from typing import TYPE_CHECKING, Any

from crm_framework.domain import kinds
from crm_framework.domain.customers.keys import assume_live, fetch_by_reference, live_customer
from crm_framework.domain.customers.locks import Hold, reached
from crm_framework.domain.customers.record import reference_elsewhere
from crm_framework.domain.models import Direction, Sentiment
from crm_framework.domain.rows import check_key, insert_sql, not_found, stale, time_of, time_text
from crm_framework.domain.values.moments import moment
from crm_framework.domain.values.text import optional_line, optional_lines
from crm_framework.errors import CrmError, ErrorCode, cut
from crm_framework.events import Changes, InteractionLogged, InteractionUpdated
from crm_framework.storage.ids import new_id

if TYPE_CHECKING:
    from crm_framework.storage.unit_of_work import UnitOfWork

PURCHASE = "purchase"
REFUND = "refund"

AHEAD = timedelta(days=1)
"""How far in the future a touch may lie: clocks and zones differ, plans belong into the follow-up date."""

EARLIEST = datetime(1900, 1, 1, tzinfo=UTC)
LONGEST = timedelta(days=366)
BODY_LIMIT = 200_000

# A touch without a channel would escape the contact policy's rule for that channel.
USUAL_CHANNEL = {
    "call": "phone",
    "email": "email",
    "letter": "post",
    "meeting": "in_person",
    "video": "video",
    "visit": "in_person",
}


def usual_channel(kind: str) -> str | None:
    """The channel of touches of this kind that name none; None where there is no usual one."""
    return USUAL_CHANNEL.get(kind)


@dataclass(frozen=True, kw_only=True)
class Touch:
    """What any touch may say, with any kind. Times are aware; `occurred_at` is now if left out."""

    channel: str | None = None
    direction: Direction | str | None = None
    subject: str | None = None
    body: str | None = None
    outcome: str | None = None
    sentiment: Sentiment | str | None = None
    occurred_at: datetime | None = None
    duration_seconds: int | None = None
    staff_id: str | None = None
    follow_up_at: datetime | None = None
    source: str | None = None
    reference: str | None = None


@dataclass(frozen=True, kw_only=True)
class NewInteraction(Touch):
    """A touch of any kind but purchases and refunds; `reply_to_id` is the touch that it answers."""

    customer_id: str
    kind: str
    reply_to_id: str | None = None


TOUCH_COLUMNS = tuple(field.name for field in fields(Touch))
COLUMNS = (
    *("id", "customer_id", "kind", *TOUCH_COLUMNS, "reply_to_id"),
    *("total_minor", "currency", "refund_of_id", "created_at", "version"),
)
INSERT = insert_sql("crm_interaction", COLUMNS, or_nothing=True)
_TOLD = frozenset(COLUMNS) - {"id", "customer_id", "created_at", "version"}
CHANGEABLE = ("kind", *(name for name in TOUCH_COLUMNS if name not in ("source", "reference")))
_FIXED_BY_MONEY = ("kind", "occurred_at")


async def log_interaction(tx: "UnitOfWork", new: NewInteraction) -> str:
    """Records a touch and returns its key; with a known source and reference, the first record's key.

    The member of staff is the one who acts unless another is named. BAD_INPUT, NOT_FOUND or REFUSED (an
    erased customer) with the path of what does not fit.
    """
    kind = kinds.check_kind(new.kind, path=("kind",))
    if kind in (PURCHASE, REFUND):
        raise CrmError(
            ErrorCode.BAD_INPUT,
            f"A {kind} has amounts and cannot be logged as a plain interaction.",
            path=("kind",),
            hint=f"Record it as a {kind}.",
        )
    values = checked(new, kind, tx.now)
    first = await first_of_reference(tx, values)
    if first is not None:
        return first
    asks = values["source"] is not None or new.staff_id is not None or new.reply_to_id is not None
    if not asks and assume_live(tx, new.customer_id):
        customer_id = new.customer_id
    else:
        customer_id = (await live_customer(tx, new.customer_id, Hold.ADD)).id
    values |= {"customer_id": customer_id, "staff_id": await staff_key(tx, new.staff_id)}
    if new.reply_to_id is not None:
        values["reply_to_id"] = await _own_message(tx, new.reply_to_id, customer_id)
    key, created = await insert(tx, values)
    if created:
        tx.emit(
            InteractionLogged(
                customer_id=customer_id, interaction_id=key, kind=kind, changes=first_changes(values)
            )
        )
    return key


async def update_interaction(
    tx: "UnitOfWork",
    interaction_id: str,
    changes: Mapping[str, object],
    *,
    expected_version: int | None = None,
) -> str:
    """Changes the named fields (`CHANGEABLE`) and returns the key. What is not named stays as it is.

    CONFLICT if the version is not `expected_version`. Nothing is written if no value differs.
    """
    key = check_key(interaction_id, "interaction", path=("id",))
    unknown = sorted(set(changes) - set(CHANGEABLE))
    if unknown:
        raise CrmError(
            ErrorCode.BAD_INPUT,
            f"{unknown[0]!r} of an interaction cannot be changed.",
            path=(camel(unknown[0]),),
            hint=f"What can be changed: {', '.join(CHANGEABLE)}.",
        )
    before = await _locked(tx, key)
    if expected_version is not None and before["version"] != expected_version:
        raise stale("interaction", expected_version, before["version"])
    fixed = [name for name in _FIXED_BY_MONEY if name in changes and changes[name] != before[name]]
    if fixed and before["kind"] in (PURCHASE, REFUND):
        raise CrmError(
            ErrorCode.REFUSED,
            f"The {fixed[0].replace('_', ' ')} of a {before['kind']} cannot be changed.",
            path=(camel(fixed[0]),),
            hint="Refund it and record it again.",
        )
    after = await _after(tx, before, changes)
    differing = [name for name in changes if after[name] != before[name]]
    if not differing:
        return key
    settings = ", ".join(f"{name} = ?" for name in differing)
    await tx.execute(
        f"UPDATE crm_interaction SET {settings}, version = version + 1 WHERE id = ?",
        [*(after[name] for name in differing), key],
    )
    tx.emit(
        InteractionUpdated(
            customer_id=before["customer_id"],
            interaction_id=key,
            kind=after["kind"],
            changes={name: (plain(before[name]), plain(after[name])) for name in differing},
        )
    )
    return key


def checked(touch: Touch, kind: str, now: datetime) -> dict[str, Any]:
    """The columns of a touch, except staff and customer, which need a look at the database. BAD_INPUT."""
    occurred = now if touch.occurred_at is None else moment(touch.occurred_at, path=("occurredAt",))
    if occurred > now + AHEAD:
        raise CrmError(
            ErrorCode.BAD_INPUT,
            f"occurredAt lies in the future: {time_text(occurred)}.",
            path=("occurredAt",),
            hint="Record what took place; a plan belongs into followUpAt.",
        )
    if occurred < EARLIEST:
        raise CrmError(
            ErrorCode.BAD_INPUT,
            f"occurredAt is before 1900: {time_text(occurred)}.",
            path=("occurredAt",),
            hint="Check the date's format.",
        )
    follow_up = None if touch.follow_up_at is None else moment(touch.follow_up_at, path=("followUpAt",))
    if follow_up is not None and follow_up < occurred:
        raise CrmError(
            ErrorCode.BAD_INPUT,
            f"followUpAt ({time_text(follow_up)}) is before occurredAt ({time_text(occurred)}).",
            path=("followUpAt",),
            hint="Name a later time, or leave it out.",
        )
    source = optional_line(touch.source, "source", 100, path=("source",))
    reference = optional_line(touch.reference, "reference", 200, path=("reference",))
    if (source is None) != (reference is None):
        given, missing = ("source", "reference") if reference is None else ("reference", "source")
        raise CrmError(
            ErrorCode.BAD_INPUT,
            f"{given} is given without {missing}.",
            path=(missing,),
            hint="Give both or neither: together they name the record.",
        )
    channel = usual_channel(kind) if touch.channel is None else touch.channel
    return {
        "kind": kind,
        "channel": None if channel is None else kinds.check_channel(channel, path=("channel",)),
        "direction": one_of(Direction, touch.direction, "direction"),
        "subject": optional_line(touch.subject, "subject", 500, path=("subject",)),
        "body": optional_lines(touch.body, "body", BODY_LIMIT, path=("body",)),
        "outcome": optional_line(touch.outcome, "outcome", 200, path=("outcome",)),
        "sentiment": one_of(Sentiment, touch.sentiment, "sentiment"),
        "occurred_at": occurred,
        "duration_seconds": _duration(touch.duration_seconds),
        "follow_up_at": follow_up,
        "source": source,
        "reference": reference,
        "created_at": now,
        "version": 1,
    }


async def first_of_reference(tx: "UnitOfWork", values: Mapping[str, Any]) -> str | None:
    """Key of the interaction that already carries this source and reference."""
    if values["source"] is None:
        return None
    reference = (values["source"], values["reference"])
    rows = await fetch_by_reference(tx, "crm_interaction", ", r.customer_id", [reference])
    if not rows:
        return None
    if not await reached(tx, [str(rows[0]["customer_id"])]):
        raise reference_elsewhere(*reference)
    return str(rows[0]["id"])


async def insert(tx: "UnitOfWork", values: Mapping[str, Any]) -> tuple[str, bool]:
    """Writes the row. Returns its key and True, or the key of one that came first with the same reference."""
    key = new_id()
    row = row_of({**values, "id": key})
    if values["source"] is None:
        tx.insert_values("crm_interaction", COLUMNS, [row])
        return key, True
    if await tx.execute(INSERT, row):
        return key, True
    first = await first_of_reference(tx, values)
    assert first is not None, "only the reference can be taken"
    return first, False


def row_of(values: Mapping[str, Any]) -> list[Any]:
    return list(map(values.get, COLUMNS))


def first_changes(values: Mapping[str, Any]) -> Changes:
    """What a new interaction's event says of it."""
    return {
        name: (None, value if type(value) is str else plain(value))
        for name, value in values.items()
        if value is not None and name in _TOLD
    }


def plain(value: Any) -> Any:
    return time_text(value) if isinstance(value, datetime) else value


def one_of(members: type[StrEnum], value: object, name: str) -> str | None:
    if value is None:
        return None
    if isinstance(value, members):
        return str(value)
    if isinstance(value, str) and value in members.__members__:
        return str(members[value])
    raise CrmError(
        ErrorCode.BAD_INPUT,
        f"{cut(value)} is no {name}.",
        path=(name,),
        hint=f"Known are: {', '.join(members.__members__)}.",
    )


def camel(name: str) -> str:
    """The name of a column as clients write it: `followUpAt`."""
    head, *rest = name.split("_")
    return head + "".join(part.capitalize() for part in rest)


def _duration(seconds: object) -> int | None:
    if seconds is None:
        return None
    if isinstance(seconds, int) and not isinstance(seconds, bool) and 0 <= seconds <= LONGEST.total_seconds():
        return seconds
    raise CrmError(
        ErrorCode.BAD_INPUT,
        f"duration must be whole seconds from 0 to {LONGEST.days} days, not {cut(seconds, 40)}.",
        path=("duration",),
    )


async def staff_key(tx: "UnitOfWork", named: str | None) -> str | None:
    """Key of the member of staff named, or of the one who acts. NOT_FOUND."""
    if named is None:
        return getattr(tx.actor, "staff_id", None)
    key = check_key(named, "member of staff", path=("staffId",))
    if not await tx.fetch("SELECT id FROM crm_staff WHERE id = ?", [key]):
        raise not_found("member of staff", named, path=("staffId",))
    return key


async def _own_message(tx: "UnitOfWork", replied: str, customer_id: str) -> str:
    key = check_key(replied, "interaction", path=("replyToId",))
    rows = await tx.fetch("SELECT customer_id FROM crm_interaction WHERE id = ?", [key])
    if not rows or not await reached(tx, [str(rows[0]["customer_id"])]):
        raise not_found("interaction", replied, path=("replyToId",))
    if str(rows[0]["customer_id"]) != customer_id:
        raise other_customers(path=("replyToId",))
    return key


def other_customers(*, path: tuple[str, ...]) -> CrmError:
    return CrmError(
        ErrorCode.BAD_INPUT,
        "The interaction answered belongs to another customer.",
        path=path,
        hint="Name an interaction of the same customer, or leave it out.",
    )


async def _locked(tx: "UnitOfWork", key: str) -> dict[str, Any]:
    """The interaction's columns as they are and stay until the end of the transaction."""
    rows = await tx.fetch("SELECT customer_id FROM crm_interaction WHERE id = ?", [key])
    if not rows or not await reached(tx, [str(rows[0]["customer_id"])]):
        raise not_found("interaction", key, path=("id",))
    await live_customer(tx, str(rows[0]["customer_id"]), Hold.ADD)
    await tx.lock("crm_interaction", [key], strength="NO KEY UPDATE")
    columns = ("customer_id", "version", *CHANGEABLE)
    row = (await tx.fetch(f"SELECT {', '.join(columns)} FROM crm_interaction WHERE id = ?", [key]))[0]
    times = {name: time_of(row[name]) for name in ("occurred_at", "follow_up_at")}
    return {**row, **times, "customer_id": str(row["customer_id"])}


async def _after(tx: "UnitOfWork", before: Mapping[str, Any], changes: Mapping[str, Any]) -> dict[str, Any]:
    """All changeable columns as they will be, checked together."""
    kind = before["kind"]
    if "kind" in changes and changes["kind"] != kind:
        kind = kinds.check_kind(changes["kind"], path=("kind",))
        if kind in (PURCHASE, REFUND):
            raise CrmError(
                ErrorCode.BAD_INPUT,
                f"An interaction cannot be turned into a {kind}.",
                path=("kind",),
                hint=f"Record the {kind} as an interaction of its own.",
            )
    given = {name: value for name, value in {**before, **changes}.items() if name in TOUCH_COLUMNS}
    after = checked(Touch(**given), kind, tx.now)
    if after["channel"] is not None and given["channel"] is None:
        after["channel"] = None  # it was, or is, left out on purpose
    staff = before["staff_id"]
    if "staff_id" in changes and changes["staff_id"] != staff:
        staff = None if changes["staff_id"] is None else await staff_key(tx, changes["staff_id"])
    return {**after, "staff_id": staff}
