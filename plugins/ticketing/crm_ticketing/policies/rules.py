"""What a version of a policy says: for which tickets it is, what it promises, and what happens when time
runs.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from functools import lru_cache
from typing import Any

from crm_framework import CrmError, ErrorCode
from crm_ticketing.calendars.calendar import SECOND, Calendar

PAUSABLE = ("WAITING_ON_CUSTOMER", "ON_HOLD")
LONGEST = 2 * 366 * 86_400
STEPS_LIMIT = 20
CONDITIONS_LIMIT = 100
"""Entries of each list of conditions."""
_ADDRESS = re.compile(r"[^\s@<>,;]{1,64}@[^\s@<>,;]{1,190}")


class ClockKind(StrEnum):
    FIRST_RESPONSE = "FIRST_RESPONSE"
    NEXT_RESPONSE = "NEXT_RESPONSE"
    FIRST_RESOLUTION = "FIRST_RESOLUTION"
    TOTAL_RESOLUTION = "TOTAL_RESOLUTION"


class StepAction(StrEnum):
    NOTIFY = "NOTIFY"
    RAISE_PRIORITY = "RAISE_PRIORITY"
    REASSIGN = "REASSIGN"


@dataclass(frozen=True)
class Step:
    """What to do when `percent` of the target has passed, or `minutes` of working time after it (before it,
    if negative). `to` is what the action needs: an address to notify, the key of who gets the ticket.
    """

    clock: ClockKind
    action: StepAction
    percent: int | None = None
    minutes: int | None = None
    to: str | None = None
    team: str | None = None

    def threshold(self, target: int) -> int:
        """After how much working time it is due, of a target; both in microseconds."""
        if self.percent is not None:
            return target * self.percent // 100
        return target + (self.minutes or 0) * 60 * SECOND


@dataclass(frozen=True)
class Conditions:
    """Which tickets a policy is for: each list that is not empty must hold one that fits."""

    priorities: tuple[str, ...] = ()
    categories: tuple[str, ...] = ()
    segments: tuple[str, ...] = ()
    tags: tuple[str, ...] = ()
    channels: tuple[str, ...] = ()

    @property
    def none(self) -> bool:
        """Whether every ticket fits."""
        return not (self.priorities or self.categories or self.segments or self.tags or self.channels)


@dataclass(frozen=True)
class Facts:
    """What conditions look at in a ticket; `segments` are those of the ones asked for that hold its customer,
    `tags` its own and its customer's."""

    priority: str
    category: str
    channel: str | None
    tags: frozenset[str] = frozenset()
    segments: frozenset[str] = frozenset()


@dataclass(frozen=True)
class PolicyRules:
    """What a version says, apart from its calendar. Targets are seconds of working time."""

    targets: Mapping[ClockKind, int]
    conditions: Conditions = Conditions()
    pauses: tuple[str, ...] = ("WAITING_ON_CUSTOMER",)
    steps: tuple[Step, ...] = ()


class PolicyVersion:
    """A version made ready to reckon with. It never changes."""

    __slots__ = ("calendar", "id", "pauses", "rules", "targets", "thresholds")

    def __init__(self, id: str, rules: PolicyRules, calendar: Calendar) -> None:
        self.id = id
        self.rules = rules
        self.calendar = calendar
        self.pauses = frozenset(rules.pauses)
        self.targets = {str(kind): seconds * SECOND for kind, seconds in rules.targets.items()}
        self.thresholds: dict[str, list[tuple[int, int]]] = {kind: [] for kind in self.targets}
        """Of each clock, its steps: after how much working time, and the step's place."""
        for place, step in enumerate(rules.steps):
            if step.clock in self.targets:
                amount = step.threshold(self.targets[step.clock])
                self.thresholds[step.clock].append((amount, place))


def fits(conditions: Conditions, facts: Facts) -> bool:
    """Whether a policy with these conditions is for the ticket."""
    return (
        (not conditions.priorities or facts.priority in conditions.priorities)
        and (not conditions.categories or facts.category in conditions.categories)
        and (not conditions.channels or facts.channel in conditions.channels)
        and (not conditions.tags or not facts.tags.isdisjoint(conditions.tags))
        and (not conditions.segments or not facts.segments.isdisjoint(conditions.segments))
    )


