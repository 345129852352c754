"""Whether customers may be contacted, for many at once: reads what the contact policy needs to know."""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, time, timedelta
from typing import Any, Protocol
from zoneinfo import ZoneInfo

from crm_framework.domain import kinds
from crm_framework.domain.contacts.policy import (
    ContactDecision,
    CustomerFacts,
    QuietHours,
    Rule,
    Touch,
    decide,
)
from crm_framework.domain.models import Consent, Direction
from crm_framework.domain.rows import among, check_key, not_found, time_of
from crm_framework.domain.values.moments import moment
from crm_framework.errors import CrmError, ErrorCode
from crm_framework.storage.clock import now
from crm_framework.storage.ids import is_key

RULE_COLUMNS = ("channel", "max_touches", "window_hours", "quiet_from", "quiet_until", "rest_hours")

FARTHEST = timedelta(days=366)
"""How far ahead a decision may be asked for; what is known now says little of later."""

# Consent is kept with the contact point; these channels reach the points of another one.
POINTS_OF = {"post": "address", "sms": "phone"}


class Reader(Protocol):
    """A database or a unit of work."""

    @property
    def dialect(self) -> Any: ...

    async def fetch(self, sql: str, args: Sequence[object] = ()) -> list[dict[str, Any]]: ...


async def contact_decisions(
    reader: Reader,
    customer_ids: Sequence[str],
    channel: str,
    at: datetime,
    *,
    reply_to: str | None = None,
    unknown_consent_allows: bool | None = None,
    default_zone: str | None = None,
) -> dict[str, ContactDecision]:
    """Whether these customers may be reached on `channel` at `at`, in four statements for any number.

    `reply_to` names a message of a customer that is to be answered; it opens the way to that customer alone.
    The consent is that of the channel's primary contact point, or the strictest if none is primary; where no
    consent is known, `unknown_consent_allows` decides. `default_zone` is for customers without a zone.
    These two are as the settings say, if left out. Customers that do not exist are left out. BAD_INPUT for an
    unknown channel or a time out of range.
    """
    settings: Any = getattr(getattr(reader, "database", reader), "settings", None)
    if unknown_consent_allows is None:
        unknown_consent_allows = settings is None or settings.unknown_consent_allows
    if default_zone is None:
        default_zone = "UTC" if settings is None else settings.default_time_zone
    channel = kinds.check_channel(channel, path=("channel",))
    at = moment(at, path=("at",))
    if not datetime(1900, 1, 1, tzinfo=UTC) <= at <= now() + FARTHEST:
        raise CrmError(
            ErrorCode.BAD_INPUT,
            "at must lie between the year 1900 and a year from now.",
            path=("at",),
            hint="Leave it out to ask about now.",
        )
    rules = [
        _rule(row) for row in await reader.fetch(f"SELECT {', '.join(RULE_COLUMNS)} FROM crm_contact_rule")
    ]
    answered = None if reply_to is None else await _writer_of(reader, reply_to)
    # Merges lead to the winner in one step.
    chosen, key_arg = among(reader.dialect, "c.id", filter(is_key, customer_ids))
    customers = await reader.fetch(
        "SELECT c.id AS asked, w.id, w.time_zone, w.archived_at, w.erased_at FROM crm_customer c"
        f" JOIN crm_customer w ON w.id = COALESCE(c.merged_into_id, c.id) WHERE {chosen}",
        [key_arg],
    )
    keys = [str(row["id"]) for row in customers]
    consents = await _consents(reader, keys, channel)
    touches, support = await _touches(reader, keys, at - _longest(rules))
    zones: dict[str, ZoneInfo] = {}
    decisions: dict[str, ContactDecision] = {}
    for row in customers:
        key = str(row["id"])
        zone = row["time_zone"] or default_zone
        facts = CustomerFacts(
            zone=zones.setdefault(zone, ZoneInfo(zone)),
            consent=consents.get(key, Consent.UNKNOWN),
            support_touches=support[key],
            archived=row["archived_at"] is not None,
            erased=row["erased_at"] is not None,
        )
        decisions[str(row["asked"])] = decide(
            rules,
            touches[key],
            facts,
            channel,
            at,
            reply=answered == key,
            unknown_consent_allows=unknown_consent_allows,
        )
    return decisions


