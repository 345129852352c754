import pytest

from crm_framework.domain.values.locales import locale_region, locale_tag, time_zone
from crm_framework.errors import CrmError


@pytest.mark.parametrize(
    ("given", "tag", "region"),
    [
        ("DE", "de", None),
        ("pt_br", "pt-BR", "BR"),
        ("zh-hant-tw", "zh-Hant-TW", "TW"),
        ("es-419", "es-419", None),
        ("de-CH-1996", "de-CH-1996", "CH"),
    ],
)
def test_language_tags(given: str, tag: str, region: str | None) -> None:
    assert locale_tag(given) == tag
    assert locale_region(tag) == region


@pytest.mark.parametrize("given", ["", "german", "d", "de-XY", "de--DE", "de-DE-", 7, None, "de-" + "a" * 40])
def test_what_is_no_language_tag(given: object) -> None:
    with pytest.raises(CrmError, match="is no language tag"):
        locale_tag(given)


def test_time_zones() -> None:
    assert time_zone(" europe/BERLIN ") == "Europe/Berlin"
    assert time_zone("utc") == "UTC"
    for wrong, hint in (
        ("Europe/Berln", "Did you mean 'Europe/Berlin'"),
        ("../etc/passwd", ""),
        (None, "IANA"),
    ):
        with pytest.raises(CrmError) as refused:
            time_zone(wrong, path=("timeZone",))
        assert refused.value.path == ("timeZone",)
        assert hint in (refused.value.hint or "")
