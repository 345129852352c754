"""What happens with rules."""

from dataclasses import dataclass

from crm_framework import Event


@dataclass(frozen=True, kw_only=True)
class EarningRuleChanged(Event):
    """A rule was made, changed or ended; `changes` tells what its version says differently."""

    type = "loyalty.earning_rule_changed"
    subject_type = "LoyaltyEarningRule"
    rule_id: str = ""

    @property
    def subject_id(self) -> str:
        return self.rule_id


@dataclass(frozen=True, kw_only=True)
class EarningReplayed(Event):
    """A replay of rules was asked for, compared or corrected; `changes` holds its status."""

    type = "loyalty.earning_replayed"
    subject_type = "LoyaltyEarningReplay"
    replay_id: str = ""

    @property
    def subject_id(self) -> str:
        return self.replay_id


EARNING_EVENTS = (EarningReplayed, EarningRuleChanged)
