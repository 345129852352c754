"""A message is there if the change is; whether it may be sent is decided before."""

import asyncio
from datetime import timedelta
from typing import Any

import pytest

from crm_framework import CrmError, ErrorCode, QueuedMessage, new_id, send_message, send_messages
from crm_framework.domain.contacts.rules import ContactRuleFields, create_contact_rule
from crm_framework.domain.interactions.touches import NewInteraction, log_interaction
from crm_framework.domain.models import Direction
from crm_framework.domain.privacy.erasure import erase_customer
from crm_framework.domain.privacy.merge import merge_customers
from crm_framework.settings import Settings
from crm_framework.storage.clock import now

from .conftest import Office, letter


async def test_it_is_stored_with_the_change(office: Office) -> None:
    ann = await office.customer()
    queued = await office.queue(customer_id=ann, key="tests.1", headers={"Auto-Submitted": "auto-generated"})
    row = await office.row()
    assert queued == QueuedMessage(id=row["id"], message_id=f"<{row['id']}@example.com>")
    assert (row["customer_id"], row["channel"], row["recipient"], row["subject"], row["text"]) == (
        *(ann, "email", "ann@example.com", "Hello", "Dear Ann,\n\nhello."),
    )
    assert (row["state"], row["attempts"], row["message_id"]) == ("QUEUED", 0, queued.message_id)
    assert (await office.told(), await office.jobs()) == ([("message.queued", ann)], ["WAITING"])
    (entry,) = await office.database.fetch(
        "SELECT subject_type, subject_id FROM crm_audit WHERE action = 'message.queued'"
    )
    assert (entry["subject_type"], entry["subject_id"]) == ("Message", queued.id)
    events = await office.database.fetch("SELECT payload FROM crm_event WHERE type = 'message.queued'")
    told = f"{events} {await office.database.fetch('SELECT * FROM crm_job')}"
    assert "ann@example.com" not in told
    assert "Dear" not in told
    assert office.server.taken == []


async def test_a_change_that_fails_tells_nobody(office: Office) -> None:
    with pytest.raises(RuntimeError):
        async with office.database.unit_of_work() as tx:
            await send_message(tx, letter())
            raise RuntimeError
    assert (await office.rows(), await office.jobs(), await office.told()) == ([], [], [])
    assert await office.work() == 0


async def test_under_one_key_there_is_one(office: Office) -> None:
    async with office.database.unit_of_work() as tx:
        first = await send_message(tx, letter(key="tests.1"))
        again = await send_message(tx, letter(key="tests.1", text="Something else."))
        third, other = await send_messages(tx, [letter(key="tests.1"), letter(key="tests.2")])
    later = await office.queue(key="tests.1")
    assert (first.repeated, again.repeated, later.repeated) == (False, True, True)
    assert {first.id} == {again.id, later.id, third.id}  # type: ignore[union-attr]  # it was not refused
    assert not other.repeated  # type: ignore[union-attr]  # it was not refused
    assert [row["text"] for row in await office.rows()] == ["Dear Ann,\n\nhello."] * 2
    assert await office.jobs() == ["WAITING"] * 2
    assert len(await office.told()) == 2


async def test_two_who_ask_at_the_same_moment_get_the_same(office: Office) -> None:
    keys = [f"tests.{number}" for number in range(5)]

    async def ask(order: list[str]) -> list[str]:
        async with office.database.unit_of_work() as tx:
            outcomes = await send_messages(tx, [letter(key=key) for key in order])
        return sorted(outcome.id for outcome in outcomes if isinstance(outcome, QueuedMessage))

    answers = await asyncio.gather(*(ask(keys if turn % 2 else keys[::-1]) for turn in range(8)))
    assert len({tuple(answer) for answer in answers}) == 1
    assert len(await office.rows()) == len(keys)
    assert len(await office.jobs()) == len(keys)


async def refused(office: Office, **more: Any) -> CrmError:
    before = await office.rows(), await office.jobs(), await office.told()
    with pytest.raises(CrmError) as caught:
        await office.queue(**more)
    assert (await office.rows(), await office.jobs(), await office.told()) == before
    return caught.value


async def test_consent_has_the_last_word(office: Office) -> None:
    ann = await office.customer(consent="OPTED_OUT")
    error = await refused(office, customer_id=ann)
    assert (error.code, error.path) == (ErrorCode.REFUSED, ("customerId",))
    assert error.message == "The customer is not to be contacted on email. The customer opted out of email."
    await office.queue(customer_id=ann, respect_policy=False)
    assert len(await office.rows()) == 1


async def test_no_consent_counts_as_the_settings_say(office: Office) -> None:
    ann, ben = await office.customer(), await office.customer("Ben", consent="OPTED_IN")
    office.database.settings = Settings(unknown_consent_allows=False)
    assert "No consent to email is known." in (await refused(office, customer_id=ann)).message
    await office.queue(customer_id=ben)


async def test_the_contact_rules_say_when(office: Office) -> None:
    ann = await office.customer()
    async with office.database.unit_of_work() as tx:
        await create_contact_rule(tx, ContactRuleFields(channel="email", max_touches=1, window_hours=24))
        touch = NewInteraction(customer_id=ann, kind="email", direction=Direction.OUTBOUND, occurred_at=now())
        await log_interaction(tx, touch)
    error = await refused(office, customer_id=ann)
    assert "1 of at most 1 touches on email within 24 hours." in error.message
    assert error.hint is not None
    assert error.hint.startswith(f"It is allowed from {now() + timedelta(days=1):%Y-%m-%dT%H}")
    await office.queue(customer_id=ann, respect_policy=False)


