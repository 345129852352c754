"""What happens in loyalty programmes."""

from dataclasses import dataclass

from crm_framework import Event


@dataclass(frozen=True, kw_only=True)
class ProgramCreated(Event):
    type = "loyalty.program_created"
    subject_type = "LoyaltyProgram"
    program_id: str = ""

    @property
    def subject_id(self) -> str:
        return self.program_id


@dataclass(frozen=True, kw_only=True)
class PointsChanged(Event):
    """Entries were added to an account; `points` is their sum."""

    type = "loyalty.points_changed"
    subject_type = "LoyaltyAccount"
    account_id: str = ""
    points: int = 0

    @property
    def subject_id(self) -> str:
        return self.account_id
