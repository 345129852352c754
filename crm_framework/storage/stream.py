"""Events in the order of their commits, for whoever follows them from outside of the change.

On SQLite one change is written at a time, so `position`, which grows with every event for good, is that
order.

On PostgreSQL positions are given out before the commit, and a later one may be committed first: who reads
"all after 7" could get 9 and never see 8. So each event carries a `horizon` too: the greater of its own
transaction's id and the last one that was over when it was stored. Whatever still runs has an id that is no
smaller than `pg_snapshot_xmin`, and so has every horizon that is yet to come. Events whose horizon is below
that are all there, for good, and are read in the order of (horizon, position). In this order an event comes
after all that were committed before it was stored: events of one customer, whose changes wait for each other,
never change places. Aborted transactions leave gaps that nobody waits for.

A dump restored into another cluster brings horizons along that the new cluster's ids have not reached. `mend`
then raises the shift that is added to every new horizon (the sequence crm_event_shift), so that the order and
kept positions go on.
"""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any, NamedTuple

from crm_framework.errors import CrmError, ErrorCode

from .clock import parse_time
from .families import of_family
from .ids import is_key

if TYPE_CHECKING:
    from .database import Database

START = ""
"""The position before the first event."""

CHECK_LENGTH = 8
"""Characters at the end of an event's key, which are random, that its position repeats."""


@dataclass(frozen=True, slots=True)
class StreamedEvent:
    """A committed event. `position` is what to keep in order to go on after it."""

    position: str
    id: str
    type: str
    customer_id: str | None
    payload: str
    """Its fields as JSON: `EventTypes.decode` reads them."""
    at: datetime
    """When its transaction began."""


class Page(NamedTuple):
    """`position` is where to go on, also after events that were passed over. `waiting` says that more is
    committed already, whose turn comes when an older transaction is over: look again soon."""

    events: list[StreamedEvent]
    position: str
    waiting: bool


class _Spot(NamedTuple):
    horizon: int
    position: int
    check: str

    def __str__(self) -> str:
        return f"{self.horizon:x}-{self.position:x}-{self.check}" if self.check else START


_COLUMNS = "e.horizon, e.position, e.id, e.type, e.customer_id, e.payload, e.created_at"

_SHIFT = "COALESCE(pg_sequence_last_value('crm_event_shift'::regclass), 0)"
_BELOW = (
    "WITH f AS MATERIALIZED (SELECT pg_snapshot_xmin(pg_current_snapshot())::text::bigint"
    f" + {_SHIFT} AS below) "
)

_READ = {
    "sqlite": f"SELECT {_COLUMNS}, 1 FROM crm_event e WHERE e.position > ? ORDER BY e.position LIMIT ?",
    "postgres": f"{_BELOW}SELECT {_COLUMNS}, e.horizon < f.below FROM crm_event e, f"
    " WHERE (e.horizon, e.position) > (?, ?) ORDER BY e.horizon, e.position LIMIT ?",
}
_TAIL = {
    "sqlite": "SELECT e.horizon, e.position, e.id, 0 FROM crm_event e ORDER BY e.position DESC LIMIT 1",
    # a row of its own for what waits, so that there is one even before the first event is ready
    "postgres": f"{_BELOW}SELECT t.horizon, t.position, t.id,"
    " EXISTS (SELECT 1 FROM crm_event w WHERE w.horizon >= f.below) FROM f LEFT JOIN LATERAL"
    " (SELECT e.horizon, e.position, e.id FROM crm_event e WHERE e.horizon < f.below"
    " ORDER BY e.horizon DESC, e.position DESC LIMIT 1) t ON true",
}
_SOME = {
    "sqlite": f"SELECT {_COLUMNS} FROM crm_event e WHERE e.position > ? AND e.position <= ?",
    "postgres": f"SELECT {_COLUMNS} FROM crm_event e"
    " WHERE (e.horizon, e.position) > (?, ?) AND (e.horizon, e.position) <= (?, ?)",
}
_AT = "SELECT e.id FROM crm_event e WHERE e.horizon = ? AND e.position = ?"
FORGOTTEN = "forgotten"
"""The row of crm_stream_reader with the last place that an event was removed from."""
_FORGOTTEN = f"SELECT position FROM crm_stream_reader WHERE name = '{FORGOTTEN}'"
_AHEAD = (
    "SELECT max(e.horizon) - pg_snapshot_xmin(pg_current_snapshot())::text::bigint + 1 AS shift"
    " FROM crm_event e"
    f" HAVING max(e.horizon) >= pg_snapshot_xmax(pg_current_snapshot())::text::bigint + {_SHIFT}"
)


async def read_after(
    database: "Database",
    position: str,
    limit: int = 100,
    *,
    types: Collection[str] | None = None,
    customer: str | None = None,
) -> Page:
    """The next `limit` events after a position at most, in order; of `types` or one `customer` only if given,
    under all the keys that it has.

    The same position gives the same events in every process, at any time, and none is ever added before one
    that was read. Raises CrmError BAD_INPUT for a text that is no position. Erasing a person empties what
    earlier events say of them.
    """
    after = _parsed(position)
    if types is None and customer is None:
        return await _read(database, after, limit)
    last, waiting = await _tail(database)
    if (last.horizon, last.position) <= (after.horizon, after.position):
        return Page([], str(after), waiting)
    sql, args = _SOME[database.dialect], [*_place(database, after), *_place(database, last)]
    if types is not None:
        if not types:
            return Page([], str(last), waiting)
        sql += f" AND e.type IN ({', '.join('?' * len(types))})"
        args += sorted(types)
    if customer is not None:
        condition, keys = of_family("e.customer_id", customer)
        sql, args = f"{sql} AND {condition}", [*args, *keys]
    rows = await database.rows(f"{sql} ORDER BY e.horizon, e.position LIMIT ?", [*args, limit])
    events = [_event(row) for row in rows]
    return Page(events, events[-1].position if len(events) == limit else str(last), waiting)


