"""Webhooks: addresses that events are sent to. Made, changed, paused and given new secrets here."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from msgspec import UNSET, UnsetType

from crm_framework.domain.customers.segments import Check, checked_condition
from crm_framework.domain.event_types import check_event_type
from crm_framework.domain.models import WebhookStatus
from crm_framework.domain.rows import (
    check_key,
    for_update,
    insert,
    json_of,
    json_text,
    not_found,
    stale,
    time_of,
    update,
)
from crm_framework.domain.values.text import optional_lines
from crm_framework.errors import CrmError, ErrorCode
from crm_framework.events import Changes, SettingChanged, WebhookPaused
from crm_framework.outgoing.addresses import Rules, parse_url
from crm_framework.outgoing.signatures import new_secret
from crm_framework.security.sealed import seal, unseal
from crm_framework.storage.ids import new_id

if TYPE_CHECKING:
    from crm_framework.storage.unit_of_work import UnitOfWork

MAX_WEBHOOKS = 100
MAX_TYPES = 100
OLD_SECRET_HOLDS = timedelta(hours=24)
"""How long a secret is signed with after it was replaced."""
READER = "webhooks"
"""How far events were passed on: a row of crm_stream_reader."""
SENDING = "webhooks"
"""What the worker's loop is called that sends."""
LEASE = timedelta(seconds=120)
"""How long an attempt is its process's: more than a time-out, for who sends and for its database."""


@dataclass(frozen=True, kw_only=True)
class NewWebhook:
    """`types` are names of events, or of groups such as `loyalty.*`; empty for all. `condition` is a customer
    filter in plain JSON, as segments have it."""

    url: str
    types: Sequence[str] = ()
    condition: Mapping[str, Any] | None = None
    description: str | None = None


@dataclass(frozen=True, kw_only=True)
class WebhookChange:
    """What is UNSET stays."""

    url: str | UnsetType | None = UNSET
    types: Sequence[str] | UnsetType | None = UNSET
    condition: Mapping[str, Any] | UnsetType | None = UNSET
    description: str | UnsetType | None = UNSET


@dataclass(frozen=True, kw_only=True)
class Webhook:
    """A row, without its secrets."""

    id: str
    version: int
    url: str
    description: str | None
    types: tuple[str, ...]
    condition: Mapping[str, Any] | None
    status: str
    pause_reason: str | None = None
    paused_at: datetime | None = None

    def wants(self, event_type: str) -> bool:
        """Whether events of this type are sent."""
        return not self.types or any(
            event_type.startswith(one[:-1]) if one.endswith(".*") else event_type == one for one in self.types
        )


COLUMNS = "id, version, url, description, types, condition, status, pause_reason, paused_at"


def webhook_of(row: Mapping[str, Any]) -> Webhook:
    """The webhook in a row of `COLUMNS`."""
    return Webhook(
        **{
            **{name: row[name] for name in COLUMNS.split(", ")},
            "types": tuple(json_of(row["types"])),
            "condition": json_of(row["condition"]),
            "paused_at": time_of(row["paused_at"]),
        }
    )


async def create_webhook(
    tx: "UnitOfWork", new: NewWebhook, check: Check, rules: Rules, *, begins: str
) -> tuple[str, str]:
    """Key and secret of the new webhook: the secret is not to be had later.

    It gets what happens after `begins`, a position of the stream.
    """
    (count,) = await tx.fetch("SELECT count(*) AS n FROM crm_webhook")
    if count["n"] >= MAX_WEBHOOKS:
        raise CrmError(
            ErrorCode.REFUSED,
            f"There are {count['n']} webhooks already; {MAX_WEBHOOKS} are allowed.",
            hint="Delete one that is not needed.",
        )
    webhook = Webhook(
        id=new_id(),
        version=1,
        url=_url(new.url, rules),
        description=_description(new.description),
        types=_types(tx, new.types),
        condition=None if new.condition is None else checked_condition(new.condition, check),
        status=WebhookStatus.ACTIVE,
    )
    secret = new_secret()
    row = {
        "id": webhook.id,
        **_columns(webhook),
        "status": webhook.status,
        "secret": seal(tx.database.settings.webhook_keys, secret, webhook.id),
        "begins": begins,
        "created_at": tx.now,
        "updated_at": tx.now,
    }
    await insert(tx, "crm_webhook", row)
    reader = {"name": READER, "position": begins, "updated_at": tx.now}
    await insert(tx, "crm_stream_reader", reader, or_nothing=True)
    _emit(tx, webhook.id, _differences(None, webhook))
    return webhook.id, secret


