"""An account out of nothing but its entries: the rules once more, and whether they come to the same."""

from collections.abc import Mapping, Sequence

from .book import Book, Short
from .entries import Effect, Entry, Kind, Use


class Replayed:
    """What came of the entries of one account, and where an entry does not fit the rules."""

    def __init__(self, book: Book, differences: list[str]) -> None:
        self.book = book
        self.differences = differences


def replay(books: Mapping[str, Sequence[Entry]], book_id: str) -> Replayed:
    """The account of a book. Entries are in the order of their numbers; those of merged accounts are in books
    of their own, which the entry that took them over names.
    """
    known = {entry.id: entry for entries in books.values() for entry in entries}
    book, differences = Book(), []
    for entry in books.get(book_id, ()):
        if entry.kind is Kind.MERGED and entry.other_id is not None:
            other = replay(books, entry.other_id)
            differences += other.differences
            effect = book.merge(other.book, entry.posted_at)
        else:
            try:
                effect = _again(book, entry, known)
            except (KeyError, IndexError, ValueError, Short) as error:
                differences.append(f"entry {entry.id} cannot have been made: {error}")
                return Replayed(book, differences)
        if _plain(effect) != _plain(entry.effect):
            differences.append(f"entry {entry.id} says {entry.effect}, the rules say {effect}")
    return Replayed(book, differences)


def _again(book: Book, entry: Entry, known: Mapping[str, Entry]) -> Effect:
    was = entry.effect
    match entry.kind:
        case Kind.EARNED | Kind.RECEIVED:
            return book.credit(was.opened, entry.posted_at)
        case Kind.ADJUSTED:
            if was.points > 0:
                return book.credit(was.opened, entry.posted_at)
            return book.spend(-was.points, entry.posted_at)
        case Kind.REDEEMED | Kind.SENT:
            return book.spend(-was.points, entry.posted_at)
        case Kind.REVERSED:
            return book.put_back(_uses_of(known, entry), entry.posted_at)
        case Kind.REFUNDED:
            return book.take_back(
                -was.points, entry.posted_at, origin_id=_corrected(entry), pending=-was.pending
            )
        case Kind.PENDING:
            if was.held is None:
                raise ValueError("nothing is pending by it")
            return book.hold(was.held)
        case Kind.CANCELLED:
            return book.cancel(_corrected(entry), -was.pending)
        case Kind.UNLOCKED:
            if book.held[_corrected(entry)].pending.unlock_at > entry.posted_at:
                raise ValueError("it was to unlock later")
            return book.unlock(_corrected(entry), was.opened[0].id)
        case Kind.EXPIRED:
            lot_id = was.uses[0].lot_id
            if book.lots[lot_id].lot.expires_at > entry.posted_at:
                raise ValueError("its lot was to expire later")
            return book.expire(lot_id)
        case Kind.MERGED:
            raise ValueError("it names no other account")


def _corrected(entry: Entry) -> str:
    if entry.corrects_id is None:
        raise ValueError("it names no entry that it corrects")
    return entry.corrects_id


def _uses_of(known: Mapping[str, Entry], entry: Entry) -> Sequence[Use]:
    return known[_corrected(entry)].effect.uses


def _plain(effect: Effect) -> tuple[object, ...]:
    """The effect, whatever the order in which its lots are listed."""
    return (
        effect.points, effect.pending, effect.deficit, effect.held,
        sorted(effect.opened, key=lambda lot: lot.id), sorted(effect.uses, key=lambda use: use.lot_id),
    )  # fmt: skip
