"""The tables of the plugin, a file a subject."""

from .activity import Activity
from .answers import Answer
from .baskets import BasketRule
from .customers import Figures, Quintiles, Revenue
from .membership import Freeze, Membership
from .predictions import Prediction, PredictionModel
from .purchases import Daily, Month, Product
from .rates import Rate
from .state import State
from .surveys import Invitation, InvitationState, Survey, SurveyKind, SurveyRun
from .totals import Cohorts, Goods, Sales

__all__ = [
    "Activity",
    "Answer",
    "BasketRule",
    "Cohorts",
    "Daily",
    "Figures",
    "Freeze",
    "Goods",
    "Invitation",
    "InvitationState",
    "Membership",
    "Month",
    "Prediction",
    "PredictionModel",
    "Product",
    "Quintiles",
    "Rate",
    "Revenue",
    "Sales",
    "State",
    "Survey",
    "SurveyKind",
    "SurveyRun",
]
