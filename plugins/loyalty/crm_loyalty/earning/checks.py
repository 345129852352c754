"""What a rule may say: what makes sense by itself, and names only what is there."""

from collections.abc import Container

from crm_framework import CrmError, ErrorCode, UnitOfWork, check_event_type, check_kind

from .condition_checks import check_attribute, check_condition_names, check_conditions
from .rules import NO_TOUCHES, OWN_EVENTS, Basis, Trigger
from .says import Says

PURCHASED = (Trigger.PURCHASE, Trigger.REFERRAL)
BOUGHT = {
    "least_minor": "least_total",
    "most_minor": "most_total",
    "skus": "skus",
    "categories": "categories",
}
"""Conditions about what was bought, and what inputs call them."""
LEAVE_OUT = "Leave the condition out."
MOST_POINTS = 1_000_000_000
MOST_DAYS = 36_500
RANGES = {
    "points": (0, MOST_POINTS),
    "referee_points": (0, MOST_POINTS),
    "per_minor": (1, 10**15),
    "cap_per_cause": (1, 10**12),
    "cap_per_day": (1, 10**12),
    "cap_per_customer": (1, 10**12),
    "pending_days": (0, MOST_DAYS),
    "expires_months": (1, 1_200),
    "expires_days": (1, MOST_DAYS),
    "priority": (-1_000_000, 1_000_000),
}


def check(says: Says) -> None:
    """BAD_INPUT, with its place, for what makes no sense."""
    for name, (least, most) in RANGES.items():
        value = getattr(says, name)
        if value is not None and not least <= value <= most:
            raise _bad(name, f"{value} is out of range.", f"Give {least} to {most}.")
    if says.points == 0 and says.referee_points == 0:
        raise _bad("points", "The rule gives nothing.", "Give at least one point.")
    if says.trigger is not Trigger.PURCHASE and says.basis is not Basis.FIXED:
        raise _bad("basis", f"A {says.trigger.lower()} has no amount and no goods.", "Choose FIXED.")
    if says.trigger is not Trigger.REFERRAL and says.referee_points:
        raise _bad("referee_points", "Only a referral has two sides.", "Choose the trigger REFERRAL.")
    if says.trigger is Trigger.EVENT and not says.kinds:
        raise _bad("kinds", "The rule is for no event.", "Name types of events, such as ticket.rated.")
    if says.kinds and says.trigger not in (Trigger.EVENT, Trigger.INTERACTION):
        raise _bad("kinds", "Only interactions and events have kinds.", "Leave them out.")
    if says.trigger is Trigger.BIRTHDAY and not says.attribute:
        raise _bad("attribute", "The rule does not say which date is the birthday.", "Name an attribute.")
    if says.trigger is not Trigger.BIRTHDAY and says.attribute is not None:
        raise _bad("attribute", "Only a birthday is the date of an attribute.", "Leave it out.")
    if says.never_expires + (says.expires_months is not None) + (says.expires_days is not None) > 1:
        raise _bad("expires_days", "Points expire in one way only.", "Give months, days or never.")
    for index, kind in enumerate(says.kinds):
        if says.trigger is Trigger.EVENT and kind.startswith(OWN_EVENTS):
            raise _bad("kinds", "Points for points would have no end.", "Name events of others.", index)
        if says.trigger is Trigger.INTERACTION and kind in NO_TOUCHES:
            raise _bad("kinds", NO_TOUCHES[kind], "Leave it out, or choose another trigger.", index)
    for name, called in BOUGHT.items() if says.trigger not in PURCHASED else ():
        if getattr(says.conditions, name) not in (None, ()):
            words = f"A {says.trigger.lower()} has no amount and no goods."
            raise _bad("conditions", words, LEAVE_OUT, called)
    if says.conditions.channels and says.trigger not in (*PURCHASED, Trigger.INTERACTION):
        raise _bad("conditions", f"A {says.trigger.lower()} comes over no channel.", LEAVE_OUT, "channels")
    check_conditions(says.conditions)


async def check_names(tx: UnitOfWork, program_id: str, says: Says, asked: Container[str]) -> None:
    """That what the members `asked` name is there: kinds of interactions, types of events of the core and of
    plugins that are on, attributes, channels, segments, tiers. BAD_INPUT or NOT_FOUND says what is known.
    """
    if "kinds" in asked:
        for index, kind in enumerate(says.kinds):
            if says.trigger is Trigger.EVENT:
                check_event_type(tx, kind, path=("kinds", index))
            else:
                check_kind(kind, path=("kinds", index))
    if "attribute" in asked and says.attribute is not None:
        await check_attribute(tx, says.attribute, "DATE", path=("attribute",))
    if "conditions" in asked:
        await check_condition_names(tx, program_id, says.conditions)


def _bad(name: str, message: str, hint: str, *rest: str | int) -> CrmError:
    return CrmError(ErrorCode.BAD_INPUT, message, path=(name, *rest), hint=hint)
