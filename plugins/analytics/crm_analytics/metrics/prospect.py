"""How promising a prospect is, with the reasons for the score."""

from dataclasses import dataclass
from datetime import date

from .measured import Definition

DEFINITION = Definition(
    "prospectScore",
    "points",
    "0 to 100: 25 for having answered or come to us, 5 more for each further time up to 15; 20 for a touch in"
    " the last 30 days, or 10 in the last 90; 15 for a good mood at the latest touch that has one, −15 for a"
    " bad one; 15 for agreeing to be reached; 10 for an e-mail address or telephone.",
)


@dataclass(frozen=True)
class Prospect:
    """What is known of one."""

    inbound: int = 0
    last_touch: date | None = None
    mood: str | None = None
    opted_in: bool = False
    reachable: bool = False


@dataclass(frozen=True)
class Point:
    points: int
    text: str


@dataclass(frozen=True)
class Score:
    value: int
    reasons: tuple[Point, ...]


def prospect_score(prospect: Prospect, today: date) -> Score:
    reasons = []
    if prospect.inbound:
        more = min(15, 5 * (prospect.inbound - 1))
        times = "once" if prospect.inbound == 1 else f"{prospect.inbound} times"
        reasons.append(Point(25 + more, f"came to us or answered {times}"))
    if prospect.last_touch is not None:
        ago = (today - prospect.last_touch).days
        if ago <= 90:
            reasons.append(Point(20 if ago <= 30 else 10, f"the latest touch was {_ago(ago)}"))
    if prospect.mood == "POSITIVE":
        reasons.append(Point(15, "the mood was good"))
    elif prospect.mood == "NEGATIVE":
        reasons.append(Point(-15, "the mood was bad"))
    if prospect.opted_in:
        reasons.append(Point(15, "agreed to be reached"))
    if prospect.reachable:
        reasons.append(Point(10, "has an e-mail address or a telephone"))
    return Score(max(0, sum(one.points for one in reasons)), tuple(reasons))


def _ago(days: int) -> str:
    # one that was recorded ahead of its time is of today, too
    return "today" if days <= 0 else "yesterday" if days == 1 else f"{days} days ago"
