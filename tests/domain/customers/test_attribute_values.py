import json
from datetime import date
from decimal import Decimal

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from crm_framework.domain.customers import attribute_values
from crm_framework.domain.customers.attribute_values import Definition, check_value, check_values
from crm_framework.domain.models import AttributeType
from crm_framework.errors import CrmError, ErrorCode


def definition(kind: str, *, name: str = "field", required: bool = False) -> Definition:
    choices = ("Red", "Blue", "Dark green") if kind.startswith("CHOICE") else None
    return Definition(
        id="", version=1, name=name, type=AttributeType(kind), choices=choices, required=required
    )


@pytest.mark.parametrize(
    ("kind", "value", "kept"),
    [
        ("TEXT", " a\nb ", "a\nb"),
        ("TEXT", "  ", None),
        ("TEXT", None, None),
        ("NUMBER", 12, 12),
        ("NUMBER", 12.0, 12),
        ("NUMBER", 12.50, 12.5),
        ("NUMBER", "12.50", 12.5),
        ("NUMBER", " -3 ", -3),
        ("NUMBER", Decimal("0.1"), 0.1),
        ("NUMBER", "0.000", 0),
        ("NUMBER", "-0", 0),
        ("NUMBER", "", None),
        ("NUMBER", "123456789012.345", 123456789012.345),
        ("NUMBER", 999_999_999_999_999, 999_999_999_999_999),
        ("NUMBER", "1e3", 1000),
        ("BOOLEAN", True, True),
        ("BOOLEAN", False, False),
        ("DATE", "2024-02-29", "2024-02-29"),
        ("DATE", date(2024, 2, 29), "2024-02-29"),
        ("DATE", " ", None),
        ("CHOICE", "red", "Red"),
        ("CHOICE", "dark  GREEN", "Dark green"),
        ("CHOICE", " ", None),
        ("CHOICES", ["blue", "RED", "Blue"], ["Red", "Blue"]),
        ("CHOICES", [], None),
    ],
)
def test_values_that_fit(kind: str, value: object, kept: object) -> None:
    checked = check_value(definition(kind), value)
    assert (checked, type(checked)) == (kept, type(kept))


@pytest.mark.parametrize(
    ("kind", "value", "message"),
    [
        ("TEXT", 3, "The attribute 'field' must be a text, not 3."),
        ("TEXT", "a\x00", "The attribute 'field' holds the control character U+0000."),
        ("TEXT", "a" * 5001, "The attribute 'field' has 5001 characters; 5000 are allowed."),
        ("NUMBER", "abc", "The attribute 'field' must be a number, such as 12.5, not 'abc'."),
        ("NUMBER", True, "The attribute 'field' must be a number, such as 12.5, not True."),
        ("NUMBER", "1,5", "The attribute 'field' must be a number, such as 12.5, not '1,5'."),
        ("NUMBER", float("nan"), "The attribute 'field' must be a number, such as 12.5, not nan."),
        ("NUMBER", "Infinity", "The attribute 'field' must be a number, such as 12.5, not 'Infinity'."),
        ("NUMBER", "٣", "The attribute 'field' must be a number, such as 12.5, not '٣'."),
        (
            "NUMBER",
            "0.1234567890123456",
            "The attribute 'field' takes numbers of at most 15 significant digits.",
        ),
        ("NUMBER", 10**15, "The attribute 'field' takes numbers below 10^15, not 1000000000000000."),
        ("NUMBER", "1e999999", "The attribute 'field' takes numbers below 10^15, not 1e999999."),
        ("NUMBER", [1], "The attribute 'field' must be a number, such as 12.5, not a list."),
        ("BOOLEAN", "true", "The attribute 'field' must be true or false, not 'true'."),
        ("BOOLEAN", 1, "The attribute 'field' must be true or false, not 1."),
        ("DATE", "2023-02-29", "The attribute 'field' must be a date, such as 2024-01-31, not '2023-02-29'."),
        ("DATE", "20240131", "The attribute 'field' must be a date, such as 2024-01-31, not '20240131'."),
        ("DATE", 20240131, "The attribute 'field' must be a date, such as 2024-01-31, not 20240131."),
        ("CHOICE", "yellow", "'yellow' is no choice of the attribute 'field'."),
        ("CHOICE", {}, "The attribute 'field' must be one of: Red, Blue, Dark green, not an object."),
        (
            "CHOICES",
            "red",
            "The attribute 'field' must be a list of some of: Red, Blue, Dark green, not 'red'.",
        ),
        (
            "CHOICES",
            ["red", 1],
            "The attribute 'field' must be a list of some of: Red, Blue, Dark green, not 1.",
        ),
    ],
)
def test_values_that_do_not_fit_name_the_field_and_the_form(kind: str, value: object, message: str) -> None:
    with pytest.raises(CrmError) as refused:
        check_value(definition(kind), value, path=("attributes", "field"))
    assert (refused.value.code, refused.value.message) == (ErrorCode.BAD_INPUT, message)
    assert refused.value.path[:2] == ("attributes", "field")


