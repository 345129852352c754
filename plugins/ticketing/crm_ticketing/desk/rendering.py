"""What takes the place of a template's variables, for a ticket and whoever writes."""

from collections.abc import Mapping
from typing import Any

from crm_framework import Reader


async def values_of(reader: Reader, row: Mapping[str, Any], staff_id: str | None) -> dict[str, str]:
    """The values of all variables; `row` has number, subject, category, status, customer_id of a ticket."""
    [customer] = await reader.fetch(
        "SELECT name, company FROM crm_customer WHERE id = ?", [row["customer_id"]]
    )
    staff = await reader.fetch("SELECT name FROM crm_staff WHERE id = ?", [staff_id]) if staff_id else []
    return {
        "customer.name": customer["name"] or "",
        "customer.company": customer["company"] or "",
        "ticket.number": str(row["number"]),
        "ticket.subject": row["subject"],
        "ticket.category": row["category"],
        "ticket.status": str(row["status"]).replace("_", " ").lower(),
        "agent.name": staff[0]["name"] if staff else "",
    }
