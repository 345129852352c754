"""The plugin's part of the API, subject by subject."""

from collections.abc import Mapping, Sequence
from typing import Any

from crm_framework import SchemaParts

from .calendars import graphql as calendars
from .clocks import graphql_proof as proof
from .desk import graphql as desk
from .links import graphql as links
from .policies import graphql_changes as policies
from .report.graphql import ticketing_report
from .settings import TicketingSettings
from .surveys import graphql as surveys
from .teams import graphql as teams
from .tickets import graphql_bulk
from .tickets import graphql_changes as tickets


def parts(settings: TicketingSettings) -> SchemaParts:
    """What the plugin adds."""
    return together(
        [
            tickets.parts(settings.categories, settings.attributes),
            links.parts(settings),
            desk.parts(settings),
            surveys.PARTS,
            SchemaParts(query=[ticketing_report], mutation=[graphql_bulk.field(settings.categories)]),
            calendars.parts(),
            proof.parts(),
            policies.parts(settings.categories),
            teams.parts(settings.categories),
        ]
    )


def together(each: Sequence[SchemaParts]) -> SchemaParts:
    """The parts of several subjects as one."""
    extend: dict[type[Any], list[Any]] = {}
    filters: dict[str, list[Any]] = {}
    for one in each:
        _gather(extend, one.extend)
        _gather(filters, one.filters)
    return SchemaParts(
        extend=extend,
        query=[field for one in each for field in one.query],
        mutation=[field for one in each for field in one.mutation],
        subscription=[field for one in each for field in one.subscription],
        types=[kind for one in each for kind in one.types],
        filters=filters,
    )


def _gather(into: dict[Any, list[Any]], more: Mapping[Any, Sequence[Any]]) -> None:
    for key, values in more.items():
        into.setdefault(key, []).extend(values)
