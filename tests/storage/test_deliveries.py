"""What is owed is delivered later, each event exactly once in effect, or parked."""

import asyncio
import json
import time
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from crm_framework.errors import CrmError, ErrorCode
from crm_framework.events import CORE_EVENTS, Event
from crm_framework.storage.clock import frozen, parse_time
from crm_framework.storage.database import Database
from crm_framework.storage.debts import MAX_ATTEMPTS, retry_after
from crm_framework.storage.deliveries import UNFINISHED, claim_due, deliver, deliver_due
from crm_framework.storage.events import EventTypes
from crm_framework.storage.ids import new_id
from crm_framework.storage.unit_of_work import UnitOfWork

from .owing import Careful, Plugin, add, change, names, owed, renamed, word, words

AT = datetime(2024, 3, 1, 12, tzinfo=UTC)
SOON = AT + timedelta(minutes=1)


async def owing(database: Database, *told: str, customer: str | None = None) -> Careful:
    """A handler that owes these events and no longer fails. Each is of another customer, if none is given."""
    careful = Careful(hard=set(told))
    database.handlers = [careful]
    with frozen(AT):
        for one in told:
            await change(database, renamed(customer or new_id(), one))
    careful.hard.clear()
    careful.calls.clear()
    return careful


def test_the_schedule_is_the_documented_one() -> None:
    waits = [retry_after(attempts).total_seconds() for attempts in range(1, MAX_ATTEMPTS)]
    assert waits == [10, 40, 160, 640, 2560, 10240, 21600, 21600, 21600]
    assert retry_after(0) == retry_after(1)
    assert retry_after(10_000) == timedelta(hours=6)


async def test_nothing_is_due_and_nothing_is_written(database: Database) -> None:
    await owing(database, "one")
    with frozen(AT), database.counting() as log:
        assert await deliver_due(database) == 0
    assert [sql.split()[0] for sql in log] == ["SELECT"]


async def test_what_is_due_is_delivered_together_and_is_gone(database: Database) -> None:
    careful = await owing(database, "one", "two", "three")
    with frozen(SOON):
        assert await deliver_due(database) == 3
    assert careful.calls == [["one", "two", "three"]]
    assert await owed(database) == []
    assert await names(database) == ["careful: one", "careful: three", "careful: two"]


async def test_the_limit_is_a_number_of_deliveries(database: Database) -> None:
    careful = await owing(database, *(str(number) for number in range(120)))
    with frozen(SOON):
        assert await deliver_due(database, 60) == 100
        assert [len(call) for call in careful.calls] == [50, 50]
        assert await deliver_due(database) == 20


async def test_one_that_fails_costs_the_others_nothing(database: Database) -> None:
    careful = await owing(database, "one", "two", "three")
    careful.hard = {"two"}
    with frozen(SOON):
        assert await deliver_due(database) == 2
        (left,) = await owed(database)
    assert careful.calls == [["one", "two", "three"], ["one"], ["two"], ["three"]]
    assert (left["word"], left["status"], left["attempts"]) == ("two", "PENDING", 2)
    assert left["error"] == "ValueError: two is too hard"
    assert parse_time(left["next_at"]) == SOON + timedelta(seconds=40)
    assert parse_time(left["tried_at"]) == SOON
    assert await names(database) == ["careful: one", "careful: three"]


async def test_it_is_tried_again_later_and_later_and_then_parked(database: Database) -> None:
    careful = await owing(database, "one")
    careful.hard = {"one"}
    at = AT
    for attempts in range(2, MAX_ATTEMPTS + 1):
        (left,) = await owed(database)
        assert parse_time(left["next_at"]) == at + retry_after(attempts - 1)
        at = parse_time(left["next_at"])
        with frozen(at - timedelta(seconds=1)):
            assert await deliver_due(database) == 0
        with frozen(at):
            assert await deliver_due(database) == 0
        assert len(careful.calls) == attempts - 1
    (left,) = await owed(database)
    assert (left["status"], left["attempts"]) == ("PARKED", MAX_ATTEMPTS)
    assert left["error"] == "ValueError: one is too hard"
    careful.hard.clear()
    with frozen(at + timedelta(days=365)):
        assert await deliver_due(database) == 0
    assert await names(database) == []


