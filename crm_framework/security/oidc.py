"""Tokens of a company's own issuer (OpenID Connect): signed by it, checked here, mapped to members of staff.

What the issuer publishes (its keys) is read over HTTP and kept. A token opens the door if its signature, its
issuer, its audience and its times are right, and if its claim names an active member of staff; their roles
say what they may do.
"""

import asyncio
import json
import logging
import ssl
from collections.abc import Mapping
from dataclasses import dataclass, field
from http.client import HTTPException
from time import monotonic
from typing import TYPE_CHECKING, Any
from urllib.error import URLError
from urllib.parse import urlsplit
from urllib.request import HTTPRedirectHandler, HTTPSHandler, Request, build_opener

import jwt

from crm_framework.errors import CrmError, ErrorCode

from .actors import Actor, ActorKind
from .verify import Segments, TokenRefused, staff_actor

if TYPE_CHECKING:
    from crm_framework.settings import Settings
    from crm_framework.storage.database import Database

log = logging.getLogger(__name__)

ALGORITHMS = ("RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384", "ES512", "EdDSA")
"""Signatures with a public key. Never `none`, and none with a shared secret: a public key is no secret."""

SKEW_SECONDS = 60
"""How far the issuer's clock may differ from ours."""
KEYS_HOLD_SECONDS = 3_600.0
"""After how long the keys are read again, in time for an issuer that withdraws one."""
REFETCH_SECONDS = 30.0
"""A key that is not known is looked for at most so often: whoever makes one up costs the issuer nothing."""
FETCH_SECONDS = 5.0
"""How long one answer of the issuer may pause."""
READ_SECONDS = 12.0
"""How long all of it may take: whoever names a key that is not known waits for it."""
MAX_BYTES = 512 * 1024
MAX_LENGTH = 16_384
"""Characters of a token."""
DISCOVERY = "/.well-known/openid-configuration"


class Unreachable(Exception):
    """The issuer does not answer, or with something else than keys."""


class _NoRedirects(HTTPRedirectHandler):
    def redirect_request(self, *_: Any) -> None:
        """What an issuer publishes stands where the settings say."""
        return


@dataclass
class Keys:
    """The public keys of an issuer, by their names, as they were read last."""

    issuer: str
    url: str | None = None
    hold_seconds: float = KEYS_HOLD_SECONDS
    refetch_seconds: float = REFETCH_SECONDS
    _known: "Mapping[str, PublicKey]" = field(default_factory=dict, init=False)
    _read_at: float | None = field(default=None, init=False)
    _tried_at: float | None = field(default=None, init=False)
    _lock: asyncio.Lock = field(default_factory=asyncio.Lock, init=False)
    _reading: "asyncio.Task[None] | None" = field(default=None, init=False)

    async def key(self, name: str) -> "PublicKey | None":
        """The key of that name, or None. Raises `Unreachable` while no keys could be read at all.

        Keys that were read stay good while the issuer is away, and nobody waits for it then. Only after a
        long time in which nobody came are they read again first: one of them may be withdrawn.
        """
        if name in self._known and not self._long_untried():
            if self._due(name) and (self._reading is None or self._reading.done()):
                self._reading = asyncio.create_task(self._read_in_turn(name))
        elif self._due(name):
            await self._read_in_turn(name)
        if self._read_at is None:
            raise Unreachable(f"the keys of {self.issuer} could not be read")
        return self._known.get(name)

    async def _read_in_turn(self, name: str) -> None:
        async with self._lock:  # one asks, the others take what it found
            if self._due(name):
                await self._read()

    def _long_untried(self) -> bool:
        return self._tried_at is None or monotonic() - self._tried_at >= 2 * self.hold_seconds

    def _due(self, name: str) -> bool:
        now = monotonic()
        if self._tried_at is not None and now - self._tried_at < self.refetch_seconds:
            return False
        old = self._read_at is None or now - self._read_at >= self.hold_seconds
        return old or name not in self._known

    async def _read(self) -> None:
        self._tried_at = monotonic()
        try:
            async with asyncio.timeout(READ_SECONDS):
                url = self.url or await self._discovered()
                self._known = await asyncio.to_thread(_published, url)
            self._read_at = monotonic()
        except (Unreachable, TimeoutError) as error:
            why = str(error) or "no whole answer came in time"
            log.warning("The keys of the issuer %s cannot be read: %s", self.issuer, why)

    async def _discovered(self) -> str:
        told = await asyncio.to_thread(_fetch, self.issuer.rstrip("/") + DISCOVERY)
        url = told.get("jwks_uri")
        if told.get("issuer") != self.issuer or not isinstance(url, str):
            raise Unreachable("what it publishes names another issuer, or no keys")
        _check_url(url)
        return url


def _fetch(url: str) -> dict[str, Any]:
    opener = build_opener(_NoRedirects, HTTPSHandler(context=ssl.create_default_context()))
    try:
        with opener.open(
            Request(url, headers={"Accept": "application/json"}), timeout=FETCH_SECONDS
        ) as answer:
            text = answer.read(MAX_BYTES + 1)
    except (URLError, HTTPException, OSError, ValueError) as error:
        raise Unreachable(f"{url}: {error}") from error
    try:
        found = json.loads(text) if len(text) <= MAX_BYTES else None
    except ValueError:
        found = None
    if not isinstance(found, dict):
        raise Unreachable(f"{url}: the answer is no JSON object, or a very long one")
    return found


