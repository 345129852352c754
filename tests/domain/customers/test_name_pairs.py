import random
import time

import pytest

from crm_framework.domain.customers.name_pairs import similar_names


def pairs(*names: str) -> list[tuple[str, str, int]]:
    return sorted(
        (one, other, round(similarity))
        for one, other, similarity in similar_names(zip("abcdefgh", names, strict=False))
    )


@pytest.mark.parametrize(
    ("one", "other", "similarity"),
    [
        ("john smith", "john smith", 100),
        ("john smith", "smith, john", 100),
        ("john smith", "jon smith", 95),
        ("john smith", "john smyth", 90),
        ("acme gmbh", "acme inc.", 100),
        ("anna maria lopez", "ana maria lopez", 97),
    ],
)
def test_names_that_may_mean_one(one: str, other: str, similarity: int) -> None:
    assert pairs(one, other) == [("a", "b", similarity)]


@pytest.mark.parametrize(
    ("one", "other"),
    [("john smith", "jane smith"), ("john smith", "john miller"), ("acme", "apex"), ("", ""), ("al", "ed")],
)
def test_names_that_mean_two(one: str, other: str) -> None:
    assert pairs(one, other) == []


def test_each_pair_comes_once_although_it_shares_several_words() -> None:
    assert pairs("anna maria lopez", "ana maria lopez", "anna maria lopez") == [
        ("a", "b", 97),
        ("a", "c", 100),
        ("b", "c", 97),
    ]


def test_a_name_that_many_have_says_nothing() -> None:
    assert list(similar_names((f"{n:03}", "john smith") for n in range(21))) == []
    assert len(list(similar_names((f"{n:03}", "john smith") for n in range(20)))) == 190


def test_the_time_grows_with_the_number_of_names_and_not_with_its_square() -> None:
    # All in one group: compared each with each this would be 200 million comparisons.
    letters = random.Random(1)
    names = [(str(n), f"john s{''.join(letters.choices('abcdefghij', k=9))}") for n in range(20_000)]
    started = time.process_time()
    list(similar_names(names))
    assert time.process_time() - started < 5
