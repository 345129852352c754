"""What happens with campaigns."""

from dataclasses import dataclass

from crm_framework import Event


@dataclass(frozen=True, kw_only=True)
class CampaignChanged(Event):
    """A campaign was made, or ended; `changes` tells."""

    type = "loyalty.campaign_changed"
    subject_type = "LoyaltyCampaign"
    campaign_id: str = ""

    @property
    def subject_id(self) -> str:
        return self.campaign_id


CAMPAIGN_EVENTS = (CampaignChanged,)
