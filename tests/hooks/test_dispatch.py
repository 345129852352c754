"""The host's calls, over plugins written for the purpose; `tx` and `reader` are only handed through."""

import asyncio
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime
from typing import Any

import pytest

from crm_framework import Channel, CrmError, ErrorCode, InteractionKind, Permission, Window
from crm_framework.events import CustomerCreated
from crm_framework.hooks.apps import AppMigrations
from crm_framework.hooks.loaded import PluginStatus

from .conftest import PluginFolder

TX: Any = object()
HAPPENED = CustomerCreated(customer_id="c")
SETTINGS = "class Own(PluginSettings, frozen=True):\n    word: str = 'hello'\n"
DECLARED = 'plugin = Plugin(name="one", requires_api="1.0", summary="S.", settings=Own)\n'
ONE = "from crm_framework import *\n" + SETTINGS + DECLARED


async def test_a_handler_gets_its_own_settings(folder: PluginFolder) -> None:
    hook = "@hookimpl\nasync def on_events(settings, tx, events):\n    events.append((settings.word, tx))"
    folder.write("one", ONE + hook)
    host = folder.load("one", sections={"one": {"word": "ahoy"}})
    seen: list[Any] = []
    [handler] = host.handlers
    await handler(seen, TX)
    assert (handler.name, seen) == ("one", [("ahoy", TX)])


async def test_handlers_come_in_the_order_of_dependencies(folder: PluginFolder) -> None:
    text = "@hookimpl\nasync def on_events(events): ..."
    folder.write("alpha", text, 'uses=["omega"]')
    folder.write("omega", text)
    folder.write("middle", text)
    assert [handler.name for handler in folder.load("alpha", "middle", "omega").handlers] == [
        "middle",
        "omega",
        "alpha",
    ]


async def test_what_a_handler_raises_gets_out(folder: PluginFolder) -> None:
    folder.write("one", "@hookimpl\nasync def on_events():\n    raise ZeroDivisionError('by zero')")
    with pytest.raises(ZeroDivisionError):
        await folder.load("one").handlers[0]([], TX)


async def test_a_handler_that_exits_has_failed_and_no_more(folder: PluginFolder) -> None:
    folder.write("one", "@hookimpl\nasync def on_events():\n    raise SystemExit(3)")
    with pytest.raises(RuntimeError, match=r"it called sys\.exit\(3\)"):
        await folder.load("one").handlers[0]([], TX)


@pytest.mark.parametrize(
    "raised", ["KeyboardInterrupt", "BaseException('b')", "asyncio.CancelledError('mine')"]
)
async def test_nothing_that_a_hook_raises_ends_more_than_the_hook(folder: PluginFolder, raised: str) -> None:
    text = f"@hookimpl\nasync def NAME():\n    import asyncio\n    raise {raised}"
    folder.write("one", f"{text.replace('NAME', 'on_events')}\n{text.replace('NAME', 'before_change')}")
    host = folder.load("one")
    with pytest.raises(
        RuntimeError, match=rf"^it raised {raised.partition('(')[0].removeprefix('asyncio.')}"
    ):
        await host.handlers[0]([], TX)
    with pytest.raises(CrmError, match="The plugin one failed in before_change"):
        await host.guards[0]([], TX)


async def test_a_hook_whose_task_is_cancelled_goes_with_it(folder: PluginFolder) -> None:
    folder.write(
        "one", "@hookimpl\nasync def before_change():\n    import asyncio\n    await asyncio.sleep(60)"
    )
    task = asyncio.ensure_future(folder.load("one").guards[0]([], TX))
    await asyncio.sleep(0)
    task.cancel()
    await asyncio.wait([task])
    assert task.cancelled()


def test_ctrl_c_during_a_schema_ends_the_program(folder: PluginFolder) -> None:
    folder.write("one", "@hookimpl\ndef schema():\n    raise KeyboardInterrupt")
    with pytest.raises(KeyboardInterrupt):
        folder.load("one").schema_parts()