def _published(url: str) -> "dict[str, PublicKey]":
    """For a thread: hundreds of keys take their time to be made, too."""
    return _keys_of(_fetch(url))


@dataclass(frozen=True)
class PublicKey:
    """A key, and the only algorithms that it is used with."""

    key: Any
    algorithms: frozenset[str]


def _keys_of(published: Mapping[str, Any]) -> dict[str, PublicKey]:
    """The keys that can be used here; keys for other purposes, and of other kinds, are left out."""
    found: dict[str, PublicKey] = {}
    entries = published.get("keys")
    for entry in entries if isinstance(entries, list) else ():
        if not isinstance(entry, dict) or entry.get("use", "sig") != "sig" or entry.get("kty") == "oct":
            continue
        try:
            made = jwt.PyJWK.from_dict(entry)
        except (jwt.PyJWTError, ValueError, TypeError, KeyError):
            continue
        name = entry.get("kid")
        rsa = entry.get("kty") == "RSA" and "alg" not in entry
        usual = {one for one in ALGORITHMS if one[:2] in ("RS", "PS")} if rsa else {made.algorithm_name}
        if isinstance(name, str) and name and usual <= set(ALGORITHMS):
            found[name] = PublicKey(made.key, frozenset(usual))
    if not found:
        raise Unreachable("it publishes no key that can be used")
    return found


def _check_url(url: str) -> None:
    parts = urlsplit(url)
    near = parts.hostname in ("localhost", "127.0.0.1", "::1")
    if parts.scheme != "https" and not (parts.scheme == "http" and near):
        raise Unreachable(f"{url} is not https")


@dataclass(frozen=True)
class Issuer:
    """Verifies tokens of one issuer, for one audience. `claim` names the member of staff by their e-mail."""

    keys: Keys
    audience: str
    claim: str = "email"

    async def claims(self, token: str) -> Mapping[str, Any]:
        """What a token says. Raises CrmError UNAUTHENTICATED for one that does not hold, UNAVAILABLE while
        the issuer's keys cannot be read."""
        if len(token) > MAX_LENGTH:
            raise _refused()
        try:
            header = jwt.get_unverified_header(token)
            name, algorithm = header.get("kid"), header.get("alg")
            if not isinstance(name, str) or algorithm not in ALGORITHMS:
                raise _refused()
            key = await self.keys.key(name)
            # a key is used with its own algorithm, whatever the token says
            if key is None or algorithm not in key.algorithms:
                raise _refused()
            found: Mapping[str, Any] = jwt.decode(
                token,
                key.key,
                algorithms=[algorithm],
                audience=self.audience,
                issuer=self.keys.issuer,
                leeway=SKEW_SECONDS,
                options={"require": ["exp", "iss", "aud"], "verify_signature": True},
            )
        except Unreachable:
            raise CrmError(
                ErrorCode.UNAVAILABLE,
                "The issuer of this token cannot be reached now.",
                hint="Try again later, or use a token of the CRM.",
            ) from None
        except (jwt.PyJWTError, ValueError, TypeError) as error:
            log.info("a token of %s was refused: %s", self.keys.issuer, error)
            raise _refused() from None
        return found

    async def address(self, token: str) -> str:
        """The e-mail address that a token holds good for. Raises as `claims`, and for one that names none."""
        claims = await self.claims(token)
        named = claims.get(self.claim)
        # no database takes half a surrogate pair, nor PostgreSQL a NUL
        if not isinstance(named, str) or not named.strip().isprintable() or not named.strip():
            raise _refused()
        if self.claim == "email" and not _verified(claims):
            raise _refused()  # anybody may write anybody's address there
        address = named.strip().lower()
        if address.isascii() and not named.isascii():
            raise _refused()  # the Kelvin sign becomes a k: another mailbox, perhaps somebody else's
        return address

    async def staff(self, address: str, database: "Database", segments: Segments) -> Actor:
        """The member of staff with this address. Raises CrmError UNAUTHENTICATED for one who is not there or
        no longer active."""
        rows = await database.fetch(
            "SELECT id, name, active FROM crm_staff WHERE email = ?", (address,), bounded=True
        )
        if not rows or not rows[0]["active"]:
            raise _refused()
        key = str(rows[0]["id"])
        actor = Actor(
            kind=ActorKind.STAFF, id=key, name=rows[0]["name"], permissions=frozenset(), staff_id=key
        )
        return await staff_actor(database, actor, segments)


def _verified(claims: Mapping[str, Any]) -> bool:
    """Whether the issuer vouches for the address. One that says nothing about it is taken at its word; some
    write `true` as a text."""
    said = claims.get("email_verified", True)
    return said is True or said == "true"


def issuer_of(settings: "Settings") -> Issuer | None:
    """The issuer that the settings name; None where they name none."""
    if settings.oidc_issuer is None:
        return None
    assert settings.oidc_audience is not None  # the settings were checked
    keys = Keys(settings.oidc_issuer, settings.oidc_jwks_url)
    return Issuer(keys, settings.oidc_audience, settings.oidc_staff_claim)


def _refused(holder: Actor | None = None) -> TokenRefused:
    return TokenRefused("issuer", holder=holder)
