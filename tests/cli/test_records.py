from pathlib import Path
from typing import Any

import pytest

from crm_framework.cli.records import Record, Refused, read_records
from crm_framework.errors import CrmError


def read(tmp_path: Path, content: bytes, name: str = "file.csv", **options: str) -> list[Record | Refused]:
    path = tmp_path / name
    path.write_bytes(content)
    return list(read_records(path, **options))


def taken(records: list[Record | Refused]) -> list[tuple[int, dict[str, Any]]]:
    return [(record.line, record.values) for record in records if isinstance(record, Record)]


def refused(records: list[Record | Refused]) -> list[tuple[int, str]]:
    return [(record.line, record.reason) for record in records if isinstance(record, Refused)]


def test_records_carry_the_number_of_their_first_line(tmp_path: Path) -> None:
    records = read(tmp_path, b'a,b\n1,"two\nlines"\n\n3,4\n')
    assert taken(records) == [(2, {"a": "1", "b": "two\nlines"}), (5, {"a": "3", "b": "4"})]


def test_a_quote_that_never_closes_costs_its_own_line(tmp_path: Path) -> None:
    records = read(tmp_path, b'a,b\n1,2\n3,"four\n5,6\n7,"8"\n')
    assert taken(records) == [(2, {"a": "1", "b": "2"}), (4, {"a": "5", "b": "6"}), (5, {"a": "7", "b": "8"})]
    assert refused(records) == [(3, "has an open or misplaced quote")]


def test_a_line_with_too_few_or_too_many_values_is_refused(tmp_path: Path) -> None:
    records = read(tmp_path, b"a,b\n1\n1,2,3\n1,2\n")
    assert refused(records) == [
        (2, "has 1 values where the header names 2 columns"),
        (3, "has 3 values where the header names 2 columns"),
    ]
    assert taken(records) == [(4, {"a": "1", "b": "2"})]


def test_a_byte_that_does_not_decode_costs_its_own_line(tmp_path: Path) -> None:
    records = read(tmp_path, b"a\nM\xfcller\nMayer\n")
    assert refused(records) == [(2, "byte 2 is not utf-8; see --encoding")]
    assert taken(records) == [(3, {"a": "Mayer"})]
    assert taken(read(tmp_path, b"a\nM\xfcller\n", encoding="latin-1")) == [(2, {"a": "Müller"})]


def test_a_byte_order_mark_is_no_part_of_the_first_column(tmp_path: Path) -> None:
    assert taken(read(tmp_path, b"\xef\xbb\xbfa;b\n1;2\n")) == [(2, {"a": "1", "b": "2"})]


def test_a_nul_byte_costs_its_own_line(tmp_path: Path) -> None:
    assert refused(read(tmp_path, b"a\n\x00\nb\n")) == [(2, "holds a NUL byte")]


def test_ndjson_takes_objects_only(tmp_path: Path) -> None:
    records = read(tmp_path, b'{"a": 1}\n[1]\n{"a":\n\n{"a": 2}\n', "file.ndjson")
    assert taken(records) == [(1, {"a": 1}), (5, {"a": 2})]
    assert [line for line, _ in refused(records)] == [2, 3]


@pytest.mark.parametrize("content", [b"", b"\n", b"a,a\n1,2\n", b'"a\n'])
def test_a_file_without_a_usable_header_is_refused(tmp_path: Path, content: bytes) -> None:
    with pytest.raises(CrmError, match="header"):
        read(tmp_path, content)


def test_a_file_that_is_not_there_is_refused(tmp_path: Path) -> None:
    with pytest.raises(CrmError, match="cannot be read: No such file"):
        list(read_records(tmp_path / "nothing.csv"))


@pytest.mark.parametrize("delimiter", ["ab", ""])
def test_a_delimiter_is_one_character(tmp_path: Path, delimiter: str) -> None:
    with pytest.raises(CrmError, match=r"is not one character\. Give one, such as ; or tab\."):
        read(tmp_path, b"a,b\n1,2\n", delimiter=delimiter)


@pytest.mark.parametrize("delimiter", ["tab", r"\t", "\t"])
def test_a_tab_can_be_spelt(tmp_path: Path, delimiter: str) -> None:
    assert taken(read(tmp_path, b"a,b\tc\n1,2\t3\n", delimiter=delimiter)) == [(2, {"a,b": "1,2", "c": "3"})]


@pytest.mark.parametrize("encoding", ["utf-16", "utf-32-le"])
def test_an_encoding_with_wide_line_ends_is_refused(tmp_path: Path, encoding: str) -> None:
    with pytest.raises(CrmError, match=f"iconv -f {encoding} -t utf-8"):
        read(tmp_path, "a,b\n1,2\n".encode(encoding), encoding=encoding)


def test_a_value_that_is_too_long_costs_its_own_line(tmp_path: Path) -> None:
    records = read(tmp_path, b"a,b\n" + b"x" * 200_000 + b",1\n1\r2,3\n4,5\n")
    assert refused(records) == [
        (2, "has a value of more than 131,072 characters"),
        (3, "has a carriage return in the middle"),
    ]
    assert taken(records) == [(4, {"a": "4", "b": "5"})]
