from datetime import UTC, datetime

import pytest

from crm_framework.domain.customers.keys import LiveCustomer
from crm_framework.domain.interactions.conversion import converted
from crm_framework.domain.models import CustomerStage
from crm_framework.events import CustomerConverted, CustomerUpdated

JAN, FEB, MAR, APR = (datetime(2026, month, 1, tzinfo=UTC) for month in (1, 2, 3, 4))


def customer(
    stage: str, converted_at: datetime | None = None, former_at: datetime | None = None
) -> LiveCustomer:
    return LiveCustomer("c", 1, CustomerStage(stage), converted_at, former_at)


def test_the_first_purchase_of_a_prospect_converts_it_at_its_date() -> None:
    conversion = converted(customer("PROSPECT"), [MAR, FEB])
    assert conversion is not None
    assert (conversion.stage, conversion.converted_at, conversion.returned_at) == (
        CustomerStage.CUSTOMER,
        FEB,
        None,
    )
    assert conversion.event == CustomerConverted(
        customer_id="c",
        changes={"stage": ("PROSPECT", "CUSTOMER"), "converted_at": (None, "2026-02-01T00:00:00Z")},
    )


@pytest.mark.parametrize("purchases", [[MAR], [MAR, APR]])
def test_later_purchases_of_a_customer_change_nothing(purchases: list[datetime]) -> None:
    assert converted(customer("CUSTOMER", FEB), purchases) is None
    assert converted(customer("CUSTOMER"), purchases) is None


def test_older_history_moves_the_date_back_and_is_no_second_conversion() -> None:
    conversion = converted(customer("CUSTOMER", MAR), [JAN, FEB])
    assert conversion is not None
    assert (conversion.stage, conversion.converted_at) == (CustomerStage.CUSTOMER, JAN)
    assert conversion.event == CustomerUpdated(
        customer_id="c", changes={"converted_at": ("2026-03-01T00:00:00Z", "2026-01-01T00:00:00Z")}
    )


def test_a_purchase_after_the_end_is_a_return_and_its_date_is_kept() -> None:
    conversion = converted(customer("FORMER", JAN, former_at=FEB), [APR, MAR])
    assert conversion is not None
    assert (conversion.stage, conversion.converted_at, conversion.returned_at, conversion.former_at) == (
        CustomerStage.CUSTOMER,
        JAN,
        MAR,
        None,
    )
    assert conversion.event == CustomerConverted(
        customer_id="c",
        returned=True,
        changes={"stage": ("FORMER", "CUSTOMER"), "returned_at": (None, "2026-03-01T00:00:00Z")},
    )


def test_a_purchase_before_the_end_is_history_of_a_former_customer() -> None:
    assert converted(customer("FORMER", JAN, former_at=MAR), [FEB]) is None
    backdated = converted(customer("FORMER", FEB, former_at=MAR), [JAN])
    assert backdated is not None
    assert (backdated.stage, backdated.converted_at, backdated.former_at) == (CustomerStage.FORMER, JAN, MAR)


def test_without_a_known_end_any_purchase_is_a_return() -> None:
    conversion = converted(customer("FORMER"), [FEB])
    assert conversion is not None
    assert (conversion.returned_at, conversion.converted_at) == (FEB, None)
