"""Seals on what rows say, which nobody makes who can merely write to the database.

They are made with the secrets of the audit log: who guards the one guards the other.
"""

import hmac
from dataclasses import dataclass
from hashlib import sha256

UNSEALED = ""
"""The seal where there are no secrets. It is worth nothing, and fits only there."""


@dataclass(frozen=True)
class Seals:
    """Makes and checks seals with these secrets, the one for new seals first."""

    keys: tuple[bytes, ...] = ()

    def __repr__(self) -> str:
        return f"<Seals {', '.join(map(key_id, self.keys)) or 'none'}>"

    def seal(self, said: str, purpose: str) -> str:
        """`KEY:HMAC`, both hexadecimal."""
        return _seal(self.keys[0], said, purpose) if self.keys else UNSEALED

    def fits(self, said: str, seal: str, purpose: str) -> bool:
        """Whether the seal was made for this, with one of the secrets."""
        if not self.keys:
            return seal == UNSEALED
        made = [_seal(key, said, purpose) for key in self.keys]
        return any(hmac.compare_digest(each.encode(), seal.encode()) for each in made)


def key_id(key: bytes) -> str:
    """What is kept of a secret, to find it by."""
    return sha256(b"crm audit key " + key).hexdigest()[:12]


def _seal(key: bytes, said: str, purpose: str) -> str:
    # of its own for each purpose, and none that the audit log uses
    own = hmac.digest(key, f"crm seal {purpose}".encode(), "sha256")
    return f"{key_id(key)}:{hmac.digest(own, said.encode(), 'sha256').hex()}"
