"""Surveys are sent to whom a filter selects, as far as the contact rules allow, and to nobody twice."""

import asyncio
from datetime import timedelta
from typing import Any

import pytest
from crm_analytics.surveys import sending

from crm_framework import OutgoingMessage, encode_id, now
from crm_framework.testing import CrmClient, deliver_events, queued_messages, run_jobs

from .asking import ASKED, QUESTION, change, done, kept, of, own, person, rows, send, survey, told

RESULTS = """{ surveys { nodes {
    results { waiting sent answered failed passedOver responseRate value }
    runs { nodes { finishedAt passedOver { reason customers } invitations { totalCount } } } } } }"""


async def test_whoever_may_be_asked_is_asked_and_the_others_are_told(client: CrmClient) -> None:
    ada, out = await person(client), await person(client, "Out", consent="OPTED_OUT")
    none, gone = await person(client, "Eve", email=False), await person(client, "Gone")
    key = await survey(client, texts={"subject": "How are we?", "introduction": "Dear friend,"})
    async with client.service.database.unit_of_work() as tx:
        await client.service.host.erase_customer(gone, tx)
        await tx.execute("UPDATE crm_customer SET erased_at = ? WHERE id = ?", [tx.now, gone])
    everybody = (ada, out, none, gone)
    passed = [{"reason": "NO_ADDRESS", "customers": 1}, {"reason": "OPTED_OUT", "customers": 1}]
    trial = await send(client, key, *everybody, dryRun=True)
    assert trial == {"customers": 3, "toAsk": 1, "passedOver": passed, "run": None}
    assert await kept(client) == []

    begun = await done(
        client, "sendSurvey", "customers toAsk run { results { waiting } }", survey=key, filter=of(*everybody)
    )
    assert begun == {"customers": 3, "toAsk": 3, "run": {"results": {"waiting": 3}}}
    await run_jobs(client)
    [message] = await queued_messages(client)
    assert (message.to, message.subject, message.channel) == ("ada@example.com", "How are we?", "email")
    assert message.text.startswith(f"Dear friend,\n\n{QUESTION}\n\nYour answer takes a minute:\nhttps://")
    assert await told(client) == [ASKED]  # so that the contact rules count it
    [found] = (await client.data(RESULTS))["surveys"]["nodes"]
    assert found["results"] == {
        "waiting": 0, "sent": 1, "answered": 0, "failed": 0, "passedOver": 2, "responseRate": 0.0,
        "value": None,
    }  # fmt: skip
    [run] = found["runs"]["nodes"]
    assert run.pop("finishedAt") is not None
    assert run == {"passedOver": passed, "invitations": {"totalCount": 3}}
    types = [row["type"] for row in await rows(client, "SELECT type FROM crm_event ORDER BY position")]
    assert [name for name in types if name.startswith("analytics.")] == [
        "analytics.survey_changed",
        "analytics.survey_run_begun",
        "analytics.survey_asked",
        "analytics.survey_run_finished",
    ]


async def test_nobody_is_asked_twice_unless_that_is_wanted(client: CrmClient) -> None:
    key, ada, ben = await survey(client), await person(client), await person(client, "Ben")
    await send(client, key, ada)
    again = await send(client, key, ada, ben, idempotencyKey="again")
    assert (again["toAsk"], again["passedOver"]) == (1, [{"reason": "ASKED_ALREADY", "customers": 1}])
    repeated = await send(client, key, ada, ben, idempotencyKey="again")
    assert repeated["run"]["id"] == again["run"]["id"]
    assert len(await queued_messages(client)) == 2
    later = now() + timedelta(days=31)
    async with client.service.database.unit_of_work() as tx:
        await tx.execute("UPDATE analytics_invitation SET sent_at = ?", [later - timedelta(days=62)])
    assert (await send(client, key, ada, againAfterDays=90, dryRun=True))["toAsk"] == 0
    assert (await send(client, key, ada, againAfterDays=30))["toAsk"] == 1
    assert len(await queued_messages(client)) == 3


async def test_runs_at_the_same_moment_ask_each_customer_once(client: CrmClient) -> None:
    key, ada = await survey(client), await person(client)
    runs = await asyncio.gather(
        *[done(client, "sendSurvey", "toAsk", survey=key, filter=of(ada)) for _ in range(4)]
    )
    assert sorted(run["toAsk"] for run in runs) == [0, 0, 0, 1]
    await run_jobs(client)
    assert len(await queued_messages(client)) == 1


