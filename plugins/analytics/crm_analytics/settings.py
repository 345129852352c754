"""The plugin's settings, `[analytics]` in crm.toml."""

import re

from crm_framework import CrmError, PluginSettings, Secret, time_zone

from .metrics.clv import Costs
from .metrics.retention import Inactivity


class AnalyticsSettings(PluginSettings, frozen=True):
    """`time_zone` (IANA) is whose days, weeks and months all figures go by. Once it is changed, all is
    counted anew by the worker.

    A customer is no longer active after `inactive_after_months` without a purchase. A customer costs, in
    minor units of `cost_currency`: `acquisition_cost_minor` once, and `ticket_cost_minor` for each ticket.

    Purchases of customers are predicted for `horizon_days`, their value for `value_days`, of which what comes
    a year later counts `discount_percent` less. What is bought together is found in `basket_days` of
    purchases.

    Links to surveys begin with `survey_url`, the address of this server as customers reach it, and are signed
    with `survey_secrets`, of 16 characters at least: the present one first.
    """

    time_zone: str = "UTC"
    inactive_after_months: int = 12
    cost_currency: str | None = None
    acquisition_cost_minor: int = 0
    ticket_cost_minor: int = 0
    horizon_days: int = 90
    value_days: int = 365
    discount_percent: float = 10.0
    basket_days: int = 365
    survey_url: str = ""
    survey_secrets: tuple[Secret, ...] = ()

    def __post_init__(self) -> None:
        try:
            zone = time_zone(self.time_zone)
        except CrmError as error:
            raise ValueError(f"time_zone: {error}") from None
        if zone != self.time_zone:
            raise ValueError(f"time_zone: write {self.time_zone!r} as {zone!r}")
        if self.cost_currency is not None and not re.fullmatch("[A-Z]{3}", self.cost_currency, re.ASCII):
            raise ValueError(f"cost_currency: {self.cost_currency!r} is no ISO 4217 code, such as EUR")
        if self.survey_url and not re.fullmatch(r"https?://[^\s?#]+", self.survey_url, re.ASCII):
            raise ValueError(
                f"survey_url: {self.survey_url!r} is no address of a server, such as https://crm.example.com"
            )
        if self.inactive_after_months < 1:
            raise ValueError("inactive_after_months must be 1 or more")
        for name in ("horizon_days", "value_days", "basket_days"):
            if not 1 <= getattr(self, name) <= 3650:
                raise ValueError(f"{name} must be 1 to 3,650")
        if not 0 <= self.discount_percent <= 1000:
            raise ValueError("discount_percent must be 0 to 1,000")

    @property
    def inactivity(self) -> Inactivity:
        return Inactivity(months=self.inactive_after_months)

    @property
    def costs(self) -> Costs:
        return Costs(self.cost_currency, self.acquisition_cost_minor, self.ticket_cost_minor)
