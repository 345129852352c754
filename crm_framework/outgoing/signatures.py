"""Signatures of the Standard Webhooks convention (standardwebhooks.com): HMAC-SHA256 with a shared secret."""

import hmac
from base64 import b64decode, b64encode
from collections.abc import Mapping, Sequence
from datetime import datetime
from secrets import token_bytes

PREFIX = "whsec_"
SECRET_BYTES = 32
"""The convention asks for 24 to 64."""


def new_secret() -> str:
    """A new secret, as the receiver is given it."""
    return PREFIX + b64encode(token_bytes(SECRET_BYTES)).decode()


def signed_headers(id: str, at: datetime, body: bytes, secrets: Sequence[str]) -> Mapping[str, str]:
    """The headers that let a receiver check who sends a body, and that it is not an old one.

    With several secrets there is a signature of each: the receiver knows one of them.
    """
    timestamp = str(int(at.timestamp()))
    signed = f"{id}.{timestamp}.".encode() + body
    return {
        "webhook-id": id,
        "webhook-timestamp": timestamp,
        "webhook-signature": " ".join(_signature(signed, secret) for secret in secrets),
    }


def _signature(signed: bytes, secret: str) -> str:
    key = b64decode(secret.removeprefix(PREFIX))
    return "v1," + b64encode(hmac.digest(key, signed, "sha256")).decode()
