"""Enters what causes earn: rules are asked in the order of the causes, with the accounts held."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date

from crm_framework import CrmError, Hold, UnitOfWork, among, live_customers
from crm_loyalty.ledger.accounts import Account, Owner
from crm_loyalty.ledger.earning import post
from crm_loyalty.ledger.requests import Given, Posting

from .causes import Told, looked_up
from .conditions import Who
from .facts import about
from .rules import Award, Share, Trigger, Used, award, local_day
from .store import Offer
from .terms import expires_at, unlocks_at
from .uses import uses_of


@dataclass(frozen=True, kw_only=True)
class Awarded:
    """What one cause earns in one programme."""

    offer: Offer
    told: Told
    award: Award

    @property
    def owner(self) -> Owner:
        return self.offer.programme.id, self.told.customer_id

    @property
    def day(self) -> date:
        return local_day(self.told.cause.at, self.offer.programme.zone)


async def prepared(told: Sequence[Told], offers: Mapping[str, Offer], tx: UnitOfWork) -> list[Told]:
    """Looked up, of customers that are there, in the order in which they happened."""
    known = await looked_up(told, tx, lines=any("lines" in offer.asks for offer in offers.values()))
    live = await live_customers(tx, {one.customer_id for one in known}, Hold.ADD)
    found = [
        replace(one, customer_id=customer.id)
        for one in known
        if not isinstance(customer := live[one.customer_id], CrmError)
    ]
    return sorted(found, key=lambda one: (one.cause.at, one.source_key))


async def candidates(told: Sequence[Told], offers: Mapping[str, Offer], tx: UnitOfWork) -> "Candidates":
    """What may earn something, before caps are looked at: their accounts are to be held next."""
    who = await about({one.customer_id for one in told}, offers.values(), tx)
    pairs = [
        (one, offer)
        for one in told
        for offer in offers.values()
        if one.program_id in (None, offer.programme.id)
        and worth_an_entry(one, offer, judged(one, offer, who[offer.programme.id, one.customer_id], {}))
    ]
    return Candidates(pairs, who)


@dataclass(frozen=True)
class Candidates:
    pairs: Sequence[tuple[Told, Offer]]
    who: Mapping[tuple[str, str], Who]

    @property
    def owners(self) -> set[Owner]:
        return {(offer.programme.id, one.customer_id) for one, offer in self.pairs}


def judged(told: Told, offer: Offer, who: Who, used: Mapping[str, Used]) -> Award:
    """What the programme and its rules said at that moment."""
    at = told.cause.at
    return award(offer.programme_at(at), offer.rules(at), offer.campaigns, told.cause, who, used)


def worth_an_entry(told: Told, offer: Offer, earned: Award) -> bool:
    """Points, or a purchase that the programme counts: its money counts towards tiers."""
    counted = told.cause.trigger is Trigger.PURCHASE and told.cause.currency == offer.programme.currency
    return earned.points > 0 or (counted and offer.programme_at(told.cause.at).active)


async def enter(found: Candidates, accounts: Mapping[Owner, Account], tx: UnitOfWork) -> list[Awarded]:
    """Posts what was not counted before, with what each rule gave. `accounts` are held."""
    pairs = await _new(found.pairs, tx)
    if not pairs:
        return []
    uses = await uses_of(pairs, sorted({account.id for account in accounts.values()}), tx)
    awarded: list[Awarded] = []
    for one, offer in pairs:
        account = accounts[offer.programme.id, one.customer_id].id
        day = local_day(one.cause.at, offer.programme.zone)
        who = found.who[offer.programme.id, one.customer_id]
        earned = judged(one, offer, who, uses.of(account, day, offer))
        if worth_an_entry(one, offer, earned):
            awarded.append(Awarded(offer=offer, told=one, award=earned))
            uses.add(account, day, earned)
    await post(tx, [posting(each) for each in awarded])
    return awarded


def posting(each: Awarded) -> Posting:
    cause, terms = each.told.cause, each.award.terms
    return Posting(
        program_id=each.offer.programme.id,
        customer_id=each.told.customer_id,
        points=each.award.points,
        source_key=each.told.source_key,
        amount_minor=cause.total_minor if cause.trigger is Trigger.PURCHASE else None,
        reason=reason(each),
        at=cause.at,
        unlock_at=unlocks_at(terms, cause.at) or cause.at,
        expires_at=expires_at(terms, cause.at, each.offer.programme.zone),
        shares=tuple(given_by(share, each.day) for share in each.award.shares),
    )


def reason(each: Awarded) -> str:
    """Which rules applied, and how, in a line."""
    if not each.award.shares:
        # of the others, whom it is about may not be told why they gave nothing
        capped = [one.because for one in each.award.passed if one.capped]
        return capped[0] if capped else "no rule applies"
    rounding = each.award.rounding.lower().replace("_", " ")
    return f"{'; '.join(share.because for share in each.award.shares)} (rounded: {rounding})"[:1000]


def given_by(share: Share, day: date) -> Given:
    return Given(
        rule_id=share.rule.id,
        version_id=share.rule.version_id,
        day=day,
        points=share.points,
        because=share.because,
    )


async def _new(pairs: Sequence[tuple[Told, Offer]], tx: UnitOfWork) -> list[tuple[Told, Offer]]:
    """Those whose cause was not counted yet. The accounts are held, so that nobody counts it meanwhile."""
    keys = among("source_key", sorted({one.source_key for one, _ in pairs}), tx.dialect)
    rows = await tx.fetch(f"SELECT program_id, source_key FROM loyalty_entry WHERE {keys.sql}", keys.args)
    known = {(str(row["program_id"]), row["source_key"]) for row in rows}
    return [(one, offer) for one, offer in pairs if (offer.programme.id, one.source_key) not in known]
