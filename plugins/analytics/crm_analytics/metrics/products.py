"""Products: what was sold of each, and how many buy it again."""

from .measured import Definition

DEFINITION = Definition(
    "products",
    "money",
    "What the lines of the purchases of the window's months add up to, by product and currency, before"
    " refunds:"
    " a refund names no product. Buyers are customers with such a line in at least one month; who bought"
    " it in"
    " two months or more bought again.",
)
