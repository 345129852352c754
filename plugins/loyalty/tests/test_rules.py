import pytest
from crm_loyalty.rules import points_for, points_to_keep
from hypothesis import given
from hypothesis import strategies as st


@pytest.mark.parametrize(
    ("minor", "currency", "rate", "points"),
    [
        (1230, "EUR", 1, 12),
        (1230, "EUR", 2, 24),
        (1999, "USD", 3, 59),
        (500, "JPY", 1, 500),
        (1999, "KWD", 1, 1),
        (0, "EUR", 5, 0),
    ],
)
def test_points_are_rounded_down_once(minor: int, currency: str, rate: int, points: int) -> None:
    assert points_for(minor, currency, rate) == points


@pytest.mark.parametrize(
    ("earned", "bought", "refunded", "kept"),
    [
        (24, 1200, 0, 24),
        (24, 1200, 600, 12),
        (24, 1200, 1, 23),
        (24, 1200, 1200, 0),
        (24, 1200, 9999, 0),
        (5, 0, 0, 5),
    ],
)
def test_refunds_keep_in_proportion(earned: int, bought: int, refunded: int, kept: int) -> None:
    assert points_to_keep(earned, bought, refunded) == kept


@given(
    earned=st.integers(0, 10**9),
    bought=st.integers(1, 10**12),
    parts=st.lists(st.integers(0, 10**12), max_size=5),
)
def test_refunds_never_take_more_than_was_earned_nor_give(earned: int, bought: int, parts: list[int]) -> None:
    left, refunded = earned, 0
    for part in parts:
        refunded += part
        kept = points_to_keep(earned, bought, refunded)
        assert 0 <= kept <= left
        left = kept
