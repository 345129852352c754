"""Handlers that want only some events, or have all of them after the change."""

import logging
from datetime import UTC, datetime, timedelta

import pytest

from crm_framework.events import Event
from crm_framework.hooks.specs import Handling
from crm_framework.storage.clock import frozen, parse_time
from crm_framework.storage.database import Database
from crm_framework.storage.deliveries import deliver_due
from crm_framework.storage.ids import new_id

from .owing import Careful, change, names, owed, renamed, word, words

AT = datetime(2024, 3, 1, 12, 0, 0, 250_000, tzinfo=UTC)
NEXT = datetime(2024, 3, 1, 12, 0, 1, tzinfo=UTC)


def no_twos(event: Event) -> bool:
    return word(event) != "two"


async def statements(database: Database, *told: str) -> int:
    """How many a change takes that tells this."""
    key = new_id()
    with frozen(AT), database.counting() as log:
        await change(database, *(renamed(key, one) for one in told))
    return len(log)


async def test_what_is_for_later_costs_one_row_and_is_due_with_the_next_second(database: Database) -> None:
    alone = await statements(database, "one")
    careful = Careful()
    database.handlers, database.handling = [careful], {"careful": Handling(later=True)}
    assert await statements(database, "one") == alone + 1
    assert careful.calls == []
    (row,) = await owed(database)
    assert (row["status"], row["attempts"], row["error"], row["tried_at"]) == ("PENDING", 0, None, None)
    assert parse_time(row["next_at"]) == NEXT
    with frozen(NEXT - timedelta(microseconds=1)):
        assert await deliver_due(database) == 0
    with frozen(NEXT):
        assert await deliver_due(database) == 1
    assert (careful.calls, await names(database)) == ([["one"]], ["careful: one"])
    assert await owed(database) == []


async def test_a_failure_later_is_like_any_other(database: Database) -> None:
    careful = Careful(hard={"one"})
    database.handlers, database.handling = [careful], {"careful": Handling(later=True)}
    await statements(database, "one", "two")
    with frozen(NEXT):
        assert await deliver_due(database) == 0
    assert await words(database, "attempts") == [("one", 1), ("two", 0)]
    careful.hard.clear()
    with frozen(NEXT + timedelta(seconds=10)):
        assert await deliver_due(database) == 2
    assert careful.calls == [["one"], ["one"], ["two"]]
    assert await names(database) == ["careful: one", "careful: two"]


async def test_what_is_not_wanted_costs_nothing(database: Database) -> None:
    alone = await statements(database, "two")
    careful = Careful()
    database.handlers = [careful]
    for later in (False, True):
        database.handling = {"careful": Handling(wanted=no_twos, later=later)}
        assert await statements(database, "two") == alone
    assert (careful.calls, await owed(database)) == ([], [])
    database.handling = {"careful": Handling(wanted=no_twos)}
    await statements(database, "one", "two", "three")
    assert careful.calls == [["one", "three"]]


async def test_others_do_not_look_at_what_is_for_later(database: Database) -> None:
    careful, slow = Careful(), Careful("slow")
    database.handlers, database.handling = [careful, slow], {"slow": Handling(later=True)}
    first = await statements(database, "one")
    assert len(await owed(database)) == 1
    assert await statements(database, "two") == first
    assert careful.calls == [["one"], ["two"]]


async def test_a_plugin_that_cannot_say_gets_everything(
    database: Database, caplog: pytest.LogCaptureFixture
) -> None:
    def broken(event: Event) -> bool:
        raise ValueError("which?")

    careful = Careful()
    database.handlers, database.handling = [careful], {"careful": Handling(wanted=broken)}
    with caplog.at_level(logging.ERROR):
        await statements(database, "one")
    assert careful.calls == [["one"]]
    assert "Plugin careful does not say which events it wants" in caplog.text
