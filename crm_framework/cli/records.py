"""Reads records from CSV and NDJSON files, line by line, so that one broken line costs only itself."""

import csv
import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from crm_framework.errors import CrmError, ErrorCode

LONGEST_RECORD = 500
"""Lines that one quoted CSV record may span before its quote counts as never closed."""

DELIMITERS = {"tab": "\t", r"\t": "\t"}
"""Words for what is hard to type."""


@dataclass(frozen=True)
class Record:
    """One record: the number of its first line, its values by column, and the file position behind it."""

    line: int
    values: dict[str, Any]
    position: int


@dataclass(frozen=True)
class Refused:
    """A line that is not a record, or a record that was not taken, and why."""

    line: int
    reason: str
    position: int = 0


@dataclass(frozen=True)
class Line:
    number: int
    text: str
    position: int
    fault: str | None = None


def read_records(
    path: Path, *, encoding: str = "utf-8-sig", delimiter: str | None = None
) -> Iterator[Record | Refused]:
    """Yields the file's records in order: CSV, or one JSON object a line in `.ndjson` and `.jsonl`.

    Raises `CrmError` where the file cannot be read at all or has no header.
    """
    if delimiter is not None and len(delimiter := DELIMITERS.get(delimiter, delimiter)) != 1:
        raise CrmError(
            ErrorCode.BAD_INPUT,
            f"The delimiter {delimiter!r} is not one character.",
            hint="Give one, such as ; or tab.",
        )
    lines = _lines(path, encoding)
    if path.suffix.lower() in {".ndjson", ".jsonl"}:
        return _ndjson(lines)
    return _csv(path, lines, delimiter)


def _lines(path: Path, encoding: str) -> Iterator[Line]:
    try:
        width = len("\n\n".encode(encoding)) - len("\n".encode(encoding))
    except LookupError:
        raise CrmError(
            ErrorCode.BAD_INPUT, f"Unknown encoding {encoding!r}.", hint="Use utf-8, cp1252, latin-1 …"
        ) from None
    if width != 1:  # lines are found by the byte that ends them
        raise CrmError(
            ErrorCode.BAD_INPUT,
            f"A file in {encoding} cannot be read line by line.",
            hint=f"Save it as UTF-8 first: iconv -f {encoding} -t utf-8 {path} > utf-8{path.suffix}",
        )
    try:
        with path.open("rb") as file:
            position = 0
            for number, raw in enumerate(file, start=1):
                position += len(raw)
                try:
                    text = raw.decode(encoding if number == 1 else encoding.removesuffix("-sig"))
                except UnicodeDecodeError as error:
                    fault = f"byte {error.start + 1} is not {encoding.removesuffix('-sig')}; see --encoding"
                    yield Line(number, "", position, fault)
                    continue
                yield Line(number, text, position, "holds a NUL byte" if "\0" in text else None)
    except OSError as error:
        raise CrmError(
            ErrorCode.BAD_INPUT, f"{path} cannot be read: {error.strerror}.", hint="Check the path."
        ) from error


def _ndjson(lines: Iterator[Line]) -> Iterator[Record | Refused]:
    for line in lines:
        if line.fault:
            yield Refused(line.number, line.fault, line.position)
            continue
        if not line.text.strip():
            continue
        try:
            values = json.loads(line.text)
        except (ValueError, RecursionError) as error:
            yield Refused(line.number, f"is not JSON: {error}", line.position)
            continue
        if not isinstance(values, dict):
            yield Refused(line.number, "is not a JSON object", line.position)
            continue
        yield Record(line.number, values, line.position)


def _csv(path: Path, lines: Iterator[Line], delimiter: str | None) -> Iterator[Record | Refused]:
    first = next(lines, None)
    if first is None or first.fault or not first.text.strip():
        raise CrmError(
            ErrorCode.BAD_INPUT,
            f"{path} has no header line{f': line 1 {first.fault}' if first and first.fault else ''}.",
            hint="The first line names the columns.",
        )
    mark = delimiter or max(",;\t|", key=first.text.count)
    header = _parse(first.text, mark)
    if header is None or len(set(header)) != len(header):
        raise CrmError(
            ErrorCode.BAD_INPUT,
            f"{path}: the header line is malformed or names a column twice.",
            hint="Give every column a name of its own.",
        )
    return _csv_records(lines, header, mark)


def _csv_records(lines: Iterator[Line], header: list[str], mark: str) -> Iterator[Record | Refused]:
    """A record grows while a quote is open. What never closes costs its first line only."""
    waiting: list[Line] = []

    def take() -> Line | None:
        return waiting.pop(0) if waiting else next(lines, None)

    while (start := take()) is not None:
        if start.fault:
            yield Refused(start.number, start.fault, start.position)
            continue
        if not start.text.strip("\r\n"):
            continue
        used = [start]
        row = _parse(start.text, mark)
        while row is None and _open_quote(used) and len(used) < LONGEST_RECORD:
            more = take()
            if more is None:
                break
            used.append(more)
            if more.fault:
                break
            if '"' in more.text:
                row = _parse("".join(line.text for line in used), mark)
        if row is not None and len(row) == len(header):
            yield Record(start.number, dict(zip(header, row, strict=True)), used[-1].position)
            continue
        waiting[:0] = used[1:]
        reason = (
            _fault(start.text)
            if row is None
            else f"has {len(row)} values where the header names {len(header)} columns"
        )
        yield Refused(start.number, reason, start.position)


def _fault(text: str) -> str:
    """Why a line is no record: without a quote, only its length or a bare carriage return can be it."""
    if '"' in text:
        return "has an open or misplaced quote"
    if len(text) > csv.field_size_limit():
        return f"has a value of more than {csv.field_size_limit():,} characters"
    return "has a carriage return in the middle"


def _open_quote(lines: list[Line]) -> bool:
    return sum(line.text.count('"') for line in lines) % 2 == 1


def _parse(text: str, mark: str) -> list[str] | None:
    """The one record that `text` holds, or None where it is malformed or not whole."""
    try:
        rows = list(csv.reader([text], delimiter=mark, strict=True))
    except csv.Error:
        return None
    return rows[0] if len(rows) == 1 else None
