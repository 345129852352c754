"""What the tickets of a time come to."""

from array import array
from collections.abc import Sequence
from datetime import timedelta

import pytest
from crm_ticketing.clocks.measures import Measured, Measures, as_text, measures_from
from crm_ticketing.report.rules import (
    Group,
    Share,
    breaches,
    first_contact,
    overdue,
    percentiles,
    together,
)
from crm_ticketing.surveys.rules import satisfaction
from hypothesis import given
from hypothesis import strategies as st

from crm_framework import now
from crm_framework.testing import CrmClient, frozen

from .desk import change, customer, opened, staff
from .support import at, calendar, policy, reply, status

NOW = 1_000
FIRST, NEXT = 0, 1
"""Places of kinds of clocks."""


def group_of(
    clocks: Sequence[Measured] = (), *, answers: int = 0, reopened: int = 0, resolved: bool = False
) -> Group:
    group = Group()
    group.add(Measures(answers, reopened, clocks), NOW, resolved=resolved)
    return group


def clock(seconds: int | None, *, settled: bool = True, breach: int | None = None) -> Measured:
    return Measured(FIRST, seconds, settled, breach)


def percentile(values: Sequence[int], percent: int) -> int | None:
    counting = percentiles(array("I", values), [percent])
    while True:
        try:
            next(counting)
        except StopIteration as done:
            [found] = done.value
            return None if found is None else int(found)


@given(st.lists(st.integers(0, 20_000) | st.integers(0, 2**32 - 1), min_size=1), st.integers(1, 100))
def test_a_percentile_is_the_smallest_value_that_enough_are_not_above(
    values: list[int], percent: int
) -> None:
    found = percentile(values, percent)
    assert found is not None
    below = sum(1 for one in values if one <= found)
    assert below * 100 >= percent * len(values)
    smaller = [one for one in values if one < found]
    assert len(smaller) * 100 < percent * len(values)


def test_of_none_there_is_no_figure() -> None:
    assert percentile([], 50) is None
    assert Share(0, 0).value is None
    assert satisfaction({}).csat is None
    assert breaches(Group()) == Share(0, 0)


def test_the_breach_rate_is_of_settled_clocks_and_running_ones_are_told_apart() -> None:
    group = group_of(
        [
            clock(1),
            clock(2, breach=5),
            clock(None, breach=5),
            clock(None, settled=False, breach=NOW - 1),
            clock(None, settled=False, breach=NOW),
            clock(None, settled=False),
        ]
    )
    assert breaches(group) == breaches(group, FIRST) == Share(2, 3)
    assert overdue(group) == overdue(group, FIRST) == Share(1, 3)
    assert breaches(group, NEXT) == overdue(group, NEXT) == Share(0, 0)
    assert [list(taken) for taken in group.taken[:2]] == [[1, 2], []]


def test_measures_are_read_as_they_were_written() -> None:
    measures = Measures(2, 1, [clock(7, breach=5), clock(None, settled=False)])
    read = measures_from(as_text(measures))
    assert read._replace(clocks=[Measured(*one) for one in read.clocks]) == measures
    assert measures_from(as_text(None)) == Measures(0, 0, ())


def test_first_contact() -> None:
    groups = [
        group_of(resolved=True, answers=1),
        group_of(resolved=True, answers=0),
        group_of(resolved=True, answers=2),
        group_of(resolved=True, answers=1, reopened=1),
        group_of(answers=1),
    ]
    assert first_contact(together(groups, Share(0, 0))) == Share(2, 4)


def test_groups_together_are_as_one_group_of_all() -> None:
    late = Measured(NEXT, 2, settled=True, breach=5)
    running = clock(None, settled=False, breach=1)
    each = [group_of([clock(1), late], resolved=True), group_of([late, running], answers=2), group_of()]
    whole = Group(continuity=Share(1, 2))
    for group, clocks, answers in zip(each, ([clock(1), late], [late, running], []), (0, 2, 0), strict=True):
        group.ages["OLDER"] += 1
        group.ratings[5] += 2
        whole.add(Measures(answers, 0, clocks), NOW, resolved=group.resolved == 1)
    whole.ages["OLDER"], whole.ratings[5] = 3, 6
    assert together(each, Share(1, 2)) == whole


REPORT = """query ($window: TicketingWindow!, $by: TicketGroup) {
  ticketingReport(window: $window, groupBy: $by) { groups {
    name opened resolved firstContactResolution { value part whole } ownerContinuity { value part whole }
    breached { part whole } overdue { part whole } satisfied { value part whole } averageRating
    backlog { age count } times { clock count p50 breached { part whole } overdue { part whole } } } } }"""


