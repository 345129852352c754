"""What the tickets of a time come to."""

from datetime import timedelta
from typing import Any

import pytest
from crm_ticketing.report.rules import (
    Case,
    Group,
    Measured,
    Share,
    breaches,
    continuity,
    first_contact,
    group_of,
    percentiles,
    together,
)
from crm_ticketing.surveys.rules import satisfaction
from hypothesis import given
from hypothesis import strategies as st

from crm_framework import now
from crm_framework.testing import CrmClient, frozen

from .desk import change, customer, opened, staff


def case(**more: Any) -> Case:
    return Case(
        **{"customer_id": "a", "staff_id": "s", "resolved": False, "answers": 0, "reopened": 0, **more}
    )


def clock(elapsed: int, *, ended: bool = True, settled: bool = True, breached: bool = False) -> Measured:
    return Measured("FIRST_RESPONSE", elapsed, ended, settled, breached)


@given(st.lists(st.integers(0, 10**12), min_size=1), st.integers(1, 100))
def test_a_percentile_is_the_smallest_value_that_enough_are_not_above(
    values: list[int], percent: int
) -> None:
    [found] = percentiles(values, [percent])
    assert found is not None
    below = sum(1 for one in values if one <= found)
    assert below * 100 >= percent * len(values)
    smaller = [one for one in values if one < found]
    assert len(smaller) * 100 < percent * len(values)


def test_of_none_there_is_no_figure() -> None:
    assert percentiles([], [50, 90]) == [None, None]
    assert Share(0, 0).value is None
    assert satisfaction([]).csat is None
    assert breaches(Group()) == Share(0, 0)


def test_clocks_that_run_in_time_do_not_count_as_kept() -> None:
    late = clock(9, ended=False, settled=False, breached=True)
    clocks = [clock(1), clock(2, breached=True), clock(3, ended=False, settled=False), late]
    group = group_of([case(clocks=clocks), case(merged=True, clocks=[clock(1, breached=True)])])
    assert breaches(group) == breaches(group, "FIRST_RESPONSE") == Share(2, 3)
    assert breaches(group, "NEXT_RESPONSE") == Share(0, 0)
    assert (list(group.taken["FIRST_RESPONSE"]), list(group.taken["NEXT_RESPONSE"])) == ([1, 2], [])
    assert group.opened == 1


def test_first_contact() -> None:
    cases = [
        case(resolved=True, answers=1),
        case(resolved=True, answers=0),
        case(resolved=True, answers=2),
        case(resolved=True, answers=1, reopened=1),
        case(answers=1),
    ]
    assert first_contact(group_of(cases)) == Share(2, 4)


def test_owner_continuity() -> None:
    cases = [
        *[case(customer_id="a", staff_id=one) for one in ("s", "s", "t")],
        *[case(customer_id="b", staff_id=one) for one in ("s", None)],
        *[case(customer_id="c", staff_id=one) for one in ("t", "t")],
    ]
    assert continuity(group_of(cases)) == Share(4, 5)


def test_groups_together_are_as_one_group_of_all() -> None:
    clocks = [clock(1), clock(2, breached=True)]
    cases = [
        case(clocks=clocks, resolved=True),
        case(staff_id="t", clocks=clocks, resolved=True, answers=2),
        case(customer_id="b", staff_id=None),
    ]
    each = [group_of([one]) for one in cases]
    for group in each:
        group.ages["OLDER"] += 1
        group.ratings[5] += 2
    whole = group_of(cases)
    whole.ages["OLDER"], whole.ratings[5] = 3, 6
    assert together(each) == whole


REPORT = """query ($window: TicketingWindow!, $by: TicketGroup) {
  ticketingReport(window: $window, groupBy: $by) { groups {
    name opened resolved firstContactResolution { value part whole } ownerContinuity { value }
    breached { whole } satisfied { value part whole } averageRating backlog { age count }
    times { clock count p50 breached { whole } } } } }"""


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
    assert whole["ownerContinuity"] == {"value": 1.0}
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


async def test_a_window_with_too_many_tickets_is_told_where_to_end(
    client: CrmClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("crm_ticketing.report.store.MOST", 2)
    ada, moment = await customer(client), now()
    for hours in (3, 2, 1):
        with frozen(moment - timedelta(hours=hours)):
            await opened(client, ada)
    [error] = await client.errors(REPORT, window=window())
    assert error["extensions"]["code"] == "BAD_INPUT"
    told = "More than 2 tickets were opened in this window (at window). Ask for one that ends at "
    until, _, rest = error["message"].removeprefix(told).partition(", ")
    assert rest == "and go on from there."
    assert until == (moment - timedelta(hours=1)).isoformat().replace("+00:00", "Z")
    for part, count in (({"to": until}, 2), ({"from": until}, 1)):
        found = await client.data(REPORT, window=window() | part)
        assert found["ticketingReport"]["groups"][0]["opened"] == count


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
    [signal] = await signals([ada], reader, ["complaint"])
    assert (signal.customer_id, signal.kind, signal.text) == (
        ada,
        "open_complaint",
        "Open complaint. Ticket 1: Lid",
    )
    assert signal.reference_id == first
    await change(client, "changeTicketStatus", ticket=first, status="RESOLVED")
    assert list(await signals([ada], reader, ["complaint"])) == []