async def test_a_parked_one_holds_nobody_back(database: Database) -> None:
    ada = new_id()
    careful = await owing(database, "one", customer=ada)
    async with database.unit_of_work() as tx:
        await tx.execute("UPDATE crm_delivery SET status = 'PARKED'")
    await change(database, renamed(ada, "two"))
    assert careful.calls == [["two"]]


async def test_an_attempt_counts_before_it_begins(database: Database) -> None:
    """As if the process were killed between the two transactions, or in the middle of the second."""
    careful = await owing(database, "one")
    at = SOON
    for attempts in range(2, MAX_ATTEMPTS + 1):
        with frozen(at):
            (claim,) = await claim_due(database, 1)
            assert await claim_due(database, 1) == []
        (left,) = await owed(database)
        assert (left["attempts"], left["status"], left["error"]) == (attempts, "PENDING", UNFINISHED)
        assert list(claim.attempts.values()) == [attempts]
        at += timedelta(hours=7)
    with frozen(at):
        assert await claim_due(database, 1) == []
    assert await words(database, "status", "attempts", "error") == [("one", "PARKED", 10, UNFINISHED)]
    assert careful.calls == []


async def test_who_comes_too_late_leaves_it(database: Database) -> None:
    careful = await owing(database, "one")
    with frozen(SOON):
        (slow,) = await claim_due(database, 1)
    with frozen(SOON + timedelta(hours=1)):
        (fast,) = await claim_due(database, 1)
        assert await deliver(database, slow) == 0
        assert await deliver(database, fast) == 1
        assert await deliver(database, slow) == 0
        assert await deliver(database, fast) == 0
    assert careful.calls == [["one"]]


async def test_what_failed_twice_goes_alone(database: Database) -> None:
    careful = await owing(database, "one", "two", "three")
    async with database.unit_of_work() as tx:
        await tx.execute(
            "UPDATE crm_delivery SET attempts = 2 WHERE position = (SELECT min(position) FROM crm_delivery)"
        )
    with frozen(SOON):
        assert await deliver_due(database) == 3
    assert careful.calls == [["two", "three"], ["one"]]


async def hang(events: Sequence[Event], tx: UnitOfWork) -> None:
    await add(tx, "half done")
    await asyncio.Event().wait()


async def hang_in_a_statement(events: Sequence[Event], tx: UnitOfWork) -> None:
    await add(tx, "half done")
    numbers = "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n) SELECT max(i) FROM n"
    await tx.fetch(f"SELECT * FROM ({numbers}) AS f")


@pytest.mark.parametrize("react", [hang, hang_in_a_statement])
async def test_one_that_hangs_is_cut(database: Database, react: Any) -> None:
    await owing(database, "one")
    database.handlers = [Plugin("careful", react)]
    database.delivery_budget_ms = 50
    async with asyncio.timeout(60):
        with frozen(SOON):
            assert await deliver_due(database) == 0
    assert await words(database, "attempts", "error") == [("one", 2, "took longer than 50 ms")]
    assert await names(database) == []


async def test_one_that_blocks_is_waited_for_and_named(
    database: Database, caplog: pytest.LogCaptureFixture
) -> None:
    """Nobody can stop what lets nobody else run: it counts as handled, and the log tells whom to ask."""

    async def block(events: Sequence[Event], tx: UnitOfWork) -> None:
        await add(tx, "slept")
        time.sleep(0.2)  # noqa: ASYNC251  # that is what is tested

    await owing(database, "one")
    database.handlers = [Plugin("careful", block)]
    database.delivery_budget_ms = 20
    with frozen(SOON):
        assert await deliver_due(database) == 1
    assert await names(database) == ["slept"]
    assert "Plugin careful blocked the event loop for 0." in caplog.text