def test_a_schema_that_exits_takes_its_plugin_out(folder: PluginFolder) -> None:
    folder.write("one", "@hookimpl\ndef schema():\n    raise SystemExit(3)")
    host = folder.load("one")
    assert host.schema_parts() == ()
    plugin = host.get("one")
    assert plugin is not None
    assert plugin.status is PluginStatus.BROKEN
    assert plugin.reason == "Its hook schema failed: RuntimeError: it called sys.exit(3)."


async def test_a_guard_may_refuse_in_its_own_words(folder: PluginFolder) -> None:
    text = "@hookimpl\nasync def before_change():\n    raise CrmError(ErrorCode.REFUSED, 'No.', hint='Ask.')"
    folder.write("one", text)
    with pytest.raises(CrmError) as caught:
        await folder.load("one").guards[0]([], TX)
    assert (caught.value.code, caught.value.message, caught.value.hint) == (ErrorCode.REFUSED, "No.", "Ask.")


@pytest.mark.parametrize("hook", ["before_change", "merge_customers", "export_customer", "erase_customer"])
async def test_a_crash_is_masked_and_names_the_plugin(folder: PluginFolder, hook: str) -> None:
    folder.write("one", f"@hookimpl\nasync def {hook}():\n    raise ValueError('SELECT secret')")
    host = folder.load("one")
    calls: dict[str, Callable[[], Awaitable[object]]] = {
        "before_change": lambda: host.guards[0]([], TX),
        "merge_customers": lambda: host.merge_customers("winner", ["loser"], TX),
        "export_customer": lambda: host.export_customer("customer", TX),
        "erase_customer": lambda: host.erase_customer("customer", TX),
    }
    with pytest.raises(CrmError) as caught:
        await calls[hook]()
    assert caught.value.code is ErrorCode.INTERNAL
    assert caught.value.message == f"The plugin one failed in {hook}; nothing was changed."
    assert "secret" not in str(caught.value)


async def test_merge_export_and_erase_collect_by_plugin(folder: PluginFolder) -> None:
    text = """
@hookimpl
async def merge_customers(winner, losers): return {f"{plugin.name}_row": len(losers)}
@hookimpl
async def export_customer(customer_id): return {"rows": [customer_id]}
@hookimpl
async def erase_customer(customer_id, tx): return {f"{plugin.name}_row": 3}
"""
    folder.write("one", text)
    folder.write("two", text)
    host = folder.load("one", "two")
    assert await host.merge_customers("w", ["a", "b"], TX) == {"one": {"one_row": 2}, "two": {"two_row": 2}}
    assert await host.export_customer("w", TX) == {"one": {"rows": ["w"]}, "two": {"rows": ["w"]}}
    assert await host.erase_customer("w", TX) == {"one": {"one_row": 3}, "two": {"two_row": 3}}


async def test_a_refusal_to_merge_stops_at_once_and_names_the_plugin(folder: PluginFolder) -> None:
    folder.write(
        "one",
        "@hookimpl\nasync def merge_customers(): raise CrmError(ErrorCode.CONFLICT, 'Locked.', hint='Wait.')",
    )
    folder.write("two", "called = []\n@hookimpl\nasync def merge_customers(): called.append(1)")
    host = folder.load("one", "two")
    with pytest.raises(CrmError) as caught:
        await host.merge_customers("w", ["a"], TX)
    assert (caught.value.code, caught.value.message, caught.value.hint) == (
        ErrorCode.CONFLICT,
        "The plugin one refused: Locked.",
        "Wait.",
    )
    two = host.get("two")
    assert two is not None
    assert vars(two.module)["called"] == []


@pytest.mark.parametrize("answer", ["None", "[]", "{'one_row': 'three'}"])
async def test_an_answer_of_another_shape_stops_the_merge(folder: PluginFolder, answer: str) -> None:
    folder.write("one", f"@hookimpl\nasync def merge_customers(): return {answer}")
    with pytest.raises(CrmError, match="The plugin one did not answer merge_customers as it should"):
        await folder.load("one").merge_customers("w", ["a"], TX)


