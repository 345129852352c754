"""Money: an integer number of minor units and an ISO 4217 code. No floats, no sums across currencies."""

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from decimal import Decimal

from crm_framework.domain.values.currencies import EXPONENTS
from crm_framework.domain.values.text import kind_of
from crm_framework.errors import CrmError, ErrorCode, cut

MAX_MINOR = 10**15
"""The most that one amount may be, in either direction: sums of thousands still fit 64 bits, beyond which
SQLite cannot add and no column can hold them."""

_DECIMAL = re.compile(r"([+-]?)([0-9]+)(?:\.([0-9]+))?")


@dataclass(frozen=True, slots=True)
class Money:
    """`amount_minor` minor units (cents for USD, yen for JPY, fils for KWD) of `currency`."""

    amount_minor: int
    currency: str

    @property
    def amount(self) -> Decimal:
        """The amount in units of the currency, exact, with all its decimals: `Decimal("12.30")`."""
        return Decimal(format_minor(self.amount_minor, self.currency))

    def __add__(self, other: "Money") -> "Money":
        return Money(self.amount_minor + self._same(other), self.currency)

    def __sub__(self, other: "Money") -> "Money":
        return Money(self.amount_minor - self._same(other), self.currency)

    def __neg__(self) -> "Money":
        return Money(-self.amount_minor, self.currency)

    def __str__(self) -> str:
        return f"{format_minor(self.amount_minor, self.currency)} {self.currency}"

    def _same(self, other: "Money") -> int:
        if other.currency != self.currency:
            raise _mixed(self.currency, other.currency)
        return other.amount_minor


def currency_code(code: object, *, path: Sequence[str | int] = ()) -> str:
    """The ISO 4217 code in capitals; BAD_INPUT for one that is unknown."""
    if isinstance(code, str) and code.strip().upper() in EXPONENTS:
        return code.strip().upper()
    raise CrmError(
        ErrorCode.BAD_INPUT,
        f"{cut(code)} is no currency.",
        path=path,
        hint="Give an ISO 4217 code, such as EUR, USD or JPY.",
    )


def exponent(currency: str) -> int:
    """Digits after the decimal separator: 2 for USD, 0 for JPY, 3 for KWD. BAD_INPUT for an unknown code."""
    return EXPONENTS[currency_code(currency)]


def parse(
    amount: object,
    currency: object,
    *,
    path: Sequence[str | int] = (),
    currency_path: Sequence[str | int] | None = None,
) -> Money:
    """Money from decimal text (`"1234.5"`), a Decimal or an int, in units of the currency, exactly.

    BAD_INPUT for a float, for what is no plain decimal number, for more decimals than the currency has
    (zeros beyond them do no harm) and for more than a database column holds.
    """
    code = currency_code(currency, path=path if currency_path is None else currency_path)
    match = _DECIMAL.fullmatch(_plain(amount, path))
    if match is None:
        raise CrmError(
            ErrorCode.BAD_INPUT,
            f"{amount!s:.60} is no amount of money.",
            path=path,
            hint="Write digits with a point before the decimals and no separators, such as 1234.50.",
        )
    sign, whole, fraction = match[1], match[2], (match[3] or "").rstrip("0")
    digits = EXPONENTS[code]
    if len(fraction) > digits:
        allowed = f"{digits} decimals" if digits else "no decimals"
        raise CrmError(
            ErrorCode.BAD_INPUT,
            f"{amount!s:.60} has {len(fraction)} decimals; {code} has {allowed}.",
            path=path,
            hint="Round it first: amounts are never rounded silently.",
        )
    # Longer numbers are refused before int(), whose time grows with the square of the length.
    minor = int((whole + fraction.ljust(digits, "0")).lstrip("0")[:25] or "0")
    if minor > MAX_MINOR:
        raise CrmError(
            ErrorCode.BAD_INPUT,
            f"The amount is larger than {format_minor(MAX_MINOR, code)} {code}, the most that can be kept.",
            path=path,
        )
    return Money(-minor if sign == "-" else minor, code)


def format_minor(amount_minor: int, currency: str) -> str:
    """Decimal text of an amount, with all decimals of the currency: `"-12.30"`, `"500"`, `"1.250"`."""
    digits = exponent(currency)
    sign = "-" if amount_minor < 0 else ""
    text = str(abs(amount_minor)).rjust(digits + 1, "0")
    return f"{sign}{text[:-digits]}.{text[-digits:]}" if digits else sign + text


def total(amounts: Iterable[Money], currency: str | None = None) -> Money:
    """The sum; `currency` is what an empty sum is in. BAD_INPUT for amounts in several currencies."""
    result: Money | None = Money(0, currency_code(currency)) if currency is not None else None
    for amount in amounts:
        result = amount if result is None else result + amount
    if result is None:
        raise ValueError("an empty sum has no currency: name one")
    return result


def _plain(amount: object, path: Sequence[str | int]) -> str:
    if isinstance(amount, str):
        return amount.strip()
    if isinstance(amount, int) and not isinstance(amount, bool):
        return str(amount) if abs(amount) <= MAX_MINOR else f"{MAX_MINOR}0"
    if isinstance(amount, Decimal):
        return format(amount, "f") if amount.is_finite() and abs(amount.adjusted()) < 40 else str(amount)
    raise CrmError(
        ErrorCode.BAD_INPUT,
        f"An amount must be decimal text, not {kind_of(amount)}.",
        path=path,
        hint='Write it as text, such as "12.30": binary fractions are not exact.',
    )


def _mixed(one: str, other: str) -> CrmError:
    return CrmError(
        ErrorCode.BAD_INPUT,
        f"Amounts in {one} and {other} cannot be added up.",
        hint="Keep one currency, or convert first.",
    )
