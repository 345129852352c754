"""What happens with referrals."""

from dataclasses import dataclass

from crm_framework import Event


@dataclass(frozen=True, kw_only=True)
class ReferralAccepted(Event):
    """A customer named the one by whom it came; nothing is earned before it buys."""

    type = "loyalty.referral_accepted"
    subject_type = "LoyaltyReferral"
    referral_id: str = ""
    referrer_id: str = ""

    @property
    def subject_id(self) -> str:
        return self.referral_id


@dataclass(frozen=True, kw_only=True)
class ReferralCredited(ReferralAccepted):
    """The customer bought: it got `points`, the referrer `referrer_points`."""

    type = "loyalty.referral_credited"
    points: int = 0
    referrer_points: int = 0


REFERRAL_EVENTS = (ReferralAccepted, ReferralCredited)