TIMELINE = """
from datetime import datetime, UTC
@hookimpl
async def timeline(customer_ids, limit, kinds):
    return [
        TimelineEntry(id=f"{{n}}", customer_id=c, at=datetime(2024, 1, n, tzinfo=UTC), kind="k", title="T")
        for c in customer_ids for n in {days}
    ]
"""


async def test_timelines_are_merged_newest_first(folder: PluginFolder) -> None:
    folder.write("one", TIMELINE.format(days=[3, 1]))
    folder.write("two", TIMELINE.format(days=[2]))
    timeline = await folder.load("one", "two").timeline(["c"], None, 2, None, TX)
    assert [(entry.plugin, entry.at) for entry in timeline.entries] == [
        ("one", datetime(2024, 1, 3, tzinfo=UTC)),
        ("two", datetime(2024, 1, 2, tzinfo=UTC)),
        ("one", datetime(2024, 1, 1, tzinfo=UTC)),
    ]
    assert timeline.failures == {}


@pytest.mark.parametrize(
    "body",
    [
        "raise ValueError('secret')",
        "return None",
        "return [TimelineEntry(id='1', customer_id='x', at=None, kind='k', title='T')]",
        "return [TimelineEntry(id='1', customer_id='c', at=None, kind='k', title='T')] * 2",
    ],
)
async def test_a_timeline_that_fails_costs_only_its_own_entries(folder: PluginFolder, body: str) -> None:
    folder.write("one", f"@hookimpl\nasync def timeline(limit):\n    {body}")
    folder.write("two", TIMELINE.format(days=[2]))
    timeline = await folder.load("one", "two").timeline(["c"], None, 1, None, TX)
    assert [entry.plugin for entry in timeline.entries] == ["two"]
    assert timeline.failures == {"one": "The entries of the plugin one are missing: it failed."}


JANUARY = Window(datetime(2024, 1, 1, tzinfo=UTC), datetime(2024, 2, 1, tzinfo=UTC), "Europe/Berlin")
FIGURE = """
@hookimpl
async def figures(window, group_by):
    return [Figure("cases", "How many.", 3, group=group_by)]
"""


async def test_figures_of_all_plugins_come_under_their_names(folder: PluginFolder) -> None:
    folder.write("one", FIGURE)
    folder.write("two", FIGURE)
    host = folder.load("one", "two")
    told = await host.figures(JANUARY, "month", TX)
    assert [(figure.plugin, figure.name, figure.value, figure.group) for figure in told.found] == [
        ("one", "cases", 3, "month"),
        ("two", "cases", 3, "month"),
    ]
    assert told.failures == {}
    assert [figure.plugin for figure in (await host.figures(JANUARY, None, TX, without={"one"})).found] == [
        "two"
    ]


@pytest.mark.parametrize(
    "body",
    [
        "raise ValueError('secret')",
        "return None",
        "return [3]",
        "return [Figure('cases', 'How many.', float('nan'))]",
        "return [Figure('cases', 'How many.', '3')]",
        "return [Figure('cases', 'How many.', 3, n=True)]",
        "return [Figure('cases', 'How many.', 3)] * 2",
        "return [Figure(f'cases{n}', 'How many.', n) for n in range(10_001)]",
        "import sys; sys.exit()",
    ],
)
async def test_figures_that_fail_cost_only_their_own(folder: PluginFolder, body: str) -> None:
    folder.write("one", f"@hookimpl\nasync def figures(window):\n    {body}")
    folder.write("two", FIGURE)
    told = await folder.load("one", "two").figures(JANUARY, None, TX)
    assert [figure.plugin for figure in told.found] == ["two"]
    assert told.failures == {"one": "The figures of the plugin one are missing: it failed."}


SIGNAL = """
from datetime import datetime, UTC
asked = []
@hookimpl
async def signals(customer_ids):
    asked.append(list(customer_ids))
    return [
        Signal(customer_ids[0], "complaint", datetime(2024, 1, n, tzinfo=UTC), "Open") for n in {days}
    ]
"""