async def _writer_of(reader: Reader, interaction_id: str) -> str:
    """The customer whose own message is to be answered."""
    key = check_key(interaction_id, "interaction", path=("replyTo",))
    rows = await reader.fetch("SELECT customer_id, direction FROM crm_interaction WHERE id = ?", [key])
    if not rows:
        raise not_found("interaction", interaction_id, path=("replyTo",))
    if rows[0]["direction"] != Direction.INBOUND:
        raise CrmError(
            ErrorCode.BAD_INPUT,
            "Only a customer's own, inbound message can be replied to.",
            path=("replyTo",),
            hint="Name an inbound interaction, or leave it out.",
        )
    return str(rows[0]["customer_id"])


async def _consents(reader: Reader, customer_ids: Sequence[str], channel: str) -> dict[str, Consent]:
    chosen, key_arg = among(reader.dialect, "customer_id", customer_ids)
    rows = await reader.fetch(
        "SELECT customer_id, channel, is_primary, consent FROM crm_contact_point"
        f" WHERE {chosen} AND channel IN (?, ?)",
        [key_arg, channel, POINTS_OF.get(channel, channel)],
    )
    points: dict[str, list[dict[str, Any]]] = defaultdict(list)
    for row in rows:
        points[str(row["customer_id"])].append(row)
    consents: dict[str, Consent] = {}
    for key, all_points in points.items():
        own = [row for row in all_points if row["channel"] == channel] or all_points
        speaking = [row for row in own if row["is_primary"]] or own
        said = {Consent(row["consent"]) for row in speaking}
        strictest = (Consent.OPTED_OUT, Consent.UNKNOWN, Consent.OPTED_IN)
        consents[key] = next(consent for consent in strictest if consent in said)
    return consents


async def _touches(
    reader: Reader, customer_ids: Sequence[str], since: datetime
) -> tuple[dict[str, list[Touch]], dict[str, list[datetime]]]:
    """Outbound touches, and touches of support cases, by customer."""
    cases = sorted(kind.name for kind in kinds.current().kinds.values() if kind.support_case)
    case = f"kind IN ({', '.join('?' * len(cases))})" if cases else "1 = 0"
    chosen, key_arg = among(reader.dialect, "customer_id", customer_ids)
    rows = await reader.fetch(
        "SELECT customer_id, channel, direction, kind, occurred_at FROM crm_interaction"
        f" WHERE {chosen} AND occurred_at > ? AND (direction = ? OR {case})",
        [key_arg, since, Direction.OUTBOUND, *cases],
    )
    touches: dict[str, list[Touch]] = defaultdict(list)
    support: dict[str, list[datetime]] = defaultdict(list)
    for row in rows:
        key, occurred = str(row["customer_id"]), time_of(row["occurred_at"])
        assert occurred is not None
        if row["direction"] == Direction.OUTBOUND:
            touches[key].append(Touch(occurred, row["channel"]))
        if row["kind"] in cases:
            support[key].append(occurred)
    return touches, support


def _longest(rules: Sequence[Rule]) -> timedelta:
    lengths = [length for rule in rules for length in (rule.window, rule.rest) if length is not None]
    return max(lengths, default=timedelta(0))


def _rule(row: Mapping[str, Any]) -> Rule:
    window, rest, start, end = (
        row[name] for name in ("window_hours", "rest_hours", "quiet_from", "quiet_until")
    )
    return Rule(
        channel=row["channel"],
        max_touches=row["max_touches"],
        window=None if window is None else timedelta(hours=window),
        quiet=None if start is None else QuietHours(time.fromisoformat(start), time.fromisoformat(end)),
        rest=None if rest is None else timedelta(hours=rest),
    )
