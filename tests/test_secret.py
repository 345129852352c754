"""A secret of the settings is shown nowhere."""

import json
import logging
import pickle

import msgspec
import pytest

from crm_framework import PluginSettings, Secret
from crm_framework.errors import CrmError
from crm_framework.settings import Settings, load_settings, plugin_settings

MARK = "zq-marker-of-a-secret-zq"


class Own(PluginSettings, frozen=True, kw_only=True):
    password: Secret = Secret("")
    retries: int = 3


def test_it_is_shown_nowhere(caplog: pytest.LogCaptureFixture) -> None:
    secret = Secret(MARK)
    assert secret.reveal() == MARK
    logging.getLogger("crm_framework").warning("%s %r", secret, secret)
    for text in (str(secret), repr(secret), f"{secret}", repr([secret]), repr(Own(password=secret))):
        assert MARK not in text
    assert MARK not in caplog.text
    for write in (pickle.dumps, json.dumps, msgspec.json.encode):
        with pytest.raises(TypeError) as refused:
            write(secret)
        assert MARK not in str(refused.value)
    assert (secret == Secret(MARK), secret == MARK, bool(Secret(""))) == (True, False, False)


def test_a_plugins_section(monkeypatch: pytest.MonkeyPatch) -> None:
    settings = Settings(sections={"own": {"password": MARK}}, database_url=f"postgres://crm:{MARK}@db/crm")
    assert plugin_settings(settings, "own", Own).password.reveal() == MARK
    assert (MARK in repr(settings), "postgres://crm:********@db/crm" in repr(settings)) == (False, True)
    settings = load_settings(environ={"CRM_OWN__PASSWORD": MARK, "CRM_AUDIT_KEYS": MARK})
    assert plugin_settings(settings, "own", Own).password.reveal() == MARK
    assert [key.reveal() for key in settings.audit_keys] == [MARK]
    assert MARK not in repr(settings)


@pytest.mark.parametrize(
    ("section", "said"),
    [
        ({"password": 7}, "password: expected text, got int"),
        ({"password": [MARK]}, "password: expected text, got list"),
        ({"passwort": MARK}, "unknown key passwort"),
        ({"retries": MARK}, "retries"),
    ],
)
def test_what_does_not_fit_is_told_without_the_value(section: dict[str, object], said: str) -> None:
    with pytest.raises(CrmError, match=said) as refused:
        plugin_settings(Settings(sections={"own": section}), "own", Own)
    assert MARK not in str(refused.value)
