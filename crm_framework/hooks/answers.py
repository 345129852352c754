"""What plugins answer when all of them are asked: looked through, and put together."""

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import TYPE_CHECKING

from .specs import Figure, Signal, TimelineEntry

if TYPE_CHECKING:
    from crm_framework.engine.sql import Fragment

MOST_FIGURES = 10_000
"""Figures of one plugin in one answer."""
MOST_SIGNALS = 100
"""Signals of one plugin about one customer."""


@dataclass(frozen=True, kw_only=True)
class Timeline:
    """Entries of all plugins, newest first, and per plugin that failed a message for the client."""

    entries: tuple[TimelineEntry, ...]
    failures: Mapping[str, str]


@dataclass(frozen=True, kw_only=True)
class Figures:
    """Figures of all plugins that were asked, in the order of the plugins.

    `failures` has a sentence for each plugin whose figures are missing because it failed.
    """

    found: Sequence[Figure]
    failures: Mapping[str, str]


@dataclass(frozen=True, kw_only=True)
class Signals:
    """What stands out about each customer that was asked for, the newest first; nothing for most.

    `failures` has a sentence for each plugin whose signals are missing because it failed.
    """

    by_customer: Mapping[str, Sequence[Signal]]
    failures: Mapping[str, str]

    @classmethod
    def of(
        cls, customer_ids: Iterable[str], found: Iterable[Signal], failures: Mapping[str, str]
    ) -> "Signals":
        """The signals found, by customer."""
        grouped: dict[str, list[Signal]] = {key: [] for key in customer_ids}
        for signal in found:
            grouped[signal.customer_id].append(signal)
        for signals in grouped.values():
            signals.sort(key=_newest_first)
        return cls(by_customer={key: tuple(signals) for key, signals in grouped.items()}, failures=failures)


@dataclass(frozen=True, kw_only=True)
class Signalled:
    """Whom plugins have signals about: by each plugin's name a condition on the table `t` of customers.

    `failures` has a sentence for each plugin whose condition is missing because it failed.
    """

    conditions: Mapping[str, "Fragment"]
    failures: Mapping[str, str]


def own_entries(entries: list[TimelineEntry], customers: set[str], limit: int) -> list[TimelineEntry]:
    """A plugin's entries as they are; those of customers that were not asked for are a fault."""
    counts = dict.fromkeys(customers, 0)
    for entry in entries:
        counts[entry.customer_id] += 1
    if any(count > limit for count in counts.values()):
        raise ValueError(f"more than {limit} entries for one customer")
    return entries


def own_figures(figures: list[Figure]) -> list[Figure]:
    """A plugin's figures as they are. What is no number is a fault, and so is a name twice in one group."""
    if len(figures) > MOST_FIGURES:
        raise ValueError(f"more than {MOST_FIGURES} figures")
    seen: set[tuple[str, str | None]] = set()
    for figure in figures:
        for value in (figure.value, figure.numerator, figure.denominator, figure.n):
            if not _is_number(value):
                raise ValueError(f"the figure {figure.name} holds {value!r}, which is no number")
        if (figure.name, figure.group) in seen:
            raise ValueError(f"the figure {figure.name} of the group {figure.group!r} comes twice")
        seen.add((figure.name, figure.group))
    return figures


def own_signals(signals: list[Signal], customers: set[str]) -> list[Signal]:
    """A plugin's newest signals of each customer; those of others are a fault."""
    kept: list[Signal] = []
    counts = dict.fromkeys(customers, 0)
    for signal in sorted(signals, key=_newest_first):
        if signal.at.tzinfo is None:
            raise ValueError(f"the signal {signal.kind} has a time without a zone")
        counts[signal.customer_id] += 1
        if counts[signal.customer_id] <= MOST_SIGNALS:
            kept.append(signal)
    return kept


def _is_number(value: object) -> bool:
    if isinstance(value, Decimal):
        return value.is_finite()
    if isinstance(value, float):
        return math.isfinite(value)
    return value is None or (isinstance(value, int) and not isinstance(value, bool))


def _newest_first(signal: Signal) -> tuple[float, str, str, str, str]:
    told = (signal.plugin, signal.kind, signal.reference_id or "", signal.text)
    return (-signal.at.timestamp(), *told)
