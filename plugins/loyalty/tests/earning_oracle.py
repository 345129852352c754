"""What a cause earns, computed in another way than the plugin: whole numbers over one common denominator."""

from collections.abc import Sequence
from datetime import datetime
from math import lcm

from crm_loyalty.earning.rules import (
    WHOLE,
    Basis,
    Campaign,
    Cause,
    Programme,
    Rounding,
    Rule,
    Selection,
    Used,
)


def expected(
    programme: Programme,
    fitting: Sequence[Rule],
    holding: Sequence[Campaign],
    cause: Cause,
    used: dict[str, Used],
    percent: int = 100,
) -> int:
    """The points, given which rules and campaigns hold, and what the customer's tier gives of them."""
    chosen = list(fitting)
    if programme.selection is Selection.HIGHEST_PRIORITY:
        best = max((rule.priority for rule in chosen), default=0)
        chosen = [rule for rule in chosen if rule.priority == best][:1]
    scale = lcm(*(rule.per_minor for rule in chosen), 1) * int("100" + "00" * len(holding))
    total = 0
    for rule in chosen:
        parts = worth(rule, cause, scale) * percent // 100
        for campaign in holding:
            if campaign.rules == () or rule.id in campaign.rules:
                parts = parts * campaign.percent // 100
        total += min([parts, *(cap * scale for cap in caps(rule, used.get(rule.id, Used())))])
    spent = used.get(WHOLE, Used())
    bounds = (
        programme.cap_per_purchase,
        None if programme.cap_per_day is None else max(0, programme.cap_per_day - spent.on_day),
        None if programme.cap_per_customer is None else max(0, programme.cap_per_customer - spent.in_all),
    )
    total = min([total, *(bound * scale for bound in bounds if bound is not None)])
    match programme.rounding:
        case Rounding.FLOOR:
            return total // scale
        case Rounding.CEILING:
            return -(-total // scale)
        case Rounding.HALF_UP:
            return (2 * total + scale) // (2 * scale)


def worth(rule: Rule, cause: Cause, scale: int) -> int:
    """What a rule gives, times `scale`, which all the divisions go into."""
    points = rule.referee_points if cause.referee else rule.points
    if rule.basis is Basis.FIXED:
        return points * scale
    named = {*rule.conditions.skus, *rule.conditions.categories}
    count = [line for line in cause.lines if not named or line.sku in named or line.category in named]
    if rule.basis is Basis.PER_ITEM:
        return points * scale * sum(0 if line.amount_minor < 0 else line.quantity for line in count)
    minor = max(0, sum(line.amount_minor for line in count) if named else cause.total_minor or 0)
    if rule.whole_steps:
        return points * scale * (minor // rule.per_minor)
    return points * minor * (scale // rule.per_minor)


def caps(rule: Rule, used: Used) -> list[int]:
    bounds = []
    if rule.cap_per_cause is not None:
        bounds.append(rule.cap_per_cause)
    if rule.cap_per_day is not None:
        bounds.append(max(0, rule.cap_per_day - used.on_day))
    if rule.cap_per_customer is not None:
        bounds.append(max(0, rule.cap_per_customer - used.in_all))
    return bounds


def holds(campaign: Campaign, at: datetime) -> bool:
    return not (
        (campaign.starts_at is not None and at < campaign.starts_at)
        or (campaign.ends_at is not None and campaign.ends_at <= at)
    )
