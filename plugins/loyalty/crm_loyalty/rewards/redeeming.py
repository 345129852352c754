"""Redeems rewards: points, stock, limits and codes change together, or nothing does.

Locks, in this order: the customer, its account in the programme, the reward, the redemption, codes. The
account comes before the reward, as it is all that redemptions without a stock wait for.
"""

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from crm_framework import CrmError, ErrorCode, Hold, UnitOfWork, among, live_customer, new_id
from crm_loyalty.earning.store import moment, plain
from crm_loyalty.ledger.accounts import Account, hold_accounts, hold_owners
from crm_loyalty.ledger.requests import Reversal, Spending
from crm_loyalty.ledger.spending import redeem, reverse
from crm_loyalty.models import CodeSource, RedemptionStatus, RewardKind
from crm_loyalty.tiers.standing import Kept, tiers_at

from . import rules
from .checks import check_numbers
from .codes import take_code
from .events import RedemptionEvent, RewardFulfilled, RewardRedeemed, RewardReserved, RewardReturned

RELEASE = "loyalty.release_reservation"
"""The job that gives back what was reserved and not taken."""
TAKEN = (RedemptionStatus.RESERVED, RedemptionStatus.REDEEMED, RedemptionStatus.FULFILLED)
"""What counts towards a customer's limit."""
MOST_MINUTES = 60 * 24 * 30
REWARD = (
    "id, program_id, name, kind, cost_points, cost_minor, codes, stock, per_customer, valid_from,"
    " valid_until, tiers, hold_minutes, active, (SELECT v.id FROM loyalty_reward_version v"
    " WHERE v.reward_id = loyalty_reward.id AND v.until_at IS NULL) AS says_id"
)


async def redeem_reward(tx: UnitOfWork, customer_id: str, reward_id: str, *, note: str | None = None) -> str:
    """Key of the new redemption: the points are spent, and a voucher has its code.

    REFUSED where the reward cannot be had, or the points are too few. Nothing is changed then.
    """
    check_numbers({"note": note})
    reward, account = await _held(tx, customer_id, reward_id)
    key = new_id()
    await _take(tx, reward, account, key, RedemptionStatus.REDEEMED, None, note)
    await _give_code(tx, reward, key)
    _tell(tx, RewardRedeemed, account, key, reward)
    return key


async def reserve_reward(tx: UnitOfWork, customer_id: str, reward_id: str, minutes: int | None = None) -> str:
    """Key of the new reservation: points and stock are held for so many minutes, then given back."""
    reward, account = await _held(tx, customer_id, reward_id)
    minutes = reward["hold_minutes"] if minutes is None else minutes
    if not 1 <= minutes <= MOST_MINUTES:
        raise CrmError(
            ErrorCode.BAD_INPUT, f"A reward cannot be reserved for {minutes} minutes.", path=("minutes",),
            hint=f"Give 1 to {MOST_MINUTES}.",
        )  # fmt: skip
    key, until = new_id(), tx.now + timedelta(minutes=minutes)
    await _take(tx, reward, account, key, RedemptionStatus.RESERVED, until, None)
    tx.defer(RELEASE, {"redemption": key}, at=until, key=f"reservation:{key}")
    _tell(tx, RewardReserved, account, key, reward)
    return key


async def confirm(tx: UnitOfWork, redemption_id: str) -> None:
    """Makes a reservation a redemption. REFUSED once it ran out, whether or not the job has looked at it."""
    held = await _redemption(tx, redemption_id)
    if held.status is RedemptionStatus.REDEEMED:
        return
    _check(held, RedemptionStatus.RESERVED)
    if held.reserved_until is not None and held.reserved_until <= tx.now:
        raise CrmError(
            ErrorCode.REFUSED, f"The reservation ran out at {held.reserved_until:%Y-%m-%d %H:%M} UTC.",
            path=("redemption",), hint="Reserve or redeem the reward again.",
        )  # fmt: skip
    await _move(tx, held, RedemptionStatus.REDEEMED)
    await _give_code(tx, held.reward, held.id)
    tx.cancel_deferred(RELEASE, f"reservation:{held.id}")
    _tell(tx, RewardRedeemed, held.account, held.id, held.reward)


async def cancel(tx: UnitOfWork, redemption_id: str) -> None:
    """Gives back what is reserved: the points to their lots, the reward to the stock."""
    held = await _redemption(tx, redemption_id)
    if held.status is RedemptionStatus.CANCELLED:
        return
    _check(held, RedemptionStatus.RESERVED)
    tx.cancel_deferred(RELEASE, f"reservation:{held.id}")
    await _give_back(tx, held, RedemptionStatus.CANCELLED, stock=True)