def check(rules: PolicyRules) -> None:
    """BAD_INPUT for rules that cannot be kept."""
    if not rules.targets:
        raise _bad("A policy without a target promises nothing.", "targets", "Give it at least one.")
    for kind, seconds in rules.targets.items():
        if not 60 <= seconds <= LONGEST:
            raise _bad(
                f"The target of {kind} is not between a minute and two years.",
                "targets",
                "Give it as a duration of working time, such as PT4H.",
            )
    for status in rules.pauses:
        if status not in PAUSABLE:
            raise _bad(f"No clock pauses in {status}.", "pauses", f"Choose among {' and '.join(PAUSABLE)}.")
    for name, listed in vars(rules.conditions).items():
        if len(listed) > CONDITIONS_LIMIT:
            raise _bad(f"A condition lists at most {CONDITIONS_LIMIT}.", ("conditions", name), None)
        if not all(1 <= len(one) <= 100 for one in listed):
            raise _bad("What a condition lists has 1 to 100 characters.", ("conditions", name), None)
    if len(rules.steps) > STEPS_LIMIT:
        raise _bad(f"A policy has at most {STEPS_LIMIT} steps.", "steps", None)
    for place, step in enumerate(rules.steps):
        _check_step(rules, step, ("steps", str(place)))


def _check_step(rules: PolicyRules, step: Step, path: tuple[str, ...]) -> None:
    if step.clock not in rules.targets:
        raise _bad(f"A step goes by {step.clock}, which has no target.", path, "Give that a target.")
    if (step.percent is None) == (step.minutes is None):
        raise _bad("A step is due at a percentage or by minutes.", path, "Give one of the two.")
    if step.percent is not None and not 1 <= step.percent <= 1_000:
        raise _bad("A step is due at 1 to 1000 percent.", path, None)
    if step.minutes is not None and abs(step.minutes) > LONGEST // 60:
        raise _bad("A step is due at most two years before or after.", path, None)
    if step.threshold(rules.targets[step.clock] * SECOND) <= 0:
        raise _bad("A step would be due before its clock starts.", path, "Give fewer minutes.")
    if step.action is StepAction.REASSIGN and (step.to is None) == (step.team is None):
        raise _bad("A step that reassigns names a member of staff or a team.", path, "Give one of the two.")
    if step.action is not StepAction.REASSIGN and step.team is not None:
        raise _bad(f"A step {step.action} takes no team.", path, "Leave it out.")
    if step.action is StepAction.NOTIFY and step.to is not None and not _ADDRESS.fullmatch(step.to):
        raise _bad(f"{step.to!r:.60} is no e-mail address.", path, "Write it as help@example.com.")
    if step.action is StepAction.RAISE_PRIORITY and step.to is not None:
        raise _bad("A step that raises the priority names nobody.", path, "Leave it out.")


def as_json(rules: PolicyRules) -> dict[str, Any]:
    """The rules as plain JSON."""
    return {
        "targets": {str(kind): seconds for kind, seconds in rules.targets.items()},
        "pauses": list(rules.pauses),
        "conditions": {
            "priorities": list(rules.conditions.priorities),
            "categories": list(rules.conditions.categories),
            "segments": list(rules.conditions.segments),
            "tags": list(rules.conditions.tags),
            "channels": list(rules.conditions.channels),
        },
        "steps": [
            [step.clock, step.action, step.percent, step.minutes, step.to, step.team] for step in rules.steps
        ],
    }


def of_json(kept: Mapping[str, Any]) -> PolicyRules:
    """The rules that `as_json` gave."""
    return PolicyRules(
        targets={ClockKind(kind): seconds for kind, seconds in kept["targets"].items()},
        pauses=tuple(kept["pauses"]),
        conditions=Conditions(**{name: tuple(values) for name, values in kept["conditions"].items()}),
        steps=tuple(
            Step(ClockKind(clock), StepAction(action), *rest) for clock, action, *rest in kept["steps"]
        ),
    )


@lru_cache(maxsize=4096)
def rules_of(kept: str) -> PolicyRules:
    """The rules as they are stored: a JSON text, which never changes for one version."""
    import json

    return of_json(json.loads(kept))


def _bad(message: str, path: str | tuple[str, ...], hint: str | None) -> CrmError:
    where = (path,) if isinstance(path, str) else path
    return CrmError(ErrorCode.BAD_INPUT, message, path=where, hint=hint)