async def tail(database: "Database") -> str:
    """The position of the last event: after it comes what happens from now on."""
    return str((await _tail(database))[0])


def is_after(position: str, other: str) -> bool:
    """Whether a position comes after another one."""
    one, two = _parsed(position), _parsed(other)
    return (one.horizon, one.position) > (two.horizon, two.position)


async def check_position(database: "Database", position: str) -> None:
    """Raises CrmError for a position that events cannot be read from without a gap: BAD_INPUT if it is none,
    NOT_FOUND if events after it are kept no more, or if its event is not there, as the database was restored
    to an older state or is another one."""
    spot = _parsed(position)
    if not spot.check or await check_kept(database, position) == position:
        return
    rows = await database.rows(_AT, (spot.horizon, spot.position), bounded=True)
    if not rows or not str(rows[0][0]).endswith(spot.check):
        raise CrmError(
            ErrorCode.NOT_FOUND,
            "The position is not one of this database as it is now, so that events after it could be missed.",
            path=("after",),
            hint=_ANEW,
        )


async def check_kept(database: "Database", position: str) -> str:
    """The last position whose event was removed on account of its age, or START. Raises CrmError NOT_FOUND if
    that is after a position: who has read on from there, before this was asked, may have missed events.

    The first event that there is comes after START, whatever was removed.
    """
    rows = await database.rows(_FORGOTTEN, bounded=True)
    edge = str(rows[0][0]) if rows else START
    if position != START and is_after(edge, position):
        raise CrmError(
            ErrorCode.NOT_FOUND,
            "Events after the position are not kept any more: it is too old.",
            path=("after",),
            hint=_ANEW,
        )
    return edge


_ANEW = "Read the records themselves once more, and follow the events from now on, without `after`."


def position_of(horizon: int, position: int, key: str) -> str:
    """The position of an event, from its row."""
    return str(_spot(horizon, position, key))


def order_of(position: str) -> tuple[int, int]:
    """What positions are compared by."""
    spot = _parsed(position)
    return spot.horizon, spot.position


async def mend(database: "Database") -> bool:
    """Lets the stream go on in a database that came from a cluster with greater transaction ids.

    To be called before anything is written there. Whether there was anything to do.
    """
    if database.dialect != "postgres" or not await database.rows(_AHEAD):
        return False
    async with database.unit_of_work() as tx:
        await tx.execute("LOCK TABLE crm_event IN SHARE ROW EXCLUSIVE MODE")
        ahead = await tx.fetch(_AHEAD)  # another process may have been quicker
        if ahead:
            await tx.fetch("SELECT setval('crm_event_shift', ?)", (ahead[0]["shift"],))
    return bool(ahead)


async def _read(database: "Database", after: _Spot, limit: int) -> Page:
    args = [*_place(database, after), limit]
    rows = await database.rows(_READ[database.dialect], args, bounded=True)
    ready = [row for row in rows if row[-1]]  # which come first, as they are ordered by what decides it
    events = [_event(row) for row in ready]
    return Page(events, events[-1].position if events else str(after), len(ready) < len(rows))


async def _tail(database: "Database") -> tuple[_Spot, bool]:
    rows = await database.rows(_TAIL[database.dialect], bounded=True)
    if not rows:
        return _Spot(0, 0, ""), False
    horizon, position, key, waiting = rows[0]
    return (_Spot(0, 0, "") if key is None else _spot(horizon, position, key)), bool(waiting)


def _place(database: "Database", spot: _Spot) -> list[Any]:
    return [spot.position] if database.dialect == "sqlite" else [spot.horizon, spot.position]


def _spot(horizon: int, position: int, key: str) -> _Spot:
    return _Spot(horizon, position, key[-CHECK_LENGTH:])


def _event(row: Sequence[Any]) -> StreamedEvent:
    horizon, position, key, type_, customer_id, payload, at = row[:7]
    place = position_of(horizon, position, key)
    return StreamedEvent(place, key, type_, customer_id, payload, parse_time(at))


def _parsed(position: str) -> _Spot:
    if position == START:
        return _Spot(0, 0, "")
    try:
        horizon, place, check = position.split("-")
        spot = _Spot(int(horizon, 16), int(place, 16), check)
        fits = str(spot) == position and is_key(f"00000000-0000-0000-0000-0000{check}")
        if fits and spot.horizon < 2**63 and spot.position < 2**63:
            return spot
    except ValueError:
        pass
    raise CrmError(
        ErrorCode.BAD_INPUT,
        f"{position[:100]!r} is no position in the stream of events.",
        path=("after",),
        hint="Send the `position` of the last event that you got, as it is.",
    )
