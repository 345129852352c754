"""BG/NBD: how often customers will buy again, and whether they are still there.

Fader, Hardie and Lee, "Counting Your Customers" the Easy Way: An Alternative to the Pareto/NBD Model,
Marketing Science 24 (2005), 275-284; the numbers of equations are theirs. While a customer is there, he
buys at a rate of his own (gamma with r, alpha); after each purchase he leaves for good with a probability
of his own (beta with a, b). What is known of him is x, the repeat purchases; t_x, when the last of them
was; and T, how long he is known, both counted from his first purchase, in one unit of time.

The likelihood needs each different (x, t_x, T) once, with the number of customers who have it.
"""

import math
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from .minimum import minimum
from .special import digamma, gauss

FARTHEST = 15.0
"""Logarithm of the greatest parameter that is tried: there the likelihood is flat."""
ALIKE = 6.0
"""Logarithm of the greatest parameter that says how alike customers are: beyond, they are the same."""


EDGE = 0.05
"""How near to such an end, in logarithms, the search stops where it would go on."""


def at_the_end(parameters: Mapping[str, tuple[float, float]]) -> str | None:
    """Which of these are as great or as small as is tried, in words. By name, with the logarithm of the
    greatest that is."""
    found = [
        name
        for name, (value, greatest) in parameters.items()
        if not EDGE - FARTHEST < math.log(value) < greatest - EDGE
    ]
    if not found:
        return None
    return (
        f"{' and '.join(found)} ended at the limit of what is tried: too little is known of how customers"
        " differ in this, and with another limit it would be another value."
    )


@dataclass(frozen=True, slots=True)
class Seen:
    """What is known of a customer. Ages are in the model's unit of time, since the first purchase."""

    repeats: int
    last: float
    age: float


@dataclass(frozen=True)
class Parameters:
    """Of a fitted model. `alpha` is in its unit of time."""

    r: float
    alpha: float
    a: float
    b: float

    @property
    def warning(self) -> str | None:
        """Why not all of them are to be trusted; None where they are those that fit best."""
        alike = {"r": (self.r, ALIKE), "a": (self.a, ALIKE), "b": (self.b, ALIKE)}
        return at_the_end({**alike, "alpha": (self.alpha, FARTHEST)})


@dataclass(frozen=True)
class Fit:
    """A fitted model, its log-likelihood, and of how many customers."""

    parameters: Parameters
    log_likelihood: float
    customers: int


def fit(customers: Iterable[Seen], start: Parameters | None = None) -> Fit:
    """The parameters of greatest likelihood (equation 7). `customers` is not empty."""
    counted = Counter(customers)
    groups = _groups(counted)
    total = sum(counted.values())
    if start is None:
        ages = sum(seen.age * n for seen, n in counted.items()) / total
        start = Parameters(r=1.0, alpha=max(ages, 1e-6) / 2, a=1.0, b=2.0)

    def loss(logs: list[float]) -> tuple[float, list[float]]:
        if max(map(abs, logs)) > FARTHEST or max(logs[0], logs[2], logs[3]) > ALIKE:
            return math.inf, [0.0] * 4
        r, alpha, a, b = map(math.exp, logs)
        value, slope = _likelihood(groups, r, alpha, a, b)
        scaled = (-each * by / total for each, by in zip(slope, (r, alpha, a, b), strict=True))
        return -value / total, list(scaled)

    logs, least = minimum(loss, [math.log(each) for each in (start.r, start.alpha, start.a, start.b)])
    return Fit(Parameters(*map(math.exp, logs)), -least * total, total)


def log_likelihood(parameters: Parameters, customers: Iterable[Seen]) -> float:
    """Of these customers (equation 6, in logarithms)."""
    groups = _groups(Counter(customers))
    return _likelihood(groups, parameters.r, parameters.alpha, parameters.a, parameters.b)[0]


Groups = list[tuple[int, list[tuple[float, float, int]]]]
"""Repeat purchases, and of those who have so many: t_x, T, and how many customers have these."""


def _groups(counted: Counter[Seen]) -> Groups:
    groups: dict[int, list[tuple[float, float, int]]] = defaultdict(list)
    for seen, n in counted.items():
        groups[seen.repeats].append((seen.last, seen.age, n))
    return sorted(groups.items())


