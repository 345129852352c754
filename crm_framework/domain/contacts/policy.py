"""May we reach out to a customer now, why not, and when next: the rules as a pure function.

A rule for one channel never lifts the rule over all channels: both hold.
The rows that it needs are read in `contact_rules`.
"""

from bisect import bisect_right
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, time, timedelta
from enum import StrEnum
from zoneinfo import ZoneInfo

from crm_framework.domain.models import Consent


class ContactReason(StrEnum):
    """Why the answer is what it is; of several reasons the first in this order."""

    ALLOWED = "ALLOWED"
    REPLY = "REPLY"
    ERASED = "ERASED"
    ARCHIVED = "ARCHIVED"
    OPTED_OUT = "OPTED_OUT"
    CONSENT_UNKNOWN = "CONSENT_UNKNOWN"
    NO_TOUCHES = "NO_TOUCHES"
    OVERALL_LIMIT = "OVERALL_LIMIT"
    CHANNEL_LIMIT = "CHANNEL_LIMIT"
    SUPPORT_REST = "SUPPORT_REST"
    QUIET_HOURS = "QUIET_HOURS"


@dataclass(frozen=True)
class QuietHours:
    """Local times from `start`, itself quiet, to `end`, no longer quiet; crosses midnight if start > end."""

    start: time
    end: time

    def covers(self, local: time) -> bool:
        if self.start < self.end:
            return self.start <= local < self.end
        return local >= self.start or local < self.end


@dataclass(frozen=True, kw_only=True)
class Rule:
    """What one contact rule asks. `channel` None is the rule over all channels together.

    `max_touches` None is no limit, 0 is none at all. A touch counts for `window` after it took place: at its
    very end it no longer does. `rest` is how long to leave a customer alone after a support case.
    """

    channel: str | None = None
    max_touches: int | None = None
    window: timedelta | None = None
    quiet: QuietHours | None = None
    rest: timedelta | None = None


@dataclass(frozen=True)
class Touch:
    """An outbound touch, service and marketing alike."""

    at: datetime
    channel: str | None


@dataclass(frozen=True, kw_only=True)
class CustomerFacts:
    """What the decision needs to know of a customer. `consent` is that of the channel asked about."""

    zone: ZoneInfo
    consent: Consent = Consent.UNKNOWN
    support_touches: Sequence[datetime] = ()
    archived: bool = False
    erased: bool = False


@dataclass(frozen=True)
class ContactDecision:
    """`next_allowed_at` is the earliest instant, from the one asked about on, at which the answer is yes,
    as far as is known now; None if it stays no until something changes."""

    allowed: bool
    reason: ContactReason
    explanation: str
    next_allowed_at: datetime | None


@dataclass(frozen=True)
class _Block:
    reason: ContactReason
    sentence: str
    until: datetime | None
    """No instant before it is free of this block; None if none is at all."""


def decide(
    rules: Iterable[Rule],
    touches: Iterable[Touch],
    facts: CustomerFacts,
    channel: str,
    at: datetime,
    *,
    reply: bool = False,
    unknown_consent_allows: bool = True,
) -> ContactDecision:
    """Whether `channel` may be used at `at`. `reply` says that it answers the customer's own message."""
    asked = at.astimezone(UTC)
    if reply and not facts.erased:
        return ContactDecision(
            True, ContactReason.REPLY, "Replies to the customer's own message are always allowed.", asked
        )
    fixed = list(_standing_blocks(facts, channel, unknown_consent_allows))
    known = sorted(touches, key=lambda touch: touch.at)
    limits = [
        _Limit(rule, tuple(t.at for t in known if rule.channel in (None, t.channel)))
        for rule in rules
        if rule.channel in (None, channel)
    ]
    now = [*fixed, *_timed_blocks(limits, facts, asked)]
    if not now:
        return ContactDecision(True, ContactReason.ALLOWED, "Nothing speaks against it.", asked)
    order = list(ContactReason)
    now.sort(key=lambda block: order.index(block.reason))
    explanation = " ".join(dict.fromkeys(block.sentence for block in now))
    return ContactDecision(False, now[0].reason, explanation, _next(fixed, limits, facts, asked))


@dataclass(frozen=True)
class _Limit:
    rule: Rule
    touches: tuple[datetime, ...]


def _next(
    fixed: Sequence[_Block], limits: Sequence[_Limit], facts: CustomerFacts, at: datetime
) -> datetime | None:
    if fixed or _never_awake([limit.rule.quiet for limit in limits if limit.rule.quiet]):
        return None
    # Each block names an instant before which it cannot be free; going from one to the next skips none.
    while blocks := list(_timed_blocks(limits, facts, at)):
        ends = [block.until for block in blocks]
        later = [end for end in ends if end is not None]
        if len(later) < len(ends):
            return None
        at = max(later)
    return at


