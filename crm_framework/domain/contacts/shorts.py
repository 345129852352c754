"""`email`, `phone`, `city`, `country` of a customer: short forms that write the primary contact points."""

from collections.abc import Mapping, Sequence
from dataclasses import replace

from crm_framework.domain.contacts.points import Point, arrange, new_point, primary_of, with_value
from crm_framework.domain.contacts.values import ContactValue, normalize
from crm_framework.domain.models import Consent
from crm_framework.errors import CrmError


def add_short(
    points: Sequence[Point], channel: str, text: str, *, region: str | None, path: Sequence[str | int]
) -> list[Point]:
    """The points with `text` as the primary one of its channel, beside those that were there."""
    value = _value(channel, text, region, path)
    same = _same(points, value)
    if same is not None:
        return arrange(points, preferred=[same.id])
    new = new_point(value, position=len(points), primary=True)
    return arrange([*points, new], preferred=[new.id])


def set_short(
    points: Sequence[Point], channel: str, text: str | None, *, region: str | None, path: Sequence[str | int]
) -> list[Point]:
    """The points after the primary one of the channel became `text`, or was removed by None or blank text.

    Another point that has this value already takes the role. Otherwise the value is replaced: a consent given
    for the old one does not hold for the new one, but a refusal does.
    """
    primary = primary_of(points, channel)
    if text is None or not text.strip():
        return arrange(point for point in points if point is not primary)
    value = _value(channel, text, region, path)
    same = _same(points, value)
    if primary is None or (same is not None and same is not primary):
        return add_short(points, channel, text, region=region, path=path)
    changed = with_value(primary, value)
    if changed.normalized != primary.normalized and primary.consent is Consent.OPTED_IN:
        changed = replace(changed, consent=Consent.UNKNOWN, consent_at=None, consent_source=None)
    return arrange(changed if point is primary else point for point in points)


def set_town(points: Sequence[Point], parts: Mapping[str, str | None]) -> list[Point]:
    """The points after `parts` (`city`, `country`) of the primary address changed; None removes one."""
    primary = primary_of(points, "address")
    before = dict(primary.address or {}) if primary else {}
    address: dict[str, str | None] = {**before, **parts}
    if primary is not None and not before:
        # Only text was given: it stays as it is written, and now its parts are known too.
        value: ContactValue | None = _postal(primary.value, address)
    elif any(part and part.strip() for part in address.values()):
        value = _postal(None, address)
    else:
        value = None
    rest = [point for point in points if point is not primary]
    if value is None:
        return arrange(rest)
    same = _same(rest, value)
    if same is not None:
        return arrange([with_value(p, value) if p is same else p for p in rest], preferred=[same.id])
    if primary is None:
        new = new_point(value)
        return arrange([*points, new], preferred=[new.id])
    return arrange(with_value(point, value) if point is primary else point for point in points)


def _postal(text: str | None, address: Mapping[str, str | None]) -> ContactValue:
    try:
        return normalize("address", text, address=address)
    except CrmError as error:
        raise CrmError(error.code, error.message, path=error.path[-1:], hint=error.hint) from None


def _value(channel: str, text: str, region: str | None, path: Sequence[str | int]) -> ContactValue:
    try:
        return normalize(channel, text, region=region)
    except CrmError as error:
        raise CrmError(error.code, error.message, path=path, hint=error.hint) from None


def _same(points: Sequence[Point], value: ContactValue) -> Point | None:
    return next((p for p in points if p.same == (value.channel, value.normalized)), None)
