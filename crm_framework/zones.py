"""Named time zones of the IANA database, checked in one place for settings, plugins and the API."""

from collections.abc import Mapping, Sequence
from functools import cache

from crm_framework.errors import CrmError, ErrorCode, cut

NO_NAMES = frozenset({"localtime", "posixrules", "Factory"})
"""Kept where the zones are, but no names of IANA's: what they mean is each machine's own."""
NO_FOLDERS = ("posix/", "right/")
"""Hold the zones once more; `right` with leap seconds, which no clock here counts."""


def time_zone(value: object, *, path: Sequence[str | int] = ()) -> str:
    """The zone's name as IANA spells it; any case is taken. BAD_INPUT, at `path`, for what is none."""
    if value == "UTC":
        return "UTC"  # the commonest one needs no list of all
    known = _zones()
    if isinstance(value, str) and (name := known.get(value.strip().lower())) is not None:
        return name
    meant = _nearest(value, known) if isinstance(value, str) and len(value) < 64 else None
    raise CrmError(
        ErrorCode.BAD_INPUT,
        f"{cut(value, 80)} is no time zone.",
        path=path,
        hint=f"Did you mean {meant!r}?" if meant else "Give an IANA name, such as Europe/Berlin.",
    )


def is_time_zone(name: object) -> bool:
    """Whether it is such a name, as it is spelled. It opens that zone alone: a start-up need not list all."""
    from zoneinfo import ZoneInfo  # here, as most start-ups need no zones

    if not isinstance(name, str) or name in NO_NAMES or name.startswith(NO_FOLDERS):
        return False
    try:
        ZoneInfo(name)
    except (ValueError, OSError, LookupError):
        return False
    return True


@cache
def _zones() -> Mapping[str, str]:
    from zoneinfo import available_timezones

    return {name.lower(): name for name in available_timezones() - NO_NAMES}


def _nearest(value: str, known: Mapping[str, str]) -> str | None:
    """The zone that was meant. Thousands of rows of an import may each have one that is none: so of a known
    area the cities are compared alone, and else what begins alike and is about as long."""
    from difflib import get_close_matches

    wanted = value.strip().lower()
    area, _, city = wanted.rpartition("/")
    near = {name.removeprefix(f"{area}/"): name for name in known if area and name.startswith(f"{area}/")}
    if not near:
        city = wanted
        alike = (name for name in known if name[:1] == wanted[:1] and abs(len(name) - len(wanted)) <= 2)
        near = {name: name for name in alike}
    close = get_close_matches(city, near, n=1)
    return known[near[close[0]]] if close else None
