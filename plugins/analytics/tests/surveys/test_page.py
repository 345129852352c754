"""The page behind the link: works without scripts, answers once, and shows nothing that it was not asked."""

import asyncio
from datetime import timedelta

from crm_framework import encode_id, now
from crm_framework.testing import CrmClient, deliver_events, frozen

from .asking import ASKED, asked, change, done, kept, link, own, person, rows, send, survey, told

NOWHERE = "/plugins/analytics/survey/018f0000-0000-7000-8000-000000000001.AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"


async def test_from_the_question_to_the_metric(client: CrmClient) -> None:
    customer, _, path = await asked(client)
    page = await client.http.get(f"{path}?score=9")
    assert (page.status_code, page.headers["content-type"]) == (200, "text/html; charset=utf-8")
    assert page.headers["cache-control"] == "no-store"
    assert "Would you tell &lt;friends&gt;?" in page.text
    assert "<friends>" not in page.text
    assert "<script" not in page.text
    assert 'value="9" required checked' in page.text
    assert await kept(client) == [("SENT", None, None, None)]  # to look at it answers nothing
    done_ = await client.http.post(path, data={"score": "9", "comment": " Kind\r\n<people> "})
    assert (done_.status_code, "Thank you" in done_.text) == (200, True)
    assert await kept(client) == [("ANSWERED", None, 9, "Kind\n<people>")]
    answer = ("INBOUND", "email", "nps 9", "POSITIVE", "Kind\n<people>")
    assert await told(client) == [ASKED, answer]
    for again in (
        await client.http.post(path, data={"score": "0"}),
        await client.http.post(path, data={"score": "9", "comment": "Kind\n<people>"}),
        await client.http.get(path),
    ):
        assert (again.status_code, "Your first answer counts." in again.text) == (409, True)
    assert await told(client) == [ASKED, answer]
    await deliver_events(client)
    today = now().date().isoformat()
    query = f"""{{ analytics(window: {{first: "{today}", last: "{today}"}}) {{
      nps(groupBy: {{by: CHANNEL}}) {{ value n groups {{ label value }} csv }}
      surveyResponseRate(groupBy: {{by: PERIOD}}) {{ value numerator denominator groups {{ value n }} }} }}
      surveys {{ nodes {{ results {{ sent answered responseRate value scores {{ score answers }} csv }} }} }}
      customer(id: "{encode_id("Customer", customer)}") {{ surveyInvitations {{ nodes {{
        state score comment sentAt answeredAt interaction {{ outcome }} }} }} }} }}"""
    found = await client.data(query)
    assert found["analytics"]["nps"]["groups"] == [{"label": "email", "value": 100.0}]
    assert found["analytics"]["surveyResponseRate"] == {
        "value": 100.0, "numerator": 1.0, "denominator": 1.0, "groups": [{"value": 100.0, "n": 1}],
    }  # fmt: skip
    results = found["surveys"]["nodes"][0]["results"]
    assert (results["sent"], results["answered"], results["responseRate"], results["value"]) == (
        1,
        1,
        100,
        100,
    )
    assert [one["answers"] for one in results["scores"]] == [0] * 9 + [1, 0]
    assert results["csv"].splitlines()[9:] == ["8,0", "9,1", "10,0"]
    [shown] = found["customer"]["surveyInvitations"]["nodes"]
    assert (shown["state"], shown["interaction"]) == ("ANSWERED", {"outcome": "nps 9"})
    types = [row["type"] for row in await rows(client, "SELECT type FROM crm_event ORDER BY position")]
    assert types.count("analytics.survey_answered") == 1


async def test_answers_at_the_same_moment_are_one(client: CrmClient) -> None:
    customer, invitation, path = await asked(client)
    token = await own(client, customer)
    scores = [client.http.post(path, data={"score": str(n)}) for n in range(5)]
    given = change(token, "answerSurvey", invitation=invitation, score=7)
    pages, payload = await asyncio.gather(asyncio.gather(*scores), given)
    assert [page.status_code for page in pages].count(200) + (payload["errors"] == []) == 1
    assert len(await told(client)) == 2


async def test_one_clear_page_where_a_link_leads_nowhere(client: CrmClient) -> None:
    german = {"accept-language": "de-AT,de;q=0.9"}
    for page in (
        await client.http.get(NOWHERE, headers=german),
        await client.http.post(NOWHERE, data={"score": "1"}, headers=german),
        await client.http.get("/plugins/analytics/survey/%00%F0%9F%98%80", headers=german),
    ):
        assert (page.status_code, "Dieser Link ist nicht gültig." in page.text) == (404, True)
        assert 'lang="de"' in page.text


async def test_an_invitation_ends(client: CrmClient) -> None:
    customer, invitation, path = await asked(client, validDays=2, locale="fr")
    with frozen(now() + timedelta(days=2, seconds=1)):
        for page in (await client.http.get(path), await client.http.post(path, data={"score": "5"})):
            assert (page.status_code, "Il n’est plus possible" in page.text) == (410, True)
        late = await change(await own(client, customer), "answerSurvey", invitation=invitation, score=5)
    assert [(error["code"], error["path"]) for error in late["errors"]] == [("REFUSED", ["invitation"])]
    assert await kept(client) == [("SENT", None, None, None)]
    [row] = await rows(client, "SELECT survey_id FROM analytics_invitation")
    await done(client, "closeSurvey", "survey { id }", survey=encode_id("Survey", str(row["survey_id"])))
    assert (await client.http.post(path, data={"score": "5"})).status_code == 410


