import pytest

from crm_framework.cli.mapping import ContentReferences, FileMapping
from crm_framework.errors import CrmError

FIELDS = ("name", "email", "total", "currency")


def test_columns_constants_and_fields_of_the_same_name() -> None:
    mapping = FileMapping.parse(["total=dollars"], ["currency=USD"], fields=FIELDS)
    row = mapping.apply({"dollars": "1.50", "name": "Ann", "email": "", "attributes.size": "L", "x": "y"})
    assert row == {"total": "1.50", "currency": "USD", "name": "Ann", "attributes.size": "L"}
    assert mapping.ignored(["dollars", "name", "x"]) == ["x"]
    assert mapping.missing(["name"]) == ["dollars"]


@pytest.mark.parametrize(
    ("maps", "constants", "message"),
    [
        (["totl=dollars"], [], "Did you mean total"),
        (["total"], [], "not FIELD="),
        (["total=a", "total=b"], [], "twice"),
        (["total=a"], ["total=1"], "by --map and by --set"),
    ],
)
def test_a_wrong_pair_is_refused(maps: list[str], constants: list[str], message: str) -> None:
    with pytest.raises(CrmError) as refusal:
        FileMapping.parse(maps, constants, fields=FIELDS)
    assert message in str(refusal.value)


def test_equal_rows_are_told_apart_and_named_alike_in_the_next_run() -> None:
    rows = [{"a": "1"}, {"a": "2"}, {"a": "1"}]
    first, second = ContentReferences(), ContentReferences()
    references = [first.reference(row) for row in rows]
    assert len(set(references)) == 3
    assert references == [second.reference(row) for row in [*rows, {"a": "3"}]][:3]
    assert references[0][:-2] == references[2][:-2]
    assert [reference[-2:] for reference in references] == ["-1", "-1", "-2"]
