import json
from collections.abc import Mapping
from typing import ClassVar

from crm_ticketing.calendars.rules import CalendarRules
from crm_ticketing.calendars.rules import as_json as calendar_json
from crm_ticketing.policies.rules import ClockKind, PolicyRules
from crm_ticketing.policies.rules import as_json as policy_json

from crm_framework.testing import PluginConformance


class TestConformance(PluginConformance):
    module = "crm_ticketing"
    values: ClassVar[Mapping[str, object]] = {
        "ticketing_ticket.category": "question",
        "ticketing_ticket.clock_state": "PENDING",
        "ticketing_calendar.number": 1,
        "ticketing_calendar_version.number": 1,
        "ticketing_calendar_version.rules": json.dumps(calendar_json(CalendarRules("UTC", always=True))),
        "ticketing_policy.number": 1,
        "ticketing_policy.active_number": 1,
        "ticketing_policy_version.number": 1,
        "ticketing_policy_version.rules": json.dumps(
            policy_json(PolicyRules({ClockKind.FIRST_RESPONSE: 3600}))
        ),
        "ticketing_team.categories": "[]",
        "ticketing_team.members": "[]",
        "ticketing_history.kind": "MESSAGE",
        "ticketing_history.before": None,
        "ticketing_history.actor_kind": "STAFF",
        "ticketing_history.after": "STAFF",
        "ticketing_ticket.attributes": "{}",
        "ticketing_message.channel": "email",
        "ticketing_attachment_content.content": b"x",
        "ticketing_view.condition": "{}",
        "ticketing_view.order_by": "[]",
    }