def _standing_blocks(facts: CustomerFacts, channel: str, unknown_allows: bool) -> Iterator[_Block]:
    if facts.erased:
        yield _Block(ContactReason.ERASED, "The customer's data has been erased.", None)
    if facts.archived:
        yield _Block(ContactReason.ARCHIVED, "The customer is archived.", None)
    if facts.consent is Consent.OPTED_OUT:
        yield _Block(ContactReason.OPTED_OUT, f"The customer opted out of {channel}.", None)
    if facts.consent is Consent.UNKNOWN and not unknown_allows:
        yield _Block(ContactReason.CONSENT_UNKNOWN, f"No consent to {channel} is known.", None)


def _timed_blocks(limits: Sequence[_Limit], facts: CustomerFacts, at: datetime) -> Iterator[_Block]:
    for limit in limits:
        rule = limit.rule
        over = "over all channels" if rule.channel is None else f"on {rule.channel}"
        if rule.max_touches == 0:
            yield _Block(ContactReason.NO_TOUCHES, f"No touches are allowed {over}.", None)
        elif rule.max_touches is not None and rule.window is not None:
            counted_to = bisect_right(limit.touches, at)
            counted = counted_to - bisect_right(limit.touches, at - rule.window)
            if counted >= rule.max_touches:
                yield _Block(
                    ContactReason.OVERALL_LIMIT if rule.channel is None else ContactReason.CHANNEL_LIMIT,
                    f"{counted} of at most {rule.max_touches} touches {over} within {_hours(rule.window)}.",
                    limit.touches[counted_to - rule.max_touches] + rule.window,
                )
        if rule.rest:
            resting = [
                touch + rule.rest for touch in facts.support_touches if touch <= at < touch + rule.rest
            ]
            if resting:
                sentence = f"Rest of {_hours(rule.rest)} after a support case."
                yield _Block(ContactReason.SUPPORT_REST, sentence, max(resting))
        if rule.quiet and rule.quiet.covers(_local(at, facts.zone)):
            yield _Block(
                ContactReason.QUIET_HOURS,
                f"Quiet hours from {rule.quiet.start:%H:%M} until {rule.quiet.end:%H:%M} ({facts.zone.key}).",
                _awake(rule.quiet, facts.zone, at),
            )


def _local(at: datetime, zone: ZoneInfo) -> time:
    return at.astimezone(zone).time()


def _awake(quiet: QuietHours, zone: ZoneInfo, at: datetime) -> datetime:
    """The first instant from `at`, which is quiet, that is not."""
    while quiet.covers(_local(at, zone)):
        end = at + timedelta(days=1) - _since(quiet.end, _local(at, zone))
        at = _first_change(zone, at, end)
    return at


def _since(earlier: time, later: time) -> timedelta:
    """From the last time that clocks showed `earlier` to `later`, if none were put forward or back."""
    passed = _of_day(later) - _of_day(earlier)
    return passed if passed >= timedelta(0) else passed + timedelta(days=1)


def _of_day(local: time) -> timedelta:
    return timedelta(
        hours=local.hour, minutes=local.minute, seconds=local.second, microseconds=local.microsecond
    )


def _first_change(zone: ZoneInfo, start: datetime, end: datetime) -> datetime:
    """When the zone's clocks are first put forward or back after `start`; `end` if not before it."""

    def offset(at: datetime) -> timedelta | None:
        return at.astimezone(zone).utcoffset()

    before = offset(start)
    if offset(end) == before:  # no zone puts its clocks forward and back within one day
        return end
    low, high = int(start.timestamp()), int(end.timestamp()) + 1  # changes are at whole seconds
    while high - low > 1:
        middle = (low + high) // 2
        if offset(datetime.fromtimestamp(middle, UTC)) == before:
            low = middle
        else:
            high = middle
    return min(datetime.fromtimestamp(high, UTC), end)


def _never_awake(quiets: Sequence[QuietHours]) -> bool:
    """Whether the quiet hours together cover the whole day."""
    starts = [quiet.end for quiet in quiets]  # if any time of the day is free, then one of these is
    return bool(quiets) and all(any(quiet.covers(start) for quiet in quiets) for start in starts)


def _hours(length: timedelta) -> str:
    hours = length / timedelta(hours=1)
    return f"{hours:g} hour" if hours == 1 else f"{hours:g} hours"
