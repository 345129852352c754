"""Public holidays, by country and subdivision, from the library `holidays`.

They are looked up when a version of a calendar is made, and kept in it: what the library learns later, or
another node's older release, does not move a deadline. Beyond the years that are kept the library is asked.
"""

from datetime import date
from functools import lru_cache

from crm_framework import CrmError, ErrorCode

YEARS_BACK = 3
YEARS_AHEAD = 12


def holidays_of(
    country: str | None, subdivision: str | None, year: int
) -> tuple[dict[date, str], tuple[int, int] | None]:
    """The holidays of the years around `year`, and the first and last of these. None without a country.

    BAD_INPUT for a country or subdivision that the library does not know.
    """
    if country is None:
        if subdivision is not None:
            raise CrmError(ErrorCode.BAD_INPUT, "A subdivision needs its country.", path=("subdivision",))
        return {}, None
    import holidays

    known = holidays.list_supported_countries(include_aliases=True)
    if country not in known:
        raise CrmError(
            ErrorCode.BAD_INPUT,
            f"Public holidays of {country!r:.20} are not known.",
            path=("country",),
            hint="Give its ISO 3166 code, such as DE, or own holidays instead.",
        )
    if subdivision is not None and subdivision not in known[country]:
        raise CrmError(
            ErrorCode.BAD_INPUT,
            f"{country} has no subdivision {subdivision!r:.20}.",
            path=("subdivision",),
            hint=f"Known are: {', '.join(known[country]) or 'none'}.",
        )
    first, last = year - YEARS_BACK, year + YEARS_AHEAD
    found: dict[date, str] = {}
    for one in range(first, last + 1):
        found.update(of_year(country, subdivision, one))
    return found, (first, last)


@lru_cache(maxsize=4096)
def of_year(country: str, subdivision: str | None, year: int) -> dict[date, str]:
    """The holidays of one year, with their names in English where the library has them."""
    import holidays

    try:
        return dict(holidays.country_holidays(country, subdiv=subdivision, years=year, language="en_US"))
    except NotImplementedError:  # that language is not among those of the country
        return dict(holidays.country_holidays(country, subdiv=subdivision, years=year))
