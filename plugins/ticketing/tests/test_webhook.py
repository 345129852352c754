"""Signed requests: which are let in, and what they say."""

import hmac
from base64 import b64encode
from datetime import UTC, datetime, timedelta

import pytest
from crm_ticketing.webhook.requests import read_request
from crm_ticketing.webhook.signatures import check, check_secret

from crm_framework import CrmError, Secret

NOW = datetime(2026, 1, 5, 9, tzinfo=UTC)
KEY = b"0123456789abcdef0123456789abcdef"
SECRET = Secret("whsec_" + b64encode(KEY).decode())
OTHER = Secret("whsec_" + b64encode(KEY[::-1]).decode())
BODY = b'{"body": "No lid.", "customer": {"email": "ada@example.com"}}'


def signed(*, id_: str = "msg_1", at: datetime = NOW, body: bytes = BODY, key: bytes = KEY) -> dict[str, str]:
    stamp = str(int(at.timestamp()))
    mac = hmac.digest(key, f"{id_}.{stamp}.".encode() + body, "sha256")
    return {
        "Webhook-Id": id_,
        "webhook-timestamp": stamp,
        "webhook-signature": f"v2,abc v1,{b64encode(mac).decode()}",
    }


def test_a_right_signature_is_let_in() -> None:
    assert check(signed(), BODY, [SECRET], NOW) == "msg_1"
    assert check(signed(), BODY, [OTHER, SECRET], NOW) == "msg_1"
    assert check(signed(at=NOW - timedelta(minutes=4)), BODY, [SECRET], NOW) == "msg_1"


def test_the_example_of_the_convention() -> None:
    """standardwebhooks.com gives this secret, message and signature."""
    secret = Secret("whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw")
    headers = {
        "webhook-id": "msg_p5jXN8AQM9LWM0D4loKWxJek",
        "webhook-timestamp": "1614265330",
        "webhook-signature": "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=",
    }
    at = datetime.fromtimestamp(1614265330, UTC)
    assert check(headers, b'{"test": 2432232314}', [secret], at) == "msg_p5jXN8AQM9LWM0D4loKWxJek"


@pytest.mark.parametrize(
    ("headers", "body"),
    [
        (signed(key=KEY[::-1]), BODY),
        (signed(), BODY + b" "),
        (signed(at=NOW - timedelta(minutes=6)), BODY),
        (signed(at=NOW + timedelta(minutes=6)), BODY),
        ({**signed(), "Webhook-Id": "msg_2"}, BODY),
        ({**signed(), "webhook-timestamp": "now"}, BODY),
        ({**signed(), "webhook-signature": "v1,????"}, BODY),
        ({**signed(), "webhook-signature": ""}, BODY),
        ({}, BODY),
    ],
)
def test_any_other_is_refused_in_the_same_words(headers: dict[str, str], body: bytes) -> None:
    with pytest.raises(CrmError) as error:
        check(headers, body, [SECRET], NOW)
    assert (error.value.code, error.value.message) == (
        "UNAUTHENTICATED",
        "The request is not signed as it must be.",
    )


def test_without_a_secret_nothing_is_let_in() -> None:
    for secrets in ([], [Secret("")]):
        with pytest.raises(CrmError):
            check(signed(key=b""), BODY, secrets, NOW)


def test_a_short_secret_is_none() -> None:
    with pytest.raises(CrmError, match="less than 24 bytes"):
        check_secret(Secret("whsec_" + b64encode(b"short").decode()))


def test_what_a_request_says() -> None:
    request = read_request(
        b'{"body": "B", "subject": "S", "customer": {"source": "shop", "reference": "7"},'
        b' "attachments": [{"name": "a.png", "mediaType": "image/png", "size": 3, "url": "s3://a"}]}'
    )
    assert (request.body, request.subject, request.ticket) == ("B", "S", None)
    assert [file.name for file in request.files()] == ["a.png"]


@pytest.mark.parametrize(
    ("body", "path"),
    [
        (b"", ()),
        (b"[1", ()),
        (b"[" * 100_000, ()),
        (b'{"customer": {"email": "a@b.c"}}', ()),
        (b'{"body": 3, "customer": {"email": "a@b.c"}}', ("body",)),
        (b'{"body": "x", "customer": {"source": "shop"}}', ("customer",)),
        (b'{"body": "x", "customer": {"email": "a@b.c"}, "more": 1}', ()),
        (b'{"body": "x", "customer": {"email": "a@b.c"}, "ticket": 99999999999999999999}', ("ticket",)),
        (b'{"body": "x", "customer": {"email": "a@b.c"}, "ticket": 2147483648}', ("ticket",)),
    ],
)
def test_what_does_not_fit_is_refused(body: bytes, path: tuple[str, ...]) -> None:
    with pytest.raises(CrmError) as error:
        read_request(body)
    assert (error.value.code, error.value.path) == ("BAD_INPUT", path)
