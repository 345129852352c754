"""Signed links."""

import pytest

from crm_framework import CrmError, ErrorCode, Secret, open_link, sign_link

OLD, NEW = Secret("0123456789abcdef"), Secret("fedcba9876543210")
KEY = "018f"


def test_a_link_gives_back_what_was_signed() -> None:
    link = sign_link(KEY, [NEW, OLD], purpose="a.b")
    assert open_link(link, [NEW], purpose="a.b") == KEY
    assert open_link(sign_link(KEY, [OLD], purpose="a.b"), [NEW, OLD], purpose="a.b") == KEY
    assert open_link(link, [NEW], purpose="a.c") is None
    assert open_link(link, [OLD], purpose="a.b") is None
    assert open_link(link, [], purpose="a.b") is None


@pytest.mark.parametrize("made_up", ["", ".", KEY, "ä.ö", "\ud800.x"])
def test_what_nobody_signed_opens_nothing(made_up: str) -> None:
    assert open_link(made_up, [NEW, OLD], purpose="a.b") is None


def test_what_was_changed_opens_nothing() -> None:
    link = sign_link(KEY, [NEW], purpose="a.b")
    for changed in (link[:-1], link + "A", link.replace("018f", "018e"), f"x.{link}"):
        assert open_link(changed, [NEW], purpose="a.b") is None


@pytest.mark.parametrize("secrets", [[], [Secret("short")], [Secret("short"), NEW]])
def test_a_short_secret_signs_nothing(secrets: list[Secret]) -> None:
    with pytest.raises(CrmError, match="no secret of 16 characters") as refused:
        sign_link(KEY, secrets, purpose="a.b")
    assert refused.value.code is ErrorCode.CONFIGURATION


def test_a_short_secret_opens_nothing() -> None:
    assert open_link("018f." + "A" * 32, [Secret("")], purpose="a.b") is None
