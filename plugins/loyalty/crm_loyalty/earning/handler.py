"""What events earn and take back, in a fixed number of statements for a batch of whatever size."""

from collections.abc import Sequence

from crm_framework import Event, UnitOfWork
from crm_loyalty.ledger import Account, Owner, claw_back, hold_accounts
from crm_loyalty.ledger.accounts import account_keys
from crm_loyalty.referrals.credits import credited, referrals_due

from .causes import Told, told_by, wanted
from .enter import Candidates, candidates, enter, prepared
from .refunds import claw_backs, refunded
from .rules import Trigger
from .store import Offer, offers


async def earn(events: Sequence[Event], tx: UnitOfWork) -> None:
    """Enters what these events earn in every active programme, each cause once, and what refunds take back.

    All accounts are held in one call, as two would have no order.
    """
    told = await told_by(events, tx.now)
    if not told:
        return
    found, causes = await _wanted(told, tx)
    refunds, earlier = await refunded(events, tx)
    if not causes and not earlier:
        return
    fitting = await candidates(await prepared(causes, found, tx), found, tx)
    keys = await account_keys(tx, fitting.owners, open=True)
    held = await hold_accounts(tx, {*keys.values(), *(one.account_id for one in earlier)})
    await _enter(fitting, {owner: held[key] for owner, key in keys.items() if key in held}, tx)
    await claw_back(tx, await claw_backs(refunds, earlier, tx))


async def _wanted(told: Sequence[Told], tx: UnitOfWork) -> tuple[dict[str, Offer], list[Told]]:
    triggers = {one.cause.trigger for one in told}
    if Trigger.PURCHASE in triggers:
        triggers.add(Trigger.REFERRAL)
    found = await offers(tx, triggers)
    purchases = [one for one in told if one.cause.trigger is Trigger.PURCHASE]
    return found, [*wanted(told, found), *await referrals_due(purchases, found, tx)]


async def _enter(fitting: Candidates, accounts: dict[Owner, Account], tx: UnitOfWork) -> None:
    await credited(await enter(fitting, accounts, tx), tx)
