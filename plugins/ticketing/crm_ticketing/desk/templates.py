"""Templates of replies: texts with variables such as `{{ticket.number}}`, and nothing else of a meaning."""

import re
from collections.abc import Mapping

from crm_framework import CrmError, ErrorCode

VARIABLES: Mapping[str, str] = {
    "customer.name": "The customer's name.",
    "customer.company": "The customer's company; empty for none.",
    "ticket.number": "The ticket's number.",
    "ticket.subject": "What it is about.",
    "ticket.category": "Its category.",
    "ticket.status": "Its status, in words.",
    "agent.name": "The name of the member of staff who writes.",
}
"""What a template may name, with what takes its place."""

BODY_LIMIT = 50_000

_VARIABLE = re.compile(r"\{\{([^{}\n]{0,200})\}\}")


def check(body: str) -> str:
    """The text without space around it. BAD_INPUT for one that names an unknown variable, or is left open."""
    text = body.strip()
    if not 1 <= len(text) <= BODY_LIMIT or "\0" in text:
        raise CrmError(ErrorCode.BAD_INPUT, f"A text has 1 to {BODY_LIMIT} characters.", path=("body",))
    for found in _VARIABLE.finditer(text):
        if found[1].strip() not in VARIABLES:
            raise _unknown(found[1].strip())
    rest = _VARIABLE.sub("", text)
    if "{{" in rest or "}}" in rest:
        raise CrmError(
            ErrorCode.BAD_INPUT,
            "A variable is not closed.",
            path=("body",),
            hint="Write it as {{ticket.number}}.",
        )
    return text


def fill(body: str, values: Mapping[str, str]) -> str:
    """The text with each variable replaced, once: what a value holds is text, also if it looks like one."""

    def value(found: re.Match[str]) -> str:
        name = found[1].strip()
        if name not in values:
            raise _unknown(name)
        return values[name]

    return _VARIABLE.sub(value, body)


def _unknown(name: str) -> CrmError:
    return CrmError(
        ErrorCode.BAD_INPUT,
        f"There is no variable {name[:60]!r}.",
        path=("body",),
        hint=f"Known are: {', '.join(VARIABLES)}.",
    )