async def test_signals_are_grouped_by_customer_newest_first(folder: PluginFolder) -> None:
    folder.write("one", SIGNAL.format(days=[3, 1]))
    folder.write("two", SIGNAL.format(days=[2, 3]))
    host = folder.load("one", "two")
    told = await host.signals(["c", "d", "c"], TX)
    assert {
        key: [(signal.plugin, signal.at.day) for signal in signals]
        for key, signals in told.by_customer.items()
    } == {"c": [("one", 3), ("two", 3), ("two", 2), ("one", 1)], "d": []}
    assert told.failures == {}
    one: Any = host.enabled[0].module
    assert one.asked == [["c", "d"]]


async def test_whom_a_plugin_has_signals_about_that_fails_is_missing(folder: PluginFolder) -> None:
    head = "@hookimpl\nasync def signalled(reader):\n    "
    folder.write("one", f"{head}raise ValueError('secret')")
    folder.write("two", f"{head}return Fragment('t.name = ?', ('Ada',))")
    folder.write("three", f"{head}return None")
    folder.write("four", f"{head}return 't.name = 1'")
    told = await folder.load("one", "two", "three", "four").signalled(TX)
    assert {name: (one.sql, one.args) for name, one in told.conditions.items()} == {
        "two": ("t.name = ?", ("Ada",))
    }
    assert told.failures == {
        name: f"The signals of the plugin {name} are missing: it failed." for name in ("four", "one")
    }


async def test_of_many_signals_the_newest_are_kept(folder: PluginFolder) -> None:
    body = (
        "Signal('c', 'k', datetime(2024, 1, 1, 0, n // 60, n % 60, tzinfo=UTC), str(n)) for n in range(150)"
    )
    folder.write("one", f"from datetime import *\n@hookimpl\nasync def signals():\n    return [{body}]")
    told = await folder.load("one").signals(["c"], TX)
    assert [signal.text for signal in told.by_customer["c"]] == [str(n) for n in range(149, 49, -1)]


async def test_nobody_is_asked_about_no_customer(folder: PluginFolder) -> None:
    folder.write("one", "@hookimpl\nasync def signals(): raise ValueError")
    told = await folder.load("one").signals([], TX)
    assert (told.by_customer, told.failures) == ({}, {})


@pytest.mark.parametrize(
    "body",
    [
        "raise ValueError('secret')",
        "return None",
        "return [Signal('x', 'complaint', datetime.now(UTC), 'Of another.')]",
        "return [Signal('c', 'complaint', datetime(2024, 1, 1), 'Without a zone.')]",
        "return [Signal('c', 'complaint', None, 'Never.')]",
    ],
)
async def test_signals_that_fail_cost_only_their_own(folder: PluginFolder, body: str) -> None:
    head = "from datetime import datetime, UTC\n@hookimpl\nasync def signals(customer_ids):\n"
    folder.write("one", f"{head}    {body}")
    folder.write("two", SIGNAL.format(days=[2]))
    told = await folder.load("one", "two").signals(["c"], TX)
    assert [signal.plugin for signal in told.by_customer["c"]] == ["two"]
    assert told.failures == {"one": "The signals of the plugin one are missing: it failed."}


@pytest.mark.parametrize(
    ("start", "end", "zone", "path"),
    [
        (datetime(2024, 1, 1), datetime(2024, 2, 1, tzinfo=UTC), "UTC", "start"),
        (datetime(2024, 1, 1, tzinfo=UTC), datetime(2024, 2, 1), "UTC", "end"),
        (datetime(2024, 2, 1, tzinfo=UTC), datetime(2024, 2, 1, tzinfo=UTC), "UTC", "end"),
        (datetime(2024, 1, 1, tzinfo=UTC), datetime(2024, 2, 1, tzinfo=UTC), "Mars/Olympus", "timeZone"),
        (datetime(2024, 1, 1, tzinfo=UTC), datetime(2024, 2, 1, tzinfo=UTC), "/etc/passwd", "timeZone"),
        (datetime(2024, 1, 1, tzinfo=UTC), datetime(2024, 2, 1, tzinfo=UTC), "", "timeZone"),
    ],
)
def test_a_window_that_is_none_is_refused(start: datetime, end: datetime, zone: str, path: str) -> None:
    with pytest.raises(CrmError) as caught:
        Window(start, end, zone)
    assert (caught.value.code, caught.value.path) == (ErrorCode.BAD_INPUT, ("window", path))


