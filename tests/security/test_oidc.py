"""Tokens of a company's own issuer: what opens, and above all what does not."""

import asyncio
import hashlib
import hmac
import time
from collections.abc import AsyncIterator, Iterator
from dataclasses import replace
from typing import Any

import pytest
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import padding

from crm_framework.domain.customers.ownership import deactivate_staff
from crm_framework.errors import CrmError, ErrorCode
from crm_framework.security import oidc
from crm_framework.security.actors import Actor, ActorKind
from crm_framework.security.oidc import SKEW_SECONDS, Issuer, Keys
from crm_framework.security.permissions import Permissions
from crm_framework.security.roles import create_role, set_staff_roles
from crm_framework.security.verify import TokenVerifier, no_segments
from crm_framework.server.limits.sockets import Session, Sockets
from crm_framework.storage.database import Database
from crm_framework.storage.feed import Feed
from tests.security.issuer import AUDIENCE, LocalIssuer, by_hand, new_key

KEYS = {"rsa": new_key("RS256"), "curve": new_key("ES256"), "edwards": new_key("EdDSA")}


@pytest.fixture
def local() -> Iterator[LocalIssuer]:
    made = LocalIssuer(dict(KEYS))
    yield made
    made.close()


@pytest.fixture
def issuer(local: LocalIssuer) -> Issuer:
    return Issuer(Keys(local.name, refetch_seconds=0.0), AUDIENCE)


@pytest.fixture
async def ann(database: Database) -> str:
    """Key of a member of staff who may see customers."""
    async with database.unit_of_work(Actor.system()) as tx:
        role = await create_role(tx, Permissions.of([]), name="Sales", permissions=["customers.read"])
        await tx.execute(
            "INSERT INTO crm_staff (id, name, email, active, created_at, updated_at)"
            " VALUES (?, ?, ?, ?, ?, ?)",
            (ANN, "Ann", "ann@example.com", True, tx.now, tx.now),
        )
        await set_staff_roles(tx, ANN, [role])
    return ANN


ANN = "018f0000-0000-7000-8000-00000000000a"


def claims(local: LocalIssuer, **more: Any) -> dict[str, Any]:
    """Those of a good token; None leaves one out."""
    now = int(time.time())
    found = {"iss": local.name, "aud": AUDIENCE, "exp": now + 300, "email": "ann@example.com", **more}
    return {name: value for name, value in found.items() if value is not None}


@pytest.mark.parametrize("key", list(KEYS))
async def test_a_good_token_is_a_member_of_staff_with_their_roles(
    database: Database, local: LocalIssuer, issuer: Issuer, ann: str, key: str
) -> None:
    verifier = TokenVerifier(database, issuer=issuer)
    actor = await verifier.verify(local.token(key, claims(local, email="Ann@Example.com")))
    await verifier.close()
    assert (actor.kind, actor.id, actor.staff_id, actor.name) == (ActorKind.STAFF, ann, ann, "Ann")
    assert (actor.permissions, actor.token_id) == (frozenset({"customers.read"}), None)
    assert local.requests == ["/.well-known/openid-configuration", "/keys"]


@pytest.mark.parametrize(
    "wrong",
    [
        {"aud": "another program"},
        {"aud": None},
        {"iss": "https://elsewhere.example"},
        {"iss": None},
        {"exp": None},
        {"exp": int(time.time()) - SKEW_SECONDS - 5},
        {"nbf": int(time.time()) + SKEW_SECONDS + 3600},
        {"exp": "soon"},
        {"email": None},
        {"email": ["ann@example.com"]},
        {"email": "bob@example.com"},
        {"email_verified": False},
        {"email_verified": "false"},
        {"email_verified": 0},
        {"email_verified": 1},
        {"email_verified": ""},
        {"email_verified": ["true"]},
        {"email": "\ud800"},
        {"email": "ann@example.com\0"},
    ],
    ids=lambda wrong: ascii(
        {name: "T" if type(value) is int and value > 1 else value for name, value in wrong.items()}
    ),
)
async def test_claims_that_do_not_hold_are_refused(
    database: Database, local: LocalIssuer, issuer: Issuer, ann: str, wrong: dict[str, Any]
) -> None:
    await refused(database, issuer, by_key(local, claims(local, **wrong)))


