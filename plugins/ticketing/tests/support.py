"""What tests of tickets ask of the API."""

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from typing import Any

from crm_framework import NewCustomer, create_customer, encode_id
from crm_framework.testing import CrmClient, frozen

MONDAY = datetime(2026, 3, 2, 8, tzinfo=UTC)
"""09:00 in Berlin, where the office opens."""
OFFICE = {
    "timeZone": "Europe/Berlin",
    "intervals": [
        {"days": ["MONDAY", "TUESDAY", "WEDNESDAY", "THURSDAY", "FRIDAY"], "from": "09:00", "to": "18:00"}
    ],
}
CLOCKS = "clocks(asOf: $at) { kind cycle state target startedAt dueAt breachedAt metAt elapsed remaining }"


async def change(client: CrmClient, name: str, given: Any, selected: str) -> Any:
    """The answer of a mutation that must succeed."""
    kind = name[0].upper() + name[1:] + "Input"
    selection = f"{selected} errors {{ message path }}"
    query = f"mutation ($input: {kind}!) {{ {name}(input: $input) {{ {selection} }} }}"
    answer = (await client.data(query, input=given))[name]
    assert answer["errors"] == [], answer["errors"]
    return answer


async def refused(client: CrmClient, name: str, given: Any) -> list[Any]:
    """The errors of a mutation."""
    kind = name[0].upper() + name[1:] + "Input"
    selection = "errors { code message path hint }"
    query = f"mutation ($input: {kind}!) {{ {name}(input: $input) {{ {selection} }} }}"
    found: list[Any] = (await client.data(query, input=given))[name]["errors"]
    assert found
    return found


async def customer(client: CrmClient, name: str = "Ada", **more: Any) -> str:
    """The id of a new customer."""
    async with client.service.database.unit_of_work() as tx:
        made = await create_customer(tx, NewCustomer(name=name, **more))
    return encode_id("Customer", made.id)


async def staff(client: CrmClient, name: str) -> str:
    answer = await change(client, "createStaff", {"name": name}, "staff { id }")
    return str(answer["staff"]["id"])


async def calendar(client: CrmClient, name: str = "Office", rules: Any = None) -> str:
    given = {"name": name, "rules": rules or OFFICE}
    return str((await change(client, "createBusinessCalendar", given, "calendar { id }"))["calendar"]["id"])


async def policy(
    client: CrmClient,
    calendar_id: str,
    targets: dict[str, str],
    *,
    name: str = "Usual",
    on: bool = True,
    **rules: Any,
) -> str:
    """The id of a new policy, switched on."""
    wanted = [{"clock": clock, "target": target} for clock, target in targets.items()]
    given = {"name": name, "calendar": calendar_id, "rules": {"targets": wanted, **rules}}
    made = (await change(client, "createSlaPolicy", given, "policy { id }"))["policy"]["id"]
    if on:
        await change(client, "switchSlaPolicies", {"on": [made]}, "changed")
    return str(made)


async def open_ticket(client: CrmClient, customer_id: str, **more: Any) -> str:
    given = {"customer": customer_id, "subject": "Lid", "body": "No lid.", **more}
    return str((await change(client, "openTicket", given, "ticket { id }"))["ticket"]["id"])


async def status(client: CrmClient, ticket: str, to: str) -> None:
    await change(client, "changeTicketStatus", {"ticket": ticket, "status": to}, "ticket { id }")


async def reply(client: CrmClient, ticket: str, author: str = "STAFF") -> None:
    given = {"ticket": ticket, "body": "Well.", "author": author}
    await change(client, "replyToTicket", given, "ticket { id }")


async def clocks(client: CrmClient, ticket: str, as_of: datetime | None = None) -> dict[str, Any]:
    """The clocks by kind, those of cycles by kind and number."""
    query = f"query ($id: ID!, $at: DateTime) {{ ticket(id: $id) {{ {CLOCKS} }} }}"
    at = text(as_of) if as_of is not None else None
    found = (await client.data(query, id=ticket, at=at))["ticket"]["clocks"]
    return {
        clock["kind"] if not clock["cycle"] else f"{clock['kind']} {clock['cycle']}": clock for clock in found
    }


@contextmanager
def at(**after: float) -> Iterator[datetime]:
    """Has it be so long after Monday morning inside the block."""
    moment = MONDAY + timedelta(**after)
    with frozen(moment):
        yield moment


def text(moment: datetime) -> str:
    """As the API writes it."""
    return moment.isoformat().replace("+00:00", "Z")
