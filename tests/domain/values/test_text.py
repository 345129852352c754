import pytest

from crm_framework.domain.values import text
from crm_framework.errors import CrmError, ErrorCode


@pytest.mark.parametrize(
    ("given", "folded"),
    [
        ("Müller", "muller"),
        ("STRASSE", "strasse"),
        ("Straße", "strasse"),
        ("  Ana   María\tÓ ", "ana maria o"),
        ("İstanbul", "istanbul"),
        ("Łódź Ørsted Æther", "lodz orsted aether"),
        ("ＡＢＣ", "abc"),
        ("Ὀδυσσεύς", "οδυσσευσ"),
        ("", ""),
    ],
)
def test_fold(given: str, folded: str) -> None:
    assert text.fold(given) == folded


def test_folding_twice_changes_nothing() -> None:
    for given in ("Müller & Söhne", "İI", "ẞ", "ﬃ"):
        assert text.fold(text.fold(given)) == text.fold(given)


def test_words() -> None:
    assert text.words("Müller-Lüdenscheidt & Co. (2020)") == ["muller", "ludenscheidt", "co", "2020"]
    assert text.words("anna@example.com") == ["anna", "example", "com"]
    assert text.words(" -- ") == []


def test_line_is_trimmed_and_composed() -> None:
    assert text.line("  Mu\u0308ller ", "The name", 6) == "Müller"


@pytest.mark.parametrize(
    ("value", "message"),
    [
        ("", "The name is empty."),
        (" \t ", "The name is empty."),
        ("\u200b", "The name is empty."),
        ("a\x00b", "The name holds the control character U+0000."),
        ("a\nb", "The name holds the control character U+000A."),
        ("a\u202eb", "The name holds the control character U+202E."),
        ("a\ud800", "The name holds the control character U+D800."),
        ("a" * 11, "The name has 11 characters; 10 are allowed."),
        (7, "The name must be text, not a number."),
        (True, "The name must be text, not a boolean."),
        (None, "The name must be text, not null."),
        ({}, "The name must be text, not an object."),
    ],
)
def test_what_is_no_line_is_refused(value: object, message: str) -> None:
    with pytest.raises(CrmError) as refused:
        text.line(value, "The name", 10, path=("name",))
    assert (refused.value.code, refused.value.message) == (ErrorCode.BAD_INPUT, message)
    assert refused.value.path == ("name",)


def test_optional_text() -> None:
    assert text.optional_line(None, "The city", 5) is None
    assert text.optional_line("  ", "The city", 5) is None
    assert text.optional_line(" Bonn ", "The city", 5) == "Bonn"
    assert text.optional_lines("a\n\tb", "The body", 5) == "a\n\tb"
    with pytest.raises(CrmError, match="only tabs and line ends are allowed"):
        text.optional_lines("a\x07b", "The body", 5)


@pytest.mark.parametrize(
    ("typed", "held"),
    [
        (" Thank you\r\nvery\u2028much\tAnn ", "Thank you\nvery\nmuch\tAnn"),
        ("\u2067\u05e9\u05dc\u05d5\u05dd\u2069 \x07\ud800", "\u05e9\u05dc\u05d5\u05dd"),
        ("\u200b \x00", ""),
        ("", ""),
    ],
)
def test_what_nobody_saw_is_left_out(typed: str, held: str) -> None:
    assert text.without_controls(typed) == held
    assert text.optional_lines(held, "The body", 50) == (held or None)


def test_nearest() -> None:
    assert text.nearest("Adress", ["email", "address"]) == "address"
    assert text.nearest("xyz", ["email", "address"]) is None
