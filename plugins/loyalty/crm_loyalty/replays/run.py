"""Runs a replay in batches of customers: first what would differ, then, if it is wanted, what corrects it."""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import date
from typing import Any

from crm_framework import (
    CrmError,
    ErrorCode,
    Hold,
    JobRun,
    UnitOfWork,
    among,
    live_customers,
    new_id,
    parse_time,
)
from crm_loyalty.earning.enter import Awarded, given_by, posting, reason
from crm_loyalty.earning.events import EarningReplayed
from crm_loyalty.earning.rules import Trigger, local_day
from crm_loyalty.earning.store import Offer, offers
from crm_loyalty.earning.terms import expires_at, unlocks_at
from crm_loyalty.ledger.accounts import hold_owners
from crm_loyalty.ledger.corrections import Correction, correct
from crm_loyalty.ledger.earning import post
from crm_loyalty.ledger.requests import Given
from crm_loyalty.models import ReplayStatus

from .compare import Compared, Entered, Window, compared

REPLAY = "loyalty.replay"
BATCH = 200
"""Customers in a transaction."""


async def replay(job: JobRun) -> None:
    """The next batch; goes on with the one after it."""
    async with job.unit_of_work() as tx:
        row = await held(tx, str(job.payload["replay"]))
        status = ReplayStatus(row["status"])
        if status not in (ReplayStatus.COMPARING, ReplayStatus.CORRECTING):
            job.done(tx)
            return
        program = str(row["program_id"])
        offer = (await offers(tx, [Trigger.PURCHASE, Trigger.INTERACTION], program_id=program))[program]
        window = Window(
            from_at=parse_time(row["from_at"]),
            until_at=parse_time(row["until_at"]),
            rules_at=parse_time(row["rules_at"]),
        )
        customers = await _next(tx, str(job.payload.get("after", "")))
        if customers:
            work = _compare if status is ReplayStatus.COMPARING else _correct
            await work(tx, str(row["id"]), customers, offer, window)
        if len(customers) == BATCH:
            job.done(tx, then={"replay": str(row["id"]), "after": customers[-1]})
            return
        compares = status is ReplayStatus.COMPARING
        await move(tx, row, ReplayStatus.COMPARED if compares else ReplayStatus.CORRECTED)
        job.done(tx)


async def held(tx: UnitOfWork, replay_id: str) -> dict[str, Any]:
    """The replay, held. NOT_FOUND where there is none."""
    await tx.lock("loyalty_replay", [replay_id])
    rows = await tx.fetch(
        "SELECT id, program_id, from_at, until_at, rules_at, status FROM loyalty_replay WHERE id = ?",
        [replay_id],
    )
    if not rows:
        raise CrmError(ErrorCode.NOT_FOUND, "There is no such replay.", path=("replay",))
    return dict(rows[0])


async def move(tx: UnitOfWork, replay: dict[str, Any], status: ReplayStatus) -> None:
    await tx.execute(
        "UPDATE loyalty_replay SET status = ?, version = version + 1, updated_at = ? WHERE id = ?",
        [status, tx.now, replay["id"]],
    )
    changes = {"status": (str(replay["status"]), str(status))}
    tx.emit(EarningReplayed(customer_id=None, replay_id=str(replay["id"]), changes=changes))


async def _next(tx: UnitOfWork, after: str) -> list[str]:
    beyond, args = (" AND id > ?", [after]) if after else ("", [])
    rows = await tx.fetch(
        f"SELECT id FROM crm_customer WHERE merged_into_id IS NULL AND erased_at IS NULL{beyond}"
        f" ORDER BY id LIMIT {BATCH}",
        args,
    )
    return [str(row["id"]) for row in rows]


async def _compare(
    tx: UnitOfWork, replay_id: str, customers: Sequence[str], offer: Offer, window: Window
) -> None:
    found = await compared(tx, customers, offer, window)
    await _count(tx, replay_id, len(found), sum(one.by_segments for one in found))
    sums: dict[str, list[int]] = defaultdict(lambda: [0, 0, 0])
    for one in found:
        sums[one.told.customer_id][0] += one.before
        sums[one.told.customer_id][1] += one.after
        sums[one.told.customer_id][2] += one.by_segments
    differing = {key: both for key, both in sums.items() if both[0] != both[1]}
    live = await live_customers(tx, differing, Hold.ADD)
    program = offer.programme.id
    owners = {(program, key) for key in differing if not isinstance(live[key], CrmError)}
    accounts = await hold_owners(tx, owners)
    tx.insert(
        "loyalty_replay_difference",
        *(
            {
                "id": new_id(), "replay_id": replay_id, "account_id": accounts[program, key].id,
                "before": differing[key][0], "after": differing[key][1], "by_segments": differing[key][2],
            }
            for _, key in sorted(owners)
        ),
    )  # fmt: skip


