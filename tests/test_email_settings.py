"""The section [email]: what it takes, and what it says without showing the password."""

from pathlib import Path

import pytest

from crm_framework.email_settings import Encryption, sender_address, smtp_server
from crm_framework.errors import CrmError, ErrorCode
from crm_framework.secret import Secret
from crm_framework.settings import load_settings


@pytest.mark.parametrize(
    ("url", "port", "encryption"),
    [
        ("smtp://crm:sesame@mail.example.com:2525", 2525, Encryption.STARTTLS),
        ("smtp://crm:sesame@mail.example.com", 587, Encryption.STARTTLS),
        ("smtps://crm:sesame@mail.example.com", 465, Encryption.IMPLICIT),
        ("smtp://mail.example.com:25?starttls=none", 25, Encryption.NONE),
        ("smtp://localhost:25", 25, Encryption.NONE),
        ("smtp://crm:sesame@[::1]:25", 25, Encryption.NONE),
        ("smtp://127.0.0.1?starttls=required", 587, Encryption.STARTTLS),
    ],
)
def test_addresses_of_servers(url: str, port: int, encryption: Encryption) -> None:
    server = smtp_server(Secret(url))
    assert (server.port, server.encryption) == (port, encryption)
    assert "sesame" not in repr(server)


def test_special_characters_are_written_as_percent() -> None:
    server = smtp_server(Secret("smtp://crm%40example.com:a%2Fb%3Ac%40@mail.example.com"))
    assert (server.user, server.password) == ("crm@example.com", Secret("a/b:c@"))


@pytest.mark.parametrize(
    "url",
    [
        "",
        "mail.example.com",
        "http://mail.example.com",
        "smtp://",
        "smtp://crm:sesame@mail.example.com:70000",
        "smtp://crm:sesame@mail.example.com/inbox",
        "smtp://crm:sesame@mail.example.com?starttls=no",
        "smtp://crm:sesame@mail.example.com?tls=none",
        "smtp://crm:sesame@mail.example.com?starttls=none",
        "smtps://crm:sesame@mail.example.com?starttls=required",
        "smtp://crm@mail.example.com",
        "smtp://:sesame@mail.example.com",
        "smtp://crm:sesam%C3%A9@mail.example.com",
        "smtp://cr%C3%BC:sesame@mail.example.com",
        "smtp://crm:sesame@[mail",
    ],
)
def test_what_is_no_address_is_refused_without_showing_it(url: str) -> None:
    with pytest.raises(CrmError) as caught:
        smtp_server(Secret(url))
    assert caught.value.code is ErrorCode.CONFIGURATION
    assert "sesame" not in str(caught.value)


@pytest.mark.parametrize(
    ("text", "name", "address"),
    [
        ("crm@example.com", "", "crm@example.com"),
        ("Example Ltd <crm@Example.com>", "Example Ltd", "crm@example.com"),
        ('"Example, Ltd" <crm@example.com>', "Example, Ltd", "crm@example.com"),
        ("Büro <crm@bücher.example>", "Büro", "crm@xn--bcher-kva.example"),
    ],
)
def test_senders(text: str, name: str, address: str) -> None:
    found = sender_address(text)
    assert (found.display_name, found.addr_spec) == (name, address)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "crm",
        "crm@",
        "@example.com",
        "a@example.com, b@example.com",
        "a@example.com\r\nBcc: b@example.com",
    ],
)
def test_what_is_no_sender_is_refused(text: str) -> None:
    with pytest.raises(CrmError) as caught:
        sender_address(text)
    assert caught.value.code is ErrorCode.CONFIGURATION


def test_the_section_comes_from_the_file_and_the_environment(tmp_path: Path) -> None:
    file = tmp_path / "crm.toml"
    file.write_text('[email]\nsmtp_url = "smtp://crm:old@mail.example.com"\nsender = "crm@example.com"\n')
    settings = load_settings(file, environ={"CRM_EMAIL__SMTP_URL": "smtp://crm:sesame@mail.example.com"})
    assert settings.email.smtp_url == Secret("smtp://crm:sesame@mail.example.com")
    assert (settings.email.sender, settings.email.domain, settings.email.timeout_s) == (
        "crm@example.com",
        "example.com",
        30.0,
    )
    assert "sesame" not in repr(settings)
    assert settings.sections == {}


def test_without_a_section_nothing_is_set() -> None:
    email = load_settings(environ={"CRM_CONFIG": ""}).email
    assert (email.smtp_url, email.sender, email.domain) == (None, None, "crm.invalid")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ('[email]\nsmtp_ulr = "x"\n', "section [email]: unknown key smtp_ulr. Did you mean smtp_url?"),
        ('[email]\nsmtp_url = "smtp://localhost"\n', "smtp_url is set without sender"),
        ("[email]\nsmtp_url = 5\n", "section [email]: smtp_url: expected text, got int"),
        ('[email]\nsender = "crm"\n', "sender is 'crm', which is not one address"),
        ("[email]\ntimeout_s = 0\n", "section [email]: timeout_s: expected `float` > 0.0"),
        ('email = "crm@example.com"\n', "email: expected `object`, got `str`"),
    ],
)
def test_what_does_not_fit_stops_the_program(tmp_path: Path, text: str, message: str) -> None:
    file = tmp_path / "crm.toml"
    file.write_text(text)
    with pytest.raises(CrmError) as caught:
        load_settings(file, environ={})
    assert caught.value.code is ErrorCode.CONFIGURATION
    assert message in str(caught.value)
