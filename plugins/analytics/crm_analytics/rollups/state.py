"""How far the figures are counted, and in which zone."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from crm_framework import Reader, UnitOfWork, parse_time

NAME = "rollups"


@dataclass(frozen=True)
class State:
    """`counted_at` is None until what was recorded before the plugin came is counted; `next_zone` is that for
    which all is being counted anew."""

    zone: str
    next_zone: str | None
    counted_at: datetime | None
    step: int
    """How many changes there were by which all was counted anew."""

    @property
    def complete(self) -> bool:
        return self.counted_at is not None and self.next_zone is None


async def state(source: UnitOfWork | Reader) -> State:
    rows = await source.fetch(
        "SELECT zone, next_zone, counted_at, step FROM analytics_state WHERE name = ?", [NAME]
    )
    return _of(rows[0])


def _of(row: dict[str, Any]) -> State:
    counted = row["counted_at"]
    return State(row["zone"], row["next_zone"], None if counted is None else parse_time(counted), row["step"])