@settings(deadline=None)  # the machine may be busy
@given(st.decimals(allow_nan=False, allow_infinity=False, places=4, min_value=-(10**10), max_value=10**10))
def test_a_number_reads_back_as_it_was_written(number: Decimal) -> None:
    kept = check_value(definition("NUMBER"), str(number))
    assert Decimal(json.dumps(kept)) == number
    assert check_value(definition("NUMBER"), kept) == kept


def test_suggestions() -> None:
    known = {name: definition("TEXT", name=name) for name in ("shoeSize", "birthday")}
    with pytest.raises(CrmError) as refused:
        check_values({"shoesize": "1"}, known)
    assert refused.value.message == "There is no attribute 'shoesize'."
    assert (refused.value.hint, refused.value.path) == (
        "Did you mean 'shoeSize'?",
        ("attributes", "shoesize"),
    )
    with pytest.raises(CrmError, match="Known are: birthday, shoeSize"):
        check_values({"x": 1}, known)
    with pytest.raises(CrmError, match="Define it first"):
        check_values({"x": 1}, {})
    with pytest.raises(CrmError) as refused:
        check_value(definition("CHOICE"), "reed")
    assert refused.value.hint == "Did you mean 'Red'?"
    with pytest.raises(CrmError) as refused:
        check_value(definition("CHOICE"), "yellow")
    assert refused.value.hint == "Choose from: Red, Blue, Dark green."


def test_required_at_creation_and_on_removal_only() -> None:
    known = {"a": definition("TEXT", name="a", required=True), "b": definition("TEXT", name="b")}
    assert check_values({"a": "1"}, known) == {"a": "1"}
    for given_values in ({}, {"a": None}, {"a": " "}):
        with pytest.raises(CrmError) as refused:
            check_values(given_values, known)
        assert (refused.value.message, refused.value.path) == (
            "The attribute 'a' is required.",
            ("attributes", "a"),
        )
    assert check_values({"b": "2"}, known, before={}) == {"b": "2"}
    assert check_values({"b": None}, known, before={"b": "2"}) == {}
    with pytest.raises(CrmError):
        check_values({"a": None}, known, before={"a": "1"})


@pytest.mark.parametrize(
    ("kind", "cell", "kept"),
    [
        ("BOOLEAN", " Yes ", True),
        ("BOOLEAN", "0", False),
        ("BOOLEAN", "", None),
        ("CHOICES", "red; Blue;", ["Red", "Blue"]),
        ("NUMBER", "12.5", 12.5),
        ("DATE", "2024-01-31", "2024-01-31"),
        ("TEXT", "yes", "yes"),
    ],
)
def test_cells_of_tables(kind: str, cell: str, kept: object) -> None:
    checked = check_values({"field": cell}, {"field": definition(kind)}, from_text=True)
    assert checked == ({} if kept is None else {"field": kept})


def test_a_cell_that_is_no_boolean_is_refused() -> None:
    with pytest.raises(CrmError, match="must be true or false, not 'maybe'"):
        check_values({"field": "maybe"}, {"field": definition("BOOLEAN")}, from_text=True)


def test_a_text_longer_than_any_choice_is_not_folded(monkeypatch: pytest.MonkeyPatch) -> None:
    folded: list[str] = []
    monkeypatch.setattr(attribute_values, "fold", folded.append)
    with pytest.raises(CrmError, match="is no choice of the attribute 'field'"):
        check_value(definition("CHOICE"), "é" * 5_001)
    assert folded == []
