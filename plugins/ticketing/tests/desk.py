"""What the tests of this plugin do over and over: customers, tickets, messages."""

from typing import Any

from crm_framework import NewCustomer, create_customer, encode_id
from crm_framework.testing import CrmClient


async def customer(client: CrmClient, name: str = "Ada", **more: Any) -> str:
    """Key of a new customer."""
    async with client.service.database.unit_of_work() as tx:
        return (await create_customer(tx, NewCustomer(name=name, **more))).id


async def staff(client: CrmClient, name: str = "Grace") -> str:
    """Id of a new member of staff."""
    made = await client.data(
        "mutation ($input: CreateStaffInput!) { createStaff(input: $input) { staff { id } } }",
        input={"name": name},
    )
    return str(made["createStaff"]["staff"]["id"])


async def change(client: CrmClient, mutation: str, selection: str = "ticket { id }", /, **given: Any) -> Any:
    """The answer of a mutation: what was selected, and `errors` by code and path."""
    root: Any = client.service.schema.graphql.mutation_type
    kind = root.fields[mutation].args["input"].type
    wanted = f"{mutation}(input: $input) {{ {selection} errors {{ code path message }} }}"
    return (await client.data(f"mutation ($input: {kind}) {{ {wanted} }}", input=given))[mutation]


async def opened(client: CrmClient, customer_id: str, **more: Any) -> str:
    """Id of a new ticket."""
    given = {"customer": encode_id("Customer", customer_id), "subject": "Lid", "body": "No lid.", **more}
    made = await change(client, "openTicket", **given)
    assert made["errors"] == []
    return str(made["ticket"]["id"])


async def own(client: CrmClient, customer_id: str) -> CrmClient:
    """The same application, asked with the customer's own token."""
    made = await client.data(
        "mutation ($input: CreateTokenInput!) { createToken(input: $input) { secret errors { message } } }",
        input={"name": "own", "kind": "CUSTOMER", "customer": encode_id("Customer", customer_id)},
    )
    assert made["createToken"]["errors"] == []
    return CrmClient(client.app, client.http, made["createToken"]["secret"])


async def rows(client: CrmClient, sql: str) -> list[dict[str, Any]]:
    """What a statement reads."""
    return await client.service.database.fetch(sql)
