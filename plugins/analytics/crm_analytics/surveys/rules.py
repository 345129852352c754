"""What a survey may say, and what its question may be answered with."""

import re
from collections.abc import Mapping
from datetime import datetime

from crm_analytics.models import SurveyKind
from crm_framework import CrmError, ErrorCode, without_controls

from .words import WORDS

SCALES = {SurveyKind.NPS: (0, 10), SurveyKind.CSAT: (1, 5)}
"""The least and the best score."""
LONGEST_COMMENT = 5_000
LONGEST_NAME = 200
LONGEST_QUESTION = 500
LONGEST_TEXT = 2_000
MOST_DAYS = 365
SEVERAL_LINES = ("introduction", "thanks")
_LOCALE = re.compile(r"[a-zA-Z]{2,3}(-[a-zA-Z0-9]{2,8})*")


def checked_score(kind: SurveyKind, score: int) -> int:
    """The score, or BAD_INPUT."""
    least, best = SCALES[kind]
    if not least <= score <= best:
        raise CrmError(
            ErrorCode.BAD_INPUT,
            f"{score} is no answer to this question.",
            path=("score",),
            hint=f"Give a number from {least}, the worst, to {best}, the best.",
        )
    return score


def checked_comment(comment: str | None) -> str | None:
    """The comment without blanks around it, None for an empty one, or BAD_INPUT.

    Signs that no interaction may hold are left out: whoever writes with a keyboard from right to left, or
    pastes, neither sees nor means them.
    """
    text = without_controls(comment or "")
    if len(text) > LONGEST_COMMENT:
        raise CrmError(
            ErrorCode.BAD_INPUT, f"A comment has {LONGEST_COMMENT:,} characters at most.", path=("comment",)
        )
    return text or None


def outcome(kind: SurveyKind, score: int) -> str:
    """The answer as the outcome of an interaction of kind `survey`, from which the metrics are counted."""
    return f"{kind.value.lower()} {score}"


def sentiment(kind: SurveyKind, score: int) -> str:
    """As interactions say it: what promoters and satisfied customers say is positive."""
    good, bad = (9, 6) if kind is SurveyKind.NPS else (4, 2)
    return "POSITIVE" if score >= good else "NEGATIVE" if score <= bad else "NEUTRAL"


def checked_line(text: str, member: str, most: int) -> str:
    """The text on one line, or BAD_INPUT."""
    line = " ".join(text.split())
    if not 1 <= len(line) <= most or "\0" in line:
        raise CrmError(
            ErrorCode.BAD_INPUT, f"The {member} of a survey has 1 to {most} characters.", path=(member,)
        )
    return line


def checked_locale(locale: str) -> str:
    if len(locale) > 35 or not _LOCALE.fullmatch(locale):
        raise CrmError(
            ErrorCode.BAD_INPUT,
            f"{locale[:40]!r} is no language tag.",
            path=("locale",),
            hint="Give a language and, if it matters, a country, such as de or pt-BR.",
        )
    return locale


def checked_texts(texts: Mapping[str, str | None]) -> dict[str, str]:
    """Texts by their names in `words.TEXTS`, without those that are empty; or BAD_INPUT."""
    kept = {}
    for name, text in texts.items():
        found = (text or "").replace("\r\n", "\n").strip()
        found = found if name in SEVERAL_LINES else " ".join(found.split())
        most = LONGEST_TEXT if name in SEVERAL_LINES else LONGEST_QUESTION
        if len(found) > most or "\0" in found:
            raise CrmError(
                ErrorCode.BAD_INPUT, f"This text has {most:,} characters at most.", path=("texts", name)
            )
        if found:
            kept[name] = found
    return kept


def checked_days(days: int, member: str) -> int:
    if not 1 <= days <= MOST_DAYS:
        raise CrmError(
            ErrorCode.BAD_INPUT,
            f"{days} days are out of range.",
            path=(member,),
            hint=f"Give 1 to {MOST_DAYS}.",
        )
    return days


def check_window(begins: datetime, ends: datetime | None) -> None:
    if ends is not None and ends <= begins:
        raise CrmError(
            ErrorCode.BAD_INPUT,
            "The survey would end before it begins.",
            path=("activeUntil",),
            hint="Name a later time, or leave it out.",
        )


def speaks(locale: str) -> str:
    """The language of the usual words for a locale: English for those that there are none of."""
    language = locale.lower().partition("-")[0]
    return language if language in WORDS else "en"
