"""What a reward may say: what belongs to its kind, and within which bounds."""

from collections.abc import Mapping
from typing import Any

from crm_framework import CrmError, ErrorCode
from crm_loyalty.models import CodeSource, RewardKind

RANGES = {
    "cost_points": (1, 10**12),
    "value_minor": (1, 10**15),
    "cost_minor": (0, 10**15),
    "percent": (1, 100),
    "stock": (0, 10**12),
    "per_customer": (1, 10**6),
    "hold_minutes": (1, 60 * 24 * 30),
}
LENGTHS = {"description": 1000, "sku": 100, "note": 500}
BELONGS = {
    "value_minor": (RewardKind.DISCOUNT, "takes off an amount"),
    "percent": (RewardKind.DISCOUNT, "takes off a percentage"),
    "sku": (RewardKind.PRODUCT, "has a SKU"),
    "codes": (RewardKind.VOUCHER, "has codes"),
}
"""Which kind of reward alone has what."""


def check_whole(values: Mapping[str, Any]) -> None:
    """BAD_INPUT, with its place, for a new reward that makes no sense. `values` are by the columns' names."""
    kind: RewardKind = values["kind"]
    for name, (of, what) in BELONGS.items():
        if values[name] is not None and kind is not of:
            raise _bad(name, f"Only a {of.lower()} {what}; this is a {kind.lower()}.", "Leave it out.")
    match kind:
        case RewardKind.DISCOUNT:
            if values["value_minor"] is None and values["percent"] is None:
                raise _bad(
                    "value_minor", "A discount takes off an amount or a percentage.", "Give one of them."
                )
            if values["value_minor"] is not None and values["percent"] is not None:
                raise _bad(
                    "percent", "A discount takes off an amount or a percentage, not both.", "Leave one out."
                )
        case RewardKind.PRODUCT:
            if not (values["sku"] or "").strip():
                raise _bad("sku", "A product has a SKU.", "Say which goods it is.")
        case RewardKind.VOUCHER:
            if values["codes"] is None:
                raise _bad("codes", "A voucher has codes.", "Choose GENERATED or POOL.")
    if values["codes"] is CodeSource.POOL and values["stock"] is not None:
        raise _bad(
            "stock", "The stock of a pool is the number of its free codes.", "Leave it out, and add codes."
        )
    check_numbers(values)


def check_numbers(values: Mapping[str, Any]) -> None:
    """BAD_INPUT, with its place, for what is out of bounds among the members that are given."""
    for name, (least, most) in RANGES.items():
        value = values.get(name)
        if value is not None and not least <= value <= most:
            raise _bad(name, f"{value} is out of range.", f"Give {least} to {most}.")
    for name, longest in LENGTHS.items():
        if (text := values.get(name)) is not None and len(text) > longest:
            raise _bad(name, f"It has {len(text)} characters; {longest} are allowed.", "Say it shorter.")
    start, end = values.get("valid_from"), values.get("valid_until")
    if start is not None and end is not None and start >= end:
        raise _bad("valid_until", "It ends before it begins.", "Give a later moment.")


def _bad(name: str, message: str, hint: str) -> CrmError:
    return CrmError(ErrorCode.BAD_INPUT, message, path=(name,), hint=hint)
