"""What the plugins know of the company: an account for every customer, tickets for some.

The figures of analytics are counted by its command, from the company's purchases.
"""

from collections.abc import Iterator, Sequence

from benchmarks.company import SPAN, START, Size, Table, customer_key, made_key

PROGRAM = made_key(4, 0)
TICKETS = ("Invoice", "Delivery", "Returns", "Question")


def plugin_tables(size: Size) -> Iterator[Table]:
    """All tables, those first that others refer to."""
    program = (PROGRAM, 1, "Points", "EUR", 1, True, START)
    columns: tuple[str, ...]
    columns = ("id", "version", "name", "currency", "points_per_unit", "active", "created_at")
    yield Table("loyalty_program", columns, iter([program]), 1)
    columns = ("id", "program_id", "customer_id", "balance", "lifetime", "created_at", "updated_at")
    yield Table("loyalty_account", columns, account_rows(size), size.customers)
    columns = (
        *("id", "version", "number", "customer_id", "subject", "category", "status", "priority"),
        *("created_at", "updated_at"),
    )
    yield Table("ticketing_ticket", columns, ticket_rows(size), size.customers // 2)


def account_rows(size: Size) -> Iterator[Sequence[object]]:
    for number in range(size.customers):
        points = number % 1000
        yield made_key(5, number), PROGRAM, customer_key(number), points, points, START, START


def ticket_rows(size: Size) -> Iterator[Sequence[object]]:
    """One for every second customer."""
    for number in range(size.customers // 2):
        at = START + SPAN * (2 * number / size.customers)
        subject = TICKETS[number % len(TICKETS)]
        customer = customer_key(number * 2 + 1)
        yield made_key(7, number), 1, number + 1, customer, subject, "general", "OPEN", "NORMAL", at, at
