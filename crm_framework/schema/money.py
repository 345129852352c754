"""Money as the API shows and takes it: an exact decimal in units of its currency."""

from decimal import Decimal

import strawberry

from crm_framework.domain.values import money

from .inputs import required


@strawberry.type(description="An amount of money. Amounts of several currencies are never added up.")
class Money:
    """An amount of money, as a field of the API gives it. Made from minor units with `Money.of`."""

    amount: Decimal = strawberry.field(description="In units of the currency, with all its decimals.")
    currency: str = strawberry.field(description="ISO 4217, such as EUR.")

    @classmethod
    def of(cls, minor: int, currency: str) -> "Money":
        """From minor units, such as cents."""
        return cls(amount=money.Money(minor, currency).amount, currency=currency)


@strawberry.input(description="An amount of money.")
class MoneyInput:
    """An amount of money, as input gives it. `minor` checks it and converts it to minor units."""

    amount: Decimal = required("In units of the currency, with no more decimals than it has.")
    currency: str = required("ISO 4217, such as EUR.")

    def minor(self, *path: str | int) -> int:
        """In minor units. Raises `CrmError` BAD_INPUT at a member of `path`."""
        parsed = money.parse(
            self.amount, self.currency, path=(*path, "amount"), currency_path=(*path, "currency")
        )
        return parsed.amount_minor
