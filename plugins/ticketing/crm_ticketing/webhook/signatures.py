"""Whether a request carries a right signature of the Standard Webhooks convention (standardwebhooks.com)."""

import hmac
from base64 import b64decode
from binascii import Error
from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta

from crm_framework import CrmError, ErrorCode, Secret

TOLERANCE = timedelta(minutes=5)
"""How far the sender's clock may be off, and how long a request may have been on its way."""

LONGEST_ID = 200
PREFIX = "whsec_"


def check(headers: Mapping[str, str], body: bytes, secrets: Sequence[Secret], now: datetime) -> str:
    """The id of the message. UNAUTHENTICATED, without a word on which part is wrong, if it is not right.

    A signature with any of the secrets is right, so that they can be changed without a gap.
    """
    given = {name.lower(): value for name, value in headers.items()}
    id_, stamp, signatures = (given.get(f"webhook-{part}", "") for part in ("id", "timestamp", "signature"))
    if not 1 <= len(id_) <= LONGEST_ID or not id_.isprintable() or "." in id_:
        raise _refused()
    if not (stamp.isascii() and stamp.isdigit() and len(stamp) <= 12):
        raise _refused()
    if abs(now.timestamp() - int(stamp)) > TOLERANCE.total_seconds():
        raise _refused()
    signed = f"{id_}.{stamp}.".encode() + body
    right = [hmac.digest(_key(secret), signed, "sha256") for secret in secrets if secret]
    claimed = [claim for one in signatures.split()[:10] if (claim := _claim(one)) is not None]
    found = [hmac.compare_digest(one, claim) for one in right for claim in claimed]
    if not any(found):
        raise _refused()
    return id_


def check_secret(secret: Secret) -> None:
    """Raises CONFIGURATION for a secret that is too short to be one."""
    if len(_key(secret)) < 24:
        raise CrmError(
            ErrorCode.CONFIGURATION,
            "A secret of ticketing.webhook.secrets has less than 24 bytes.",
            hint="Write whsec_ and 24 to 64 random bytes in base64.",
        )


def _key(secret: Secret) -> bytes:
    try:
        return b64decode(secret.reveal().removeprefix(PREFIX), validate=True)
    except (Error, ValueError):
        raise CrmError(
            ErrorCode.CONFIGURATION,
            "A secret of ticketing.webhook.secrets is not in base64.",
            hint="Write whsec_ and 24 to 64 random bytes in base64.",
        ) from None


def _claim(signature: str) -> bytes | None:
    version, _, value = signature.partition(",")
    if version != "v1":
        return None
    try:
        return b64decode(value, validate=True)
    except (Error, ValueError):
        return None


def _refused() -> CrmError:
    return CrmError(
        ErrorCode.UNAUTHENTICATED,
        "The request is not signed as it must be.",
        hint="Sign id, timestamp and body by the Standard Webhooks convention, and send it at once.",
    )
