"""Incremental delivery is not offered: its directives are unknown, and a document with one is refused."""

import pytest

from .harness import REFUSED, Ask, answering, schema_of

SCHEMA = schema_of(answering("items", list[str], lambda: ["a"]))


@pytest.mark.parametrize(
    ("text", "name"),
    [
        ("{ ... @defer { items } }", "@defer"),
        ('{ ...F @defer(label: "x") } fragment F on Query { items }', "@defer"),
        ("{ items @stream }", "@stream"),
        ("{ items @stream(initialCount: 1) }", "@stream"),
        ("{ items @stream(if: false) }", "@stream"),
    ],
)
async def test_its_directives_are_unknown(ask: Ask, text: str, name: str) -> None:
    found = await ask(SCHEMA, text)
    assert found.data == REFUSED
    assert [fault.partition(": ")[2] for fault in found.faults] == [f"Unknown directive '{name}'."]
