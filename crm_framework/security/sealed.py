"""Secrets that the program itself must be able to read again, sealed for the database.

Without keys in the settings they are kept as they are. A sealed one names its key by a part of a hash, and is
bound to the place that it was sealed for: in another row it does not open.
"""

import os
from base64 import b64decode, b64encode
from collections.abc import Sequence
from functools import lru_cache
from hashlib import sha256
from typing import TYPE_CHECKING

from crm_framework.errors import CrmError, ErrorCode
from crm_framework.secret import Secret

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.ciphers.aead import AESGCM

MARK = "sealed:"
NONCE = 12
"""Bytes that AES-GCM wants to be new each time."""


def seal(keys: Sequence[Secret], text: str, place: str) -> str:
    """The text under the first of the keys, or as it is where there are none."""
    if not keys:
        return text
    nonce = os.urandom(NONCE)
    found = nonce + _cipher(keys[0]).encrypt(nonce, text.encode(), place.encode())
    return f"{MARK}{_key_id(keys[0])}:{b64encode(found).decode()}"


def unseal(keys: Sequence[Secret], text: str, place: str) -> str:
    """What was sealed, or is kept as it is. Raises CrmError REFUSED if none of the keys opens it."""
    if not text.startswith(MARK):
        return text
    name, _, rest = text.removeprefix(MARK).partition(":")
    for key in keys:
        if _key_id(key) == name and (opened := _opened(key, rest, place)) is not None:
            return opened
    raise CrmError(
        ErrorCode.REFUSED,
        f"A secret was sealed with the key {name}, which is none of webhook_keys, or was altered since.",
        hint="Put the key of that time into webhook_keys, behind the present one, or make a new secret.",
    )


def _opened(key: Secret, text: str, place: str) -> str | None:
    from cryptography.exceptions import InvalidTag

    try:
        found = b64decode(text, validate=True)
        return _cipher(key).decrypt(found[:NONCE], found[NONCE:], place.encode()).decode()
    except (InvalidTag, ValueError):  # no Base64, or too short
        return None


@lru_cache(maxsize=8)
def _cipher(key: Secret) -> "AESGCM":
    from cryptography.hazmat.primitives.ciphers.aead import AESGCM  # here, as it takes its time

    return AESGCM(sha256(b"crm sealed secrets " + key.reveal().encode()).digest())


def _key_id(key: Secret) -> str:
    return sha256(b"crm key of sealed secrets " + key.reveal().encode()).hexdigest()[:12]