async def _correct(
    tx: UnitOfWork, replay_id: str, customers: Sequence[str], offer: Offer, window: Window
) -> None:
    live = await live_customers(tx, customers, Hold.ADD)
    there = [key for key in customers if not isinstance(live[key], CrmError)]
    found = await compared(tx, there, offer, window)
    wrong = [one for one in found if _differs(one)]
    program = offer.programme.id
    accounts = await hold_owners(tx, {(program, one.told.customer_id) for one in wrong})
    # what was told meanwhile is there only now that the accounts are held
    again = {one.told.source_key: one for one in await compared(tx, there, offer, window)}
    wrong = [one for each in wrong if (one := again.get(each.told.source_key)) is not None and _differs(one)]
    missing = [Awarded(offer=offer, told=one.told, award=one.award) for one in wrong if one.entry is None]
    await post(tx, [posting(each) for each in missing])
    fixed = [(one, one.entry) for one in wrong if one.entry is not None]
    gave = await _shares(tx, [entry.id for _, entry in fixed])
    corrections = [
        each
        for one, entry in fixed
        for each in _corrections(replay_id, one, entry, offer, gave.get(entry.id, {}))
    ]
    await correct(tx, corrections)
    where = among("account_id", sorted({account.id for account in accounts.values()}), tx.dialect)
    await tx.execute(
        f"UPDATE loyalty_replay_difference SET corrected = TRUE WHERE replay_id = ? AND {where.sql}",
        [replay_id, *where.args],
    )


def _differs(one: Compared) -> bool:
    return one.entry is None or one.before != one.after or one.entry.earned != one.award.points


def _corrections(
    replay_id: str, one: Compared, entry: Entered, offer: Offer, gave: Mapping[str, int]
) -> list[Correction]:
    """What makes the points those of the award, and what refunds took the part of it that they take."""
    told, terms = one.told, one.award.terms
    day = local_day(told.cause.at, offer.programme.zone)
    key = f"replay:{replay_id}:{told.source_key}"
    whole = Correction(
        program_id=offer.programme.id,
        earning_key=told.source_key,
        points=one.award.points - entry.earned,
        source_key=key,
        at=told.cause.at,
        reason=f"Replay: {reason(Awarded(offer=offer, told=told, award=one.award))}"[:1000],
        unlock_at=unlocks_at(terms, told.cause.at) or told.cause.at,
        expires_at=expires_at(terms, told.cause.at, offer.programme.zone),
        shares=tuple(_changed(one, gave, day)),
    )
    back = replace(
        whole,
        points=entry.taken - (one.award.points - one.after),
        source_key=f"{key}:refund",
        reason="Replay: what refunds take of it",
        of_refund=True,
        shares=(),
    )
    return [each for each in (whole, back) if each.points or each.shares]


def _changed(one: Compared, gave: Mapping[str, int], day: date) -> list[Given]:
    """What each rule gives more, or less, than it did; also those that give nothing any more."""
    now = {share.rule.id: given_by(share, day) for share in one.award.shares}
    changed = [
        replace(given, points=more, because=f"Replay: {given.because}")
        for rule, given in now.items()
        if (more := given.points - gave.get(rule, 0))
    ]
    return changed + [
        Given(
            rule_id=rule,
            version_id="",
            day=day,
            points=-points,
            because="Replay: it does not apply any more",
        )
        for rule, points in gave.items()
        if rule not in now and points
    ]


async def _shares(tx: UnitOfWork, entry_ids: Sequence[str]) -> dict[str, dict[str, int]]:
    """By entry and rule, with what earlier replays made of it."""
    own, corrected = (among(name, entry_ids, tx.dialect) for name in ("e.id", "e.corrects_id"))
    rows = await tx.fetch(
        "SELECT x.entry_id, x.rule_id, SUM(x.points) AS points FROM ("
        "SELECT e.id AS entry_id, s.rule_id, s.points FROM loyalty_entry e"
        f" JOIN loyalty_share s ON s.entry_id = e.id WHERE {own.sql}"
        " UNION ALL SELECT e.corrects_id, s.rule_id, s.points FROM loyalty_entry e"
        f" JOIN loyalty_share s ON s.entry_id = e.id WHERE {corrected.sql}"
        ") x GROUP BY x.entry_id, x.rule_id",
        [*own.args, *corrected.args],
    )
    found: dict[str, dict[str, int]] = defaultdict(dict)
    for row in rows:
        rule = "" if row["rule_id"] is None else str(row["rule_id"])
        found[str(row["entry_id"])][rule] = int(row["points"])
    return found


async def _count(tx: UnitOfWork, replay_id: str, causes: int, by_segments: int) -> None:
    await tx.execute(
        "UPDATE loyalty_replay SET causes = causes + ?, by_segments = by_segments + ? WHERE id = ?",
        [causes, by_segments, replay_id],
    )
