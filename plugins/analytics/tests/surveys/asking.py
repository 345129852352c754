"""Makes surveys, sends them and looks at what came of it."""

import re
from typing import Any

from crm_framework import NewContactPoint, NewCustomer, create_customer, encode_id
from crm_framework.testing import CrmClient, queued_messages, run_jobs

URL = "https://crm.example.com"
QUESTION = "Would you tell <friends>?"


async def change(client: CrmClient, mutation: str, select: str = "", **input_: Any) -> dict[str, Any]:
    """The payload of a mutation."""
    kind = mutation[0].upper() + mutation[1:]
    text = (
        f"mutation ($i: {kind}Input!) {{ {mutation}(input: $i) {{ {select}"
        " errors { code message path hint } } }"
    )
    payload: dict[str, Any] = (await client.data(text, i=input_))[mutation]
    return payload


async def done(client: CrmClient, mutation: str, select: str, **input_: Any) -> dict[str, Any]:
    """The same, of one that must succeed."""
    payload = await change(client, mutation, select, **input_)
    assert payload.pop("errors") == []
    return payload


async def person(
    client: CrmClient, name: str = "Ada", *, consent: str = "OPTED_IN", email: bool = True, **more: Any
) -> str:
    points = [NewContactPoint(channel="email", value=f"{name.lower()}@example.com", consent=consent)]
    async with client.service.database.unit_of_work() as tx:
        new = NewCustomer(name=name, contact_points=points if email else (), **more)
        return (await create_customer(tx, new)).id


async def survey(client: CrmClient, kind: str = "NPS", **more: Any) -> str:
    """The id of a new one."""
    given = {"name": f"After sale {kind}", "kind": kind, "question": QUESTION, **more}
    return str((await done(client, "createSurvey", "survey { id }", **given))["survey"]["id"])


def of(*customers: str) -> dict[str, Any]:
    """The filter that selects these."""
    return {"id": {"in": [encode_id("Customer", each) for each in customers]}}


RUN = """customers toAsk passedOver { reason customers }
    run { id customers finishedAt results { waiting sent answered failed passedOver responseRate value } }"""


async def send(client: CrmClient, key: str, *customers: str, **more: Any) -> dict[str, Any]:
    """Begins a run, and lets the job work it off."""
    found = await done(client, "sendSurvey", RUN, survey=key, filter=of(*customers), **more)
    await run_jobs(client)
    return found


async def asked(client: CrmClient, kind: str = "NPS", **more: Any) -> tuple[str, str, str]:
    """A customer who was asked by a survey: their key, the invitation's id, and the path of the link."""
    customer = await person(client)
    await send(client, await survey(client, kind, **more), customer)
    [row] = await rows(client, "SELECT id FROM analytics_invitation")
    return customer, encode_id("SurveyInvitation", str(row["id"])), await link(client)


async def link(client: CrmClient) -> str:
    """The path of the link in the last message."""
    text = (await queued_messages(client))[-1].text
    found = re.search(rf"{URL}(/plugins/analytics/survey/\S+)", text)
    assert found is not None
    return found[1]


async def own(client: CrmClient, customer: str) -> CrmClient:
    """The same application, asked with the customer's own token."""
    made = await done(
        client, "createToken", "secret", name="own", kind="CUSTOMER", customer=encode_id("Customer", customer)
    )
    return CrmClient(client.app, client.http, made["secret"])


async def rows(client: CrmClient, sql: str) -> list[dict[str, Any]]:
    return await client.service.database.fetch(sql)


async def told(client: CrmClient) -> list[tuple[Any, ...]]:
    """The answers as interactions."""
    found = await rows(
        client,
        "SELECT direction, channel, outcome, sentiment, body FROM crm_interaction WHERE kind = 'survey'"
        " ORDER BY id",
    )
    return [tuple(row.values()) for row in found]


async def kept(client: CrmClient) -> list[tuple[Any, ...]]:
    """State, reason, score and comment of all invitations."""
    found = await rows(
        client, "SELECT state, reason, score, comment FROM analytics_invitation ORDER BY created_at, id"
    )
    return [tuple(row.values()) for row in found]


ASKED = ("OUTBOUND", "email", "asked", None, None)
