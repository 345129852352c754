"""Repeat-purchase rate."""

from .measured import Definition, Measured, share

DEFINITION = Definition(
    "repeatPurchaseRate",
    "%",
    "Customers with two purchases or more in the window / customers with at least one in it.",
)
NOTHING = "nobody bought in the window"


def repeat_purchase_rate(buyers: int, repeating: int) -> Measured:
    return share(repeating, buyers, nothing=NOTHING)
