"""A value and what it is made of. Undefined is None with a reason, never 0."""

from dataclasses import dataclass, replace


@dataclass(frozen=True)
class Definition:
    """What a metric means. `version` grows whenever the same rows would give another value."""

    name: str
    unit: str
    text: str
    version: int = 1


@dataclass(frozen=True)
class Measured:
    """`n` is the number of observations: answers, customers, purchases."""

    value: float | None
    numerator: float | None
    denominator: float | None
    n: int
    reason: str | None = None

    def because(self, reason: str) -> "Measured":
        """Undefined, for this reason."""
        return replace(self, value=None, reason=reason)


def share(numerator: float, denominator: float, *, nothing: str, times: float = 100) -> Measured:
    """A quotient, in percent unless `times` says otherwise; `nothing` is why there is none over 0."""
    if not denominator:
        return Measured(None, numerator, denominator, 0, nothing)
    return Measured(times * numerator / denominator, numerator, denominator, int(denominator))


def amount(minor: int, n: int, digits: int, *, nothing: str) -> Measured:
    """A sum of money in major units; undefined where nothing was recorded."""
    value = minor / 10**digits
    return Measured(value if n else None, value if n else None, None, n, None if n else nothing)
