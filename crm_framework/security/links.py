"""Signed links: a value that nobody can have made but us, for pages that open without a token."""

import hmac
from base64 import urlsafe_b64encode
from collections.abc import Sequence

from crm_framework.errors import CrmError, ErrorCode
from crm_framework.secret import Secret

SHORTEST_SECRET = 16
DIGITS = 32
"""Characters of the signature, of six bits each."""


def sign_link(value: str, secrets: Sequence[Secret], *, purpose: str) -> str:
    """The value with a signature after it, for the end of an address: `value.signature`.

    Signed with the first of the secrets: the others are earlier ones, whose links still open. `purpose`, such
    as "ticketing.survey", is signed too, so that what opens one thing opens no other. The value is readable,
    and such as can stand in an address: the key of a row. CONFIGURATION where the first secret is missing or
    shorter than 16 characters.
    """
    if not secrets or len(secrets[0].reveal()) < SHORTEST_SECRET:
        raise CrmError(
            ErrorCode.CONFIGURATION,
            f"There is no secret of {SHORTEST_SECRET} characters to sign links of {purpose} with.",
            hint="Set one in the plugin's section of crm.toml, the same on all machines.",
        )
    return f"{value}.{_signature(value, secrets[0], purpose)}"


def open_link(link: str, secrets: Sequence[Secret], *, purpose: str) -> str | None:
    """The value, if `sign_link` signed it for this purpose with one of the secrets."""
    value, _, signature = link.rpartition(".")
    long_enough = [secret for secret in secrets if len(secret.reveal()) >= SHORTEST_SECRET]
    right = [
        hmac.compare_digest(_signature(value, secret, purpose).encode(), signature.encode("utf-8", "replace"))
        for secret in long_enough
    ]
    return value if any(right) else None


def _signature(value: str, secret: Secret, purpose: str) -> str:
    signed = hmac.digest(secret.reveal().encode(), f"{purpose}:{value}".encode("utf-8", "replace"), "sha256")
    return urlsafe_b64encode(signed).decode()[:DIGITS]
