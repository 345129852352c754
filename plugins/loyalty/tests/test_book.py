"""The rules of an account, as functions of values."""

from datetime import UTC, datetime, timedelta
from itertools import count

import pytest
from crm_loyalty.ledger.book import Book, Short
from crm_loyalty.ledger.entries import Effect, Entry, Kind, Lot, Pending, Use
from crm_loyalty.ledger.replay import replay
from crm_loyalty.moments import NEVER
from hypothesis import given, settings
from hypothesis import strategies as st

START = datetime(2026, 1, 1, tzinfo=UTC)


def day(number: int) -> datetime:
    return START + timedelta(days=number)


def lot(name: str, points: int, expires: int | None = None, earned: int = 0) -> Lot:
    return Lot(
        id=name,
        points=points,
        expires_at=NEVER if expires is None else day(expires),
        earned_at=day(earned),
        origin_id=f"by {name}",
    )


def test_lots_are_spent_soonest_to_expire_first_then_earliest_earned_and_never_expiring_ones_last() -> None:
    book = Book()
    book.credit([lot("never", 10), lot("late", 10, 50), lot("b", 10, 30, earned=2)], day(3))
    book.credit([lot("a", 10, 30, earned=1)], day(3))
    assert book.spend(35, day(4)) == Effect(
        points=-35, uses=(Use("a", -10), Use("b", -10), Use("late", -10), Use("never", -5))
    )
    assert (book.balance, book.open_points, book.deficit) == (5, 5, 0)


def test_too_few_points_are_refused_and_nothing_is_taken() -> None:
    book = Book()
    book.credit([lot("a", 10, 5), lot("b", 10)], day(0))
    with pytest.raises(Short) as short:
        book.spend(11, day(5))  # the first has expired, though nothing has ended it yet
    assert short.value.available == 10
    assert (book.balance, [each.remaining for each in book.lots.values()]) == (20, [10, 10])


def test_a_lot_cannot_be_spent_from_the_moment_of_its_expiry_on() -> None:
    book = Book()
    book.credit([lot("a", 10, 5)], day(0))
    assert book.available(day(5) - timedelta(microseconds=1)) == 10
    assert book.available(day(5)) == 0


def test_a_deficit_is_made_up_by_what_comes_next() -> None:
    book = Book()
    book.credit([lot("a", 10)], day(0))
    book.spend(8, day(1))
    taken = book.take_back(10, day(2), origin_id="by a")
    assert taken == Effect(points=-10, uses=(Use("a", -2),), deficit=8)
    assert (book.balance, book.deficit) == (-8, 8)
    assert book.credit([lot("b", 5)], day(3)).uses == (Use("b", -5),)
    assert book.credit([lot("c", 5)], day(4)) == Effect(
        points=5, opened=(lot("c", 5),), uses=(Use("c", -3),), deficit=-3
    )
    assert (book.balance, book.deficit, book.open_points) == (2, 0, 2)


def test_clamping_lets_go_what_is_spent_already() -> None:
    book = Book()
    book.credit([lot("a", 10)], day(0))
    book.spend(8, day(1))
    assert book.take_back(10, day(2), origin_id="by a", clamp=True).points == -2
    assert (book.balance, book.deficit) == (0, 0)


def test_a_refund_takes_the_points_of_its_own_purchase_first() -> None:
    book = Book()
    book.credit([lot("soon", 10, 5), lot("own", 10, 90)], day(0))
    assert book.take_back(12, day(1), origin_id="by own").uses == (Use("own", -10), Use("soon", -2))


def test_a_reversal_goes_into_the_original_lots_with_their_expiry() -> None:
    book = Book()
    book.credit([lot("a", 10, 5), lot("b", 10, 90)], day(0))
    spent = book.spend(15, day(1))
    assert book.put_back(spent.uses, day(2)).uses == (Use("a", 10), Use("b", 5))
    again = book.spend(15, day(3))
    assert again.uses == spent.uses
    # one comes back after its lot has expired: it cannot be spent, and ends with the next due
    book.put_back(again.uses, day(6))
    assert book.available(day(6)) == 10
    due = book.due(day(6))
    assert due is not None
    assert (due.id, book.expire(due.id).points) == ("a", -10)


def test_pending_points_cannot_be_spent_and_can_be_cancelled() -> None:
    book = Book()
    book.hold(Pending(id="p", points=10, unlock_at=day(14), expires_at=day(90), earned_at=day(0)))
    assert (book.balance, book.pending, book.available(day(13))) == (0, 10, 0)
    book.cancel("p", 4)
    assert book.due(day(13)) is None
    due = book.due(day(14))
    assert due is not None
    assert due.unlocks
    effect = book.unlock("p", "lot")
    assert (effect.points, effect.pending, book.balance, book.pending) == (6, -6, 6, 0)
    assert book.lots["lot"].lot.expires_at == day(90)


def test_merged_accounts_make_up_each_others_deficit() -> None:
    one, other = Book(), Book()
    one.credit([lot("a", 10)], day(0))
    one.spend(10, day(0))
    one.take_back(10, day(1), origin_id="by a")
    other.credit([lot("b", 25, 90)], day(1))
    effect = one.merge(other, day(2))
    assert effect == Effect(points=0, deficit=-10, uses=(Use("b", -10),))
    assert (one.balance, one.deficit, one.open_points) == (15, 0, 15)


