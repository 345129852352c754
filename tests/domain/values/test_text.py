import unicodedata

import pytest

from crm_framework.domain.values import marks, text
from crm_framework.errors import CrmError, ErrorCode

MARKS = "\u0301" * 80_000 + "\u0316" * 80_000
"""Putting these into order would take minutes."""


@pytest.fixture
def composed(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The texts that are normalised."""
    texts: list[str] = []
    normalize = unicodedata.normalize

    def kept(form: "unicodedata._NormalizationForm", text: str) -> str:
        assert len(text) <= 100
        texts.append(text)
        return normalize(form, text)

    marks.stream_safe("\u0301" * 31)  # what a mark is, is found once, by such calls
    monkeypatch.setattr(unicodedata, "normalize", kept)
    return texts


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


def test_a_run_of_marks_is_cut_before_it_is_folded(composed: list[str]) -> None:
    assert text.fold(f"A{MARKS}b") == "ab"
    assert text.words(f"A{MARKS} b") == ["a", "b"]
    assert composed == ["a" + "\u0301" * 30 + "b", "a" + "\u0301" * 30 + " b"]


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


def test_a_run_of_marks_is_refused_before_it_is_composed(composed: list[str]) -> None:
    for checked in (text.line, text.optional_line, text.optional_lines):
        with pytest.raises(CrmError) as refused:
            checked(f"a{MARKS}", "The name", 200_000, path=("name",))
        assert refused.value.message == "The name holds more than 30 combining marks after each other."
        assert (refused.value.path, refused.value.hint) == (("name",), "Leave marks out.")
    assert composed == []
    assert text.line("a" + "\u0301" * 30, "The name", 40) == "á" + "\u0301" * 29
    with pytest.raises(CrmError, match="more than 30 combining marks"):
        text.line("a" + "\u0301" * 31, "The name", 40)


def test_a_text_that_is_too_long_is_not_looked_at(
    composed: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delattr(unicodedata, "category")
    for given in (f"a{MARKS}", "é" * 160_001, "\n" + "a" * 160_000 + "\n\nb" * 2, "a\0" * 80_000 + "b"):
        with pytest.raises(CrmError) as refused:
            text.optional_lines(given, "The body", 10)
        assert refused.value.message == f"The body has {len(given.strip())} characters; 10 are allowed."
    with pytest.raises(CrmError, match=r"The body has 11 characters; 10 are allowed\."):
        text.line("é" * 11, "The body", 10)
    assert composed == ["é" * 11]


def test_the_length_is_that_of_the_composed_text() -> None:
    four = "\u03b1\u0313\u0300\u0345"  # one letter, composed: the most that becomes one
    assert text.line(four * 10, "The name", 10) == "\u1f82" * 10
    with pytest.raises(CrmError, match=r"The name has 11 characters; 10 are allowed\."):
        text.line(four * 9 + "ab", "The name", 10)


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
        ("e" + "\u0316" * 40 + "x", "e" + "\u0316" * 30 + "x"),
    ],
)
def test_what_nobody_saw_is_left_out(typed: str, held: str) -> None:
    assert text.without_controls(typed) == held
    assert text.optional_lines(held, "The body", 50) == (held or None)


def test_nearest() -> None:
    assert text.nearest("Adress", ["email", "address"]) == "address"
    assert text.nearest("xyz", ["email", "address"]) is None