async def test_what_is_no_answer_is_told_on_the_page(client: CrmClient) -> None:
    _, _, path = await asked(client, texts={"choose": "Pick <one>."})
    for score in ("", "11", "-1", "nine", "99", "٣"):
        page = await client.http.post(path, data={"score": score, "comment": "</textarea><b>x"})
        assert page.status_code == 400
        assert 'role="alert">Pick &lt;one&gt;.' in page.text
        assert "&lt;/textarea&gt;&lt;b&gt;x" in page.text
    long = await client.http.post(path, data={"score": "5", "comment": "x" * 5_001})
    assert (long.status_code, "Please shorten" in long.text) == (400, True)
    for body in (b"\xff\xfe", b"&".join([b"a=b"] * 20), b""):
        assert (await client.http.post(path, content=body)).status_code == 400
    assert await kept(client) == [("SENT", None, None, None)]


async def test_signs_that_nobody_sees_are_left_out_of_a_comment(client: CrmClient) -> None:
    _, _, path = await asked(client)
    told = "\u202bשלום\u202c \U0001f600\x07\u2028next\x00"
    assert (await client.http.post(path, data={"score": "9", "comment": told})).status_code == 200
    [row] = await rows(
        client,
        "SELECT i.comment, n.body FROM analytics_invitation AS i"
        " JOIN crm_interaction AS n ON n.id = i.interaction_id",
    )
    assert (row["comment"], row["body"]) == ("שלום \U0001f600\nnext",) * 2


async def test_customers_answer_with_a_token_of_their_own(client: CrmClient) -> None:
    customer, invitation, path = await asked(client, "CSAT")
    text = "mutation ($i: AnswerSurveyInput!) { answerSurvey(input: $i) { invitation { score } } }"
    other = await own(client, await person(client, "Eve"))
    for strange in (other, await client.acting_with("analytics.read")):
        [error] = await strange.errors(text, i={"invitation": invitation, "score": 1})
        assert error["extensions"]["code"] == "FORBIDDEN"
    token = await own(client, customer)
    [error] = (await change(token, "answerSurvey", invitation=invitation, score=6))["errors"]
    assert (error["code"], error["path"]) == ("BAD_INPUT", ["score"])
    select = "invitation { state score question kind comment }"
    given = {"invitation": invitation, "score": 2, "comment": "Slow", "idempotencyKey": "k"}
    answer = await done(token, "answerSurvey", select, **given)
    assert (answer["invitation"]["state"], answer["invitation"]["kind"]) == ("ANSWERED", "CSAT")
    assert await done(token, "answerSurvey", select, **given) == answer  # a repeat after a lost answer
    [error] = (await change(token, "answerSurvey", invitation=invitation, score=5))["errors"]
    assert (error["code"], error["path"]) == ("CONFLICT", ["invitation"])
    assert (await client.http.get(path)).status_code == 409
    assert (await told(client))[1:] == [("INBOUND", "email", "csat 2", "NEGATIVE", "Slow")]


async def test_an_erasure_keeps_the_score_and_a_merge_the_link(client: CrmClient) -> None:
    ada, invitation, path = await asked(client)
    twin = await person(client, "Twin")
    await done(
        client,
        "mergeCustomers",
        "losers",
        winner=encode_id("Customer", twin),
        losers=[encode_id("Customer", ada)],
    )
    assert (await client.http.post(path, data={"score": "3", "comment": "I am Ada"})).status_code == 200
    exported = await done(client, "exportCustomer", "data", id=encode_id("Customer", twin))
    [held] = exported["data"]["plugins"]["analytics"]["surveys"]
    assert (held["score"], held["comment"], held["state"]) == (3, "I am Ada", "ANSWERED")
    await done(client, "eraseCustomer", "receipt", id=encode_id("Customer", twin), reason="asked for")
    assert await kept(client) == [("ANSWERED", None, 3, None)]
    assert (await client.http.get(path)).status_code == 404
    [error] = (await change(client, "answerSurvey", invitation=invitation, score=3))["errors"]
    assert error["code"] == "NOT_FOUND"


async def test_who_was_merged_after_being_asked_twice_answers_once(client: CrmClient) -> None:
    ada, twin = await person(client), await person(client, "Twin")
    await send(client, await survey(client), ada, twin)
    path = await link(client)
    await done(
        client,
        "mergeCustomers",
        "losers",
        winner=encode_id("Customer", ada),
        losers=[encode_id("Customer", twin)],
    )
    first = (await rows(client, "SELECT id FROM analytics_invitation ORDER BY id LIMIT 1"))[0]["id"]
    token = await own(client, ada)
    await done(
        token,
        "answerSurvey",
        "invitation { id }",
        invitation=encode_id("SurveyInvitation", str(first)),
        score=9,
    )
    assert (await client.http.post(path, data={"score": "1"})).status_code == 409
    assert len(await told(client)) == 3
