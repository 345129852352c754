"""What happens with surveys."""

from dataclasses import dataclass

from crm_framework import Event


@dataclass(frozen=True, kw_only=True)
class SurveyChanged(Event):
    """A survey was made, changed or closed."""

    type = "analytics.survey_changed"
    subject_type = "Survey"
    survey_id: str = ""

    @property
    def subject_id(self) -> str:
        return self.survey_id


@dataclass(frozen=True, kw_only=True)
class SurveyRunBegun(Event):
    """A survey is being sent."""

    type = "analytics.survey_run_begun"
    subject_type = "SurveyRun"
    run_id: str = ""
    survey_id: str = ""

    @property
    def subject_id(self) -> str:
        return self.run_id


@dataclass(frozen=True, kw_only=True)
class SurveyRunFinished(SurveyRunBegun):
    """All whom a run was for were asked or passed over."""

    type = "analytics.survey_run_finished"


@dataclass(frozen=True, kw_only=True)
class SurveyAsked(Event):
    """A customer was asked."""

    type = "analytics.survey_asked"
    subject_type = "SurveyInvitation"
    invitation_id: str = ""
    survey_id: str = ""

    @property
    def subject_id(self) -> str:
        return self.invitation_id


@dataclass(frozen=True, kw_only=True)
class SurveyAnswered(SurveyAsked):
    """A customer answered: `score` is 0 to 10 where `kind` is NPS, 1 to 5 where it is CSAT."""

    type = "analytics.survey_answered"
    kind: str = ""
    score: int = 0


EVENTS = (SurveyChanged, SurveyRunBegun, SurveyRunFinished, SurveyAsked, SurveyAnswered)
