"""Ratings: once for each time that a ticket was resolved."""

import asyncio

import pytest

from crm_framework.testing import CrmClient

from .desk import change, customer, opened, own, rows

RATED = "ticket { rating surveys { rating comment } }"


async def test_customers_rate_their_own_tickets(client: CrmClient) -> None:
    ada, bob = await customer(client), await customer(client, "Bob")
    hers, his = await opened(client, ada), await opened(client, bob)
    token = await own(client, ada)
    early = await change(token, "rateTicket", ticket=hers, rating=5)
    assert [(one["code"], one["path"]) for one in early["errors"]] == [("REFUSED", ["ticket"])]
    for ticket in (hers, his):
        await change(client, "changeTicketStatus", ticket=ticket, status="RESOLVED")
    rated = await change(token, "rateTicket", RATED, ticket=hers, rating=4, comment=" Quick. ")
    assert rated == {
        "ticket": {"rating": 4, "surveys": [{"rating": 4, "comment": "Quick."}]},
        "errors": [],
    }
    again = await change(token, "rateTicket", ticket=hers, rating=1)
    assert [one["code"] for one in again["errors"]] == ["REFUSED"]
    text = "mutation ($i: RateTicketInput!) { rateTicket(input: $i) { ticket { id } } }"
    [error] = await token.errors(text, i={"ticket": his, "rating": 1})
    assert error["extensions"]["code"] == "FORBIDDEN"
    found = await rows(client, "SELECT rating FROM ticketing_survey")
    assert [row["rating"] for row in found] == [4]


async def test_a_ticket_that_is_resolved_again_is_rated_again(client: CrmClient) -> None:
    ticket = await opened(client, await customer(client))
    for rating in (1, 5):
        await change(client, "changeTicketStatus", ticket=ticket, status="RESOLVED")
        rated = await change(client, "rateTicket", RATED, ticket=ticket, rating=rating)
        assert rated["ticket"]["rating"] == rating
        await change(client, "changeTicketStatus", ticket=ticket, status="OPEN")
    assert len(await rows(client, "SELECT id FROM ticketing_survey")) == 2


async def test_runs_of_marks_in_a_comment_are_cut(client: CrmClient) -> None:
    ticket = await opened(client, await customer(client))
    await change(client, "changeTicketStatus", ticket=ticket, status="RESOLVED")
    rated = await change(client, "rateTicket", RATED, ticket=ticket, rating=4, comment="x" + "\u0316" * 40)
    assert rated["ticket"]["surveys"] == [{"rating": 4, "comment": "x" + "\u0316" * 30}]


@pytest.mark.parametrize("rating", [0, 6])
async def test_a_rating_is_one_to_five(client: CrmClient, rating: int) -> None:
    ticket = await opened(client, await customer(client))
    await change(client, "changeTicketStatus", ticket=ticket, status="RESOLVED")
    refused = await change(client, "rateTicket", ticket=ticket, rating=rating)
    assert [(one["code"], one["path"]) for one in refused["errors"]] == [("BAD_INPUT", ["rating"])]


async def test_of_ratings_at_one_moment_one_counts(client: CrmClient) -> None:
    ticket = await opened(client, await customer(client))
    await change(client, "changeTicketStatus", ticket=ticket, status="RESOLVED")
    answers = await asyncio.gather(*(change(client, "rateTicket", ticket=ticket, rating=3) for _ in range(3)))
    assert sorted(len(answer["errors"]) for answer in answers) == [0, 1, 1]