def test_schema_parts_come_by_plugin_and_a_failing_one_goes(folder: PluginFolder) -> None:
    folder.write("one", "@hookimpl\ndef schema(settings): return ['parts of one']")
    folder.write("two", "@hookimpl\ndef schema(settings): raise ValueError('a\\nb')")
    folder.write("three", "@hookimpl\ndef schema(): return ['parts of three']", 'requires=["two"]')
    folder.write("four")
    host = folder.load("one", "two", "three", "four")
    parts: Any = host.schema_parts()
    assert parts == (("one", ["parts of one"]),)
    two, three = host.get("two"), host.get("three")
    assert two is not None
    assert three is not None
    assert (two.status, two.reason) == (PluginStatus.BROKEN, "Its hook schema failed: ValueError: a.")
    assert (three.status, three.reason) == (PluginStatus.BLOCKED, "It requires two, which is broken.")


def test_refusing_a_plugin_takes_out_those_that_require_it(folder: PluginFolder) -> None:
    handler = "@hookimpl\nasync def on_events(): ..."
    folder.write("base", handler)
    folder.write("needs", handler, 'requires=["base"]')
    folder.write("uses", handler, 'uses=["base"]')
    host = folder.load("base", "needs", "uses")
    host.refuse("base", "It clashes.", "Rename it.")
    assert [entry.name for entry in host.enabled] == ["uses"]
    assert [found.name for found in host.handlers] == ["uses"]
    base, needs = host.get("base"), host.get("needs")
    assert base is not None
    assert needs is not None
    assert (base.status, base.reason, base.hint) == (PluginStatus.REFUSED, "It clashes.", "Rename it.")
    assert (needs.status, needs.reason, needs.hint) == (
        PluginStatus.BLOCKED,
        "It requires base, which is refused.",
        "Mend base first: It clashes.",
    )


def test_what_plugins_declare_is_collected(folder: PluginFolder) -> None:
    folder.write(
        "one",
        arguments='kinds=[InteractionKind("demo", "D.")], channels=[Channel("pigeon", "P.")], '
        'permissions=[Permission("one.see", "See.")]',
    )
    folder.write("off", arguments='kinds=[InteractionKind("other", "O.")]')
    host = folder.load("one")
    assert host.kinds == (InteractionKind("demo", "D."),)
    assert host.channels == (Channel("pigeon", "P."),)
    assert host.permissions == (Permission("one.see", "See."),)
    assert host.events == ()


def test_tables_of_plugins_come_after_those_they_depend_on(folder: PluginFolder) -> None:
    tables = 'models="tortoise", migrations="m_{0}", {1}'
    folder.write("one", arguments=tables.format("one", 'uses=["two", "three", "four"]'))
    folder.write("two", arguments=tables.format("two", ""))
    folder.write("three")
    assert folder.load("one", "two", "three").app_migrations() == (
        AppMigrations(label="two", models="tortoise", migrations="m_two", depends_on=()),
        AppMigrations(label="one", models="tortoise", migrations="m_one", depends_on=("two",)),
    )


async def test_calls_are_traced_on_demand(
    folder: PluginFolder, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    text = "@hookimpl\nasync def on_events(events): 1 / 0\n@hookimpl\ndef schema(): return []"
    folder.write("one", text)
    host = folder.load("one")
    host.schema_parts()
    assert capsys.readouterr().err == ""
    monkeypatch.setenv("CRM_TRACE_HOOKS", "1")
    host.schema_parts()
    with pytest.raises(ZeroDivisionError):
        await host.handlers[0]([HAPPENED, HAPPENED], TX)
    lines = capsys.readouterr().err.splitlines()
    assert [line.rsplit(" ", 2)[0] for line in lines] == [
        "hook one.schema() done",
        "hook one.on_events(events[2]) ZeroDivisionError",
    ]
