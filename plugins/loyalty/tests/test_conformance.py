from collections.abc import Mapping
from typing import ClassVar

from crm_framework.testing import PluginConformance


class TestConformance(PluginConformance):
    module = "crm_loyalty"
    values: ClassVar[Mapping[str, object]] = {
        "loyalty_program.currency": "EUR",
        "loyalty_entry.kind": "EARNED",
        "loyalty_program.time_zone": "Europe/Berlin",
        "loyalty_tier.benefits": "[]",
        "loyalty_campaign.rules": "[]",
        "loyalty_reward.tiers": "[]",
        "loyalty_rule_version.kinds": "[]",
        "loyalty_program_version.multipliers": "[]",
        "loyalty_replay.present": "[]",
    }
    arguments: ClassVar[Mapping[str, str]] = {"LoyaltyAccount.asOf": 'at: "2026-01-01T00:00:00Z"'}
