"""The page behind a survey's link. To look at it answers nothing, as mail programs look at links too."""

from html import escape
from typing import Any
from urllib.parse import parse_qs

from crm_analytics.models import SurveyKind
from crm_analytics.settings import AnalyticsSettings
from crm_framework import CrmError, ErrorCode, RouteAnswer, RouteRequest, open_link

from .answering import answer, invitation, refuse_late
from .rules import LONGEST_COMMENT, SCALES, speaks
from .sending import PURPOSE
from .store import words_of
from .words import WORDS

_STYLE = (
    "body{font:1.1rem/1.5 system-ui,sans-serif;max-width:36rem;margin:3rem auto;padding:0 1rem;color:#222}"
    "h1{font-size:1.5rem}fieldset{border:0;padding:0;margin:0}"
    ".scores{display:grid;grid-template-columns:repeat(auto-fit,minmax(2.6rem,1fr));gap:.4rem}"
    ".scores label{display:flex;flex-direction:column;align-items:center;border:1px solid #888;"
    "border-radius:.4rem;padding:.4rem .2rem;cursor:pointer}"
    ".scores label:has(:checked){background:#0b5cad;color:#fff}"
    ".scores label:focus-within{outline:3px solid #7ab8f5}"
    ".ends{display:flex;justify-content:space-between;color:#555;font-size:.9rem;margin:.3rem 0 1rem}"
    "textarea{width:100%;box-sizing:border-box;font:inherit}"
    "button{font:inherit;padding:.6rem 1.4rem;margin-top:1rem;border:0;border-radius:.4rem;"
    "background:#0b5cad;color:#fff;cursor:pointer}.error{color:#a00}"
)


async def show_or_take(request: RouteRequest) -> RouteAnswer:
    """GET shows the question; POST takes the answer, once."""
    settings: AnalyticsSettings = request.settings
    key = open_link(request.args["token"], settings.survey_secrets, purpose=PURPOSE)
    found = None if key is None else await invitation(request.reader, key)
    if found is None:
        return _unknown(request)
    try:
        refuse_late(found, request.now)
        if request.method != "POST":
            return _form(found, request.query.get("score", ""), "", None)
        return await _take(request, found)
    except CrmError as error:
        said = words_of(found)
        if error.code is ErrorCode.CONFLICT:
            return _said(found, said["answered"], 409)
        if error.code is ErrorCode.REFUSED:
            return _said(found, said["ended"], 410)
        if error.code is ErrorCode.NOT_FOUND:
            return _unknown(request)
        raise


async def _take(request: RouteRequest, found: dict[str, Any]) -> RouteAnswer:
    try:
        given = parse_qs(request.body.decode(), max_num_fields=10)
    except ValueError:
        given = {}
    score, comment = given.get("score", [""])[0], given.get("comment", [""])[0]
    said = words_of(found)
    if not score.isascii() or not score.isdigit() or len(score) > 2:
        return _form(found, score, comment, said["choose"])
    try:
        async with request.unit_of_work() as tx:
            await answer(tx, str(found["id"]), int(score), comment)
    except CrmError as error:
        if error.code is not ErrorCode.BAD_INPUT:
            raise
        return _form(found, score, comment, said["too_long" if error.path == ("comment",) else "choose"])
    return _said(found, said["thanks"], 200)


def _form(found: dict[str, Any], chosen: str, comment: str, error: str | None) -> RouteAnswer:
    said = words_of(found)
    least, best = SCALES[SurveyKind(found["kind"])]
    scores = "".join(
        f'<label><input type="radio" name="score" value="{score}" required'
        f"{' checked' if str(score) == chosen else ''}> {score}</label>"
        for score in range(least, best + 1)
    )
    alert = f'<p class="error" role="alert">{escape(error)}</p>' if error else ""
    body = (
        f'<h1 id="question">{escape(found["question"])}</h1>{alert}'
        '<form method="post"><fieldset aria-labelledby="question">'
        f'<div class="scores">{scores}</div>'
        f'<div class="ends"><span>{least}: {escape(said["low"])}</span>'
        f"<span>{best}: {escape(said['high'])}</span></div></fieldset>"
        f'<label>{escape(said["comment"])}<textarea name="comment" rows="4" maxlength="{LONGEST_COMMENT}">'
        # the first line end after the tag is not part of the text
        f'\n{escape(comment)}</textarea></label><button type="submit">{escape(said["send"])}</button></form>'
    )
    return _page(found["locale"], found["question"], body, 400 if error else 200)


def _said(found: dict[str, Any], text: str, status: int) -> RouteAnswer:
    lines = "".join(f"<p>{escape(line)}</p>" for line in text.split("\n") if line.strip())
    body = f"<h1>{escape(found['question'])}</h1>{lines}"
    return _page(found["locale"], found["question"], body, status)


def _unknown(request: RouteRequest) -> RouteAnswer:
    """There is no survey whose language it could be in: the browser's is taken."""
    language = speaks(request.headers.get("accept-language", "").partition(",")[0].partition(";")[0].strip())
    text = WORDS[language]["unknown"]
    return _page(language, text, f"<h1>{escape(text)}</h1>", 404)


def _page(language: str, title: str, body: str, status: int) -> RouteAnswer:
    text = (
        f'<!doctype html><html lang="{escape(language)}" dir="auto"><head><meta charset="utf-8">'
        f"<title>{escape(title)}</title>"
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        f'<meta name="robots" content="noindex"><style>{_STYLE}</style></head>'
        f"<body><main>{body}</main></body></html>"
    )
    return RouteAnswer(
        status=status, body=text, media_type="text/html", headers={"cache-control": "no-store"}
    )
