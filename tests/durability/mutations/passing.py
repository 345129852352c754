"""What is passed on: to plugins, to jobs and to webhooks."""

import base64

from crm_framework.storage.ids import new_id

from .customers import buy, purchase_there
from .desk import Desk, Input, Inputs, of


async def replay(desk: Desk) -> Input:
    bought = await buy(desk)
    await desk.make("recordPurchase", "interaction", **bought)
    return {"plugin": "loyalty", "customer": bought["customer"]}


async def retry(desk: Desk) -> Input:
    await desk.run("replayEvents", await replay(desk), "count")
    return {"plugin": "loyalty"}


async def failed_job(desk: Desk) -> Input:
    key = new_id()
    async with desk.service.database.unit_of_work() as tx:
        await tx.execute(
            "INSERT INTO crm_job (id, name, payload, status, run_at, attempts, created_at)"
            " VALUES (?, 'desk.job', '{}', 'FAILED', ?, 3, ?)",
            [key, tx.now, tx.now],
        )
    return {"id": base64.b64encode(f"Job:{key}".encode()).decode()}


async def webhook(desk: Desk) -> Input:
    async with desk.service.database.unit_of_work() as tx:  # there may not be many
        await tx.execute("DELETE FROM crm_webhook_delivery")
        await tx.execute("DELETE FROM crm_webhook")
    return {"url": "https://hooks.invalid/"}  # nobody is there


async def webhook_there(desk: Desk) -> str:
    return await desk.make("createWebhook", "webhook", **await webhook(desk))


async def paused(desk: Desk) -> Input:
    id = await webhook_there(desk)
    await desk.run("pauseWebhook", {"id": id}, "webhook { id }")
    return {"id": id}


async def resend(desk: Desk) -> Input:
    id = await webhook_there(desk)
    await purchase_there(desk)
    latest = await desk.service.database.fetch("SELECT id FROM crm_event ORDER BY position DESC LIMIT 2")
    events = [base64.b64encode(f"Event:{row['id']}".encode()).decode() for row in latest]
    return {"id": id, "events": events}


INPUTS: Inputs = {
    "replayEvents": (replay, "count"),
    "retryDeliveries": (retry, "count"),
    "retryJob": (failed_job, "job { id }"),
    "createWebhook": (webhook, "webhook { id }"),
    "updateWebhook": (of(webhook_there, types=["customer.*"]), "webhook { types }"),
    "deleteWebhook": (of(webhook_there), "webhook { id }"),
    "rotateWebhookSecret": (of(webhook_there), "webhook { id }"),
    "pauseWebhook": (of(webhook_there), "webhook { status }"),
    "resumeWebhook": (paused, "webhook { status }"),
    "testWebhook": (of(webhook_there), "delivery { status }"),
    "replayWebhook": (resend, "count"),
}
