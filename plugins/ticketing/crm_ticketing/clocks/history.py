"""A ticket's past as clocks look at it: who answered when, how long it stood in which status."""

from collections.abc import Sequence
from enum import StrEnum
from typing import NamedTuple


class HappenedKind(StrEnum):
    """What an entry of a ticket's history tells of; `before` and `after` hold what the comment says."""

    CREATED = "CREATED"  # after: the status
    STATUS = "STATUS"  # the status
    PRIORITY = "PRIORITY"
    CATEGORY = "CATEGORY"
    MESSAGE = "MESSAGE"  # after: the kind of its author; a message that the customer sees
    NOTE = "NOTE"  # a message that staff alone see
    ASSIGNED = "ASSIGNED"  # keys of members of staff
    TEAM = "TEAM"  # keys of teams
    POLICY = "POLICY"  # keys of versions of policies; after: none where no policy applies any more
    MERGED = "MERGED"  # after: the key of the ticket that it was merged into
    ABSORBED = "ABSORBED"  # after: the key of the ticket that was merged into this one
    LINKED = "LINKED"  # after: the key of the other ticket; detail: the kind of link
    UNLINKED = "UNLINKED"
    FOLLOWED = "FOLLOWED"  # after: the key of the member of staff
    UNFOLLOWED = "UNFOLLOWED"
    TAGGED = "TAGGED"  # after: the tag
    UNTAGGED = "UNTAGGED"
    ATTRIBUTE = "ATTRIBUTE"  # after: the name of the attribute that changed
    RATED = "RATED"  # after: 1 to 5
    BREACHED = "BREACHED"  # after: the clock; at the moment when it was breached
    ESCALATED = "ESCALATED"  # after: the clock; at the moment when the step was due


COUNTED = ("CREATED", "STATUS", "MESSAGE", "POLICY", "MERGED")
"""The kinds that clocks look at."""
SETTLED = frozenset({"RESOLVED", "CLOSED"})
"""Statuses in which nothing more is to be done."""
INFINITE = 1 << 62
"""Later than any moment."""


class Happened(NamedTuple):
    """An entry of a ticket's history: `at` in microseconds since 1970, and what is true after it."""

    at: int
    kind: str
    after: str | None


class Span(NamedTuple):
    """How long a ticket stood in a status; `end` is INFINITE for the last one."""

    start: int
    end: int
    status: str


class Cycle(NamedTuple):
    """From the oldest unanswered message of the customer to the answer, if there was one yet."""

    start: int
    end: int
    answered: bool


class Past(NamedTuple):
    """What a ticket's history comes to. Moments that did not come yet are INFINITE."""

    created: int
    spans: list[Span]
    first_answer: int
    """The first public message of a member of staff, or the first time that it was resolved."""
    first_resolved: int
    cycles: list[Cycle]
    merged: int
    policies: list[tuple[int, str | None]]
    """From when on which version applies; without one the ticket has no clocks."""


def past_of(history: Sequence[Happened], as_of: int) -> Past | None:
    """The past up to a moment, of a history in its order; None before the ticket was created.

    A reply answers all that the customer wrote before, and so does resolving the ticket.
    """
    spans: list[Span] = []
    cycles: list[Cycle] = []
    policies: list[tuple[int, str | None]] = []
    created = -1
    first_answer = first_resolved = merged = INFINITE
    status = ""
    since = 0
    waiting = -1  # since when the oldest message is unanswered that came after the first answer
    for at, kind, after in history:
        if at > as_of or merged < INFINITE:
            break
        if kind == "MESSAGE":
            if after == "STAFF":
                if first_answer == INFINITE:
                    first_answer = at
                if waiting >= 0 and status not in SETTLED:
                    cycles.append(Cycle(waiting, at, True))
                waiting = -1
            elif after == "CUSTOMER" and waiting < 0 and first_answer < INFINITE:
                waiting = at
        elif kind == "STATUS":
            if after == status or after is None:
                continue
            if at > since:
                spans.append(Span(since, at, status))
            was, status, since = status in SETTLED, after, at
            if status in SETTLED:
                if first_answer == INFINITE:
                    first_answer = at
                if first_resolved == INFINITE:
                    first_resolved = at
                if waiting >= 0 and not was:
                    cycles.append(Cycle(waiting, at, False))
                waiting = -1
            elif was and waiting >= 0:
                waiting = at  # it did not wait for an answer while it was resolved
        elif kind == "POLICY":
            if policies and policies[-1][0] == at:
                policies[-1] = (at, after)
            else:
                policies.append((at, after))
        elif kind == "CREATED":
            created = since = at
            status = after or "NEW"
        elif kind == "MERGED":
            merged = at
    if created < 0:
        return None
    if merged < INFINITE:
        spans.append(Span(since, merged, status))  # of no length too: it says how the ticket stood
        if waiting >= 0 and status not in SETTLED:
            cycles.append(Cycle(waiting, merged, False))
    else:
        spans.append(Span(since, INFINITE, status))
        if waiting >= 0 and status not in SETTLED:
            cycles.append(Cycle(waiting, INFINITE, False))
    return Past(created, spans, first_answer, first_resolved, cycles, merged, policies)


def waits(history: Sequence[Happened]) -> bool:
    """Whether the customer wrote and nobody has answered yet, nor resolved the ticket."""
    past = past_of(history, INFINITE - 1)
    if past is None:
        return False
    return past.first_answer == INFINITE or (bool(past.cycles) and past.cycles[-1].end == INFINITE)
