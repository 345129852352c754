"""The question of a survey as a customer sees it who opens the link of the message, on a small telephone and
with the keyboard alone."""

import pytest

from crm_framework import NewContactPoint, NewCustomer, create_customer
from crm_framework.testing import CrmClient, queued_messages, run_jobs
from crm_framework.testing.apps import OpenClient
from tests.browser.chromium import Page
from tests.browser.conftest import Serve

URL = "https://crm.example.com"
SETTINGS = {"survey_url": URL, "survey_secrets": ["correct horse battery staple"]}
HEADING = "document.querySelector('h1')?.textContent"
TEXT = "(document.body?.innerText ?? '')"  # there is none while the next page comes
CHOSEN = "document.querySelector('input[name=score]:checked')?.value"
FOCUSED = "document.activeElement.name || document.activeElement.type"
NARROW = 320
TOUCHED = 24
"""CSS pixels that whatever is touched measures at least (WCAG 2.2, 2.5.8)."""


@pytest.fixture
async def client(open_client: OpenClient) -> CrmClient:
    return await open_client("analytics", analytics=SETTINGS)


async def link(client: CrmClient, question: str, **more: str) -> str:
    """The path of the link that the one customer is sent, by the API alone."""
    async with client.service.database.unit_of_work() as tx:
        point = NewContactPoint(channel="email", value="ada@example.com", consent="OPTED_IN")
        await create_customer(tx, NewCustomer(name="Ada", contact_points=[point]))
    made = await client.data(
        "mutation ($i: CreateSurveyInput!) { createSurvey(input: $i) { survey { id } errors { message } } }",
        i={"name": "After sale", "kind": "NPS", "question": question, **more},
    )
    await client.data(
        "mutation ($i: SendSurveyInput!) { sendSurvey(input: $i) { toAsk errors { message } } }",
        i={"survey": made["createSurvey"]["survey"]["id"], "filter": {"name": {"eq": "Ada"}}},
    )
    await run_jobs(client)
    [message] = await queued_messages(client)
    return message.text.partition(URL)[2].split()[0]


async def test_it_is_answered_with_the_keyboard_on_a_narrow_screen(
    page: Page, client: CrmClient, serve: Serve
) -> None:
    address, question = serve(client.service), 'Would you tell <friends> & "family"?'
    await page.send(
        "Emulation.setDeviceMetricsOverride", width=NARROW, height=568, deviceScaleFactor=2, mobile=True
    )
    path = await link(client, question)
    await page.open(f"{address}{path}")
    await page.until(f"{HEADING} && document.readyState === 'complete'")
    assert await page.value(HEADING) == question
    assert await page.value("document.documentElement.scrollWidth") <= NARROW
    sizes = await page.value(
        "[...document.querySelectorAll('label, button, textarea')].map(each => each.getBoundingClientRect())"
        ".map(box => Math.min(box.width, box.height))"
    )
    assert len(sizes) == 11 + 1 + 1 + 1  # the scores, the comment and its field, the button
    assert min(sizes) >= TOUCHED
    assert await page.value("document.querySelector('fieldset').getAttribute('aria-labelledby')") == (
        await page.value("document.querySelector('h1').id")
    )

    await page.press("Tab")
    assert (await page.value(FOCUSED), await page.value(CHOSEN)) == ("score", None)
    outlined = "getComputedStyle(document.activeElement.closest('label')).outlineStyle"
    assert await page.value(outlined) == "solid"  # where one is can be seen
    await page.press(" ")
    for _ in range(9):
        await page.press("ArrowRight")
    assert await page.value(CHOSEN) == "9"
    await page.press("Tab")
    assert await page.value(FOCUSED) == "comment"
    await page.type("Quick & kind <3")
    await page.press("Tab")
    assert await page.value(FOCUSED) == "submit"
    await page.press_enter()
    await page.until(f"!document.querySelector('form') && {TEXT}.includes('Thank you')")
    [kept] = await client.service.database.fetch("SELECT state, score, comment FROM analytics_invitation")
    assert dict(kept) == {"state": "ANSWERED", "score": 9, "comment": "Quick & kind <3"}

    await page.open(f"{address}{path}?score=0")
    await page.until(f"{TEXT}.includes('Your first answer counts.')")
    assert await page.value("document.querySelectorAll('form, input').length") == 0
    assert [url for url in page.requests if not url.startswith(f"{address}/")] == []
    assert await page.value("document.querySelectorAll('script, link, img, iframe').length") == 0
    # the browser itself complains of the status 409, and of no picture for its tab
    assert [problem for problem in page.problems if "409" not in problem and "404" not in problem] == []


async def test_a_link_that_leads_nowhere_or_has_ended_says_so(
    page: Page, client: CrmClient, serve: Serve
) -> None:
    address = serve(client.service)
    path = await link(client, "Well?", locale="de")
    await page.open(f"{address}{path[:-1]}{'A' if path[-1] != 'A' else 'B'}")
    await page.until(f"{HEADING}?.startsWith('This link is not valid.')")
    async with client.service.database.unit_of_work() as tx:
        await tx.execute("UPDATE analytics_invitation SET expires_at = sent_at")
    await page.open(f"{address}{path}")
    await page.until(f"{HEADING} === 'Well?'")
    assert "kann nicht mehr beantwortet werden" in await page.value(TEXT)
    assert await page.value("document.documentElement.lang") == "de"
    assert await page.value("document.querySelectorAll('form').length") == 0