async def test_an_address_must_be_vouched_for(
    database: Database, local: LocalIssuer, issuer: Issuer, ann: str
) -> None:
    await refused(database, issuer, by_key(local, {**claims(local), "email_verified": None}))
    for said in (True, "true"):
        token = local.token("rsa", claims(local, email_verified=said))
        assert (await actor_of(issuer, token, database)).staff_id == ann


async def test_an_address_is_no_other_that_only_looks_so_in_small_letters(
    local: LocalIssuer, issuer: Issuer
) -> None:
    assert (
        await issuer.address(local.token("rsa", claims(local, email="Kim@example.com"))) == "kim@example.com"
    )
    with pytest.raises(CrmError):  # U+212A, the Kelvin sign
        await issuer.address(local.token("rsa", claims(local, email="\u212aim@example.com")))


async def test_sockets_of_each_member_of_staff_are_counted_apart(
    database: Database, local: LocalIssuer, issuer: Issuer, ann: str
) -> None:
    """Their tokens are the issuer's, which have no key here."""
    verifier = TokenVerifier(database, issuer=issuer)
    sockets = Sockets(verifier, Feed(database), most=10, most_per_token=1)
    secret = local.token("rsa", claims(local))
    one = await verifier.verify(secret)
    other = replace(one, id="bob", staff_id="bob")
    sessions = [Session(secret, actor, lambda ending: None) for actor in (one, one, other)]
    assert [sockets.begin(session) for session in sessions] == [True, False, True]
    for session in sessions:
        sockets.finish(session)
    await sockets.close()
    await verifier.close()


def by_key(local: LocalIssuer, claims: dict[str, Any]) -> str:
    """Signed as it is, whatever the library thinks of the claims."""
    header = {"alg": "RS256", "kid": "rsa"}
    unsigned = by_hand(header, claims).removesuffix(".")
    signature = KEYS["rsa"][1].sign(unsigned.encode(), padding.PKCS1v15(), hashes.SHA256())
    return f"{unsigned}.{by_hand({}, {}, signature).rpartition('.')[2]}"


async def test_clocks_may_differ_a_little(
    database: Database, local: LocalIssuer, issuer: Issuer, ann: str
) -> None:
    now = int(time.time())
    for late in ({"exp": now - SKEW_SECONDS + 30}, {"nbf": now + SKEW_SECONDS - 30}):
        actor = await actor_of(issuer, local.token("rsa", claims(local, **late)), database)
        assert actor.staff_id == ann


async def test_a_token_without_signature_is_refused(
    database: Database, local: LocalIssuer, issuer: Issuer, ann: str
) -> None:
    for algorithm in ("none", "None", "NONE", ""):
        await refused(database, issuer, by_hand({"alg": algorithm, "kid": "rsa"}, claims(local)))
    good = local.token("rsa", claims(local))
    await refused(database, issuer, good.rpartition(".")[0] + ".")


async def test_a_public_key_is_no_shared_secret(
    database: Database, local: LocalIssuer, issuer: Issuer, ann: str
) -> None:
    """HS256 with the public key's text as secret: who takes the algorithm from the token falls for it."""
    unsigned = by_hand({"alg": "HS256", "kid": "rsa", "typ": "JWT"}, claims(local)).removesuffix(".")
    signature = hmac.new(local.pem("rsa"), unsigned.encode(), hashlib.sha256).digest()
    parts = unsigned.split(".")
    forged = by_hand({}, {}, signature).rpartition(".")[2]
    await refused(database, issuer, ".".join([*parts, forged]))


async def test_a_key_is_used_with_its_own_algorithm_only(
    database: Database, local: LocalIssuer, issuer: Issuer, ann: str
) -> None:
    await refused(database, issuer, local.token("rsa", claims(local), algorithm="PS256"))
    await refused(database, issuer, local.token("rsa", claims(local), algorithm="RS512"))


async def test_a_key_of_somebody_else_is_refused(
    database: Database, local: LocalIssuer, issuer: Issuer, ann: str
) -> None:
    _, stranger = new_key("RS256")
    await refused(database, issuer, local.token("rsa", claims(local), key=stranger))
    await refused(database, issuer, local.token("mine", claims(local), key=stranger, algorithm="RS256"))


