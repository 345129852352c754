"""The mutations of the plugin analytics."""

import base64
from datetime import timedelta

from .customers import purchase_there
from .desk import Desk, Input, Inputs, of
from .settings import segment_there


async def summed_up(desk: Desk) -> Input:
    """One purchase since figures were last summed up, however often that was tried in vain."""
    await desk.run("rebuildDailyFigures", {}, "customers")
    return await bought(desk)


async def bought(desk: Desk) -> Input:
    await purchase_there(desk)
    return {}


async def rates(desk: Desk) -> Input:
    return {"rates": [{"currency": "JPY", "base": "EUR", "validFrom": "2024-01-01", "rate": "0.0061"}]}


async def frozen(desk: Desk) -> Input:
    return {"segments": [await segment_there(desk)]}


async def survey(desk: Desk) -> Input:
    return {"name": desk.new("Survey"), "kind": "NPS", "question": "Would you recommend us?"}


async def survey_there(desk: Desk) -> str:
    return await desk.make("createSurvey", "survey", **await survey(desk))


async def of_survey(desk: Desk) -> Input:
    return {"survey": await survey_there(desk)}


async def sent_survey(desk: Desk) -> Input:
    asked = await desk.customer(email="a@example.com")
    return {**await of_survey(desk), "filter": {"id": {"in": [asked, await desk.customer()]}}}


async def invited(desk: Desk) -> Input:
    await desk.run("sendSurvey", await sent_survey(desk), "toAsk")
    async with desk.service.database.unit_of_work() as tx:  # as the worker leaves it
        sent = "UPDATE analytics_invitation SET state = 'SENT', sent_at = ?, expires_at = ?"
        await tx.execute(sent, [tx.now, tx.now + timedelta(days=30)])
        [row] = await tx.fetch("SELECT id FROM analytics_invitation ORDER BY id DESC LIMIT 1")
    key = base64.b64encode(f"SurveyInvitation:{row['id']}".encode()).decode()
    return {"invitation": key, "score": 9, "comment": "Kind people"}


INPUTS: Inputs = {
    "rebuildDailyFigures": (summed_up, "customers"),
    "verifyFigures": (bought, "customers"),
    "setExchangeRates": (rates, "count"),
    "freezeSegments": (frozen, "members"),
    "createSurvey": (survey, "survey { id }"),
    "updateSurvey": (of(survey_there, question="Other?"), "survey { question }"),
    "closeSurvey": (of_survey, "survey { activeUntil }"),
    "sendSurvey": (sent_survey, "toAsk run { id }"),
    "answerSurvey": (invited, "invitation { score }"),
}
