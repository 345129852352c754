"""What purchases make of a customer's stage.

Conversion happens once: a prospect's first purchase makes it a customer, dated by the purchase. History
that is recorded later moves that date back, so the order of an import does not matter, and is no second
conversion.
A former customer returns with a purchase later than the end of the relationship; an older one is history.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from crm_framework.domain.customers.keys import LiveCustomer
from crm_framework.domain.models import CustomerStage
from crm_framework.domain.rows import time_text
from crm_framework.events import CustomerConverted, CustomerUpdated, Event

CONVERT = (
    "UPDATE crm_customer SET stage = ?, converted_at = ?, returned_at = COALESCE(?, returned_at),"
    " former_at = ?, version = version + 1, updated_at = ? WHERE id = ?"
)


@dataclass(frozen=True)
class Conversion:
    """What purchases make of a customer's stage, and the event that says so."""

    customer_id: str
    stage: CustomerStage
    converted_at: datetime | None
    returned_at: datetime | None
    former_at: datetime | None
    event: Event

    def row(self, now: datetime) -> list[Any]:
        """Values for `CONVERT`."""
        return [self.stage, self.converted_at, self.returned_at, self.former_at, now, self.customer_id]


def converted(customer: LiveCustomer, purchases: Sequence[datetime]) -> Conversion | None:
    """What new purchases at these moments change for the customer; None if nothing."""
    first = min(purchases)
    before, since = customer.stage, customer.converted_at
    earlier = first if since is None or first < since else since
    if before is CustomerStage.PROSPECT:
        event: Event = CustomerConverted(
            customer_id=customer.id,
            changes={
                "stage": (before.value, CustomerStage.CUSTOMER.value),
                "converted_at": (time_text(since), time_text(earlier)),
            },
        )
        return Conversion(customer.id, CustomerStage.CUSTOMER, earlier, None, None, event)
    backdated = earlier if since is not None else None
    changes = {} if backdated == since else {"converted_at": (time_text(since), time_text(backdated))}
    end = customer.former_at
    returns = [at for at in purchases if end is None or at > end] if before is CustomerStage.FORMER else []
    if returns:
        event = CustomerConverted(
            customer_id=customer.id,
            returned=True,
            changes={
                "stage": (before.value, CustomerStage.CUSTOMER.value),
                "returned_at": (None, time_text(min(returns))),
                **changes,
            },
        )
        return Conversion(customer.id, CustomerStage.CUSTOMER, backdated, min(returns), None, event)
    if changes:
        event = CustomerUpdated(customer_id=customer.id, changes=changes)
        return Conversion(customer.id, before, backdated, None, end, event)
    return None