async def test_staff_who_left_are_refused_at_once(
    database: Database, local: LocalIssuer, issuer: Issuer, ann: str
) -> None:
    token = local.token("rsa", claims(local))
    assert (await actor_of(issuer, token, database)).staff_id == ann
    async with database.unit_of_work() as tx:
        await tx.execute("UPDATE crm_staff SET active = ? WHERE id = ?", (False, ann))
    await refused(database, issuer, token)


async def test_a_new_key_is_found_and_an_old_one_goes(
    database: Database, local: LocalIssuer, issuer: Issuer, ann: str
) -> None:
    old = local.token("rsa", claims(local))
    assert (await actor_of(issuer, old, database)).staff_id == ann
    local.keys = {"next": new_key("RS256")}
    new = local.token("next", claims(local))
    assert (await actor_of(issuer, new, database)).staff_id == ann
    await refused(database, issuer, old)


async def test_an_unknown_key_is_looked_for_once_in_a_while(
    database: Database, local: LocalIssuer, ann: str
) -> None:
    issuer = Issuer(Keys(local.name, f"{local.name}/keys", refetch_seconds=1e6), AUDIENCE)
    _, stranger = new_key("RS256")
    for number in range(20):
        token = local.token(f"made up {number}", claims(local), key=stranger, algorithm="RS256")
        await refused(database, issuer, token)
    assert local.requests == ["/keys"]
    assert (await actor_of(issuer, local.token("rsa", claims(local)), database)).staff_id == ann


async def test_keys_outlive_their_issuer(database: Database, local: LocalIssuer, ann: str) -> None:
    issuer = Issuer(Keys(local.name, hold_seconds=0.0, refetch_seconds=0.0), AUDIENCE)
    token = local.token("rsa", claims(local))
    assert (await actor_of(issuer, token, database)).staff_id == ann
    local.broken = True
    before = len(local.requests)
    assert (await actor_of(issuer, token, database)).staff_id == ann
    assert len(local.requests) > before  # it was asked in vain


async def test_nobody_waits_for_an_issuer_that_hangs_while_there_are_keys(
    database: Database, local: LocalIssuer, ann: str
) -> None:
    keys = Keys(local.name, hold_seconds=3600.0, refetch_seconds=0.0)
    issuer = Issuer(keys, AUDIENCE)
    token = local.token("rsa", claims(local))
    assert (await actor_of(issuer, token, database)).staff_id == ann
    assert keys._read_at is not None
    keys._read_at -= 3601.0
    old = keys._read_at
    local.answers.clear()
    for _ in range(3):
        assert (await actor_of(issuer, token, database)).staff_id == ann
        assert keys._reading is not None
        assert not keys._reading.done()
    assert keys._read_at == old
    reading = keys._reading
    assert reading is not None
    local.answers.set()
    await reading
    assert keys._read_at > old
    assert local.requests == ["/.well-known/openid-configuration", "/keys"] * 2