def window() -> dict[str, str]:
    at = now()
    return {"from": (at - timedelta(days=1)).isoformat(), "to": (at + timedelta(days=1)).isoformat()}


async def test_the_report(client: CrmClient) -> None:
    ada, grace = await customer(client), await staff(client)
    first, second = await opened(client, ada, category="complaint"), await opened(client, ada)
    for ticket in (first, second):
        await change(client, "assignTicket", ticket=ticket, assignee=grace)
    await change(client, "replyToTicket", ticket=first, body="Here is a new one.")
    await change(client, "changeTicketStatus", ticket=first, status="RESOLVED")
    await change(client, "rateTicket", ticket=first, rating=5, comment="Good.")
    found = await client.data(REPORT, window=window())
    [whole] = found["ticketingReport"]["groups"]
    assert (whole["opened"], whole["resolved"], whole["averageRating"]) == (2, 1, 5.0)
    assert whole["firstContactResolution"] == {"value": 1.0, "part": 1, "whole": 1}
    assert whole["ownerContinuity"] == {"value": 1.0, "part": 2, "whole": 2}
    assert whole["satisfied"] == {"value": 1.0, "part": 1, "whole": 1}
    assert [one["count"] for one in whole["backlog"]] == [1, 0, 0, 0, 0]
    by = await client.data(REPORT, window=window(), by="CATEGORY")
    assert [(one["name"], one["opened"]) for one in by["ticketingReport"]["groups"]] == [
        ("complaint", 1),
        ("question", 1),
    ]
    agents = await client.data(REPORT, window=window(), by="AGENT")
    assert [(one["name"], one["opened"]) for one in agents["ticketingReport"]["groups"]] == [("Grace", 2)]


async def test_ages_of_open_tickets(client: CrmClient) -> None:
    """What is exactly a day old is not under a day old."""
    ada, moment = await customer(client), now()
    for age in (timedelta(0), timedelta(days=1), timedelta(days=29), timedelta(days=30), timedelta(days=400)):
        with frozen(moment - age):
            await opened(client, ada)
    with frozen(moment):
        found = await client.data(REPORT, window=window())
    [whole] = found["ticketingReport"]["groups"]
    assert {one["age"]: one["count"] for one in whole["backlog"]} == {
        "UNDER_1_DAY": 1,
        "UNDER_3_DAYS": 1,
        "UNDER_7_DAYS": 0,
        "UNDER_30_DAYS": 1,
        "OLDER": 2,
    }


async def test_clocks_and_hands_as_they_are_kept(client: CrmClient, monkeypatch: pytest.MonkeyPatch) -> None:
    """Over several portions, by the API, by the hook for other plugins and by the command: one answer."""
    from crm_ticketing.report.figures import figures

    from crm_framework import Window

    monkeypatch.setattr("crm_ticketing.report.store.PORTION", 2)
    with at(hours=0):
        await policy(client, await calendar(client), {"FIRST_RESPONSE": "PT1H", "TOTAL_RESOLUTION": "PT4H"})
        ada, bob = await customer(client), await customer(client, "Bob")
        grace, alan = await staff(client, "Grace"), await staff(client, "Alan")
        tickets = [await opened(client, one) for one in (ada, ada, ada, bob, bob)]
        for ticket, who in zip(tickets, (grace, grace, alan, grace, alan), strict=True):
            await change(client, "assignTicket", ticket=ticket, assignee=who)
    for hours, ticket in ((0.5, tickets[0]), (2, tickets[1])):
        with at(hours=hours):
            await reply(client, ticket)
    with at(hours=3):
        await status(client, tickets[0], "RESOLVED")
        await status(client, tickets[2], "RESOLVED")
    with at(hours=3.5):
        await change(client, "mergeTickets", winner=tickets[3], losers=[tickets[4]])
    with at(hours=5) as moment:
        asked = {"from": (moment - timedelta(days=1)).isoformat(), "to": moment.isoformat()}
        [whole] = (await client.data(REPORT, window=asked))["ticketingReport"]["groups"]
        told = await figures(Window(moment - timedelta(days=1), moment), "agent", client.service.database)
        ran = await client.command(
            "ticketing", "report", "--from", "2026-03-01", "--to", f"{moment:%Y-%m-%dT%H:%M:%S}"
        )
    first, total = whole["times"][0], whole["times"][3]
    assert (whole["opened"], whole["resolved"]) == (4, 2)
    assert first["breached"] == {"part": 2, "whole": 3}
    assert first["overdue"] == {"part": 1, "whole": 1}
    assert (first["count"], first["p50"]) == (3, "PT2H")
    assert total["breached"] == {"part": 0, "whole": 2}
    assert total["overdue"] == {"part": 2, "whole": 2}
    assert whole["breached"] == {"part": 2, "whole": 5}
    assert whole["overdue"] == {"part": 3, "whole": 3}
    assert whole["ownerContinuity"] == {"value": 2 / 3, "part": 2, "whole": 3}
    by_name = {one.name: one for one in told if one.group is None}
    for name, share in (
        ("breach_rate", whole["breached"]),
        ("overdue_rate", whole["overdue"]),
        ("first_response_breach_rate", first["breached"]),
        ("owner_continuity", whole["ownerContinuity"]),
    ):
        assert (by_name[name].numerator, by_name[name].denominator) == (share["part"], share["whole"]), name
        line = next(one for one in ran.output.splitlines() if one.startswith(f"{name} "))
        assert line.endswith(f" share  {share['part']} / {share['whole']}"), line
    groups = [one for one in told if one.name == "owner_continuity" and one.group is not None]
    assert sum(one.denominator or 0 for one in groups) == 2, "Grace has two of Ada's"
    opened_by = [one.value for one in told if one.name == "opened" and one.group is not None]
    assert sorted(opened_by, key=str) == [1, 3]


