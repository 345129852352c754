"""Gamma-Gamma: how much a customer's purchases are worth on average, however few were seen.

Fader and Hardie, "The Gamma-Gamma Model of Monetary Value" (2013); the numbers of equations are theirs. The
values of a customer's purchases are gamma (p, nu) about a mean of his own, and nu is gamma (q, v) over the
customers. The first purchase is left out, as it is in `repeats`. It supposes that value and frequency are
independent, which is why their correlation is kept with the model.
"""

import math
from collections import Counter, defaultdict
from collections.abc import Iterable
from dataclasses import dataclass

from .bgnbd import ALIKE, FARTHEST, at_the_end
from .minimum import minimum
from .special import digamma


@dataclass(frozen=True, slots=True)
class Spent:
    """The mean value of a customer's repeat purchases, above 0, and how many of them there are, 1 or more."""

    repeats: int
    mean: float


@dataclass(frozen=True)
class Parameters:
    """Of a fitted model. `v` is in the unit of the values."""

    p: float
    q: float
    v: float

    @property
    def warning(self) -> str | None:
        """Why not all of them are to be trusted; None where they are those that fit best."""
        return at_the_end({"p": (self.p, FARTHEST), "q": (self.q, ALIKE)})


@dataclass(frozen=True)
class Fit:
    """A fitted model, its log-likelihood, and of how many customers."""

    parameters: Parameters
    log_likelihood: float
    customers: int


def fit(customers: Iterable[Spent]) -> Fit:
    """The parameters of greatest likelihood. `customers` is not empty."""
    counted = Counter(customers)
    total = sum(counted.values())
    unit = sum(spent.mean * n for spent, n in counted.items()) / total
    groups: dict[int, list[tuple[float, int]]] = defaultdict(list)
    for spent, n in counted.items():
        groups[spent.repeats].append((spent.mean / unit, n))

    def loss(logs: list[float]) -> tuple[float, list[float]]:
        if max(map(abs, logs)) > FARTHEST or logs[1] > ALIKE:
            return math.inf, [0.0] * 3
        p, q, v = map(math.exp, logs)
        value, slope = _likelihood(groups, p, q, v)
        return -value / total, [-each * by / total for each, by in zip(slope, (p, q, v), strict=True)]

    logs, least = minimum(loss, [0.0, math.log(2.0), 0.0])
    p, q, v = map(math.exp, logs)
    # a density of values in another unit differs by the unit itself
    return Fit(Parameters(p, q, v * unit), -least * total - total * math.log(unit), total)


def _likelihood(
    groups: dict[int, list[tuple[float, int]]], p: float, q: float, v: float
) -> tuple[float, tuple[float, float, float]]:
    """The log-likelihood (equation 1a) and its derivatives by p, q, v."""
    log = math.log
    total = by_p = by_q = by_v = 0.0
    log_v = log(v)
    for x, members in groups.items():
        px = p * x
        n = means = sums = inverse = weighted = 0.0
        for mean, count in members:
            both = v + x * mean
            n += count
            means += count * log(mean)
            sums += count * log(both)
            inverse += count / both
        weighted = n * log(x)
        total += n * (math.lgamma(px + q) - math.lgamma(px) - math.lgamma(q) + q * log_v)
        total += px * (means + weighted) - means - (px + q) * sums
        of_both = digamma(px + q)
        by_p += x * (n * (of_both - digamma(px)) + means + weighted - sums)
        by_q += n * (of_both - digamma(q) + log_v) - sums
        by_v += n * q / v - (px + q) * inverse
    return total, (by_p, by_q, by_v)


def expected_value(parameters: Parameters, repeats: int, mean: float) -> float | None:
    """What the customer's purchases are worth on average (equation 5), in the unit of the values.

    A mean of what was seen and of all customers, the more of the first the more was seen; None where nothing
    was seen and q <= 1: all customers have no mean then.
    """
    p, q, v = parameters.p, parameters.q, parameters.v
    weight = p * repeats + q - 1
    return p * (v + repeats * mean) / weight if weight > 0 else None
