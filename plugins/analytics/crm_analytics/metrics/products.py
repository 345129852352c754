"""Products: what was sold of each, and how many buy it again."""

from .measured import Definition

DEFINITION = Definition(
    "products",
    "money",
    "What the lines of the window's purchases add up to, by product and currency, before refunds: a refund"
    " names no product. Buyers are customers with such a line; who bought it in two months or more bought"
    " again.",
    version=2,
)
