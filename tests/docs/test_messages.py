"""The page on messages: its example is the plugin that is tested, and its figures are those of the code."""

import re
from pathlib import Path

from crm_framework.domain.messages.checks import SUBJECT_LIMIT, TEXT_LIMIT
from crm_framework.domain.upkeep import FAILURES_KEPT, MESSAGES_KEPT
from crm_framework.outgoing.smtp import REST_SECONDS

ROOT = Path(__file__).resolve().parents[2]
TEXT = (ROOT / "docs" / "messages.md").read_text(encoding="utf-8")


def test_the_example_is_the_plugin_that_is_tested() -> None:
    ((file, text),) = re.findall(r"^Example: `([\w./]+)`\n\n```python\n(.*?)```", TEXT, re.M | re.S)
    assert text == (ROOT / file).read_text(encoding="utf-8")


def test_its_figures_are_those_of_the_code() -> None:
    told = " ".join(TEXT.split())
    assert f"plain text of {TEXT_LIMIT:,} characters at most, and one line of {SUBJECT_LIMIT}" in told
    assert f"left alone for {REST_SECONDS:g} seconds" in told
    assert f"removed {MESSAGES_KEPT.days} days after they were sent, and {FAILURES_KEPT.days} days" in told


def test_links_lead_somewhere() -> None:
    links = re.findall(r"\]\(([^)#:]+)(?:#[\w-]+)?\)", TEXT)
    assert [link for link in links if not (ROOT / "docs" / link).exists()] == []
