"""Association rules of two products: who has the one in the basket has the other so often.

Agrawal, Imieliński and Swami, "Mining Association Rules between Sets of Items in Large Databases" (1993), for
sets of two. Lift is that of Brin, Motwani, Ullman and Tsur (1997).
"""

from collections import Counter
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass


@dataclass(frozen=True)
class Limits:
    """What makes a rule worth keeping, and how much is counted at most."""

    products: int = 1_000
    """The most frequent ones are looked at: pairs grow with their square."""
    basket: int = 100
    """Of a larger basket, only so many of its most frequent products count."""
    together: int = 5
    """Baskets with both, at least."""
    confidence: float = 0.02
    lift: float = 1.1
    rules: int = 5_000
    """Those of the greatest confidence are kept."""


@dataclass(frozen=True)
class Rule:
    """Who has `antecedent` in the basket often has `consequent` too. Numbers of baskets."""

    antecedent: str
    consequent: str
    baskets: int
    with_antecedent: int
    with_consequent: int
    with_both: int

    @property
    def support(self) -> float:
        """The share of all baskets that have both."""
        return self.with_both / self.baskets

    @property
    def confidence(self) -> float:
        """Of the baskets with the one, the share that have the other too."""
        return self.with_both / self.with_antecedent

    @property
    def lift(self) -> float:
        """How many times as often as if the two had nothing to do with each other."""
        return self.with_both * self.baskets / (self.with_antecedent * self.with_consequent)


class Pairs:
    """Counts pairs of products, basket by basket. `frequency` is in how many baskets each product is."""

    def __init__(self, frequency: Mapping[str, int], limits: Limits) -> None:
        frequent = [product for product, n in frequency.items() if n >= limits.together]
        frequent.sort(key=lambda product: (-frequency[product], product))
        self._limits = limits
        self._products = frequent[: limits.products]
        self._place = {product: place for place, product in enumerate(self._products)}
        self._frequency = frequency
        self._both: Counter[int] = Counter()

    def add(self, baskets: Iterable[Collection[str]]) -> None:
        """Baskets, each with its different products."""
        size, place, both = len(self._products), self._place, self._both
        for basket in baskets:
            known = sorted({place[product] for product in basket if product in place})
            known = known[: self._limits.basket]
            for index, one in enumerate(known):
                both.update(one * size + other for other in known[index + 1 :])

    def rules(self, baskets: int) -> list[Rule]:
        """The rules worth keeping, of so many baskets altogether, by confidence."""
        limits, size, found = self._limits, len(self._products), []
        for code, n in self._both.items():
            if n < limits.together:
                continue
            pair = (self._products[code // size], self._products[code % size])
            for one, other in (pair, pair[::-1]):
                rule = Rule(one, other, baskets, self._frequency[one], self._frequency[other], n)
                if rule.confidence >= limits.confidence and rule.lift >= limits.lift:
                    found.append(rule)
        found.sort(key=lambda rule: (-rule.confidence, -rule.lift, rule.antecedent, rule.consequent))
        return found[: limits.rules]
