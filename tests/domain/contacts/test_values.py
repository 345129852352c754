from collections.abc import Iterator

import pytest

from crm_framework.domain.contacts import values as contact_values
from crm_framework.domain.contacts.values import ContactValue, normalize
from crm_framework.domain.values.countries import country_code
from crm_framework.errors import CrmError, ErrorCode


@pytest.fixture(autouse=True)
def no_default_region() -> Iterator[None]:
    contact_values.set_default_region(None)
    yield
    contact_values.set_default_region(None)


@pytest.mark.parametrize(
    ("channel", "value", "region", "normalized"),
    [
        ("email", " Anna.Meier@Example.COM ", None, "anna.meier@example.com"),
        ("email", "anna+shop@example.com", None, "anna+shop@example.com"),
        ("email", "anna@BÜCHER.example.com", None, "anna@bücher.example.com"),
        ("phone", "+49 (30) 123456", None, "+4930123456"),
        ("phone", "030/123456", "DE", "+4930123456"),
        ("phone", "0049 30 123456", None, "+4930123456"),
        ("phone", "0049 30 123456", "DE", "+4930123456"),
        ("phone", "(212) 555-0100", "US", "+12125550100"),
        ("phone", "+1 212 555 0100 ext. 7", None, "+12125550100"),
        ("sms", "0171 1234567", "DE", "+491711234567"),
        ("social", " @Anna.Meier ", None, "anna.meier"),
    ],
)
def test_normal_forms(channel: str, value: str, region: str | None, normalized: str) -> None:
    assert normalize(channel, value, region=region) == ContactValue(channel, value.strip(), normalized)


def test_the_default_region_serves_customers_without_a_country() -> None:
    contact_values.set_default_region("de")
    assert contact_values.normalize_phone("030 123456") == "+4930123456"
    assert contact_values.normalize_phone("(212) 555-0100", "US") == "+12125550100"


@pytest.mark.parametrize(
    ("channel", "value", "message", "hint"),
    [
        ("email", "anna", "'anna' is no e-mail address", "Write it such as anna@example.com."),
        ("email", "a@b@example.com", "'a@b@example.com' is no e-mail address", "anna@example.com"),
        ("email", "anna@localhost", "'anna@localhost' is no e-mail address", "anna@example.com"),
        ("phone", "hello", "'hello' is no telephone number", "+49 30 123456"),
        ("phone", "+49 1", "'+49 1' is no telephone number", "+49 30 123456"),
        ("phone", "+999 123456789", "is no telephone number", "+49 30 123456"),
        ("phone", "030 123456", "'030 123456' has no country code", "such as +49 30 123456"),
        ("chat", "@", "'@' is no handle", "@anna.example"),
        ("email", "", "The contact point is empty.", "Give some text."),
        ("email", "x" * 501, "has 501 characters; 500 are allowed", "Shorten it."),
    ],
)
def test_a_bad_value_is_refused_with_an_example(channel: str, value: str, message: str, hint: str) -> None:
    with pytest.raises(CrmError) as refused:
        normalize(channel, value, path=("contactPoints", 0))
    assert refused.value.code is ErrorCode.BAD_INPUT
    assert refused.value.path == ("contactPoints", "0", "value")
    assert message in refused.value.message
    assert refused.value.hint is not None
    assert hint in refused.value.hint


def test_an_address_by_parts() -> None:
    parts = {"street": "Am Markt 1", "postalCode": "53111", "city": " Köln ", "country": "de", "region": None}
    assert normalize("address", None, address=parts) == ContactValue(
        "address",
        "Am Markt 1, 53111 Köln, DE",
        "am markt 1, 53111 koln, de",
        {"street": "Am Markt 1", "postalCode": "53111", "city": "Köln", "country": "DE"},
    )


def test_an_address_as_text() -> None:
    assert normalize("address", "Am  Markt 1,\n53111 Bonn") == ContactValue(
        "address", "Am Markt 1, 53111 Bonn", "am markt 1, 53111 bonn", None
    )


@pytest.mark.parametrize(
    ("address", "path", "message"),
    [
        ({}, ("address",), "The address is empty."),
        ({"city": " "}, ("address",), "The address is empty."),
        ({"town": "Bonn"}, ("address", "town"), "'town' is no part of an address."),
        ({"country": "Germany"}, ("address", "country"), "'Germany' is no country."),
        (
            {"city": "B" * 201},
            ("address", "city"),
            "The city of the address has 201 characters; 200 are allowed.",
        ),
    ],
)
def test_a_bad_address_is_refused(
    address: dict[str, str | None], path: tuple[str, ...], message: str
) -> None:
    with pytest.raises(CrmError) as refused:
        normalize("address", None, address=address)
    assert (refused.value.path, refused.value.message) == (path, message)


def test_only_addresses_have_parts() -> None:
    with pytest.raises(CrmError, match="have no address"):
        normalize("email", "anna@example.com", address={"city": "Bonn"})


def test_countries() -> None:
    assert country_code(" gb ") == "GB"
    assert len(contact_values.ADDRESS_FIELDS) == 5
    with pytest.raises(CrmError, match=r"Did you mean GB\?"):
        country_code("UK")
