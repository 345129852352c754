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


async def customer_at(tx: UnitOfWork, address: str, name: str, *, odd: bool = False) -> str:
    """Key of the customer who has this address, or of a new prospect: one, however many ask at once.

    BAD_INPUT at `email` for an address that is none by the book, unless `odd` ones are taken; at `name` for a
    name that cannot be kept.
    """
    known = await customers_with(tx, address)
    if known:
        return known[0]
    local, _, _ = address.partition("@")
    referred = len(address) <= LONGEST_REFERENCE
    reference = (SOURCE, address) if referred else (None, None)
    new = NewCustomer(
        name=(name.strip() or local or address)[:200], source=reference[0], reference=reference[1]
    )
    points = (NewContactPoint(channel="email", value=address, primary=True),)
    try:
        made = await create_customer(tx, replace(new, contact_points=points))
    except CrmError as error:
        if not odd:
            path = ("name",) if tuple(error.path) == ("name",) else ("email",)
            raise CrmError(error.code, error.message, path=path, hint=error.hint) from None
        made = await create_customer(tx, new)
    return made.id


async def customer_of_mail(tx: UnitOfWork, mail: Mail) -> str:
    """The same of who wrote an e-mail: mail servers take addresses that are none by the book."""
    return await customer_at(tx, mail.sender, mail.sender_name, odd=True)
