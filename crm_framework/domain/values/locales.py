"""Languages (BCP 47), checked and in their canonical spelling."""

import re
from collections.abc import Sequence

from crm_framework.domain.values.countries import COUNTRIES
from crm_framework.errors import CrmError, ErrorCode, cut

_LONGEST = 35
"""Characters of a language tag."""

_TAG = re.compile(
    r"(?P<language>[a-z]{2,3})(-(?P<script>[a-z]{4}))?(-(?P<region>[a-z]{2}|[0-9]{3}))?"
    r"(?P<variants>(-([a-z0-9]{5,8}|[0-9][a-z0-9]{3}))*)",
    re.IGNORECASE,
)


def locale_tag(value: object, *, path: Sequence[str | int] = ()) -> str:
    """The language tag (`de`, `pt-BR`, `zh-Hant-TW`); BAD_INPUT for what has not the form of one."""
    written = value.strip() if isinstance(value, str) else ""
    match = _TAG.fullmatch(written.replace("_", "-")) if len(written) <= _LONGEST else None
    region = (match["region"] or "").upper() if match else ""
    if match is None or (len(region) == 2 and region not in COUNTRIES):
        raise CrmError(
            ErrorCode.BAD_INPUT,
            f"{cut(value)} is no language tag.",
            path=path,
            hint="Give a language and, if it matters, a country, such as de or pt-BR.",
        )
    script = (match["script"] or "").title()
    parts = (match["language"].lower(), script, region, match["variants"].strip("-").lower())
    return "-".join(part for part in parts if part)


def locale_region(tag: str | None) -> str | None:
    """The country that a language tag names, if it names one."""
    match = _TAG.fullmatch(tag) if tag else None
    region = match["region"] if match else None
    return region if region in COUNTRIES else None