async def test_an_issuer_that_never_ends_its_answer_is_not_waited_for(
    local: LocalIssuer, issuer: Issuer, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(oidc, "READ_SECONDS", 0.2)
    local.answers.clear()
    with pytest.raises(CrmError) as refused:
        await issuer.claims(local.token("rsa", claims(local)))
    assert refused.value.code is ErrorCode.UNAVAILABLE
    assert "no whole answer came in time" in caplog.text


async def test_after_a_long_time_alone_keys_are_read_first(
    database: Database, local: LocalIssuer, ann: str
) -> None:
    keys = Keys(local.name, hold_seconds=3600.0, refetch_seconds=0.0)
    issuer = Issuer(keys, AUDIENCE)
    token = local.token("rsa", claims(local))
    assert (await actor_of(issuer, token, database)).staff_id == ann
    assert keys._read_at is not None
    assert keys._tried_at is not None
    keys._read_at -= 7201.0
    keys._tried_at -= 7201.0
    local.keys = {"next": new_key("RS256")}
    await refused(database, issuer, token)  # its key was withdrawn


async def test_without_keys_nobody_comes_in_and_it_is_said_why(
    database: Database, local: LocalIssuer, issuer: Issuer, ann: str
) -> None:
    local.broken = True
    with pytest.raises(CrmError) as raised:
        await actor_of(issuer, local.token("rsa", claims(local)), database)
    assert raised.value.code is ErrorCode.UNAVAILABLE


async def test_discovery_of_another_issuer_is_not_believed(local: LocalIssuer) -> None:
    keys = Keys(f"{local.name}/tenant", refetch_seconds=0.0)
    with pytest.raises(oidc.Unreachable):
        await keys.key("rsa")


async def test_shared_secrets_and_keys_for_encryption_are_left_out(local: LocalIssuer) -> None:
    published = local.public("rsa")
    found = oidc._keys_of(
        {
            "keys": [
                published,
                {**published, "kid": "sealing", "use": "enc"},
                {"kty": "oct", "kid": "shared", "k": "c2VjcmV0", "alg": "HS256"},
                {**published, "kid": "odd", "alg": "HS256"},
                {"kid": "broken", "kty": "RSA"},
                "nonsense",
            ]
        }
    )
    assert set(found) == {"rsa"}


async def test_tokens_of_ours_still_open(database: Database, issuer: Issuer, local: LocalIssuer) -> None:
    verifier = TokenVerifier(database, issuer=issuer)
    for secret in ("crm_unknown", "a.b.c", "..", "a.b", "é.é.é"):
        with pytest.raises(CrmError) as raised:
            await verifier.verify(secret)
        assert raised.value.code is ErrorCode.UNAUTHENTICATED
    await verifier.close()
    assert local.requests == []


async def actor_of(issuer: Issuer, token: str, database: Database) -> Actor:
    return await issuer.staff(await issuer.address(token), database, no_segments)


async def refused(database: Database, issuer: Issuer, token: str) -> None:
    with pytest.raises(CrmError) as raised:
        await actor_of(issuer, token, database)
    assert raised.value.code is ErrorCode.UNAUTHENTICATED


@pytest.fixture
async def verifier(database: Database, issuer: Issuer) -> AsyncIterator[TokenVerifier]:
    """One that remembers for as long as these tests take, on PostgreSQL."""
    made = TokenVerifier(database, 60_000, issuer=issuer)
    yield made
    await made.close()


async def statements(verifier: TokenVerifier, token: str) -> int:
    with verifier._database.counting() as counted:
        assert (await verifier.verify(token)).permissions == {"customers.read"}
    return len(counted)


async def test_who_it_is_is_remembered_as_of_other_tokens(
    verifier: TokenVerifier, local: LocalIssuer, database: Database, ann: str
) -> None:
    token, another = (local.token("rsa", claims(local, jti=name)) for name in "ab")
    first = await statements(verifier, token)
    assert first > 0
    again = 0 if database.dialect == "postgres" else first
    assert [await statements(verifier, text) for text in (token, another)] == [again, again]
    async with database.unit_of_work() as tx:
        await deactivate_staff(tx, ann)  # by this process: it holds at once
    with pytest.raises(CrmError, match="unknown, expired or revoked"):
        await verifier.verify(token)


async def test_what_the_issuer_says_is_not_remembered(
    verifier: TokenVerifier, local: LocalIssuer, ann: str
) -> None:
    now = int(time.time())
    good = local.token("rsa", claims(local))
    assert (await verifier.verify(good)).staff_id == ann
    for stale in (
        local.token("rsa", claims(local, exp=now - SKEW_SECONDS - 1)),
        local.token("rsa", claims(local, nbf=now + SKEW_SECONDS + 10)),
        local.token("rsa", claims(local), key=new_key("RS256")[1]),
    ):
        with pytest.raises(CrmError, match="unknown, expired or revoked"):
            await verifier.verify(stale)
    local.keys = {"next": new_key("RS256")}
    assert (await verifier.verify(local.token("next", claims(local)))).staff_id == ann
    with pytest.raises(CrmError, match="unknown, expired or revoked"):
        await verifier.verify(good)  # its key was withdrawn


async def test_after_the_window_a_change_elsewhere_holds(
    database: Database, issuer: Issuer, local: LocalIssuer, ann: str
) -> None:
    verifier = TokenVerifier(database, 1, issuer=issuer)
    token = local.token("rsa", claims(local))
    assert (await verifier.verify(token)).staff_id == ann
    async with database.unit_of_work() as tx:  # without an event, as if another process did it
        await tx.execute("UPDATE crm_staff SET active = ? WHERE id = ?", (False, ann))
    await asyncio.sleep(0.01)
    with pytest.raises(CrmError, match="unknown, expired or revoked"):
        await verifier.verify(token)
    await verifier.close()
