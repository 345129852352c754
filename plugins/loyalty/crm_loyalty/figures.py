"""What loyalty comes to, in numbers for other plugins: who takes part, what is redeemed, owed and spent."""

from collections.abc import Sequence
from typing import Any
from zoneinfo import ZoneInfo

from crm_framework import Figure, Reader, Window, now

from .ledger.past import liability
from .rewards.redeeming import TAKEN


async def told(window: Window, group_by: str | None, reader: Reader) -> Sequence[Figure]:
    """Of the whole, and with `group_by` "program" of each programme, by its name."""
    programs = await reader.fetch("SELECT id, name, currency, time_zone FROM loyalty_program ORDER BY name")
    figures = await _taking_part(window, reader)
    figures += await _redeemed(window, group_by, reader)
    figures += await _owed(window, group_by, programs, reader)
    return figures + await _costs(window, group_by, reader)


async def _taking_part(window: Window, reader: Reader) -> list[Figure]:
    [row] = await reader.fetch(
        "SELECT COUNT(DISTINCT i.customer_id) AS buyers, COUNT(DISTINCT CASE WHEN EXISTS ("
        "SELECT 1 FROM loyalty_account a JOIN loyalty_entry e ON e.account_id = a.id"
        " WHERE a.customer_id = i.customer_id AND e.kind IN ('EARNED', 'PENDING')"
        " AND e.at >= ? AND e.at < ?) THEN i.customer_id END) AS earners"
        " FROM crm_interaction i WHERE i.kind = 'purchase' AND i.occurred_at >= ? AND i.occurred_at < ?",
        (window.start, window.end, window.start, window.end),
    )
    buyers, earners = int(row["buyers"]), int(row["earners"])
    return [
        Figure(
            name="participation_rate",
            description="The share of those who bought in the window that earned points in it.",
            value=earners / buyers if buyers else None,
            numerator=earners,
            denominator=buyers,
            n=buyers,
            unit="share",
        )
    ]


async def _redeemed(window: Window, group_by: str | None, reader: Reader) -> list[Figure]:
    rows = await reader.fetch(
        "SELECT p.name, SUM(CASE WHEN e.kind IN ('EARNED', 'PENDING') THEN e.points + e.pending ELSE 0 END)"
        " AS earned, SUM(CASE WHEN e.kind IN ('REDEEMED', 'REVERSED') THEN -e.points ELSE 0 END) AS redeemed"
        " FROM loyalty_entry e JOIN loyalty_program p ON p.id = e.program_id"
        " WHERE e.at >= ? AND e.at < ? GROUP BY p.name ORDER BY p.name",
        (window.start, window.end),
    )
    by_name = {row["name"]: (int(row["redeemed"]), int(row["earned"])) for row in rows}
    whole = (sum(redeemed for redeemed, _ in by_name.values()), sum(earned for _, earned in by_name.values()))
    found = [_rate(*whole, None)]
    return found + ([_rate(*both, name) for name, both in by_name.items()] if group_by == "program" else [])


def _rate(redeemed: int, earned: int, group: str | None) -> Figure:
    return Figure(
        name="redemption_rate",
        description="Points redeemed in the window, less those given back, for each one earned in it.",
        value=redeemed / earned if earned else None,
        numerator=redeemed,
        denominator=earned,
        unit="share",
        group=group,
    )


async def _owed(
    window: Window, group_by: str | None, programs: Sequence[dict[str, Any]], reader: Reader
) -> list[Figure]:
    at = min(window.end, now())
    owed = {
        row["name"]: sum(
            each.points for each in await liability(reader, str(row["id"]), ZoneInfo(row["time_zone"]), at)
        )
        for row in programs
    }
    found = [_points(sum(owed.values()), None)]
    return found + ([_points(points, name) for name, points in owed.items()] if group_by == "program" else [])


def _points(points: int, group: str | None) -> Figure:
    return Figure(
        name="points_owed",
        description="Points that could still be spent at the end of the window.",
        value=points,
        group=group,
    )


async def _costs(window: Window, group_by: str | None, reader: Reader) -> list[Figure]:
    taken = ", ".join(f"'{status}'" for status in TAKEN)
    rows = await reader.fetch(
        "SELECT p.name, p.currency, SUM(r.cost_minor) AS minor, COUNT(*) AS n FROM loyalty_redemption r"
        " JOIN loyalty_reward w ON w.id = r.reward_id JOIN loyalty_program p ON p.id = w.program_id"
        f" WHERE r.status IN ({taken}) AND r.created_at >= ? AND r.created_at < ?"
        " GROUP BY p.name, p.currency ORDER BY p.name",
        (window.start, window.end),
    )
    sums: dict[str, tuple[int, int]] = {}
    for row in rows:
        minor, number = sums.get(row["currency"], (0, 0))
        sums[row["currency"]] = (minor + int(row["minor"]), number + int(row["n"]))
    found = [_cost(minor, number, currency, None) for currency, (minor, number) in sums.items()]
    if group_by == "program":
        found += [_cost(int(row["minor"]), int(row["n"]), row["currency"], row["name"]) for row in rows]
    return found


def _cost(minor: int, number: int, currency: str, group: str | None) -> Figure:
    return Figure(
        name="reward_cost",
        description="What the rewards cost us that were redeemed or reserved in the window.",
        value=minor,
        n=number,
        unit=currency,
        group=group,
    )
