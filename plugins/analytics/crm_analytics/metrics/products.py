"""Products: what was sold of each, and how many buy it again."""

from collections import defaultdict
from collections.abc import Iterable

from .measured import Definition, Measured, share

DEFINITION = Definition(
    "products",
    "money",
    "What the lines of the window's purchases add up to, by product and currency, before refunds: a refund"
    " names no product. Buyers are customers with such a line; who bought it in two months or more bought"
    " again: of a window within one month nobody can tell. The best of each currency come first, then the"
    " second best of each.",
    version=3,
)
ONE_MONTH = "the window lies within one month: who buys again does so in another"


def repeat_rate(buyers: int, again: int, *, one_month: bool) -> Measured:
    """The share, in percent, of the buyers of a product who bought it in two months or more."""
    found = share(again, buyers, nothing="nobody bought it")
    return found.because(ONE_MONTH) if one_month and buyers else found


def labels(products: Iterable[tuple[str, str | None]]) -> dict[str, str]:
    """What each product, an SKU and perhaps a name, is called beside the others: by its name, with the SKU
    where another has that name, too."""
    named = {sku: name or sku for sku, name in products}
    skus: dict[str, list[str]] = defaultdict(list)
    for sku, label in named.items():
        skus[label].append(sku)
    return {
        sku: f"{label} [{sku}]" if len(skus[label]) > 1 and label != sku else label
        for sku, label in named.items()
    }
