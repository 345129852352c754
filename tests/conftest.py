"""What concerns the whole suite: whether there is a browser for the tests that need one, and chance.

What is drawn at random is drawn from seeds; the processes that share the tests inherit them.
"""

import os
import secrets

import pytest

from tests.browser.chromium import find_browser

BROWSER = find_browser()
collect_ignore = [] if BROWSER or os.environ.get("CRM_TEST_BROWSER") == "required" else ["browser"]

os.environ.pop("COLUMNS", None)  # each process that shares the tests is given some, and `crm` heeds them
SEEDS = ("DIFFERENTIAL_SEED", "FUZZ_SEED", "TORTURE_SEED")
for name in SEEDS:
    os.environ[name] = os.environ.get(name) or secrets.token_hex(3)


def _browser_line() -> str:
    if BROWSER:
        return f"browser tests: with {BROWSER}"
    return "browser tests: LEFT OUT, there is no Chromium on this machine (install one: make test-browser)"


def pytest_report_header() -> list[str]:
    return [_browser_line(), " ".join(f"{name}={os.environ[name]}" for name in SEEDS)]


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    if collect_ignore:
        terminalreporter.write_line(_browser_line(), yellow=True)
