from decimal import Decimal

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from crm_framework.domain.values import money
from crm_framework.domain.values.currencies import EXPONENTS
from crm_framework.domain.values.money import Money
from crm_framework.errors import CrmError, ErrorCode


@pytest.mark.parametrize(
    ("amount", "currency", "minor"),
    [
        ("12.34", "USD", 1234),
        ("12.3", "USD", 1230),
        ("12", "usd", 1200),
        (" +0.05 ", "EUR", 5),
        ("-0.05", "EUR", -5),
        ("-0", "EUR", 0),
        ("1.2000", "EUR", 120),
        ("500", "JPY", 500),
        ("500.00", "JPY", 500),
        ("1.234", "KWD", 1234),
        ("1.2345", "CLF", 12345),
        (7, "USD", 700),
        (Decimal("7.25"), "USD", 725),
        (Decimal("1E+3"), "USD", 100_000),
        ("10000000000000.00", "USD", 10**15),
        ("0" * 50 + "1", "USD", 100),
    ],
)
def test_parse(amount: object, currency: str, minor: int) -> None:
    assert money.parse(amount, currency) == Money(minor, currency.upper())


@pytest.mark.parametrize(
    ("amount", "currency", "message"),
    [
        ("12.345", "USD", "12.345 has 3 decimals; USD has 2 decimals."),
        ("1.5", "JPY", "1.5 has 1 decimals; JPY has no decimals."),
        ("1,50", "EUR", "1,50 is no amount of money."),
        ("1 000", "EUR", "1 000 is no amount of money."),
        ("1e3", "EUR", "1e3 is no amount of money."),
        ("NaN", "EUR", "NaN is no amount of money."),
        ("", "EUR", " is no amount of money."),
        ("٣", "EUR", "٣ is no amount of money."),
        (Decimal("Infinity"), "EUR", "Infinity is no amount of money."),
        (Decimal("1E+999999"), "EUR", "1E+999999 is no amount of money."),
        (1.5, "EUR", "An amount must be decimal text, not a number."),
        (True, "EUR", "An amount must be decimal text, not a boolean."),
        (None, "EUR", "An amount must be decimal text, not null."),
        ("1", "XXX", "'XXX' is no currency."),
        ("1", "X" * 1_000, f"'{'X' * 59}…' is no currency."),
        ("1", None, "None is no currency."),
    ],
)
def test_what_is_no_amount_is_refused(amount: object, currency: object, message: str) -> None:
    with pytest.raises(CrmError) as refused:
        money.parse(amount, currency, path=("total", "amount"))
    assert (refused.value.code, refused.value.message) == (ErrorCode.BAD_INPUT, message)
    assert refused.value.path == ("total", "amount")


@pytest.mark.parametrize("amount", ["10000000000000.01", "9" * 10_000, 10**15, 10**40])
def test_an_amount_whose_sums_would_not_fit_is_refused(amount: object) -> None:
    with pytest.raises(CrmError, match=r"larger than 10000000000000\.00 USD"):
        money.parse(amount, "USD")


def test_the_currency_at_fault_has_its_own_path() -> None:
    with pytest.raises(CrmError) as refused:
        money.parse("1", "EURO", path=("amount",), currency_path=("currency",))
    assert refused.value.path == ("currency",)


@pytest.mark.parametrize(
    ("minor", "currency", "shown"),
    [
        (5, "USD", "0.05"),
        (-5, "USD", "-0.05"),
        (123456, "EUR", "1234.56"),
        (500, "JPY", "500"),
        (0, "JPY", "0"),
        (1250, "KWD", "1.250"),
        (-1, "CLF", "-0.0001"),
    ],
)
def test_format(minor: int, currency: str, shown: str) -> None:
    assert money.format_minor(minor, currency) == shown
    assert str(Money(minor, currency)) == f"{shown} {currency}"
    assert Money(minor, currency).amount == Decimal(shown)


@settings(deadline=None)  # the machine may be busy
@given(
    st.integers(min_value=-money.MAX_MINOR, max_value=money.MAX_MINOR),
    st.sampled_from(sorted(EXPONENTS)),
)
def test_what_is_written_reads_back(minor: int, currency: str) -> None:
    amount = Money(minor, currency)
    assert money.parse(money.format_minor(minor, currency), currency) == amount
    assert money.parse(amount.amount, currency) == amount


def test_sums_stay_in_one_currency() -> None:
    assert Money(5, "EUR") + Money(7, "EUR") == Money(12, "EUR")
    assert Money(5, "EUR") - Money(7, "EUR") == -Money(2, "EUR")
    assert money.total([Money(1, "EUR"), Money(2, "EUR")]) == Money(3, "EUR")
    assert money.total([], "JPY") == Money(0, "JPY")
    with pytest.raises(CrmError, match="EUR and USD cannot be added up"):
        money.total([Money(1, "EUR"), Money(2, "USD")])
    with pytest.raises(ValueError, match="no currency"):
        money.total([])


def test_the_table_of_currencies() -> None:
    assert {code: money.exponent(code) for code in ("USD", "JPY", "KWD", "CLF", "DEM", "ISK", "HUF")} == {
        "USD": 2,
        "JPY": 0,
        "KWD": 3,
        "CLF": 4,
        "DEM": 2,
        "ISK": 0,
        "HUF": 2,
    }
    assert all(len(code) == 3 and code.isalpha() and code.isupper() for code in EXPONENTS)
