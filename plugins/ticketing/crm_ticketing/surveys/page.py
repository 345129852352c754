"""The page behind the link in an invitation. Looking at it answers nothing: programs that check mail look."""

from html import escape
from urllib.parse import parse_qs

from crm_framework import CrmError, ErrorCode, RouteAnswer, RouteRequest, open_link
from crm_ticketing.settings import TicketingSettings

from .job import PURPOSE
from .store import COMMENT_LIMIT, answer, checked, refuse_late

_STARS = ((5, "Very good"), (4, "Good"), (3, "So-so"), (2, "Bad"), (1, "Very bad"))


async def show_or_take(request: RouteRequest) -> RouteAnswer:
    """GET shows the form; POST takes the answer, once."""
    settings: TicketingSettings = request.settings
    survey_id = open_link(request.args["token"], settings.survey_secrets, purpose=PURPOSE)
    rows = (
        await request.reader.fetch(
            "SELECT s.answered_at, s.invited_at, t.number, t.subject FROM ticketing_survey AS s"
            " JOIN ticketing_ticket AS t ON t.id = s.ticket_id WHERE s.id = ?",
            [survey_id],
        )
        if survey_id is not None
        else []
    )
    if not rows or survey_id is None:
        return _page(404, "<p>This link is not valid.</p>")
    try:
        refuse_late(rows[0], request.now)
        if request.method == "POST":
            rating = checked(*_form(request.body))
            async with request.unit_of_work() as tx:
                await answer(tx, survey_id, rating)
            return _page(200, "<p>Thank you for your answer.</p>")
    except CrmError as error:
        if error.code not in (ErrorCode.REFUSED, ErrorCode.BAD_INPUT, ErrorCode.NOT_FOUND):
            raise
        status = 400 if error.code is ErrorCode.BAD_INPUT else 410
        return _page(status, f"<p>{escape(error.message)}</p>")
    return _page(200, _question(rows[0]["number"], rows[0]["subject"]))


def _form(body: bytes) -> tuple[int, str | None]:
    try:
        given = parse_qs(body.decode(), max_num_fields=10)
        return int(given["rating"][0]), given.get("comment", [""])[0]
    except (ValueError, KeyError, UnicodeDecodeError):
        raise CrmError(ErrorCode.BAD_INPUT, "Choose one of the five answers.", path=("rating",)) from None


def _question(number: int, subject: str) -> str:
    choices = "".join(
        f'<p><label><input type="radio" name="rating" value="{stars}" required> {name}</label></p>'
        for stars, name in _STARS
    )
    return (
        f"<h1>How did we do?</h1><p>Your case {number}: {escape(subject)}</p>"
        f'<form method="post">{choices}<p><label>What could be better?<br>'
        f'<textarea name="comment" rows="5" cols="40" maxlength="{COMMENT_LIMIT}"></textarea></label></p>'
        "<p><button>Send</button></p></form>"
    )


def _page(status: int, body: str) -> RouteAnswer:
    head = '<!doctype html><html lang="en"><head><meta charset="utf-8"><title>How did we do?</title></head>'
    return RouteAnswer(status=status, body=f"{head}<body>{body}</body></html>", media_type="text/html")