async def test_what_another_survey_asked_counts_for_the_contact_rules(client: CrmClient) -> None:
    await done(
        client, "createContactRule", "contactRule { id }", channel="email", maxTouches=1, windowHours=24
    )
    ada, ben = await person(client), await person(client, "Ben")
    for kind in ("NPS", "CSAT"):
        await done(client, "sendSurvey", "toAsk", survey=await survey(client, kind), filter=of(ada, ben))
    await run_jobs(client)  # both jobs at once
    assert sorted(str(one) for one in await kept(client)) == sorted(
        str((state, reason, None, None))
        for state, reason in [("SENT", None), ("PASSED_OVER", "CHANNEL_LIMIT")] * 2
    )


async def test_a_run_that_is_killed_goes_on_where_it_was(
    client: CrmClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sending, "BATCH", 2)
    names = ("Ada", "Ben", "Cleo", "Dora", "Emil")
    key, people = await survey(client), [await person(client, name) for name in names]
    await done(client, "sendSurvey", "toAsk", survey=key, filter=of(*people))
    batches = 0
    whole = sending.send_batch

    async def killed(tx: Any, run: str, settings: Any) -> bool:
        nonlocal batches
        batches += 1
        more = await whole(tx, run, settings)
        if batches == 2:
            raise ConnectionError("the machine went away before the commit")
        return more

    monkeypatch.setattr(sending, "send_batch", killed)
    await run_jobs(client, failing=True)
    assert len(await queued_messages(client)) == 2
    await run_jobs(client, at=now() + timedelta(minutes=5))
    assert sorted(message.to for message in await queued_messages(client)) == [
        f"{name.lower()}@example.com" for name in names
    ]
    assert batches == 5
    assert await told(client) == [ASKED] * 5
    assert [one[0] for one in await kept(client)] == ["SENT"] * 5


async def test_an_end_of_the_survey_passes_over_who_waits(client: CrmClient) -> None:
    key, ada = await survey(client), await person(client)
    await done(client, "sendSurvey", "toAsk", survey=key, filter=of(ada))
    closed = await done(client, "closeSurvey", "survey { activeUntil version }", survey=key)
    assert closed["survey"]["version"] == 2
    assert await done(client, "closeSurvey", "survey { activeUntil version }", survey=key) == closed
    await run_jobs(client)
    assert await kept(client) == [("PASSED_OVER", "CLOSED", None, None)]
    [error] = (await change(client, "sendSurvey", survey=key, filter=of(ada)))["errors"]
    assert (error["code"], error["path"]) == ("REFUSED", ["survey"])
    assert await queued_messages(client) == []


