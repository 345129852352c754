"""Service recovery: what customers do whose complaint was solved, was not, or who had none."""

from .measured import Definition, Measured, share

DEFINITION = Definition(
    "serviceRecovery",
    "%",
    "Customers who bought before the window and in it / customers who bought before it, apart by their"
    " tickets, as they are now: all solved, one unsolved, none. It is an association, not a cause: who"
    " complains, and whose complaint is solved, differ in more than that.",
)
NOTHING = "no customer of this kind had bought before the window"
KINDS = ("solved", "unsolved", "none")


def recovered(customers: int, buying: int) -> Measured:
    return share(buying, customers, nothing=NOTHING)