async def test_a_window_with_too_many_tickets_is_told_where_to_end_and_the_command_takes_it(
    client: CrmClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("crm_ticketing.report.store.MOST", 2)
    ada, moment = await customer(client), now()
    for hours in (3, 2, 1):
        with frozen(moment - timedelta(hours=hours)):
            await opened(client, ada)
    [error] = await client.errors(REPORT, window=window())
    assert error["extensions"]["code"] == "BAD_INPUT"
    until = (moment - timedelta(hours=1)).isoformat().replace("+00:00", "Z")
    assert error["message"] == (
        "More than 2 tickets were opened in this window (at window). `crm ticketing report` takes any number."
        f" Or ask for a window that ends at {until}, and go on from there."
    )
    for part, count in (({"to": until}, 2), ({"from": until}, 1)):
        found = await client.data(REPORT, window=window() | part)
        assert found["ticketingReport"]["groups"][0]["opened"] == count
    days = [f"{moment + timedelta(days=days):%Y-%m-%d}" for days in (-1, 2)]
    ran = await client.command(
        "ticketing", "report", "--from", days[0], "--to", days[1], "--by", "category", "--json"
    )
    assert '{"figure":"opened","group":"question","value":3,"unit":"count","n":3,' in ran.output


async def test_a_window_that_is_none_is_refused(client: CrmClient) -> None:
    there = window()
    [error] = await client.errors(REPORT, window={"from": there["to"], "to": there["from"]})
    assert error["extensions"]["code"] == "BAD_INPUT"


@pytest.mark.parametrize("by", [None, "AGENT", "POLICY"])
async def test_the_report_takes_a_fixed_number_of_statements(client: CrmClient, by: str | None) -> None:
    ada = await customer(client)

    async def statements() -> int:
        with client.statements() as counted:
            await client.data(REPORT, window=window(), by=by)
        return len(counted)

    await opened(client, ada)
    before = await statements()
    for _ in range(5):
        await opened(client, ada)
    assert await statements() == before


async def test_other_plugins_are_told_the_same(client: CrmClient) -> None:
    from crm_ticketing.report.figures import figures, signals

    from crm_framework import Window

    ada = await customer(client)
    first = await opened(client, ada, category="complaint")
    await opened(client, ada)
    await change(client, "changeTicketStatus", ticket=first, status="OPEN")
    reader = client.service.database
    span = Window(now() - timedelta(days=1), now() + timedelta(days=1))
    told = {(one.name, one.group): one.value for one in await figures(span, "category", reader)}
    assert (told["opened", None], told["opened", "complaint"], told["opened", "question"]) == (2, 1, 1)
    assert told["breach_rate", None] is None
    assert told["overdue_rate", None] is None
    [signal] = await signals([ada], reader, ["complaint"])
    assert (signal.customer_id, signal.kind, signal.text) == (
        ada,
        "open_complaint",
        "Open complaint. Ticket 1: Lid",
    )
    assert signal.reference_id == first
    await change(client, "changeTicketStatus", ticket=first, status="RESOLVED")
    assert list(await signals([ada], reader, ["complaint"])) == []
