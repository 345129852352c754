"""What rules have given before, by which caps are measured: kept up while a batch is entered."""

from collections.abc import Iterable, Sequence
from datetime import date
from typing import Any

from crm_framework import among

from .causes import Told
from .rules import WHOLE, Award, Used, local_day
from .store import Offer, Reads


class Uses:
    """What rules with a cap have given accounts, and all of them together (`WHOLE`), kept up in a batch."""

    def __init__(self) -> None:
        self.in_all: dict[tuple[str, str], int] = {}
        self.on_day: dict[tuple[str, str, date], int] = {}

    def of(self, account: str, day: date, offer: Offer) -> dict[str, Used]:
        return {
            rule: Used(self.in_all.get((account, rule), 0), self.on_day.get((account, rule, day), 0))
            for rule in {WHOLE, *(dated.rule.id for dated in offer.dated)}
        }

    def add(self, account: str, day: date, earned: Award) -> None:
        for share in earned.shares:
            self.gave(account, share.rule.id, day, share.points)

    def gave(self, account: str, rule: str, day: date, points: int) -> None:
        for key in (rule, WHOLE):
            in_all, on_day = (account, key), (account, key, day)
            self.in_all[in_all] = self.in_all.get(in_all, 0) + points
            self.on_day[on_day] = self.on_day.get(on_day, 0) + points


async def uses_of(pairs: Iterable[tuple[Told, Offer]], account_ids: Sequence[str], reads: Reads) -> Uses:
    """Of these accounts. Four statements at most, and none where there is no such cap."""
    uses, every = Uses(), list(pairs)
    if not account_ids or not every:
        return uses
    offers = {offer.programme.id: offer for _, offer in every}.values()
    rules = [dated.rule for offer in offers for dated in offer.dated]
    programmes = [one.programme for offer in offers for one in offer.versions]
    days = [local_day(one.cause.at, offer.programme.zone) for one, offer in every]
    of_account = among("account_id", account_ids, reads.dialect)
    in_days, span = " AND day >= ? AND day <= ?", (min(days), max(days))

    async def gave(rule: str, by: str, condition: str, args: Sequence[object]) -> None:
        for row in await reads.fetch(
            f"SELECT account_id, {rule} AS rule, SUM(points) AS points{', day' if 'day' in by else ''}"
            f" FROM loyalty_share WHERE {of_account.sql}{condition} GROUP BY account_id{by}",
            [*of_account.args, *args],
        ):
            account, key, points = str(row["account_id"]), str(row["rule"]), int(row["points"])
            if "day" in by:
                uses.on_day[account, key, day_of(row["day"])] = points
            else:
                uses.in_all[account, key] = points

    capped = sorted({rule.id for rule in rules if rule.id and rule.cap_per_customer is not None})
    if capped:
        of_rule = among("rule_id", capped, reads.dialect)
        await gave("rule_id", ", rule_id", f" AND {of_rule.sql}", of_rule.args)
    daily = sorted({rule.id for rule in rules if rule.id and rule.cap_per_day is not None})
    if daily:
        of_rule = among("rule_id", daily, reads.dialect)
        await gave("rule_id", ", rule_id, day", f" AND {of_rule.sql}{in_days}", [*of_rule.args, *span])
    if any(one.cap_per_customer is not None for one in programmes):
        await gave(f"'{WHOLE}'", "", "", ())
    if any(one.cap_per_day is not None for one in programmes):
        await gave(f"'{WHOLE}'", ", day", in_days, span)
    return uses


def day_of(value: Any) -> date:
    """A day, as either database gives it."""
    return date.fromisoformat(value) if isinstance(value, str) else value