async def release(tx: UnitOfWork, redemption_id: str) -> bool:
    """Ends a reservation that ran out; whether there was one."""
    try:
        held = await _redemption(tx, redemption_id)
    except CrmError as error:
        if error.code is ErrorCode.NOT_FOUND:
            return False
        raise
    if held.status is not RedemptionStatus.RESERVED or held.reserved_until is None:
        return False
    if held.reserved_until > tx.now:
        tx.defer(RELEASE, {"redemption": held.id}, at=held.reserved_until, key=f"reservation:{held.id}")
        return False
    await _give_back(tx, held, RedemptionStatus.EXPIRED, stock=True)
    return True


async def fulfil(tx: UnitOfWork, redemption_id: str) -> None:
    """Says that the customer has got the reward."""
    held = await _redemption(tx, redemption_id)
    if held.status is RedemptionStatus.FULFILLED:
        return
    _check(held, RedemptionStatus.REDEEMED)
    await _move(tx, held, RedemptionStatus.FULFILLED)
    _tell(tx, RewardFulfilled, held.account, held.id, held.reward)


async def reverse_redemption(tx: UnitOfWork, redemption_id: str) -> None:
    """Undoes a redemption: its points go back to their lots. A voucher's code is not given out again; other
    stock comes back."""
    held = await _redemption(tx, redemption_id)
    if held.status is RedemptionStatus.REVERSED:
        return
    _check(held, RedemptionStatus.REDEEMED, RedemptionStatus.FULFILLED)
    voucher = held.reward["kind"] == RewardKind.VOUCHER
    await _give_back(tx, held, RedemptionStatus.REVERSED, stock=not voucher)


async def customer_of(tx: UnitOfWork, redemption_id: str) -> str | None:
    """Whose redemption it is."""
    rows = await tx.fetch(
        "SELECT a.customer_id FROM loyalty_redemption r JOIN loyalty_account a ON a.id = r.account_id"
        " WHERE r.id = ?",
        [redemption_id],
    )
    return str(rows[0]["customer_id"]) if rows and rows[0]["customer_id"] is not None else None


@dataclass(frozen=True)
class _Held:
    """A redemption whose customer, account and row are held."""

    id: str
    status: RedemptionStatus
    points: int
    reserved_until: datetime | None
    account: Account
    reward: dict[str, Any]


async def _held(tx: UnitOfWork, customer_id: str, reward_id: str) -> tuple[dict[str, Any], Account]:
    """The reward and the customer's account, held: nobody else redeems from it, or takes from its stock."""
    program_id = str((await _reward(tx, reward_id))["program_id"])
    customer = await live_customer(tx, customer_id, Hold.ADD, path=("customer",))
    owner = program_id, customer.id
    account = (await hold_owners(tx, [owner]))[owner]
    return await _hold_reward(tx, reward_id), account


async def _hold_reward(tx: UnitOfWork, reward_id: str) -> dict[str, Any]:
    """The reward as it is now. It is held where it has a stock; where not, redemptions do not wait for it."""
    reward = await _reward(tx, reward_id)
    if reward["stock"] is None:
        return reward
    await tx.lock("loyalty_reward", [reward_id], strength="NO KEY UPDATE")
    return await _reward(tx, reward_id)


async def _reward(tx: UnitOfWork, reward_id: str) -> dict[str, Any]:
    rows = await tx.fetch(f"SELECT {REWARD} FROM loyalty_reward WHERE id = ?", [reward_id])
    if not rows:
        raise CrmError(ErrorCode.NOT_FOUND, "There is no such reward.", path=("reward",))
    return dict(rows[0])


async def _take(
    tx: UnitOfWork,
    reward: dict[str, Any],
    account: Account,
    key: str,
    status: RedemptionStatus,
    until: datetime | None,
    note: str | None,
) -> None:
    """Takes points and stock, if the reward can be had."""
    await _refuse(tx, reward, account)
    spending = Spending(
        program_id=account.program_id,
        customer_id=account.customer_id or "",
        points=reward["cost_points"],
        source_key=f"redemption:{key}",
        reason=f"Reward “{reward['name']}”",
    )
    await redeem(tx, [spending])
    if reward["stock"] is not None:
        await tx.execute(
            "UPDATE loyalty_reward SET stock = stock - 1, updated_at = ? WHERE id = ?", [tx.now, reward["id"]]
        )
    tx.insert(
        "loyalty_redemption",
        {
            "id": key, "reward_id": str(reward["id"]), "reward_version_id": str(reward["says_id"]),
            "account_id": account.id, "status": status,
            "points": reward["cost_points"], "cost_minor": reward["cost_minor"], "reserved_until": until,
            "note": note, "created_at": tx.now, "updated_at": tx.now,
        },
    )  # fmt: skip


