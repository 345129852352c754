"""Pairs of names that may mean the same customer, without comparing each with each.

Names that share a whole word and the initials of the others are compared: that finds swapped words and a slip
in any one of several words. In a crowded group each name is compared with its neighbours only, so that the
time grows with the number of names.
"""

import re
from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence

from rapidfuzz import fuzz, process

LEAST = 90.0
"""Similarity, of 100, from which on two names are taken for one: `jon smith` and `john smith` have 95."""

CROWD = 150
"""Names that share a word and initials before only neighbours are compared."""

NEIGHBOURS = 10

NAMESAKES = 20
"""As many customers of the very same name say nothing about each other any more."""

LEGAL_FORMS = frozenset(
    (
        *(
            "ab",
            "ag",
            "as",
            "bv",
            "co",
            "company",
            "corp",
            "corporation",
            "eg",
            "ev",
            "gbr",
            "gmbh",
            "inc",
            "kg",
        ),
        *("kgaa", "limited", "llc", "llp", "ltd", "mbh", "nv", "oy", "plc", "sa", "sarl", "sas", "se", "sl"),
        *("spa", "srl", "ug"),
    )
)

_WORD = re.compile(r"\w+")


def similar_names(names: Iterable[tuple[str, str]]) -> Iterator[tuple[str, str, float]]:
    """(key, key, similarity) for folded names `(key, name)`, the smaller key first, each pair once."""
    holders: dict[str, list[str]] = defaultdict(list)
    for key, name in names:
        canonical = " ".join(sorted(_significant(name)))
        if canonical:
            holders[canonical].append(key)
    for keys in holders.values():
        if len(keys) <= NAMESAKES:
            yield from _pairs(keys, keys, 100.0)
    for one, other, similarity in _compared(holders):
        if len(holders[one]) * len(holders[other]) <= NAMESAKES:
            yield from _pairs(holders[one], holders[other], similarity)


def _significant(name: str) -> list[str]:
    words = _WORD.findall(name)
    return [word for word in words if word not in LEGAL_FORMS] or words


def _compared(names: Iterable[str]) -> Iterator[tuple[str, str, float]]:
    groups: dict[str, list[str]] = defaultdict(list)
    for name in names:
        words = name.split(" ")
        for position, word in enumerate(words):
            if len(word) >= 3:
                initials = "".join(other[0] for other in words[:position] + words[position + 1 :])
                groups[f"{word} {initials}"].append(name)
    seen: set[tuple[str, str]] = set()
    for group in groups.values():
        if len(group) == 1:
            continue
        group.sort()
        for one, other, similarity in _within(group):
            if (one, other) not in seen:
                seen.add((one, other))
                yield one, other, similarity


def _within(group: Sequence[str]) -> Iterator[tuple[str, str, float]]:
    """Similar names of a sorted group."""
    reach = len(group) if len(group) <= CROWD else NEIGHBOURS
    for position, name in enumerate(group[:-1]):
        others = group[position + 1 : position + 1 + reach]
        found = process.extract(name, others, scorer=fuzz.ratio, score_cutoff=LEAST, limit=None)
        for other, similarity, _ in found:
            yield name, other, similarity


def _pairs(keys: Sequence[str], others: Sequence[str], similarity: float) -> Iterator[tuple[str, str, float]]:
    for key in keys:
        for other in others:
            if keys is not others or key < other:
                yield min(key, other), max(key, other), similarity