async def update_webhook(
    tx: "UnitOfWork",
    webhook_id: str,
    change: WebhookChange,
    check: Check,
    rules: Rules,
    *,
    expected_version: int | None = None,
) -> bool:
    """Whether anything changed. What is owed already is sent to the new address."""
    before = await held(tx, webhook_id)
    if expected_version is not None and expected_version != before.version:
        raise stale("webhook", expected_version, before.version)
    after = before
    if not isinstance(change.url, UnsetType):
        after = replace(after, url=_url(change.url or "", rules))
    if not isinstance(change.types, UnsetType):
        after = replace(after, types=_types(tx, change.types or ()))
    if not isinstance(change.condition, UnsetType):
        condition = None if change.condition is None else checked_condition(change.condition, check)
        after = replace(after, condition=condition)
    if not isinstance(change.description, UnsetType):
        after = replace(after, description=_description(change.description))
    if after == before:
        return False
    await _write(tx, before, _columns(after), _differences(before, after))
    return True


async def delete_webhook(tx: "UnitOfWork", webhook_id: str) -> None:
    """With its log of deliveries and what it is still owed."""
    webhook = await held(tx, webhook_id)
    await tx.execute("DELETE FROM crm_webhook_delivery WHERE webhook_id = ?", (webhook.id,))
    await tx.execute("DELETE FROM crm_webhook WHERE id = ?", (webhook.id,))
    gone = {name: (old, None) for name, (_, old) in _differences(None, webhook).items()}
    _emit(tx, webhook.id, gone)


async def rotate_secret(tx: "UnitOfWork", webhook_id: str) -> tuple[str, datetime]:
    """The new secret, and until when it is signed with the old one as well."""
    webhook = await held(tx, webhook_id)
    secret, until = new_secret(), tx.now + OLD_SECRET_HOLDS
    await tx.execute(
        "UPDATE crm_webhook SET old_secret = secret, old_secret_until = ?, secret = ?, version = version + 1,"
        " updated_at = ? WHERE id = ?",
        (until, seal(tx.database.settings.webhook_keys, secret, webhook.id), tx.now, webhook.id),
    )
    _emit(tx, webhook.id, {"secret": (None, None)})
    return secret, until


async def seal_secrets(tx: "UnitOfWork") -> int:
    """Seals all secrets with the present key, those that have none as well; how many webhooks there are.

    REFUSED if there is no key, or if one of the secrets cannot be opened.
    """
    keys = tx.database.settings.webhook_keys
    if not keys:
        raise CrmError(
            ErrorCode.REFUSED, "There is no key to seal with.", hint="Set webhook_keys: openssl rand -hex 32."
        )
    rows = await tx.fetch(f"SELECT id, secret, old_secret FROM crm_webhook ORDER BY id {for_update(tx)}")
    for row in rows:
        sealed = {
            name: None if row[name] is None else seal(keys, unseal(keys, row[name], row["id"]), row["id"])
            for name in ("secret", "old_secret")
        }
        await update(tx, "crm_webhook", row["id"], sealed)
    return len(rows)


async def pause_webhook(tx: "UnitOfWork", webhook_id: str, reason: str = "by hand") -> bool:
    """Whether it was active. Nothing is sent and nothing new is owed until it is resumed."""
    webhook = await held(tx, webhook_id)
    if webhook.status == WebhookStatus.PAUSED:
        return False
    changes: Changes = {"status": (webhook.status, WebhookStatus.PAUSED.value)}
    await _write(tx, webhook, paused(tx, reason), changes)
    return True