async def test_a_touch_counts_though_it_came_after_the_change_began(office: Office) -> None:
    """As one of another process does, for whose customer the change had to wait."""
    ann = await office.customer()
    async with office.database.unit_of_work() as tx:
        await create_contact_rule(tx, ContactRuleFields(channel="email", max_touches=1, window_hours=24))
        touch = NewInteraction(customer_id=ann, kind="email", direction=Direction.OUTBOUND, occurred_at=now())
        await log_interaction(tx, touch)
        with pytest.raises(CrmError, match="1 of at most 1 touches"):
            await send_message(tx, letter(customer_id=ann))


async def test_somebody_who_is_no_customer_is_asked_nothing(office: Office) -> None:
    await office.queue(to="eve@example.com")
    assert (await office.row())["customer_id"] is None
    assert await office.told() == [("message.queued", None)]


@pytest.mark.parametrize("respect_policy", [True, False])
async def test_nothing_goes_to_an_erased_customer(office: Office, respect_policy: bool) -> None:
    ann = await office.customer()
    async with office.database.unit_of_work() as tx:
        await erase_customer(tx, ann)
    error = await refused(office, customer_id=ann, respect_policy=respect_policy)
    assert (error.code, error.path) == (ErrorCode.REFUSED, ("customerId",))
    error = await refused(office, customer_id=new_id(), respect_policy=respect_policy)
    assert (error.code, error.path) == (ErrorCode.NOT_FOUND, ("customerId",))


async def test_a_merged_customer_is_the_winner(office: Office) -> None:
    ann, twin = await office.customer(), await office.customer("Anne")
    async with office.database.unit_of_work() as tx:
        await merge_customers(tx, ann, [twin])
    await office.queue(customer_id=twin)
    assert (await office.row())["customer_id"] == ann


@pytest.mark.parametrize(
    ("more", "path"),
    [
        ({"channel": "pigeon"}, ("channel",)),
        ({"to": "ann"}, ("to",)),
        ({"to": "ann@example.com, eve@example.com"}, ("to",)),
        ({"to": "ann@example.com\r\nBcc: eve@example.com"}, ("to",)),
        ({"to": ""}, ("to",)),
        ({"to": None}, ("to",)),
        ({"subject": "Hello\r\nBcc: eve@example.com"}, ("subject",)),
        ({"subject": "Hello\nBcc: eve@example.com"}, ("subject",)),
        ({"subject": "x" * 501}, ("subject",)),
        ({"text": ""}, ("text",)),
        ({"text": None}, ("text",)),
        ({"text": "nul \x00"}, ("text",)),
        ({"text": "half \ud800"}, ("text",)),
        ({"text": "x" * 100_001}, ("text",)),
        ({"reply_to": "ann@example.com\r\nBcc: eve@example.com"}, ("replyTo",)),
        ({"reply_to": "nobody"}, ("replyTo",)),
        ({"headers": {"X-Campaign": "a\r\nBcc: eve@example.com"}}, ("headers", "X-Campaign")),
        ({"headers": {"X-Campaign": "a\u2028b"}}, ("headers", "X-Campaign")),
        ({"headers": {"X-Campaign": 5}}, ("headers", "X-Campaign")),
        ({"headers": {"X-Campaign:": "a"}}, ("headers",)),
        ({"headers": {"X Campaign": "a"}}, ("headers",)),
        ({"headers": {"X-Campaign\r\nBcc": "a"}}, ("headers",)),
        ({"headers": {"Bcc": "eve@example.com"}}, ("headers", "Bcc")),
        ({"headers": {"FROM": "eve@example.com"}}, ("headers", "FROM")),
        ({"headers": {"Resent-To": '"'}}, ("headers", "Resent-To")),
        ({"headers": {"Content-Type": "text/html"}}, ("headers", "Content-Type")),
        ({"headers": {"X-A": "1", "x-a": "2"}}, ("headers", "x-a")),
        ({"headers": {f"X-{number}": "1" for number in range(51)}}, ("headers",)),
        ({"headers": "Bcc: eve@example.com"}, ("headers",)),
        ({"key": "x" * 201}, ("key",)),
    ],
)
async def test_what_cannot_be_sent_is_refused(
    office: Office, more: dict[str, Any], path: tuple[str, ...]
) -> None:
    error = await refused(office, **more)
    assert (error.code, error.path) == (ErrorCode.BAD_INPUT, path)


async def test_of_many_those_that_are_refused_stand_in_their_place(office: Office) -> None:
    ann, ben = await office.customer(), await office.customer("Ben", consent="OPTED_OUT")
    async with office.database.unit_of_work() as tx:
        outcomes = await send_messages(
            tx, [letter(customer_id=ann), letter(customer_id=ben), letter(to="nobody"), letter(key="tests.1")]
        )
    codes = [outcome.code if isinstance(outcome, CrmError) else None for outcome in outcomes]
    assert codes == [None, ErrorCode.REFUSED, ErrorCode.BAD_INPUT, None]
    assert len(await office.rows()) == 2


@pytest.mark.parametrize("count", [1, 40])
async def test_many_cost_no_statement_each(office: Office, count: int) -> None:
    keys = [await office.customer(f"C{number}") for number in range(count)]
    messages = [
        letter(customer_id=key, key=f"tests.{number}" if number % 2 else None)
        for number, key in enumerate(keys)
    ]
    async with office.database.unit_of_work() as tx:
        with office.database.counting() as statements:
            await send_messages(tx, messages)
    assert len(statements) <= 10, statements
