import pytest

from crm_framework.domain.values import locales
from crm_framework.domain.values.locales import locale_region, locale_tag
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


def test_a_long_text_is_not_looked_at(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delattr(locales, "_TAG")
    with pytest.raises(CrmError, match=r"^'de-(abcde-){9}ab…' is no language tag"):
        locale_tag("de" + "-abcde" * 100_000)
