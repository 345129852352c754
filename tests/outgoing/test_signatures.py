"""Signatures, checked with the convention's own library and with its published example."""

from datetime import UTC, datetime

import pytest
from standardwebhooks.webhooks import Webhook, WebhookVerificationError

from crm_framework.outgoing.signatures import new_secret, signed_headers

BODY = '{"type":"customer.created","data":{"name":"Zoë"}}'.encode()


def test_the_published_example() -> None:
    headers = signed_headers(
        "msg_p5jXN8AQM9LWM0D4loKWxJek",
        datetime.fromtimestamp(1614265330, UTC),
        b'{"test": 2432232314}',
        ["whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"],
    )
    assert headers["webhook-signature"] == "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="


def test_the_library_accepts_what_is_signed() -> None:
    secret = new_secret()
    headers = dict(signed_headers("msg-1", datetime.now(UTC), BODY, [secret]))
    assert Webhook(secret).verify(BODY, headers)["data"] == {"name": "Zoë"}
    with pytest.raises(WebhookVerificationError):
        Webhook(secret).verify(BODY + b" ", headers)
    with pytest.raises(WebhookVerificationError):
        Webhook(secret).verify(BODY, {**headers, "webhook-id": "msg-2"})
    with pytest.raises(WebhookVerificationError):
        Webhook(new_secret()).verify(BODY, headers)


def test_both_secrets_are_accepted_while_they_change() -> None:
    old, new = new_secret(), new_secret()
    headers = dict(signed_headers("msg-1", datetime.now(UTC), BODY, [new, old]))
    assert len(headers["webhook-signature"].split(" ")) == 2
    for secret in (old, new):
        Webhook(secret).verify(BODY, headers)


def test_secrets_have_the_form_and_differ() -> None:
    one, two = new_secret(), new_secret()
    assert one.startswith("whsec_")
    assert one != two
