"""Clerks who write: each makes changes of many kinds to customers of its own, over the GraphQL API.

A clerk notes what it is about to do, and again when it was acknowledged. Every change can be asked for again:
it carries a reference or an idempotency key, or comes to the same.
"""

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from random import Random
from typing import Any

SOURCE = "clerks"
"""Of everything that a clerk makes."""
CURRENCIES = ("EUR", "USD")

Note = dict[str, Any]
"""`deed`, `done` (whether it was acknowledged), and the facts."""
Ask = Callable[[str, dict[str, Any]], Awaitable[Mapping[str, Any]]]
"""A mutation and its input; the payload, once it was answered without errors."""

CREATE = "createCustomer(input: $input) { customer { id } errors { code message } }", "CreateCustomerInput"
RENAME = "updateCustomer(input: $input) { customer { id } errors { code message } }", "UpdateCustomerInput"
TAG = "tagCustomers(input: $input) { changed errors { code message } }", "TagCustomersInput"
BUY = "recordPurchase(input: $input) { interaction { id } errors { code message } }", "RecordPurchaseInput"
REFUND = "recordRefund(input: $input) { interaction { id } errors { code message } }", "RecordRefundInput"
MERGE = "mergeCustomers(input: $input) { losers errors { code message } }", "MergeCustomersInput"
OPEN = "openTicket(input: $input) { ticket { id } errors { code message } }", "OpenTicketInput"
REPLY = "replyToTicket(input: $input) { ticket { id } errors { code message } }", "ReplyToTicketInput"
RETRY = "retryDeliveries(input: $input) { count errors { code message } }", "RetryDeliveriesInput"
IMPORTED = "failed rows { index error { code message } } errors { code message }"
BRING_CUSTOMERS = f"importCustomers(input: $input) {{ {IMPORTED} }}", "ImportCustomersInput"
BRING_PURCHASES = f"importInteractions(input: $input) {{ {IMPORTED} }}", "ImportInteractionsInput"


def document(change: tuple[str, str]) -> str:
    field_, input_type = change
    return f"mutation($input: {input_type}!) {{ answer: {field_} }}"


