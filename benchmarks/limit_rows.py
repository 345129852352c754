"""What the limit writes: the rows that the product writes, for one request."""

from collections.abc import Callable, Sequence
from datetime import datetime
from hashlib import sha256
from os import urandom
from typing import Any

import orjson

from benchmarks.limit_answers import Answer, customer_id, interaction_id, key_of
from crm_framework.domain.values.text import fold, words
from crm_framework.storage.ids import new_id

Values = dict[str, Any]
Rows = Sequence[tuple[Any, ...]]
"""One row for each table of a write, in that order."""

EVENT = ("crm_event", "id type customer_id payload created_at")
AUDIT = (
    "crm_audit",
    "id at actor_kind actor_id actor_name token_id request_id action subject_type subject_id customer_id"
    " reason changes salt digest",
)
CREATE = (
    (
        "crm_customer",
        "id version kind stage name sort_name email attributes confidential search_text created_at"
        " updated_at",
    ),
    ("crm_contact_point", "id customer_id channel value normalized position is_primary consent created_at"),
    EVENT,
    AUDIT,
)
LOG = (
    ("crm_interaction", "id version customer_id kind channel direction subject occurred_at created_at"),
    EVENT,
    AUDIT,
)

TOUCHES = LOG
"""What an import fills, with many rows each."""

TOKEN = "018f0004-0000-7000-8000-000000000000"
"""In place of the token that the product gets."""


def created(values: Values, now: datetime, at: datetime | str) -> tuple[Answer, Rows]:
    """A new customer; `at` is `now` as the database keeps it."""
    key, point, name, email = new_id(), new_id(), values["name"], values["email"]
    folded = email.lower()
    changes = {
        "kind": (None, "PERSON"),
        "stage": (None, "PROSPECT"),
        "name": (None, name),
        "email": (None, folded),
        "confidential": (None, False),
        "contact_points": (
            None,
            [{"id": point, "channel": "email", "value": email, "primary": True, "consent": "UNKNOWN"}],
        ),
    }
    text = " ".join(dict.fromkeys([*words(name), *words(email)]))
    rows = (
        (key, 1, "PERSON", "PROSPECT", name, fold(name), folded, "{}", False, text, at, at),
        (point, key, "email", email, folded, 0, True, "UNKNOWN", at),
        _event("customer.created", key, {"customer_id": key, "changes": changes}, at),
        _audit("customer.created", "Customer", key, key, changes, at),
    )
    return {"createCustomer": {"customer": {"id": customer_id(key), "name": name}, "errors": []}}, rows


def logged(values: Values, now: datetime, at: datetime | str) -> tuple[Answer, Rows]:
    """A call that came in."""
    subject = values["subject"]
    key, rows = _touch(key_of(values["id"]), "call", "phone", "INBOUND", subject, now, at, at)
    answer = {"interaction": {"id": interaction_id(key), "subject": subject}, "errors": []}
    return {"logInteraction": answer}, rows


def imported(
    values: Values, now: datetime, kept: Callable[[datetime], datetime | str]
) -> tuple[Answer, Sequence[Sequence[tuple[Any, ...]]]]:
    """Calls, and the rows of each table; `kept` is how the database keeps a moment."""
    at = kept(now)
    touches = []
    for row in values["rows"]:
        occurred = datetime.fromisoformat(row["occurredAt"])
        _, rows = _touch(
            key_of(row["customer"]), "call", "phone", row["direction"], row["subject"], occurred,
            kept(occurred), at,
        )  # fmt: skip
        touches.append(rows)
    answer = {"created": len(touches), "failed": 0, "errors": []}
    return {"importInteractions": answer}, list(zip(*touches, strict=True))


def _touch(
    customer: str,
    kind: str,
    channel: str,
    direction: str,
    subject: str,
    occurred: datetime,
    kept: Any,
    at: Any,
) -> tuple[str, Rows]:
    """Its key, and the rows; `kept` is `occurred` as the database keeps it, `at` the present."""
    key = new_id()
    changes = {
        "kind": (None, kind),
        "channel": (None, channel),
        "direction": (None, direction),
        "subject": (None, subject),
        "occurred_at": (None, occurred.isoformat().replace("+00:00", "Z")),
    }
    payload = {"customer_id": customer, "changes": changes, "interaction_id": key, "kind": kind}
    return key, (
        (key, 1, customer, kind, channel, direction, subject, kept, at),
        _event("interaction.logged", customer, payload, at),
        _audit("interaction.logged", "Interaction", key, customer, changes, at),
    )


def _event(kind: str, customer: str, payload: Any, at: Any) -> tuple[Any, ...]:
    return (new_id(), kind, customer, orjson.dumps(payload).decode(), at)


def _audit(kind: str, subject: str, key: str, customer: str, changes: Any, at: Any) -> tuple[Any, ...]:
    said = orjson.dumps(changes).decode()
    request = new_id().replace("-", "")
    return (
        new_id(), at, "INTEGRATION", TOKEN, "bench", TOKEN, request, kind, subject, key, customer, None, said,
        urandom(16), sha256(said.encode()).digest(),
    )  # fmt: skip
