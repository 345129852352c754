"""The plugin's part of the API, composed of its subjects'."""

from crm_framework import Customer, SchemaParts, fields_of

from .asking.activity import churn_field, repeat_field, retention_field
from .asking.analytics import Analytics, analytics_field
from .asking.cohorts import cohorts_field
from .asking.customers import CustomerMetrics, OfCustomer, value_field
from .asking.members import filter_members, order_fields
from .asking.money import exchange_rates, set_exchange_rates
from .asking.others import others_field
from .asking.products import products_field
from .asking.prospects import conversion_field
from .asking.recovery import recovery_field
from .asking.responses import response_field
from .asking.revenue import revenue_field
from .asking.rfm import rfm_field
from .asking.risk import at_risk_field
from .asking.surveys import csat_field, nps_field
from .asking.upkeep import daily_revenue, rebuild_field, verify_figures
from .asking.value import clv_field, pattern_field
from .baskets import graphql as baskets
from .baskets.pattern import pattern_field as product_pattern_field
from .baskets.unbought import unbought_field
from .forecast.graphql import forecast_field
from .predictions import customers, models
from .segments.graphql import by_segment_field, freeze_segments
from .settings import AnalyticsSettings
from .surveys import changes as survey_changes
from .surveys import graphql as surveys


def parts(settings: AnalyticsSettings) -> SchemaParts:
    return SchemaParts(
        extend={
            Customer: [
                *fields_of(OfCustomer),
                *customers.CUSTOMER,
                *baskets.CUSTOMER,
                *surveys.CUSTOMER,
            ],
            CustomerMetrics: [value_field(settings)],
            Analytics: [
                nps_field,
                csat_field,
                response_field,
                retention_field,
                by_segment_field,
                churn_field,
                repeat_field,
                cohorts_field,
                clv_field,
                rfm_field,
                conversion_field,
                revenue_field,
                products_field,
                pattern_field,
                recovery_field,
                at_risk_field,
                others_field,
                forecast_field,
                unbought_field,
                product_pattern_field,
            ],
        },
        query=[
            analytics_field(settings),
            daily_revenue,
            exchange_rates,
            *models.QUERY,
            *baskets.QUERY,
            *surveys.QUERY,
        ],
        mutation=[
            rebuild_field(settings),
            verify_figures,
            set_exchange_rates,
            freeze_segments,
            *survey_changes.mutations(settings),
        ],
        filters={
            "CustomerFilter": [
                *filter_members(settings),
                *customers.MEMBERS,
                *baskets.MEMBERS,
            ]
        },
        orders={"CustomerOrder": [*order_fields(settings), *customers.ORDERS]},
    )