@dataclass
class Clerk:
    name: str
    ask: Ask
    note: Callable[[Note], None]
    rng: Random
    customers: list[str] = field(default_factory=list)
    """References of those who were not merged away."""
    ids: dict[str, str] = field(default_factory=dict)
    """The customers' ids in the API, by reference, as far as they are known."""
    purchases: list[dict[str, Any]] = field(default_factory=list)
    tickets: list[str] = field(default_factory=list)
    numbers: int = 0

    async def work(self, deeds: int) -> None:
        for _ in range(deeds):
            await self.one()

    async def one(self) -> None:
        """One change of any kind that is possible."""
        if len(self.ids) < 3:
            await self.create()
            return
        kinds = {
            self.create: 5, self.buy: 10, self.refund: 4, self.rename: 3, self.tag: 3, self.merge: 2,
            self.open_ticket: 2, self.reply: 2, self.bring_customers: 1, self.bring_purchases: 2,
        }  # fmt: skip
        (deed,) = self.rng.choices(list(kinds), list(kinds.values()))
        await deed()

    def _new(self) -> str:
        self.numbers += 1
        return f"{self.name}-{self.numbers}"

    def _some(self) -> str:
        return self.rng.choice([one for one in self.customers if one in self.ids])

    async def _do(self, deed: str, change: tuple[str, str], input_: dict[str, Any], **facts: Any) -> Any:
        self.note({"deed": deed, "done": False, "clerk": self.name, **facts})
        answer = await self.ask(document(change), input_)
        self.note({"deed": deed, "done": True, "clerk": self.name, **facts})
        return answer

    async def create(self) -> None:
        ref = self._new()
        input_ = {"name": f"Name {ref}", "source": SOURCE, "reference": ref, "email": f"{ref}@example.com"}
        answer = await self._do("customer", CREATE, input_, refs=[ref])
        self.customers.append(ref)
        self.ids[ref] = answer["customer"]["id"]

    async def rename(self) -> None:
        ref, name = self._some(), f"Renamed {self._new()}"
        await self._do("rename", RENAME, {"id": self.ids[ref], "name": name}, ref=ref, name=name)

    async def tag(self) -> None:
        ref, tag = self._some(), f"tag {self._new()}"
        await self._do("tag", TAG, {"customers": [self.ids[ref]], "add": [tag]}, ref=ref, tag=tag)

    def _purchase(self) -> tuple[dict[str, Any], dict[str, Any]]:
        """The input of a purchase but for the customer, and the facts of it."""
        ref, currency = self._new(), self.rng.choice(CURRENCIES)
        prices = [self.rng.randint(1, 9_999) for _ in range(self.rng.randint(1, 3))]
        lines = [
            {"sku": f"S{n}", "quantity": n + 1, "unitPrice": money(price, currency)}
            for n, price in enumerate(prices)
        ]
        total = sum((n + 1) * price for n, price in enumerate(prices))
        facts = {"ref": ref, "total": total, "currency": currency}
        return {"source": SOURCE, "reference": ref, "lines": lines, "currency": currency}, facts

    async def buy(self) -> None:
        customer = self._some()
        input_, facts = self._purchase()
        answer = await self._do(
            "purchase", BUY, {**input_, "customer": self.ids[customer]}, purchases=[facts | {"of": customer}]
        )
        self.purchases.append({**facts, "id": answer["interaction"]["id"], "left": facts["total"]})

    async def refund(self) -> None:
        open_ones = [one for one in self.purchases if one["left"] > 0]
        if not open_ones:
            await self.buy()
            return
        purchase, ref = self.rng.choice(open_ones), self._new()
        amount = self.rng.randint(1, purchase["left"])
        input_ = {
            "purchase": purchase["id"], "amount": money(amount, purchase["currency"]),
            "source": SOURCE, "reference": ref,
        }  # fmt: skip
        await self._do("refund", REFUND, input_, ref=ref, amount=amount, purchase=purchase["ref"])
        purchase["left"] -= amount

    async def merge(self) -> None:
        known = [one for one in self.customers if one in self.ids]
        if len(known) < 5:
            await self.create()
            return
        winner, *losers = self.rng.sample(known, self.rng.randint(2, 3))
        self.customers = [one for one in self.customers if one not in losers]
        input_ = {"winner": self.ids[winner], "losers": [self.ids[loser] for loser in losers]}
        await self._do("merge", MERGE, input_, winner=winner, losers=losers)

    async def open_ticket(self) -> None:
        subject = f"Ticket {self._new()}"
        input_ = {
            "customer": self.ids[self._some()], "subject": subject, "body": "Help", "idempotencyKey": subject
        }  # fmt: skip
        answer = await self._do("ticket", OPEN, input_, subject=subject)
        self.tickets.append(answer["ticket"]["id"])

    async def reply(self) -> None:
        if not self.tickets:
            await self.open_ticket()
            return
        body = f"Message {self._new()}"
        input_ = {"ticket": self.rng.choice(self.tickets), "body": body, "idempotencyKey": body}
        await self._do("message", REPLY, input_, body=body)

    async def bring_customers(self) -> None:
        refs = [self._new() for _ in range(self.rng.randint(2, 12))]
        rows = [{"name": f"Name {ref}", "source": SOURCE, "reference": ref} for ref in refs]
        answer = await self._do("customer", BRING_CUSTOMERS, {"rows": rows}, refs=refs)
        assert answer["failed"] == 0, answer
        self.customers += refs

    async def bring_purchases(self) -> None:
        rows, facts = [], []
        for _ in range(self.rng.randint(2, 12)):
            customer = self.rng.choice(self.customers)
            input_, fact = self._purchase()
            rows.append(
                {**input_, "kind": "purchase", "customerSource": SOURCE, "customerReference": customer}
            )
            facts.append(fact | {"of": customer})
        answer = await self._do("purchase", BRING_PURCHASES, {"rows": rows}, purchases=facts)
        assert answer["failed"] == 0, answer


def money(minor: int, currency: str) -> dict[str, str]:
    return {"amount": f"{minor // 100}.{minor % 100:02d}", "currency": currency}
