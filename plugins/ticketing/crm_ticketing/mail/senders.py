"""Who wrote an e-mail: a customer that has the address, a new prospect, or a member of staff."""

from dataclasses import replace

from crm_framework import CrmError, NewContactPoint, NewCustomer, UnitOfWork, create_customer

from .content import Mail

SOURCE = "email"
LONGEST_REFERENCE = 200


async def customers_with(tx: UnitOfWork, address: str) -> list[str]:
    """Keys of those who have this address, who can be dealt with: first those whose main address it is."""
    rows = await tx.fetch(
        "SELECT c.id FROM crm_contact_point AS p JOIN crm_customer AS c ON c.id = p.customer_id"
        " WHERE p.channel = 'email' AND p.normalized = ? AND c.merged_into_id IS NULL AND c.erased_at IS NULL"
        " ORDER BY c.archived_at IS NOT NULL, NOT p.is_primary, c.created_at, c.id LIMIT 20",
        [address],
    )
    return [str(row["id"]) for row in rows]


async def staff_with(tx: UnitOfWork, address: str) -> str | None:
    """Key of the active member of staff who has this address."""
    rows = await tx.fetch("SELECT id FROM crm_staff WHERE LOWER(email) = ? AND active", [address])
    return str(rows[0]["id"]) if rows else None


async def customer_of_mail(tx: UnitOfWork, mail: Mail) -> str:
    """Key of the customer who wrote, or of a new prospect: one, however many messages come at once."""
    known = await customers_with(tx, mail.sender)
    if known:
        return known[0]
    local, _, _ = mail.sender.partition("@")
    name = mail.sender_name.strip() or local or mail.sender
    referred = len(mail.sender) <= LONGEST_REFERENCE
    reference = (SOURCE, mail.sender) if referred else (None, None)
    new = NewCustomer(name=name[:200], source=reference[0], reference=reference[1])
    points = (NewContactPoint(channel="email", value=mail.sender, primary=True),)
    try:
        made = await create_customer(tx, replace(new, contact_points=points))
    except CrmError:  # mail servers take addresses that are none by the book
        made = await create_customer(tx, new)
    return made.id