@pytest.mark.parametrize("caught", [True, False])
async def test_one_that_breaks_the_transaction_loses_what_it_wrote(
    database: Database, *, caught: bool
) -> None:
    async def breaks(events: Sequence[Event], tx: UnitOfWork) -> None:
        await add(tx, "half done")
        try:
            await tx.execute("INSERT INTO crm_delivery SELECT * FROM crm_delivery")
        except Exception:
            if not caught:
                raise

    await owing(database, "one", "two")
    database.handlers = [Plugin("careful", breaks)]
    with frozen(SOON):
        assert await deliver_due(database) == 0
    assert await words(database, "attempts", "status") == [("one", 2, "PENDING"), ("two", 2, "PENDING")]
    assert await names(database) == []


async def test_what_it_emits_goes_through_the_outbox(database: Database) -> None:
    ada = new_id()
    await owing(database, "one", customer=ada)
    heard = Careful("heard")

    async def tell(events: Sequence[Event], tx: UnitOfWork) -> None:
        tx.emit(*(renamed(ada, f"{word(event)}+") for event in events if "+" not in word(event)))

    database.handlers = [Plugin("careful", tell), heard]
    with frozen(SOON):
        assert await deliver_due(database) == 1
    assert heard.calls == [["one+"]]
    assert await owed(database) == []
    rows = await database.fetch("SELECT actor_kind FROM crm_audit ORDER BY id")
    assert len(rows) == 2
    # and one that fails on what was emitted owes that, and not what was delivered
    await owing(database, "two", customer=ada)
    heard.hard = {"two+"}
    database.handlers = [Plugin("careful", tell), heard]
    with frozen(SOON):
        assert await deliver_due(database) == 1
    assert await words(database, "handler", "attempts") == [("two+", "heard", 1)]


async def test_a_guard_that_refuses_what_it_emits_fails_the_attempt(database: Database) -> None:
    async def tell(events: Sequence[Event], tx: UnitOfWork) -> None:
        await add(tx, "half done")
        tx.emit(renamed(new_id(), "more"))

    async def refuse(events: Sequence[Event], tx: UnitOfWork) -> None:
        raise CrmError(ErrorCode.REFUSED, "No more.")

    await owing(database, "one")
    database.handlers = [Plugin("careful", tell)]
    database.guards = [Plugin("refuser", refuse)]
    with frozen(SOON):
        assert await deliver_due(database) == 0
    assert await words(database, "attempts", "error") == [("one", 2, "CrmError: No more.")]
    assert await names(database) == []


async def test_an_event_of_an_unknown_type_is_parked(database: Database) -> None:
    careful = await owing(database, "one", "two", "three")
    async with database.unit_of_work() as tx:
        keys = [row["id"] for row in await tx.fetch("SELECT id FROM crm_event ORDER BY id")]
        await tx.execute("UPDATE crm_event SET type = 'gone.happened' WHERE id = ?", [keys[0]])
        await tx.execute("UPDATE crm_event SET payload = ? WHERE id = ?", ['{"changes": 7}', keys[1]])
    database.event_types = EventTypes(CORE_EVENTS)
    with frozen(SOON):
        assert await deliver_due(database) == 1
    assert careful.calls == [["three"]]
    first, second = await database.fetch("SELECT status, error FROM crm_delivery ORDER BY position")
    assert first["status"] == second["status"] == "PARKED"
    assert first["error"] == (
        "The outbox holds an event of type 'gone.happened', which no enabled plugin declares."
        " Enable the plugin that made it."
    )
    assert second["error"].startswith("The event customer.updated does not fit its class: ")


