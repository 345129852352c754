"""Surveys as they are kept: made, changed, closed."""

import json
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from crm_analytics.models import SurveyKind
from crm_framework import CrmError, ErrorCode, UnitOfWork, new_id, parse_time

from .events import SurveyChanged
from .rules import (
    LONGEST_NAME,
    LONGEST_QUESTION,
    check_window,
    checked_days,
    checked_line,
    checked_locale,
    checked_texts,
    speaks,
)
from .words import Words, words


async def create_survey(
    tx: UnitOfWork,
    name: str,
    kind: SurveyKind,
    question: str,
    *,
    locale: str = "en",
    texts: Mapping[str, str | None] | None = None,
    active_from: datetime | None = None,
    active_until: datetime | None = None,
    valid_days: int = 30,
) -> str:
    """The new survey's key. BAD_INPUT for what does not fit, CONFLICT for a name that is taken."""
    begins = active_from or tx.now
    check_window(begins, active_until)
    row = {
        "name": checked_line(name, "name", LONGEST_NAME),
        "kind": kind.value,
        "question": checked_line(question, "question", LONGEST_QUESTION),
        "locale": checked_locale(locale),
        "texts": _json(checked_texts(texts or {})),
        "active_from": begins,
        "active_until": active_until,
        "valid_days": checked_days(valid_days, "validDays"),
    }
    key = new_id()
    written = await tx.execute(
        f"INSERT INTO analytics_survey (id, created_at, {', '.join(row)})"
        f" VALUES (?, ?, {', '.join('?' * len(row))}) ON CONFLICT (name) DO NOTHING",
        [key, tx.now, *row.values()],
    )
    if not written:
        raise _taken(str(row["name"]))
    told = {name: (None, _told(value)) for name, value in row.items() if value is not None}
    tx.emit(SurveyChanged(customer_id=None, survey_id=key, changes=told))
    return key


async def update_survey(
    tx: UnitOfWork, key: str, changes: Mapping[str, Any], expected_version: int | None
) -> str:
    """Changes what is named. The question stays as it is once somebody was asked: answers are to that one.

    BAD_INPUT, NOT_FOUND; CONFLICT for another version or a name that is taken; REFUSED for the question.
    """
    await tx.lock("analytics_survey", [key])
    before = await survey(tx, key, path=("id",))
    if expected_version is not None and before["version"] != expected_version:
        raise CrmError(
            ErrorCode.CONFLICT,
            f"The survey has version {before['version']}, not {expected_version}.",
            path=("expectedVersion",),
            hint="Read it again.",
        )
    after = {name: _checked(name, value) for name, value in changes.items()}
    if "active_from" in after and after["active_from"] is None:
        raise CrmError(ErrorCode.BAD_INPUT, "activeFrom cannot be empty.", path=("activeFrom",))
    begins = after.get("active_from") or parse_time(before["active_from"])
    ends = after["active_until"] if "active_until" in after else _time(before["active_until"])
    if "active_from" in after or "active_until" in after:
        check_window(begins, ends)
    kept = {name: _kept(name, before[name]) for name in after}
    differing = {name: value for name, value in after.items() if value != kept[name]}
    if "question" in differing and await _was_sent(tx, key):
        raise CrmError(
            ErrorCode.REFUSED,
            "Customers were asked this question already.",
            path=("question",),
            hint="Make another survey.",
        )
    if "name" in differing:
        taken = await tx.fetch("SELECT 1 FROM analytics_survey WHERE name = ?", [differing["name"]])
        if taken:
            raise _taken(differing["name"])
    await _write(tx, key, differing, kept)
    return key


async def close_survey(tx: UnitOfWork, key: str) -> str:
    """Lets nobody be asked or answer any more; one that has ended stays as it is."""
    await tx.lock("analytics_survey", [key])
    before = await survey(tx, key, path=("survey",))
    ends = _time(before["active_until"])
    if ends is None or ends > tx.now:
        await _write(tx, key, {"active_until": tx.now}, {"active_until": ends})
    return key


async def _write(tx: UnitOfWork, key: str, values: Mapping[str, Any], before: Mapping[str, Any]) -> None:
    if not values:
        return
    await tx.execute(
        f"UPDATE analytics_survey SET {', '.join(f'{name} = ?' for name in values)}, version = version + 1"
        " WHERE id = ?",
        [*values.values(), key],
    )
    told = {name: (_told(before[name]), _told(value)) for name, value in values.items()}
    tx.emit(SurveyChanged(customer_id=None, survey_id=key, changes=told))


async def survey(tx: UnitOfWork, key: str, *, path: Sequence[str | int]) -> dict[str, Any]:
    """The survey's row, or NOT_FOUND."""
    rows = await tx.fetch("SELECT * FROM analytics_survey WHERE id = ?", [key])
    if not rows:
        raise CrmError(ErrorCode.NOT_FOUND, f"There is no survey {key}.", path=path, hint="Check the id.")
    return rows[0]


def active(row: Mapping[str, Any], now: datetime) -> bool:
    """Whether customers may be asked, and answer."""
    ends = _time(row["active_until"])
    return parse_time(row["active_from"]) <= now and (ends is None or now < ends)


def words_of(row: Mapping[str, Any]) -> Words:
    """All that messages and the page of this survey say."""
    return words(speaks(row["locale"]), SurveyKind(row["kind"]), _texts(row["texts"]))


def _checked(name: str, value: Any) -> Any:
    if name == "name":
        return checked_line(value or "", name, LONGEST_NAME)
    if name == "question":
        return checked_line(value or "", name, LONGEST_QUESTION)
    if name == "locale":
        return checked_locale(value or "")
    if name == "texts":
        return _json(checked_texts(value or {}))
    return checked_days(value or 0, "validDays") if name == "valid_days" else value


def _kept(name: str, value: Any) -> Any:
    if name == "texts":
        return _json(_texts(value))
    return _time(value) if name.startswith("active_") else value


def _texts(value: Any) -> Words:
    found: Words = json.loads(value) if isinstance(value, str) else value
    return found


def _json(texts: Words) -> str:
    return json.dumps(texts, ensure_ascii=False, sort_keys=True)


def _time(value: Any) -> datetime | None:
    return None if value is None else parse_time(value)


def _told(value: Any) -> Any:
    return value.isoformat().replace("+00:00", "Z") if isinstance(value, datetime) else value


async def _was_sent(tx: UnitOfWork, key: str) -> bool:
    return bool(await tx.fetch("SELECT 1 FROM analytics_survey_run WHERE survey_id = ? LIMIT 1", [key]))


def _taken(name: str) -> CrmError:
    return CrmError(
        ErrorCode.CONFLICT,
        f"There is a survey {name!r} already.",
        path=("name",),
        hint="Choose another name.",
    )
