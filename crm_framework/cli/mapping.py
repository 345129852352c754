"""From a file's columns to the fields of an import, and a reference for rows that bring none."""

import hashlib
import json
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from difflib import get_close_matches
from typing import Any

from crm_framework.errors import CrmError, ErrorCode

ATTRIBUTE = "attributes."
"""Prefix of fields that fill a customer's attributes: `attributes.shoeSize`."""


@dataclass(frozen=True)
class FileMapping:
    """Where each field comes from: a column of the file, a constant, or a column of the field's own name."""

    fields: tuple[str, ...]
    columns: Mapping[str, str]
    constants: Mapping[str, str]

    @classmethod
    def parse(cls, maps: Iterable[str], constants: Iterable[str], *, fields: Iterable[str]) -> "FileMapping":
        """From the `FIELD=COLUMN` and `FIELD=VALUE` pairs of the command line."""
        known = tuple(fields)
        columns = _pairs(maps, "--map", known)
        fixed = _pairs(constants, "--set", known)
        if both := sorted(columns.keys() & fixed.keys()):
            raise CrmError(
                ErrorCode.BAD_INPUT,
                f"{', '.join(both)} is given by --map and by --set.",
                hint="Take a field from a column or set it, not both.",
            )
        return cls(known, columns, fixed)

    def missing(self, header: Iterable[str]) -> list[str]:
        """Columns that a --map names and the file does not have."""
        return sorted(set(self.columns.values()) - set(header))

    def ignored(self, header: Iterable[str]) -> list[str]:
        """Columns of the file that fill no field."""
        taken = set(self.columns.values())
        return [column for column in header if column not in taken and not self._fills_itself(column)]

    def apply(self, values: Mapping[str, Any]) -> dict[str, Any]:
        """The record's fields. Empty cells are absent; nothing is converted yet."""
        row: dict[str, Any] = {
            column: value
            for column, value in values.items()
            if column not in self.columns and column not in self.constants and self._fills_itself(column)
        }
        row.update((name, values.get(column)) for name, column in self.columns.items())
        row.update(self.constants)
        return {name: value for name, value in row.items() if value is not None and value != ""}

    def _fills_itself(self, column: str) -> bool:
        return column in self.fields or column.startswith(ATTRIBUTE)


def _pairs(items: Iterable[str], option: str, known: tuple[str, ...]) -> dict[str, str]:
    found: dict[str, str] = {}
    for item in items:
        name, equals, value = item.partition("=")
        if not equals or not name or not value:
            raise CrmError(
                ErrorCode.BAD_INPUT,
                f"{option} {item!r} is not FIELD=… .",
                hint=f"Fields: {', '.join(known)}.",
            )
        if name not in known and not name.startswith(ATTRIBUTE):
            near = get_close_matches(name, known, 1)
            hint = f"Did you mean {near[0]}?" if near else f"Fields: {', '.join(known)}."
            raise CrmError(ErrorCode.BAD_INPUT, f"{option}: there is no field {name!r}.", hint=hint)
        if name in found:
            raise CrmError(ErrorCode.BAD_INPUT, f"{option} names {name!r} twice.", hint="Name it once.")
        found[name] = value
    return found


class ContentReferences:
    """References for rows without an id: a digest of the content and its occurrence in the file.

    Two equal rows of one file are two records (both can be true), and the same file again names the same
    records, so that a second run, or one after a crash, changes nothing. Appending to the file is safe too;
    rows must not be reordered only among their equals, which makes no difference.
    """

    def __init__(self) -> None:
        self._seen: Counter[bytes] = Counter()

    def reference(self, row: Mapping[str, Any]) -> str:
        """`<32 hexadecimal digits>-<occurrence from 1>`."""
        content = json.dumps(row, sort_keys=True, ensure_ascii=False, separators=(",", ":"), default=str)
        digest = hashlib.sha256(content.encode()).digest()[:16]
        self._seen[digest] += 1
        return f"{digest.hex()}-{self._seen[digest]}"
