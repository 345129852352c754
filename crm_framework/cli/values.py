"""Text of a file's cells as values: moments, money, whole numbers, yes and no. Each fault names its field."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, tzinfo
from typing import Any

from crm_framework.domain.values import money
from crm_framework.errors import CrmError, ErrorCode, cut

_YES = frozenset({"true", "yes", "y", "1"})
_NO = frozenset({"false", "no", "n", "0"})


@dataclass(frozen=True)
class Cells:
    """The mapped fields of one record. `zone` is that of times without one, `date_format` is strptime's."""

    row: Mapping[str, Any]
    zone: tzinfo = UTC
    date_format: str | None = None

    def text(self, name: str) -> str | None:
        """The value as it stands; numbers of NDJSON as text."""
        value = self.row.get(name)
        if value is None or isinstance(value, str):
            return value
        if isinstance(value, dict | list | bool):
            raise _bad(name, f"{cut(value)} is no text.", 'Write it as a string: "…".')
        return str(value)

    def moment(self, name: str) -> datetime | None:
        """A date (its midnight), a local time or a time with an offset."""
        text = self.text(name)
        if text is None:
            return None
        try:
            at = (
                datetime.strptime(text, self.date_format)  # the zone is set below
                if self.date_format
                else datetime.fromisoformat(text)
            )
        except ValueError:
            wanted = f"in the form {self.date_format}" if self.date_format else "such as 2024-01-31T09:00:00Z"
            raise _bad(name, f"{cut(text)} is no date or time {wanted}.", "See --date-format.") from None
        return at if at.tzinfo else at.replace(tzinfo=self.zone)

    def money(self, name: str, currency: str | None) -> int | None:
        """Minor units of `currency`."""
        text = self.text(name)
        if text is None:
            return None
        if currency is None:
            raise _bad("currency", f"{name} is given without a currency.", "Map one, or --set currency=EUR.")
        return money.parse(text, currency, path=(name,), currency_path=("currency",)).amount_minor

    def whole(self, name: str) -> int | None:
        """A whole number."""
        text = self.text(name)
        if text is None:
            return None
        try:
            return int(text) if len(text) < 20 else int("")
        except ValueError:
            raise _bad(name, f"{cut(text)} is no whole number.", "Write digits alone.") from None

    def flag(self, name: str) -> bool:
        """Yes or no; no where it is absent."""
        value = self.row.get(name)
        if value is None or isinstance(value, bool):
            return bool(value)
        word = str(value).strip().lower()
        if word not in _YES | _NO:
            raise _bad(name, f"{cut(value)} is neither yes nor no.", "Write true or false.")
        return word in _YES

    def words(self, name: str) -> tuple[str, ...]:
        """A list: of NDJSON, or text separated by `;`."""
        value = self.row.get(name)
        if value is None:
            return ()
        if isinstance(value, list):
            return tuple(str(part) for part in value)
        return tuple(part.strip() for part in str(value).split(";") if part.strip())

    def objects(self, name: str) -> tuple[Mapping[str, Any], ...]:
        """A list of JSON objects, which NDJSON alone can hold."""
        value = self.row.get(name)
        if value is None:
            return ()
        if not isinstance(value, list) or not all(isinstance(part, dict) for part in value):
            raise _bad(name, f"{name} is no list of objects.", "Give it in an .ndjson file as [{…}, …].")
        return tuple(value)


def _bad(name: str, message: str, hint: str) -> CrmError:
    return CrmError(ErrorCode.BAD_INPUT, message, path=(name,), hint=hint)
