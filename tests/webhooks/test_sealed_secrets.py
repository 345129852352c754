"""What webhooks are signed with is sealed in the database, where there are keys for it."""

import msgspec
import pytest
from standardwebhooks.webhooks import Webhook

from crm_framework import CrmError
from crm_framework.domain.webhooks.changes import seal_secrets
from crm_framework.secret import Secret
from crm_framework.security.sealed import seal, unseal
from crm_framework.storage.clock import now
from tests.webhooks.conftest import Office

OLD, NEW = Secret("the key of last year"), Secret("the key of this year")


def use(office: Office, *keys: Secret) -> None:
    office.database.settings = msgspec.structs.replace(office.database.settings, webhook_keys=keys)


async def arrives(office: Office, secret: str) -> bool:
    """Whether an event arrives now, signed with the secret."""
    before = len(office.receiver.received)
    await office.customer()
    await office.work(now())
    if len(office.receiver.received) == before:
        return False
    got = office.receiver.received[-1]
    return bool(Webhook(secret).verify(got.body, got.headers))


async def test_keys_come_and_go(office: Office) -> None:
    made = await office.made()
    secret, key = made["secret"], made["webhook"]["id"]
    assert (await office.stored())["secret"] == secret  # there is no key yet
    with pytest.raises(CrmError, match="There is no key to seal with"):
        async with office.database.unit_of_work() as tx:
            await seal_secrets(tx)
    for keys in ((OLD,), (NEW, OLD)):
        use(office, *keys)
        assert await arrives(office, secret)
        async with office.database.unit_of_work() as tx:
            assert await seal_secrets(tx) == 1
        row = await office.stored()
        assert row["secret"].startswith("sealed:")
        assert secret.removeprefix("whsec_") not in row["secret"]
    use(office, NEW)
    assert await arrives(office, secret)

    use(office, OLD)  # the key that it was sealed with is lost
    assert not await arrives(office, secret)
    row = (await office.rows())[-1]
    assert (row["status"], row["attempts"]) == ("PENDING", 1)
    assert "which is none of webhook_keys" in row["error"]
    tested = await office.client.data(
        "mutation($id: ID!) { testWebhook(input: {id: $id}) { errors { code } } }", id=key
    )
    assert [error["code"] for error in tested["testWebhook"]["errors"]] == ["REFUSED"]
    rotated = (await office.do("rotateWebhookSecret", "secret", id=key))["secret"]
    assert await arrives(office, rotated)


def test_it_opens_in_its_place_only() -> None:
    sealed = seal([NEW], "sesame", "one")
    assert sealed != seal([NEW], "sesame", "one")
    assert unseal([OLD, NEW], sealed, "one") == "sesame"
    for keys, text, place in (
        ([OLD], sealed, "one"),
        ([NEW], sealed, "other"),
        ([NEW], f"{sealed}AAAA", "one"),
    ):
        with pytest.raises(CrmError, match="none of webhook_keys, or was altered"):
            unseal(keys, text, place)
    assert unseal([], "as it is", "one") == "as it is"
