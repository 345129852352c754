"""Links in invitations: the survey's key, signed, so that nobody can make one."""

import hmac
from base64 import urlsafe_b64encode
from collections.abc import Sequence

from crm_framework import CrmError, ErrorCode, Secret

PURPOSE = b"ticketing.survey:"
SHORTEST_SECRET = 16
DIGITS = 32
"""Characters of the signature, of six bits each."""


def token_of(survey_id: str, secrets: Sequence[Secret]) -> str:
    """What stands in the link. CONFIGURATION without a secret that is long enough."""
    if not secrets or len(secrets[0].reveal()) < SHORTEST_SECRET:
        raise CrmError(
            ErrorCode.CONFIGURATION,
            f"ticketing.survey_secrets has no secret of {SHORTEST_SECRET} characters.",
            hint="Set one, the same on all machines.",
        )
    return f"{survey_id}.{_signature(survey_id, secrets[0])}"


def survey_of(token: str, secrets: Sequence[Secret]) -> str | None:
    """The survey's key, if the token was signed with one of the secrets."""
    survey_id, _, signature = token.partition(".")
    long_enough = [secret for secret in secrets if len(secret.reveal()) >= SHORTEST_SECRET]
    right = [
        hmac.compare_digest(_signature(survey_id, secret).encode(), signature.encode("utf-8", "replace"))
        for secret in long_enough
    ]
    return survey_id if any(right) else None


def _signature(survey_id: str, secret: Secret) -> str:
    signed = hmac.digest(secret.reveal().encode(), PURPOSE + survey_id.encode("utf-8", "replace"), "sha256")
    return urlsafe_b64encode(signed).decode()[:DIGITS]