async def test_a_message_that_does_not_arrive_is_told_until_it_does(
    client: CrmClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    key, ada = await survey(client), await person(client)
    await send(client, key, ada)
    await run_jobs(client, sending=True, failing=True)  # nothing sends e-mail here
    await deliver_events(client)
    assert await kept(client) == [("FAILED", "NOT_DELIVERED", None, None)]
    assert (await send(client, key, ada, dryRun=True))["toAsk"] == 1  # it may be tried again

    async def carrier(message: OutgoingMessage) -> str:
        return "carrier"

    monkeypatch.setattr(client.service.host, "send", carrier)
    [job] = await rows(client, "SELECT id FROM crm_job WHERE name = 'crm.send_message'")
    await done(client, "retryJob", "job { name }", id=encode_id("Job", str(job["id"])))
    await run_jobs(client, sending=True)
    await deliver_events(client)
    assert await kept(client) == [("SENT", None, None, None)]
    assert await rows(client, "SELECT state, sent_by FROM crm_message") == [
        {"state": "SENT", "sent_by": "carrier"}
    ]


async def test_what_does_not_fit_is_refused(client: CrmClient) -> None:
    ada, key = await person(client), await survey(client)
    cases: list[tuple[dict[str, Any], list[str]]] = [
        ({"name": " "}, ["name"]),
        ({"question": "x" * 501}, ["question"]),
        ({"locale": "<b>"}, ["locale"]),
        ({"validDays": 0}, ["validDays"]),
        ({"texts": {"thanks": "x" * 2001}}, ["texts", "thanks"]),
        ({"activeFrom": "2026-01-02T00:00:00Z", "activeUntil": "2026-01-01T00:00:00Z"}, ["activeUntil"]),
    ]
    for wrong, path in cases:
        given: dict[str, Any] = {"name": "Other", "kind": "NPS", "question": "Well?", **wrong}
        [error] = (await change(client, "createSurvey", **given))["errors"]
        assert (error["code"], error["path"]) == ("BAD_INPUT", path)
        if "name" not in wrong:
            [error] = (await change(client, "updateSurvey", id=key, **wrong))["errors"]
            assert (error["code"], error["path"]) == ("BAD_INPUT", path)
    given = {"name": "After  sale NPS", "kind": "NPS", "question": "Again?"}
    [error] = (await change(client, "createSurvey", **given))["errors"]
    assert (error["code"], error["path"]) == ("CONFLICT", ["name"])
    for wrong, path in (({"channel": "pigeon"}, ["channel"]), ({"againAfterDays": 0}, ["againAfterDays"])):
        [error] = (await change(client, "sendSurvey", survey=key, filter=of(ada), **wrong))["errors"]
        assert (error["code"], error["path"]) == ("BAD_INPUT", path)
    assert await kept(client) == []


async def test_a_survey_is_changed_but_not_what_was_asked(client: CrmClient) -> None:
    key, ada = await survey(client), await person(client)
    select = "survey { version name question locale texts validDays }"
    changed = await done(
        client, "updateSurvey", select, id=key, question="Other?", locale="de", texts={"low": "nie"},
        expectedVersion=1,
    )  # fmt: skip
    assert changed["survey"] == {
        "version": 2, "name": "After sale NPS", "question": "Other?", "locale": "de", "texts": {"low": "nie"},
        "validDays": 30,
    }  # fmt: skip
    assert await done(client, "updateSurvey", select, id=key, question="Other?") == changed
    [error] = (await change(client, "updateSurvey", id=key, name="New", expectedVersion=1))["errors"]
    assert error["code"] == "CONFLICT"
    await send(client, key, ada)
    [error] = (await change(client, "updateSurvey", id=key, question="Third?"))["errors"]
    assert (error["code"], error["path"]) == ("REFUSED", ["question"])
    assert (await done(client, "updateSurvey", select, id=key, validDays=7))["survey"]["validDays"] == 7


async def test_without_links_nobody_is_asked(open_client: Any) -> None:
    client = await open_client("analytics", analytics={"survey_url": "https://crm.example.com"})
    ada = await person(client)
    [error] = (await change(client, "sendSurvey", survey=await survey(client), filter=of(ada)))["errors"]
    assert error["code"] == "REFUSED"
    assert "survey_secrets is not set" in error["message"]
    assert await kept(client) == []


async def test_who_may_do_what(client: CrmClient) -> None:
    ada, ben, key = await person(client), await person(client, "Ben"), await survey(client)
    reading = await client.acting_with("analytics.read", "customers.read")
    text = "mutation ($i: SendSurveyInput!) { sendSurvey(input: $i) { toAsk } }"
    [error] = await reading.errors(text, i={"survey": key, "filter": of(ada)})
    assert error["extensions"]["code"] == "FORBIDDEN"
    [error] = await reading.errors("{ surveys { nodes { invitations { nodes { score } } } } }")
    assert error["extensions"]["code"] == "FORBIDDEN"
    sees_none = await client.acting_with("analytics.surveys")
    [error] = await sees_none.errors(text, i={"survey": key, "filter": of(ada)})
    assert error["extensions"]["code"] == "FORBIDDEN"  # who is selected tells of customers
    assert await kept(client) == []
    await send(client, key, ada, ben)
    query = "{ me { customer { surveyInvitations { nodes { state score question kind } } } } }"
    seen = (await (await own(client, ada)).data(query))["me"]["customer"]["surveyInvitations"]["nodes"]
    assert seen == [{"state": "SENT", "score": None, "question": QUESTION, "kind": "NPS"}]


async def test_a_merge_asks_once_and_an_erasure_nobody(client: CrmClient) -> None:
    ada, twin = await person(client), await person(client, "Twin")
    key, gone = await survey(client), await person(client, "Gone")
    await done(client, "sendSurvey", "toAsk", survey=key, filter=of(ada, twin, gone))
    winner, losers = encode_id("Customer", ada), [encode_id("Customer", twin)]
    await done(client, "mergeCustomers", "losers", winner=winner, losers=losers)
    await done(client, "eraseCustomer", "receipt", id=encode_id("Customer", gone), reason="asked for")
    await run_jobs(client)
    assert [message.to for message in await queued_messages(client)] == ["ada@example.com"]
    assert sorted(one[:2] for one in await kept(client)) == [
        ("PASSED_OVER", "ERASED"), ("PASSED_OVER", "MERGED"), ("SENT", None),
    ]  # fmt: skip
    found = await rows(
        client, "SELECT customer_id, asked_id FROM analytics_invitation WHERE reason = 'ERASED'"
    )
    assert [tuple(row.values()) for row in found] == [(None, None)]