STEPS = st.lists(
    st.tuples(
        st.sampled_from(["earn", "pend", "spend", "back", "reverse", "cancel", "adjust", "wait"]),
        st.integers(1, 40),
        st.integers(0, 30),
    ),
    max_size=40,
)


@settings(max_examples=200)
@given(STEPS)
def test_a_balance_is_its_lots_less_the_deficit_and_a_replay_gives_the_same_account(
    steps: list[tuple[str, int, int]],
) -> None:
    book, entries, ids, today = Book(), list[Entry](), count(), 0

    def enter(kind: Kind, effect: Effect, at: datetime, corrects: str | None = None, id: str = "") -> None:
        entries.append(
            Entry(
                id=id or f"e{next(ids)}",
                book_id="book",
                seq=len(entries) + 1,
                kind=kind,
                effect=effect,
                source_key=str(len(entries)),
                at=at,
                posted_at=day(today),
                qualifies_at=at,
                corrects_id=corrects,
            )
        )

    def settle() -> None:
        while (due := book.due(day(today))) is not None:
            if due.unlocks:
                enter(Kind.UNLOCKED, book.unlock(due.id, f"l{next(ids)}"), due.at, due.id)
            else:
                enter(Kind.EXPIRED, book.expire(due.id), due.at)

    for step, points, days in steps:
        settle()
        now = day(today)
        earned = [entry for entry in entries if entry.kind in (Kind.EARNED, Kind.PENDING)]
        redeemed = [entry for entry in entries if entry.kind is Kind.REDEEMED]
        reversed_ = {entry.corrects_id for entry in entries if entry.kind is Kind.REVERSED}
        if step == "earn":
            key = f"e{next(ids)}"
            made = Lot(
                id=f"l{next(ids)}", points=points, expires_at=day(today + days), earned_at=now, origin_id=key
            )
            enter(Kind.EARNED, book.credit([made], now), now, id=key)
        elif step == "pend":
            key = f"e{next(ids)}"
            held = Pending(
                id=key, points=points, unlock_at=day(today + days), expires_at=day(today + 40), earned_at=now
            )
            enter(Kind.PENDING, book.hold(held), now, id=key)
        elif step == "spend" or step == "adjust":
            kind = Kind.REDEEMED if step == "spend" else Kind.ADJUSTED
            if book.available(now) < points:
                with pytest.raises(Short):
                    book.spend(points, now)
            else:
                enter(kind, book.spend(points, now), now)
        elif step == "back" and earned:
            entry = earned[days % len(earned)]
            left = book.held[entry.id].remaining if entry.id in book.held else 0
            pending = min(points, left)
            effect = book.take_back(
                points - pending, now, origin_id=entry.id, pending=pending, clamp=days % 2 == 0
            )
            enter(Kind.REFUNDED, effect, now, entry.id)
        elif step == "reverse" and (open_ := [each for each in redeemed if each.id not in reversed_]):
            entry = open_[days % len(open_)]
            enter(Kind.REVERSED, book.put_back(entry.effect.uses, now), now, entry.id)
        elif step == "cancel" and (waiting := [key for key, each in book.held.items() if each.remaining]):
            key = waiting[days % len(waiting)]
            enter(Kind.CANCELLED, book.cancel(key, min(points, book.held[key].remaining)), now, key)
        elif step == "wait":
            today += days
        settle()
        assert book.balance == book.open_points - book.deficit == sum(each.effect.points for each in entries)
        assert book.pending == sum(each.remaining for each in book.held.values())
        assert not (book.deficit and book.open_points)
        assert all(0 <= each.remaining <= each.lot.points for each in book.lots.values())
    result = replay({"book": entries}, "book")
    assert result.differences == []
    assert (result.book.balance, result.book.pending, result.book.deficit) == (
        book.balance, book.pending, book.deficit,
    )  # fmt: skip
    assert (result.book.lots, result.book.held) == (book.lots, book.held)


@given(st.lists(st.tuples(st.integers(1, 40), st.integers(0, 20), st.integers(0, 20)), max_size=12))
def test_what_is_due_comes_to_the_same_whenever_one_looks(
    pendings: list[tuple[int, int, int]],
) -> None:
    def of(looks: list[int]) -> Book:
        book = Book()
        book.credit([lot("a", 5)], day(0))
        book.spend(5, day(0))
        book.take_back(5, day(0), origin_id="by a")
        for number, (points, unlock, expiry) in enumerate(pendings):
            book.hold(
                Pending(
                    id=f"p{number}",
                    points=points,
                    unlock_at=day(unlock),
                    expires_at=day(expiry),
                    earned_at=day(0),
                )
            )
        for look in looks:
            while (due := book.due(day(look))) is not None:
                _ = book.unlock(due.id, f"l{due.id}") if due.unlocks else book.expire(due.id)
        return book

    once, often = of([30]), of(list(range(31)))
    assert (once.balance, once.deficit, once.lots) == (often.balance, often.deficit, often.lots)
