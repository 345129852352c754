"""What figures need of a ticket's history, kept with the ticket: a report reads it instead of the history.

It follows from the history alone, as what a clock that runs will come to is known: the moment of its breach,
should nothing else happen.
"""

from collections.abc import Sequence
from typing import Any, NamedTuple

import msgspec

from .history import SETTLED, Happened
from .rules import Alarm, Clock

KINDS = ("FIRST_RESPONSE", "NEXT_RESPONSE", "FIRST_RESOLUTION", "TOTAL_RESOLUTION")


class Measured(NamedTuple):
    """A clock: its place in KINDS, and `seconds` of working time that it took until it was met, late or not;
    None if it was not.

    `breach` is the moment when it was breached, or will be if nothing else happens, in microseconds since
    1970; None if it does not come to that. `settled` says that nothing of it can change by waiting.
    """

    kind: int
    seconds: int | None
    settled: bool
    breach: int | None


class Measures(NamedTuple):
    """`answers` are public messages of staff; `reopened`, how often it was opened again. Clocks that were
    cancelled in time are left out: they say nothing. Each is a `Measured`, or the plain list that was read:
    a report reads millions.
    """

    answers: int
    reopened: int
    clocks: Sequence[Sequence[Any]]


NOTHING = Measures(0, 0, ())


def measures_of(
    history: Sequence[Happened], present: Sequence[Clock], coming: Sequence[Alarm]
) -> Measures | None:
    """Of a history, its clocks at or after its last entry, and its alarms; None without a history."""
    if not history:
        return None
    answers = reopened = 0
    settled = False
    for one in history:
        if one.kind == "MESSAGE":
            answers += one.after == "STAFF"
        elif one.kind == "STATUS":
            was, settled = settled, one.after in SETTLED
            reopened += was and not settled
    breaches = {(one.kind, one.cycle): one.at for one in coming if one.step is None}
    return Measures(
        answers,
        reopened,
        [
            Measured(
                KINDS.index(clock.kind),
                None if clock.ended is None else clock.elapsed // 1_000_000,
                clock.settled,
                clock.breached
                if clock.breached is not None or clock.settled
                else breaches.get((clock.kind, clock.cycle)),
            )
            for clock in present
            if clock.state != "CANCELLED"
        ],
    )


def as_text(measures: Measures | None) -> str | None:
    """As it is kept."""
    return None if measures is None else msgspec.json.encode(measures).decode()


def measures_from(text: str | None) -> Measures:
    """From what is kept; `NOTHING` without a history."""
    return NOTHING if text is None else Measures(*_decoded(text))


_decoded = msgspec.json.Decoder().decode
