"""Customers, what is told of them, and what is kept of it."""

from typing import Any

from .desk import Desk, Input, Inputs, Make, of
from .settings import staff_there


async def customer(desk: Desk) -> str:
    return await desk.customer()


async def buyer(desk: Desk) -> str:
    return await desk.customer(stage="CUSTOMER")


async def former(desk: Desk) -> str:
    return await desk.customer(stage="FORMER")


async def create(desk: Desk) -> Input:
    return {"name": desk.new("New"), "email": "new@example.com", "tags": ["a", "b"]}


async def assign(desk: Desk) -> Input:
    return {"id": await desk.customer(), "owner": await staff_there(desk)}


async def tag(desk: Desk) -> Input:
    return {"customers": [await desk.customer(), await desk.customer()], "add": ["a", "b"]}


async def archived(desk: Desk) -> Input:
    customer = await desk.customer()
    await desk.run("archiveCustomer", {"id": customer}, "customer { id }")
    return {"id": customer}


async def contact_point_there(desk: Desk) -> Input:
    customer, mail = await desk.customer(), desk.new("mail") + "@example.com"
    input_ = {"customer": customer, "contactPoint": {"channel": "email", "value": mail}}
    return {
        "customer": customer,
        "contactPoint": await desk.make("addContactPoint", "contactPoint", **input_),
    }


def with_point(**more: Any) -> Make:
    async def made(desk: Desk) -> Input:
        return {**await contact_point_there(desk), **more}

    return made


async def add_point(desk: Desk) -> Input:
    return {"customer": await desk.customer(), "contactPoint": {"channel": "phone", "value": "+49301234567"}}


async def log(desk: Desk) -> Input:
    return {"customer": await desk.customer(), "kind": "call", "subject": "Hello"}


async def update_interaction(desk: Desk) -> Input:
    return {"id": await desk.make("logInteraction", "interaction", **await log(desk)), "subject": "Other"}


async def buy(desk: Desk) -> Input:
    lines = [{"sku": "S1", "quantity": 2, "unitPrice": {"amount": "9.50", "currency": "EUR"}}]
    return {"customer": await desk.customer(), "lines": lines, "currency": "EUR"}


async def purchase_there(desk: Desk) -> str:
    return await desk.make("recordPurchase", "interaction", **await buy(desk))


async def refund(desk: Desk) -> Input:
    return {"purchase": await purchase_there(desk), "amount": {"amount": "5.00", "currency": "EUR"}}


async def merge(desk: Desk) -> Input:
    loser = await buy(desk)
    await desk.make("recordPurchase", "interaction", **loser)
    return {"winner": await desk.customer(email="a@example.com"), "losers": [loser["customer"]]}


async def erase(desk: Desk) -> Input:
    bought = await buy(desk)
    await desk.make("recordPurchase", "interaction", **bought)
    return {"id": bought["customer"], "reason": "asked for"}


async def import_customers(desk: Desk) -> Input:
    names = [desk.new("Row") for _ in range(3)]
    return {"rows": [{"name": name, "source": "desk", "reference": name} for name in names]}


async def import_interactions(desk: Desk) -> Input:
    rows = [{**await buy(desk), "kind": "purchase", "source": "desk", "reference": desk.new("r")}]
    return {"rows": [*rows, {"kind": "note", "customer": rows[0]["customer"], "subject": "Said"}]}


INPUTS: Inputs = {
    "createCustomer": (create, "customer { name tags }"),
    "updateCustomer": (of(customer, name="Renamed"), "customer { name }"),
    "convertProspect": (of(customer), "customer { stage }"),
    "lapseCustomer": (of(buyer), "customer { stage }"),
    "returnCustomer": (of(former), "customer { stage }"),
    "archiveCustomer": (of(customer), "customer { id }"),
    "unarchiveCustomer": (archived, "customer { id }"),
    "assignOwner": (assign, "customer { owner { name } }"),
    "tagCustomers": (tag, "changed"),
    "addContactPoint": (add_point, "contactPoint { id }"),
    "updateContactPoint": (with_point(label="Office"), "contactPoint { label }"),
    "removeContactPoint": (with_point(), "customer { id }"),
    "setConsent": (with_point(consent="OPTED_IN", source="form"), "contactPoint { consent }"),
    "logInteraction": (log, "interaction { id }"),
    "updateInteraction": (update_interaction, "interaction { subject }"),
    "recordPurchase": (buy, "interaction { id customer { name } }"),
    "recordRefund": (refund, "interaction { id }"),
    "mergeCustomers": (merge, "losers"),
    "exportCustomer": (of(customer), "data"),
    "eraseCustomer": (erase, "receipt"),
    "importCustomers": (import_customers, "created failed"),
    "importInteractions": (import_interactions, "created failed"),
}
