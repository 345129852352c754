"""Golden statements: the exact SQL of a query, kept in files, and what the database makes of it.

A shape's statements are in `golden/<name>.<dialect>.sql` beside its test. `make golden` writes them anew, to
be looked at before they are committed.
"""

import os
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from crm_framework.engine.trace import Trace

RENEW = os.environ.get("CRM_TEST_RENEW_GOLDEN") == "1"
_CLAUSES = re.compile(r"(?<=\S) (?=(?:FROM|WHERE|GROUP BY|ORDER BY|LIMIT|CROSS JOIN|UNION ALL)\b)")


@dataclass(frozen=True)
class Shape:
    """A query, and how its statements are to be run.

    `indexes` are those that the plan must name ("primary key" for a table's own). `exceptions` maps what a
    plan may have in spite of the rule to the reason; its keys may begin with the one dialect they are for.
    "SCAN x": it reads the whole table or index; "WALK x": it goes along an index from its end, although the
    page begins elsewhere; "SORT": it sorts what the index does not give in order.
    """

    text: str
    variables: Mapping[str, Any] = field(default_factory=dict)
    indexes: frozenset[str] = frozenset()
    exceptions: Mapping[str, str] = field(default_factory=dict)

    def excused(self, dialect: str) -> set[str]:
        """What may be in a plan on this database."""
        other = "postgres" if dialect == "sqlite" else "sqlite"
        return {
            key.removeprefix(f"{dialect}: ") for key in self.exceptions if not key.startswith(f"{other}: ")
        }


def written(shape: Shape, trace: Trace) -> str:
    """The statements of an operation as a file of SQL: each below the place that asked for it."""
    lines = [f"-- {line}".rstrip() for line in shape.text.strip().splitlines()]
    number = sum(len(step.statements) for step in trace.ordered)
    lines.append(f"-- {number} statement{'s' if number != 1 else ''}")
    for step in trace.ordered:
        for statement in step.statements:
            lines += ["", f"-- {step.place or 'operation'}", f"{_folded(statement.sql)};"]
    return "\n".join(lines) + "\n"


def _folded(sql: str) -> str:
    """Each clause on a line of its own, indented by the brackets around it. Only blanks change."""
    folded: list[str] = []
    depth = 0
    for line in _CLAUSES.split(sql):
        folded.append(f"{'  ' * depth}{line}")
        depth += line.count("(") - line.count(")")
    return "\n".join(folded)


def compare(file: Path, text: str) -> None:
    """The file has this text; it is written where that is asked for."""
    if RENEW:
        file.parent.mkdir(exist_ok=True)
        file.write_text(text, encoding="utf-8")
    kept = file.read_text(encoding="utf-8") if file.exists() else "(no such file)"
    assert text == kept, f"the statements differ from {file.name}: if they are better, run `make golden`"


@dataclass
class Facts:
    """What a plan does: the indexes that it goes by, and what it should not do."""

    indexes: set[str] = field(default_factory=set)
    faults: set[str] = field(default_factory=set)


def sqlite_facts(sql: str, plan: Sequence[str], continued: bool) -> Facts:
    """Of the lines of `EXPLAIN QUERY PLAN`. Going along an index is fine where a LIMIT ends it soon, unless
    the page is `continued`: then it has to begin at the cursor.
    """
    facts = Facts()
    tables = dict(_aliased(sql))
    for line in plan:
        found = re.search(r"USING (?:COVERING )?INDEX (\w+)", line)
        if found:
            facts.indexes.add(_index(found[1]))
        scanned = re.match(r"SCAN (\w+)", line)
        if scanned and scanned[1] in tables and "VIRTUAL TABLE" not in line:
            if not found or "LIMIT" not in sql:
                facts.faults.add(f"SCAN {tables[scanned[1]]}")
            elif continued:
                facts.faults.add(f"WALK {tables[scanned[1]]}")
        if "TEMP B-TREE" in line:
            facts.faults.add("SORT")
    return facts


def postgres_facts(sql: str, plan: Sequence[str], continued: bool) -> Facts:
    """Of the lines of `EXPLAIN`, likewise."""
    facts = Facts()
    nodes = re.split(r"\n(?=\s*->)", "\n".join(plan))
    for node in nodes:
        found = re.search(r"(?:Index(?: Only)? Scan(?: Backward)? using|Bitmap Index Scan on) (\w+)", node)
        if found:
            facts.indexes.add(_index(found[1]))
        along = re.search(r"Index(?: Only)? Scan.* on (\w+)", node)
        if along and "Index Cond" not in node:
            if "LIMIT" not in sql:
                facts.faults.add(f"SCAN {along[1]}")
            elif continued:
                facts.faults.add(f"WALK {along[1]}")
        scanned = re.search(r"Seq Scan on (\w+)", node)
        if scanned:
            facts.faults.add(f"SCAN {scanned[1]}")
        if re.match(r"\s*(?:->\s*)?(?:Incremental )?Sort\b", node):
            facts.faults.add("SORT")
    return facts


def _aliased(sql: str) -> Iterable[tuple[str, str]]:
    for table, alias in re.findall(r"(?:FROM|JOIN) (\w+)(?: AS (\w+))?", sql):
        yield alias or table, table


def _index(name: str) -> str:
    """The name, but for the indexes of keys, which the databases name themselves."""
    return "primary key" if name.endswith("_pkey") or re.fullmatch(r"sqlite_autoindex_\w+_1", name) else name


def check_plan(shape: Shape, dialect: str, statements: Mapping[str, Sequence[str]]) -> None:
    """The plans (statement → lines) go by the expected indexes and do nothing that is not excused."""
    read = sqlite_facts if dialect == "sqlite" else postgres_facts
    facts = [read(sql, plan, _continues(shape, sql)) for sql, plan in statements.items()]
    shown = "\n".join(f"{sql}\n  " + "\n  ".join(plan) for sql, plan in statements.items())
    faults = {fault for one in facts for fault in one.faults}
    assert faults <= shape.excused(dialect), f"{sorted(faults)}: {shown}"
    indexes = {index for one in facts for index in one.indexes}
    assert shape.indexes <= indexes, f"{sorted(indexes)}: {shown}"


def _continues(shape: Shape, sql: str) -> bool:
    """Whether the statement goes on from a cursor."""
    return bool({"after", "before"} & set(shape.variables)) and re.search(r"[<>]=? \(?\?", sql) is not None
