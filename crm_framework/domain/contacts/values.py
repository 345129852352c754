"""The values of contact points in their normal forms: e-mail, telephone, postal address, handle.

Two contact points with one normal form are the same; what was typed is kept beside it.
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache

import phonenumbers
from email_validator import EmailNotValidError, validate_email

from crm_framework.domain.kinds import check_channel
from crm_framework.domain.values.countries import country_code
from crm_framework.domain.values.text import fold, line, nearest, optional_line
from crm_framework.errors import CrmError, ErrorCode, cut

VALUE_LIMIT = 500
"""Characters that a contact point may have."""

PHONE_CHANNELS = frozenset({"phone", "sms"})
ADDRESS_CHANNELS = frozenset({"address", "post"})

ADDRESS_FIELDS: Mapping[str, int] = {
    "street": 200,
    "postalCode": 20,
    "city": 200,
    "region": 100,
    "country": 2,
}
"""Parts of a postal address, and the characters that each may have."""


EMAIL_LIMIT = 254
_ATOM = r"[A-Za-z0-9!#$%&'*+/=?^_`{|}~-]+"
_USUAL_LOCAL = re.compile(rf"(?=.{{1,64}}\Z){_ATOM}(?:\.{_ATOM})*")


@dataclass(frozen=True, slots=True)
class ContactValue:
    """`value` as it was given, `normalized` for comparison, `address` by part for postal addresses."""

    channel: str
    value: str
    normalized: str
    address: Mapping[str, str] | None = None


_default_region: str | None = None


def set_default_region(country: str | None) -> None:
    """The country whose numbering applies to telephone numbers of customers without a country."""
    global _default_region
    _default_region = None if country is None else country_code(country)


def normalize(
    channel: object,
    value: str | None,
    *,
    address: Mapping[str, str | None] | None = None,
    region: str | None = None,
    path: Sequence[str | int] = (),
) -> ContactValue:
    """The value in its channel's normal form, or BAD_INPUT at `path` + `value` (or `channel`, `address`).

    `region` is the country (ISO 3166-1) that a telephone number without a country code belongs to.
    """
    name = check_channel(channel, path=(*path, "channel"))
    if name in ADDRESS_CHANNELS:
        return _postal(name, value, address, path)
    if address is not None:
        raise CrmError(
            ErrorCode.BAD_INPUT,
            f"Contact points of the channel {name!r} have no address.",
            path=(*path, "address"),
            hint="Give a value, or choose the channel 'address'.",
        )
    at = (*path, "value")
    text = line(value, "The contact point", VALUE_LIMIT, path=at)
    if name == "email":
        return ContactValue(name, text, normalize_email(text, path=at))
    if name in PHONE_CHANNELS:
        return ContactValue(name, text, normalize_phone(text, region, path=at))
    handle = text.casefold().removeprefix("@")
    if not handle or len(handle) > VALUE_LIMIT:
        raise CrmError(
            ErrorCode.BAD_INPUT,
            f"{cut(text)} is no handle.",
            path=at,
            hint="Write it such as @anna.example.",
        )
    return ContactValue(name, text, handle)


def normalize_email(text: str, *, path: Sequence[str | int] = ()) -> str:
    """The address in lower case, its domain in Unicode; BAD_INPUT for what is none. Asks no name server."""
    stripped = text.strip()
    local, _, domain = stripped.partition("@")
    if _USUAL_LOCAL.fullmatch(local) and len(stripped) <= EMAIL_LIMIT:
        lower = domain.lower()
        if _is_usual_domain(lower):
            return f"{local.lower()}@{lower}"
    try:
        address = validate_email(stripped, check_deliverability=False)
    except EmailNotValidError as error:
        raise CrmError(
            ErrorCode.BAD_INPUT,
            f"{cut(text, 80)} is no e-mail address. {str(error).rstrip('.')}.",
            path=path,
            hint="Write it such as anna@example.com.",
        ) from None
    return address.normalized.lower()


@lru_cache(maxsize=4096)
def _is_usual_domain(domain: str) -> bool:
    """Whether it is a good domain of e-mail addresses as it stands: most addresses have one seen before."""
    try:
        return domain.isascii() and validate_email(f"x@{domain}", check_deliverability=False).domain == domain
    except EmailNotValidError:
        return False


def normalize_phone(text: str, region: str | None = None, *, path: Sequence[str | int] = ()) -> str:
    """The number in E.164 (`+4930123456`), an extension left out; BAD_INPUT for what is none.

    Numbers of a possible length are taken: which ranges are assigned changes more often than programs do.
    """
    region = region or _default_region
    digits = text.strip()
    if region is None and digits.startswith("00"):
        digits = "+" + digits[2:]
    try:
        number = phonenumbers.parse(digits, region)
    except phonenumbers.NumberParseException as error:
        without_country = error.error_type == phonenumbers.NumberParseException.INVALID_COUNTRY_CODE
        if without_country and region is None and not digits.startswith("+"):
            raise CrmError(
                ErrorCode.BAD_INPUT,
                f"{cut(text)} has no country code, and the customer's country is not known.",
                path=path,
                hint="Write the number with its country code, such as +49 30 123456.",
            ) from None
        raise _no_phone(text, path) from None
    if not phonenumbers.is_possible_number(number):
        raise _no_phone(text, path)
    return phonenumbers.format_number(number, phonenumbers.PhoneNumberFormat.E164)


def _no_phone(text: str, path: Sequence[str | int]) -> CrmError:
    return CrmError(
        ErrorCode.BAD_INPUT,
        f"{cut(text)} is no telephone number.",
        path=path,
        hint="Write it with its country code, such as +49 30 123456.",
    )


def _postal(
    channel: str, value: str | None, address: Mapping[str, str | None] | None, path: Sequence[str | int]
) -> ContactValue:
    parts = _address_parts(address, (*path, "address")) if address is not None else {}
    if value is not None and value.strip():
        text = line(" ".join(value.split()), "The address", VALUE_LIMIT, path=(*path, "value"))
    elif parts:
        town = " ".join(parts[name] for name in ("postalCode", "city") if name in parts)
        written = (parts.get("street"), town, parts.get("region"), parts.get("country"))
        text = ", ".join(part for part in written if part)
    else:
        raise CrmError(
            ErrorCode.BAD_INPUT,
            "The address is empty.",
            path=(*path, "address"),
            hint="Give at least one of street, postalCode, city, region, country.",
        )
    return ContactValue(channel, text, fold(text)[:VALUE_LIMIT], parts or None)


def _address_parts(address: Mapping[str, str | None], path: Sequence[str | int]) -> dict[str, str]:
    parts: dict[str, str] = {}
    for name in address:
        if name not in ADDRESS_FIELDS:
            meant = nearest(name, list(ADDRESS_FIELDS))
            raise CrmError(
                ErrorCode.BAD_INPUT,
                f"{cut(name)} is no part of an address.",
                path=(*path, name),
                hint=f"Did you mean {meant!r}?" if meant else f"Parts are: {', '.join(ADDRESS_FIELDS)}.",
            )
    for name, limit in ADDRESS_FIELDS.items():
        value = address.get(name)
        if name == "country" and value is not None and value.strip():
            parts[name] = country_code(value, path=(*path, name))
        elif (
            text := optional_line(value, f"The {name} of the address", limit, path=(*path, name))
        ) is not None:
            parts[name] = text
    return parts