async def test_a_transaction_that_is_lost_counts_as_an_attempt(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    careful = await owing(database, "one")
    opened = database.begin()
    await opened.close()
    session = type(opened)
    commit = session.commit
    broken = True

    async def lose(self: Any, gathered: Any) -> None:
        if broken and careful.calls:
            raise CrmError(ErrorCode.UNAVAILABLE, "The connection was lost.")
        await commit(self, gathered)

    monkeypatch.setattr(session, "commit", lose)
    with frozen(SOON), pytest.raises(CrmError, match="connection was lost"):
        await deliver_due(database)  # nor can it be noted
    broken = False
    assert await words(database, "attempts", "error") == [("one", 2, UNFINISHED)]
    with frozen(SOON + timedelta(hours=1)):
        assert await deliver_due(database) == 1
    assert await names(database) == ["careful: one"]


async def test_what_the_database_fails_in_before_is_no_attempt(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    await owing(database, "one")

    async def fail(*_: Any) -> None:
        raise CrmError(ErrorCode.UNAVAILABLE, "Another change holds these records for too long.")

    with frozen(SOON):
        (claim,) = await claim_due(database, 1)
        monkeypatch.setattr("crm_framework.storage.deliveries.held", fail)
        with pytest.raises(CrmError, match="too long"):
            await deliver(database, claim)
    assert await words(database, "attempts", "error") == [("one", 1, None)]


async def test_several_at_once_deliver_each_once(database: Database) -> None:
    ada = new_id()
    careful = await owing(database, *(f"a{number:02}" for number in range(20)), customer=ada)
    mixed = await owing(database, *(str(number) for number in range(200)))
    mixed.calls = careful.calls
    with frozen(SOON):
        await asyncio.gather(*(deliver_due(database) for _ in range(6)))
        await deliver_due(database)  # what one looked for while another had it in hand
    assert await owed(database) == []
    handled = await names(database)
    assert len(handled) == len(set(handled)) == 220
    order = [one for call in mixed.calls for one in call if one.startswith("a")]
    assert order == sorted(order)


async def test_what_is_owed_for_a_merged_customer_is_the_winners(database: Database) -> None:
    """A replay may owe events of a loser: merging moves what is owed then, not what may be one day."""
    loser, winner = new_id(), new_id()
    await owing(database, "one", customer=loser)
    async with database.unit_of_work() as tx:
        for key, into in ((winner, None), (loser, winner)):
            await tx.execute(
                "INSERT INTO crm_customer (id, version, kind, stage, name, sort_name, search_text,"
                " attributes, merged_into_id, created_at, updated_at)"
                " VALUES (?, 1, 'PERSON', 'PROSPECT', 'x', 'x', '', '{}', ?, ?, ?)",
                [key, into, tx.now, tx.now],
            )
    seen: list[Event] = []

    async def see(events: Sequence[Event], tx: UnitOfWork) -> None:
        seen.extend(events)

    database.handlers = [Plugin("careful", see)]
    with frozen(SOON):
        assert await deliver_due(database) == 1
    assert [event.customer_id for event in seen] == [winner]
    assert await database.fetch("SELECT customer_id FROM crm_event") == [{"customer_id": winner}]


async def test_what_a_failed_try_deferred_is_undone_too(database: Database) -> None:
    """The first try fails, and the second: the job comes once, from the third."""
    tries: list[int] = []

    async def react(events: Sequence[Event], tx: UnitOfWork) -> None:
        tries.append(len(events))
        tx.defer("test.job", {"try": len(tries)})
        if len(tries) < 3:
            tx.cancel_deferred("test.job", "kept")
            tx.emit(renamed(ada, "never"))
            raise ValueError("not yet")

    ada, heard = new_id(), list[Event]()
    async with database.unit_of_work() as tx:
        tx.defer("test.job", {"try": 0}, key="kept")
    database.watchers.append(heard.extend)
    database.handlers = [Plugin("deferring", react)]
    for minutes in (0, 10, 20):
        with frozen(AT + timedelta(minutes=minutes)):
            if minutes == 0:
                await change(database, renamed(ada, "once"))
            else:
                await deliver_due(database)
    assert tries == [1, 1, 1]
    jobs = await database.fetch(
        "SELECT payload, key_text FROM crm_job WHERE status = 'WAITING' ORDER BY payload"
    )
    assert [(json.loads(job["payload"])["try"], job["key_text"]) for job in jobs] == [(0, "kept"), (3, None)]
    assert [word(event) for event in heard] == ["once"]
