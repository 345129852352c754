"""Conversion of prospects, as a funnel with its drop-off."""

from dataclasses import dataclass

from .measured import Definition, Measured, share

DEFINITION = Definition(
    "conversion",
    "%",
    "Prospects recorded in the window who have become customers / prospects recorded in the window. The"
    " funnel: recorded; reached by us; answered or came to us; converted. Each step counts those of the step"
    " before.",
)
NOTHING = "no prospect was recorded in the window"
STEPS = ("recorded", "reached", "answered", "converted")


@dataclass(frozen=True)
class Funnel:
    """How many prospects got to each step."""

    recorded: int
    reached: int
    answered: int
    converted: int
    """All who converted, by whatever way."""
    converted_after: int
    """Those of them who went through all steps."""


@dataclass(frozen=True)
class Step:
    """`kept` is the share of the step before, `dropped` how many it lost."""

    name: str
    count: int
    kept: Measured
    dropped: int


def conversion(funnel: Funnel) -> Measured:
    return share(funnel.converted, funnel.recorded, nothing=NOTHING)


def steps(funnel: Funnel) -> list[Step]:
    counts = (funnel.recorded, funnel.reached, funnel.answered, funnel.converted_after)
    found = []
    before = counts[0]
    for name, count in zip(STEPS, counts, strict=True):
        found.append(
            Step(name, count, share(count, before, nothing="the step before is empty"), before - count)
        )
        before = count
    return found