async def _refuse(tx: UnitOfWork, reward: dict[str, Any], account: Account) -> None:
    had = 0
    if reward["per_customer"] is not None:
        counted = among("status", list(TAKEN), tx.dialect)
        rows = await tx.fetch(
            "SELECT COUNT(*) AS n FROM loyalty_redemption WHERE account_id = ? AND reward_id = ?"
            f" AND {counted.sql}",
            [account.id, reward["id"], *counted.args],
        )
        had = int(rows[0]["n"])
    tiers = tuple(plain(reward["tiers"]))
    names: list[str] = []
    kept = Kept(account.id, account.program_id, account.tier_id, account.tier_review_at)
    tier = (await tiers_at(tx, [kept], tx.now))[account.id] if tiers else None
    if tiers and tier not in tiers:
        where = among("id", list(tiers), tx.dialect)
        rows = await tx.fetch(
            f"SELECT name FROM loyalty_tier WHERE {where.sql} ORDER BY threshold", where.args
        )
        names = [row["name"] for row in rows]
    offered = rules.Reward(
        id=str(reward["id"]),
        name=reward["name"],
        active=bool(reward["active"]),
        cost_points=reward["cost_points"],
        stock=reward["stock"],
        per_customer=reward["per_customer"],
        valid_from=moment(reward["valid_from"]),
        valid_until=moment(reward["valid_until"]),
        tiers=tiers,
    )
    error = rules.refusal(offered, at=tx.now, had=had, tier=tier, tier_names=names)
    if error is not None:
        raise error


async def _redemption(tx: UnitOfWork, redemption_id: str) -> _Held:
    """The redemption with all that belongs to it, held in the order of the module."""
    customer_id = await customer_of(tx, redemption_id)
    if customer_id is None:
        raise CrmError(
            ErrorCode.NOT_FOUND, "There is no such redemption, or its customer was erased.",
            path=("redemption",),
        )  # fmt: skip
    await live_customer(tx, customer_id, Hold.ADD, path=("redemption",))
    rows = await tx.fetch(
        "SELECT account_id, reward_id FROM loyalty_redemption WHERE id = ?", [redemption_id]
    )
    account_id, reward_id = str(rows[0]["account_id"]), str(rows[0]["reward_id"])
    accounts = await hold_accounts(tx, [account_id])
    if account_id not in accounts:
        raise CrmError(
            ErrorCode.CONFLICT, "The customer was merged at this moment.", path=("redemption",),
            hint="Try again.",
        )  # fmt: skip
    reward = await _hold_reward(tx, reward_id)
    await tx.lock("loyalty_redemption", [redemption_id])
    (row,) = await tx.fetch(
        "SELECT status, points, reserved_until FROM loyalty_redemption WHERE id = ?", [redemption_id]
    )
    return _Held(
        redemption_id,
        RedemptionStatus(row["status"]),
        row["points"],
        moment(row["reserved_until"]),
        accounts[account_id],
        reward,
    )


def _check(held: _Held, *wanted: RedemptionStatus) -> None:
    if held.status not in wanted:
        raise CrmError(
            ErrorCode.REFUSED,
            f"The redemption is {held.status}, not {' or '.join(wanted)}.",
            path=("redemption",),
        )


async def _move(tx: UnitOfWork, held: _Held, status: RedemptionStatus) -> None:
    await tx.execute(
        "UPDATE loyalty_redemption SET status = ?, version = version + 1, updated_at = ? WHERE id = ?",
        [status, tx.now, held.id],
    )


async def _give_back(tx: UnitOfWork, held: _Held, status: RedemptionStatus, *, stock: bool) -> None:
    back = Reversal(
        program_id=held.account.program_id,
        redemption_key=f"redemption:{held.id}",
        source_key=f"reversal:{held.id}",
        reason=f"Reward “{held.reward['name']}” {status.lower()}",
    )
    await reverse(tx, [back])
    if stock and held.reward["stock"] is not None:
        await tx.execute(
            "UPDATE loyalty_reward SET stock = stock + 1, updated_at = ? WHERE id = ?",
            [tx.now, held.reward["id"]],
        )
    await _move(tx, held, status)
    changes = {"status": (held.status, status)}
    _tell(tx, RewardReturned, held.account, held.id, held.reward, points=held.points, changes=changes)


async def _give_code(tx: UnitOfWork, reward: dict[str, Any], redemption_id: str) -> None:
    if reward["kind"] == RewardKind.VOUCHER:
        generated = reward["codes"] == CodeSource.GENERATED
        await take_code(tx, str(reward["id"]), redemption_id, generated=generated)


def _tell(
    tx: UnitOfWork,
    kind: type[RedemptionEvent],
    account: Account,
    redemption_id: str,
    reward: dict[str, Any],
    *,
    points: int | None = None,
    changes: dict[str, tuple[Any, Any]] | None = None,
) -> None:
    tx.emit(
        kind(
            customer_id=account.customer_id,
            redemption_id=redemption_id,
            reward_id=str(reward["id"]),
            points=reward["cost_points"] if points is None else points,
            changes=changes or {},
        )
    )