async def resume_webhook(tx: "UnitOfWork", webhook_id: str, *, begins: str) -> bool:
    """Whether it was paused. What it was owed is due now; what happened meanwhile is for a replay."""
    webhook = await held(tx, webhook_id)
    if webhook.status == WebhookStatus.ACTIVE:
        return False
    values: dict[str, object] = {
        "status": WebhookStatus.ACTIVE.value,
        "pause_reason": None,
        "paused_at": None,
        "begins": begins,
        "failures": 0,
        "failing_since": None,
    }
    await _write(tx, webhook, values, {"status": (webhook.status, WebhookStatus.ACTIVE.value)})
    await tx.execute(
        "UPDATE crm_webhook_delivery SET next_at = ? WHERE webhook_id = ? AND status = 'PENDING'"
        " AND (tried_at IS NULL OR tried_at < ?)",
        (tx.now, webhook.id, tx.now - LEASE),
    )
    tx.wake(SENDING)
    return True


async def pause_by_itself(tx: "UnitOfWork", webhook_id: str, reason: str) -> None:
    """Pauses one that is of no use any more, and says so to whoever listens. Its row must be held."""
    values = paused(tx, reason)
    columns = ", ".join(f"{name} = ?" for name in values)
    changed = await tx.execute(
        f"UPDATE crm_webhook SET {columns}, version = version + 1, updated_at = ?"
        " WHERE id = ? AND status = 'ACTIVE'",
        (*values.values(), tx.now, webhook_id),
    )
    if changed:
        tx.emit(
            WebhookPaused(
                customer_id=None,
                webhook_id=webhook_id,
                reason=reason,
                changes={"status": (WebhookStatus.ACTIVE.value, WebhookStatus.PAUSED.value)},
            )
        )


def paused(tx: "UnitOfWork", reason: str) -> dict[str, object]:
    return {"status": WebhookStatus.PAUSED.value, "pause_reason": reason[:500], "paused_at": tx.now}


async def held(tx: "UnitOfWork", webhook_id: str) -> Webhook:
    """The webhook, which nobody else changes until the end. NOT_FOUND.

    Whoever changes deliveries of a webhook in number holds its row first.
    """
    key = check_key(webhook_id, "webhook", path=("id",))
    rows = await tx.fetch(f"SELECT {COLUMNS} FROM crm_webhook WHERE id = ? {for_update(tx)}", (key,))
    if not rows:
        raise not_found("webhook", webhook_id, path=("id",))
    return webhook_of(rows[0])


async def _write(tx: "UnitOfWork", before: Webhook, values: Mapping[str, object], changes: Changes) -> None:
    await update(
        tx, "crm_webhook", before.id, {**values, "version": before.version + 1, "updated_at": tx.now}
    )
    _emit(tx, before.id, changes)


def _url(url: str, rules: Rules) -> str:
    parse_url(url, rules, path=("url",))
    return url


def _types(tx: "UnitOfWork", types: Sequence[str]) -> tuple[str, ...]:
    if len(types) > MAX_TYPES:
        raise CrmError(
            ErrorCode.BAD_INPUT,
            f"{len(types)} types are too many; {MAX_TYPES} are allowed.",
            path=("types",),
            hint="Name groups, such as customer.*.",
        )
    for index, one in enumerate(types):
        check_event_type(tx, one, path=("types", index), groups=True)
    return tuple(sorted(set(types)))


def _description(text: str | None) -> str | None:
    return optional_lines(text, "The description", 1000, path=("description",))


def _columns(webhook: Webhook) -> dict[str, object]:
    return {
        "url": webhook.url,
        "description": webhook.description,
        "types": json_text(webhook.types),
        "condition": None if webhook.condition is None else json_text(webhook.condition),
    }


def _differences(before: Webhook | None, after: Webhook) -> Changes:
    """For the audit log and who follows events. Of the URL the host only: its path may be a secret."""

    def shown(webhook: Webhook | None) -> dict[str, Any]:
        if webhook is None:
            return dict.fromkeys(("url", "description", "types", "condition"))
        return {
            "url": _origin(webhook.url),
            "description": webhook.description,
            "types": list(webhook.types),
            "condition": webhook.condition,
        }

    old, new = shown(before), shown(after)
    changed = {name for name in new if old[name] != new[name]}
    if before is None or before.url != after.url:
        changed.add("url")
    return {name: (old[name], new[name]) for name in new if name in changed}


def _origin(url: str) -> str:
    parts = urlsplit(url)
    return f"{parts.scheme}://{parts.netloc}"


def _emit(tx: "UnitOfWork", webhook_id: str, changes: Changes) -> None:
    tx.emit(SettingChanged(customer_id=None, kind="webhook", record_id=webhook_id, changes=changes))
