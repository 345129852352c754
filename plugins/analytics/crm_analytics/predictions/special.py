"""The two functions of mathematics that `math` lacks: digamma, and Gauss's hypergeometric series."""

import math

MOST_TERMS = 20_000
LARGE = 1e100


def digamma(x: float) -> float:
    """The derivative of `math.lgamma` for x > 0, to about 1e-13.

    Recurrence up to 10, then the asymptotic series: Abramowitz and Stegun (1964), 6.3.5 and 6.3.18.
    """
    below = 0.0
    while x < 10:
        below += 1 / x
        x += 1
    y = 1 / (x * x)
    series = y * (1 / 12 - y * (1 / 120 - y * (1 / 252 - y * (1 / 240 - y * (1 / 132 - y * 691 / 32760)))))
    return math.log(x) - 0.5 / x - series - below


def gauss(a: float, b: float, c: float, z: float) -> tuple[float, float]:
    """2F1(a, b; c; z) for 0 <= z < 1 by its series: Abramowitz and Stegun (1964), 15.1.1.

    A value and a logarithm, which times its power is the result: that alone may be out of range.
    """
    total, term, scale = 1.0, 1.0, 0.0
    for n in range(MOST_TERMS):
        term *= (a + n) * (b + n) / ((c + n) * (n + 1)) * z
        total += term
        if abs(term) <= 1e-14 * abs(total):
            break
        if abs(total) > LARGE:
            total, term, scale = total / LARGE, term / LARGE, scale + math.log(LARGE)
    return total, scale