def _likelihood(
    groups: Groups, r: float, alpha: float, a: float, b: float
) -> tuple[float, tuple[float, float, float, float]]:
    """The log-likelihood and its derivatives by r, alpha, a, b.

    As in the authors' note "Implementing the BG/NBD Model for Customer Base Analysis in Excel" (2005), but
    with the smaller power taken relative to the greater one, which does not overflow.
    """
    log, exp = math.log, math.exp
    total = by_r = by_alpha = by_a = by_b = 0.0
    start = r * log(alpha) - math.lgamma(r) + math.lgamma(a + b) - math.lgamma(b)
    of_r, of_b, of_ab = digamma(r), digamma(b), digamma(a + b)
    log_alpha = log(alpha)
    for x, members in groups:
        power = r + x
        fixed = start + math.lgamma(power) + math.lgamma(b + x) - math.lgamma(a + b + x)
        n = logs = leaving = inverse = 0.0
        if x == 0:
            for _, age, count in members:
                known = alpha + age
                n += count
                logs += count * log(known)
                inverse += count / known
            total += n * fixed - power * logs
            by_b_here = 0.0
        else:
            left = a / (b + x - 1)
            part = 0.0
            for last, age, count in members:
                to_last, to_now = alpha + last, alpha + age
                log_last, log_now = log(to_last), log(to_now)
                stays = exp(power * (log_last - log_now))
                both = left + stays
                gone = left / both
                n += count
                part += count * (log(both) - power * log_last)
                logs += count * (log_now + gone * (log_last - log_now))
                inverse += count * ((1 - gone) / to_now + gone / to_last)
                leaving += count * gone
            total += n * fixed + part
            by_b_here = -leaving / (b + x - 1)
        of_abx = digamma(a + b + x)
        by_r += n * (digamma(power) - of_r + log_alpha) - logs
        by_alpha += n * r / alpha - power * inverse
        by_a += n * (of_ab - of_abx) + leaving / a
        by_b += n * (of_ab - of_abx + digamma(b + x) - of_b) + by_b_here
    return total, (by_r, by_alpha, by_a, by_b)


def probability_alive(parameters: Parameters, seen: Seen) -> float:
    """The probability that the customer is still there.

    Fader and Hardie, "Computing P(alive) Using the BG/NBD Model" (2008). Without a repeat purchase it is
    1: in this model customers leave after a purchase, and the first one does not count.
    """
    if seen.repeats == 0:
        return 1.0
    p = parameters
    odds = math.log(p.a / (p.b + seen.repeats - 1))
    odds += (p.r + seen.repeats) * math.log((p.alpha + seen.age) / (p.alpha + seen.last))
    return 1 / (1 + math.exp(odds)) if odds < 700 else 0.0


def expected_purchases(parameters: Parameters, seen: Seen, time: float) -> float:
    """How often the customer will buy in the next `time` units, on average (equation 10)."""
    return probability_alive(parameters, seen) * _while_there(parameters, seen.repeats, seen.age, time)


def expected_repeats(parameters: Parameters, time: float) -> float:
    """How often a new customer buys again within `time` of the first purchase, on average (equation 9)."""
    return _while_there(parameters, 0, 0.0, time)


def _while_there(p: Parameters, repeats: int, age: float, time: float) -> float:
    """(a+b+x-1)/(a-1) · [1 - ((α+T)/(α+T+t))^(r+x) · 2F1(r+x, b+x; a+b+x-1; t/(α+T+t))].

    By Euler's transformation (Abramowitz and Stegun 15.3.3) the product is w^(a-1) · 2F1(a+b-1-r, a-1;
    a+b+x-1; 1-w) with w = (α+T)/(α+T+t), whose series converges fast and does not overflow for large x.
    """
    a = p.a if abs(p.a - 1) > 1e-7 else 1 + 1e-7  # at 1 it is a limit
    c = a + p.b + repeats - 1
    if abs(c) < 1e-9:
        c = 1e-9
    known = p.alpha + age
    share = known / (known + time)
    series, scale = gauss(c - p.r - repeats, a - 1, c, 1 - share)
    return max(0.0, c / (a - 1) * (1 - series * math.exp((a - 1) * math.log(share) + scale)))


def share_with(parameters: Parameters, repeats: int, time: float) -> float:
    """The probability that a new customer buys again `repeats` times within `time` (equation 8)."""
    p, x = parameters, repeats
    at_first = math.exp(p.r * math.log(p.alpha / (p.alpha + time)))
    later = time / (p.alpha + time)
    beta = _log_beta(p.a, p.b)

    def bought(times: int) -> float:
        return at_first * math.exp(
            math.lgamma(p.r + times) - math.lgamma(p.r) - math.lgamma(times + 1) + times * math.log(later)
        )

    if time == 0:
        return 1.0 if x == 0 else 0.0
    stayed = math.exp(_log_beta(p.a, p.b + x) - beta) * bought(x)
    if x == 0:
        return stayed
    left = math.exp(_log_beta(p.a + 1, p.b + x - 1) - beta)
    return stayed + left * max(0.0, 1 - sum(bought(times) for times in range(x)))


def shares(parameters: Parameters, ages: Sequence[float], most: int) -> list[float]:
    """How many customers of these ages are expected to have 0, 1 … repeat purchases; the last: `most` or
    more.
    """
    expected = [0.0] * (most + 1)
    for age, n in Counter(ages).items():
        each = [share_with(parameters, repeats, age) for repeats in range(most)]
        for repeats, share in enumerate(each):
            expected[repeats] += n * share
        expected[most] += n * max(0.0, 1 - sum(each))
    return expected


def _log_beta(a: float, b: float) -> float:
    return math.lgamma(a) + math.lgamma(b) - math.lgamma(a + b)
