"""What is asked of a level."""

from collections.abc import Sequence
from typing import Any

from .plans import PlannedField


class Ask:
    """What is asked of a level once, for one or several fields of its selection."""

    __slots__ = ("fields", "first", "reading", "values")

    def __init__(self, field: PlannedField) -> None:
        self.first = field
        self.fields = [field]
        self.reading = field.reading
        self.values: list[Sequence[Any]] = []
