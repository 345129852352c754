"""How many points: functions of values."""

from decimal import ROUND_FLOOR, Decimal

from crm_framework import format_minor


def points_for(total_minor: int, currency: str, points_per_unit: int) -> int:
    """Points for a purchase: per unit of its currency (a euro, a yen), rounded down once."""
    points = Decimal(format_minor(total_minor, currency)) * points_per_unit
    return int(points.to_integral_value(ROUND_FLOOR))


def points_to_keep(earned: int, bought_minor: int, refunded_minor: int) -> int:
    """What is left of the points of a purchase when so much of it was refunded in all, rounded down.

    In proportion, so that several refunds take together what one of their sum takes.
    """
    if bought_minor <= 0:
        return earned
    left = max(bought_minor - refunded_minor, 0)
    return earned * left // bought_minor
