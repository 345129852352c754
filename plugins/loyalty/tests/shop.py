"""A shop that uses the API, for tests: short words for what they do again and again."""

from collections.abc import Mapping
from typing import Any

from crm_framework import decode_key
from crm_framework.testing import CrmClient


class Shop:
    """Asks in the name of the client's token. Ids are those of the API."""

    def __init__(self, client: CrmClient) -> None:
        self.client = client

    async def change(self, name: str, selection: str, /, **input: Any) -> Mapping[str, Any]:
        """A mutation that succeeds; its payload."""
        answer = await self.answer(name, selection, **input)
        assert answer["errors"] == [], answer
        return answer

    async def answer(self, name: str, selection: str, /, **input: Any) -> Mapping[str, Any]:
        kind = self.client.service.schema.graphql.mutation_type.fields[name].args["input"].type  # type: ignore[union-attr]  # there are some
        selected = f"{selection} errors {{ code message path hint }}"
        text = f"mutation ($i: {kind}) {{ answer: {name}(input: $i) {{ {selected} }} }}"
        found: Mapping[str, Any] = (await self.client.data(text, i=input))["answer"]
        return found

    async def refused(self, name: str, selection: str, /, **input: Any) -> tuple[str, list[str], str]:
        """Code, path and message of the one error of a mutation that fails."""
        [error] = (await self.answer(name, selection, **input))["errors"]
        return error["code"], error["path"], error["message"]

    async def program(self, **input: Any) -> str:
        given = {"name": "Stars", "currency": "EUR", "pointsPerUnit": 0} | input
        return str((await self.change("createLoyaltyProgram", "program { id }", **given))["program"]["id"])

    async def rule(self, program: str, name: str, /, **input: Any) -> str:
        given = {"program": program, "name": name, "trigger": "PURCHASE", "points": 1} | input
        return str((await self.change("createEarningRule", "rule { id }", **given))["rule"]["id"])

    async def customer(self, name: str = "Ada", **input: Any) -> str:
        return str(
            (await self.change("createCustomer", "customer { id }", name=name, **input))["customer"]["id"]
        )

    async def buy(self, customer: str, amount: str, *, currency: str = "EUR", **input: Any) -> str:
        total = {} if "lines" in input else {"total": {"amount": amount, "currency": currency}}
        made = await self.change(
            "recordPurchase", "interaction { id }", customer=customer, currency=currency, **total, **input
        )
        return str(made["interaction"]["id"])

    async def refund(self, purchase: str, amount: str, currency: str = "EUR") -> None:
        money = {"amount": amount, "currency": currency}
        await self.change("recordRefund", "interaction { id }", purchase=purchase, amount=money)

    async def visit(self, customer: str, kind: str = "visit", **input: Any) -> str:
        made = await self.change(
            "logInteraction", "interaction { id }", customer=customer, kind=kind, **input
        )
        return str(made["interaction"]["id"])

    async def account(self, customer: str, selection: str = "balance", program: str | None = None) -> Any:
        answer = await self.client.data(
            f"query ($c: ID!, $p: ID) {{ customer(id: $c) {{ loyalty(program: $p) {{ {selection} }} }} }}",
            c=customer,
            p=program,
        )
        return answer["customer"]["loyalty"]

    async def balance(self, customer: str, program: str | None = None) -> int:
        found = await self.account(customer, "balance", program)
        return 0 if found is None else int(found["balance"])

    async def owed(self) -> list[Any]:
        """What handlers could not do at once."""
        return list(await self.client.service.database.fetch("SELECT error FROM crm_delivery"))


def key(id: str, kind: str = "Customer") -> str:
    return decode_key(id, kind)
