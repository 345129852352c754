"""The chain of an account's book: each entry's digest covers the one before it, so none can change or go."""

import hashlib
import json
from datetime import datetime

from .entries import Entry

FIRST = ""
"""What comes before the first entry."""


def digest(before: str, entry: Entry) -> str:
    """SHA-256 over the digest before and all that the entry says, in hexadecimal.

    Of the reason it covers the salted digest: the words can be erased, and not be replaced.
    """
    effect = entry.effect
    held = effect.held
    said = [
        before, entry.id, entry.book_id, entry.seq, entry.kind, effect.points, effect.pending, effect.deficit,
        entry.qualifying_points, entry.qualifying_minor, _shown(entry.qualifies_at), entry.amount_minor,
        entry.source_key, entry.corrects_id, entry.other_id, entry.reason_digest,
        entry.shares_digest, _shown(entry.at), _shown(entry.posted_at),
        sorted(
            [lot.id, lot.points, _shown(lot.expires_at), _shown(lot.earned_at), lot.origin_id]
            for lot in effect.opened
        ),
        sorted([use.lot_id, use.points] for use in effect.uses),
        held and [held.id, held.points, _shown(held.unlock_at), _shown(held.expires_at), held.qualifies],
    ]  # fmt: skip
    return hashlib.sha256(json.dumps(said, separators=(",", ":")).encode()).hexdigest()


def reason_digest(reason: str, salt: str) -> str:
    """SHA-256 of a reason under its salt, in hexadecimal."""
    return hashlib.sha256(f"{salt}:{reason}".encode()).hexdigest()


def _shown(moment: datetime) -> str:
    return moment.isoformat(timespec="microseconds")
