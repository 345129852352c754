"""Rules by hand, and against plain counting."""

from collections import Counter
from itertools import permutations

from crm_analytics.baskets.rules import Limits, Pairs, Rule
from hypothesis import given
from hypothesis import strategies as st

ALL = Limits(together=1, confidence=0.0, lift=0.0)


def rules(baskets: list[set[str]], limits: Limits = ALL) -> list[Rule]:
    frequency = Counter(product for basket in baskets for product in basket)
    pairs = Pairs(frequency, limits)
    pairs.add(baskets)
    return pairs.rules(len(baskets))


def test_by_hand() -> None:
    """Of 5 baskets 4 have bread, 3 milk, 3 both: support 3/5, confidence 3/4 and 3/3, lift 15/12."""
    baskets = [{"bread", "milk"}, {"bread", "milk"}, {"bread", "milk", "beer"}, {"bread"}, {"beer"}]
    found = {(rule.antecedent, rule.consequent): rule for rule in rules(baskets)}
    rule = found["bread", "milk"]
    assert (rule.support, rule.confidence, rule.lift) == (0.6, 0.75, 1.25)
    assert found["milk", "bread"].confidence == 1.0
    assert found["milk", "bread"].lift == 1.25
    assert found["beer", "milk"].lift == 1 * 5 / (2 * 3)


def test_what_is_left_out() -> None:
    baskets = [{"a", "b"}] * 5 + [{"c", "d"}] * 4 + [{"e"}] * 20
    assert {rule.antecedent for rule in rules(baskets, Limits())} == {"a", "b"}
    assert rules(baskets, Limits(lift=10.0)) == []
    assert [rule.antecedent for rule in rules(baskets, Limits(rules=1))] == ["a"]
    everybody = [{"a", "b"}] * 10
    assert rules(everybody, Limits()) == []  # a lift of 1 says nothing


def test_large_baskets_count_their_most_frequent_products() -> None:
    baskets = [{"a", "b", "c"}, {"a", "b"}, {"a"}, {"x"}]
    found = {
        (rule.antecedent, rule.consequent) for rule in rules(baskets, Limits(together=1, lift=0, basket=2))
    }
    assert found == {("a", "b"), ("b", "a")}


@given(st.lists(st.sets(st.sampled_from("abcdefg"), max_size=6), min_size=1, max_size=40))
def test_as_counted_one_by_one(baskets: list[set[str]]) -> None:
    expected = {}
    for one, other in permutations("abcdefg", 2):
        both = sum(1 for basket in baskets if one in basket and other in basket)
        if both:
            with_one = sum(1 for basket in baskets if one in basket)
            with_other = sum(1 for basket in baskets if other in basket)
            expected[one, other] = (with_one, with_other, both)
    found = {
        (rule.antecedent, rule.consequent): (rule.with_antecedent, rule.with_consequent, rule.with_both)
        for rule in rules(baskets)
    }
    assert found == expected
