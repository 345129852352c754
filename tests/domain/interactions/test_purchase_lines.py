from typing import Any

import pytest

from crm_framework.domain.interactions.purchase_lines import CheckedLine, NewLine, checked_money
from crm_framework.errors import CrmError, ErrorCode


def line(**fields: Any) -> NewLine:
    return NewLine(**{"sku": "A", **fields})


def test_amounts_follow_from_unit_prices_and_the_total_from_both() -> None:
    money = checked_money(
        "usd", [line(quantity=3, unit_price_minor=250), line(quantity=3, amount_minor=1000)], None
    )
    assert (money.currency, money.total_minor) == ("USD", 1750)
    assert money.lines == (
        CheckedLine(0, "A", None, None, 3, 250, 750),
        CheckedLine(1, "A", None, None, 3, None, 1000),
    )


def test_a_total_without_lines_is_enough_and_may_be_zero() -> None:
    assert checked_money("JPY", [], 0).total_minor == 0


def test_a_discount_is_a_line_of_its_own() -> None:
    assert (
        checked_money("EUR", [line(amount_minor=500), line(sku="coupon", amount_minor=-120)], 380).total_minor
        == 380
    )


@pytest.mark.parametrize(
    ("given", "total", "message", "path"),
    [
        (
            [line(unit_price_minor=1000)],
            1200,
            "The total is 12.00 USD, but the lines add up to 10.00 USD.",
            ("total",),
        ),
        ([], None, "The purchase has neither lines nor a total.", ("total",)),
        ([], -5, "The total of a purchase cannot be negative: -0.05 USD.", ("total",)),
        ([line(amount_minor=-5)], None, "The total of a purchase cannot be negative: -0.05 USD.", ("total",)),
        ([line()], None, "The line has neither a unit price nor an amount.", ("lines", "0", "unitPrice")),
        (
            [line(amount_minor=1), line(quantity=-2, unit_price_minor=5)],
            None,
            "The quantity must be a whole number from 1 to 2147483647, not -2.",
            ("lines", "1", "quantity"),
        ),
        (
            [line(quantity=0, unit_price_minor=5)],
            None,
            "The quantity must be a whole number from 1 to 2147483647, not 0.",
            ("lines", "0", "quantity"),
        ),
        (
            [line(quantity=1.5, unit_price_minor=5)],
            None,
            "The quantity must be a whole number from 1 to 2147483647, not 1.5.",
            ("lines", "0", "quantity"),
        ),
        (
            [line(quantity=2, unit_price_minor=500, amount_minor=900)],
            None,
            "The line's amount is 9.00 USD, but 2 times the unit price is 10.00 USD.",
            ("lines", "0", "amount"),
        ),
        (
            [line(amount_minor=1), line(amount_minor=1, currency="EUR")],
            None,
            "The currency is EUR, but the purchase is in USD.",
            ("lines", "1", "currency"),
        ),
        (
            [line(amount_minor=1.0)],
            None,
            "The amount must be a whole number of minor units, at most 1000000000000000, not 1.0.",
            ("lines", "0", "amount"),
        ),
        (
            [line(quantity=3, unit_price_minor=10**15)],
            None,
            "The amount must be a whole number of minor units, at most 1000000000000000,"
            " not 3000000000000000.",
            ("lines", "0", "unitPrice"),
        ),
        ([line(sku=" ", amount_minor=1)], None, "sku is empty.", ("lines", "0", "sku")),
    ],
)
def test_what_does_not_add_up_is_refused(
    given: list[NewLine], total: int | None, message: str, path: tuple[str, ...]
) -> None:
    with pytest.raises(CrmError) as refused:
        checked_money("USD", given, total)
    assert (refused.value.code, refused.value.message, refused.value.path) == (
        ErrorCode.BAD_INPUT,
        message,
        path,
    )


def test_an_unknown_currency_and_a_second_one_for_the_total_are_refused() -> None:
    for currency, other, path in (("XXZ", None, ("currency",)), ("USD", "EUR", ("total", "currency"))):
        with pytest.raises(CrmError) as refused:
            checked_money(currency, [], 5, other)
        assert (refused.value.code, refused.value.path) == (ErrorCode.BAD_INPUT, path)
