"""Names of time zones: IANA's alone, whatever else a machine keeps beside them."""

import pytest

from crm_framework.errors import CrmError
from crm_framework.zones import is_time_zone, time_zone


def test_names_are_taken_in_any_case_and_spelled_as_iana_does() -> None:
    assert time_zone(" europe/BERLIN ") == "Europe/Berlin"
    assert (time_zone("utc"), time_zone("UTC")) == ("UTC", "UTC")
    assert is_time_zone("Europe/Berlin")
    assert not is_time_zone("europe/berlin ")


@pytest.mark.parametrize(
    ("wrong", "hint"),
    [
        ("Europe/Berln", "Did you mean 'Europe/Berlin'"),
        ("localtime", "IANA"),
        ("posixrules", "IANA"),
        ("Factory", ""),
        ("right/Europe/Berlin", ""),
        ("posix/Asia/Tokyo", ""),
        ("../etc/passwd", ""),
        ("Europe", ""),
        ("x" * 300, "IANA"),
        ("\0", ""),
        ("", ""),
        (None, "IANA"),
        (7, "IANA"),
    ],
)
def test_what_is_no_name_of_a_zone(wrong: object, hint: str) -> None:
    with pytest.raises(CrmError, match="is no time zone") as refused:
        time_zone(wrong, path=("timeZone",))
    assert refused.value.path == ("timeZone",)
    assert hint in (refused.value.hint or "")
    assert not is_time_zone(wrong)
