"""The minimum of a smooth function of a few variables, by BFGS.

Nocedal and Wright, Numerical Optimization (2nd edition, 2006), algorithm 6.1, with the backtracking line
search of algorithm 3.1. Four variables do not warrant a library of 100 MB.
"""

import math
from collections.abc import Callable, Sequence

Point = list[float]
Function = Callable[[Point], tuple[float, Point]]
"""A point → the value there, and the gradient."""

FLAT = 1e-14
"""A step that is expected to gain no more than this share of the value is not gone: that is rounding."""
IDLE = 1e-10
"""Three steps in a row that gain no more than this share of the value are the last: the rest is flat."""
MOST_STEPS = 500
LONGEST = 2.0
"""How far a step goes at most, in every variable: these are logarithms, and far out there is nothing."""


def minimum(function: Function, start: Sequence[float]) -> tuple[Point, float]:
    """Where the function is least near `start`, and how much it is there."""
    size = len(start)
    point = list(start)
    value, slope = function(point)
    inverse = _identity(size)
    idle = 0
    for _ in range(MOST_STEPS):
        step = [-sum(row[j] * slope[j] for j in range(size)) for row in inverse]
        down = _dot(step, slope)
        if down >= 0:
            inverse = _identity(size)
            step = [-each for each in slope]
            down = _dot(step, slope)
        if -down <= FLAT * max(1.0, abs(value)):
            break
        found = _walk(function, point, value, step, down)
        if found is None:
            if inverse == _identity(size):
                break  # not even the steepest way leads down: the last digits of the values are used up
            inverse = _identity(size)
            continue
        there, lower, slope_there = found
        idle = idle + 1 if value - lower <= IDLE * max(1.0, abs(value)) else 0
        value = lower
        if idle == 3:
            return there, value
        moved = [new - old for new, old in zip(there, point, strict=True)]
        bent = [new - old for new, old in zip(slope_there, slope, strict=True)]
        inverse = _updated(inverse, moved, bent)
        point, slope = there, slope_there
    return point, value


def _walk(
    function: Function, point: Point, value: float, step: Point, down: float
) -> tuple[Point, float, Point] | None:
    length = min(1.0, LONGEST / max(map(abs, step)))
    for _ in range(40):
        there = [each + length * by for each, by in zip(point, step, strict=True)]
        new, slope = function(there)
        if math.isfinite(new) and new <= value + 1e-4 * length * down:
            return there, new, slope
        length /= 2
    return None


def _updated(inverse: list[Point], moved: Point, bent: Point) -> list[Point]:
    curved = _dot(moved, bent)
    if curved <= 1e-12 * math.sqrt(_dot(moved, moved) * _dot(bent, bent)):
        return inverse
    size = len(moved)
    along = [_dot(row, bent) for row in inverse]
    factor = (1 + _dot(bent, along) / curved) / curved
    return [
        [
            inverse[i][j]
            + factor * moved[i] * moved[j]
            - (along[i] * moved[j] + moved[i] * along[j]) / curved
            for j in range(size)
        ]
        for i in range(size)
    ]


def _identity(size: int) -> list[Point]:
    return [[1.0 if i == j else 0.0 for j in range(size)] for i in range(size)]


def _dot(one: Point, other: Point) -> float:
    return sum(a * b for a, b in zip(one, other, strict=True))
