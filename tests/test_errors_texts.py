"""How messages show values and places."""

from crm_framework.errors import CrmError, ErrorCode, cut


def test_values_are_cut_within_their_quotes() -> None:
    assert cut("short") == "'short'"
    assert cut("x" * 60) == repr("x" * 60)
    assert cut("x" * 61) == repr("x" * 59 + "…")
    assert cut(["x" * 9] * 9, 10) == "['xxxxxxx…"


def test_the_place_stands_within_the_sentence() -> None:
    error = CrmError(ErrorCode.BAD_INPUT, "That is wrong.", path=("a", 0), hint="Mend it.")
    assert str(error) == "That is wrong (at a.0). Mend it."
    assert str(CrmError(ErrorCode.BAD_INPUT, "That is wrong", path=("a",))) == "That is wrong (at a)"
    assert str(CrmError(ErrorCode.BAD_INPUT, "That is wrong.")) == "That is wrong."
