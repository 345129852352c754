"""What concerns the whole suite: whether there is a browser for the tests that need one."""

import os

import pytest

from tests.browser.chromium import find_browser

BROWSER = find_browser()
collect_ignore = [] if BROWSER or os.environ.get("CRM_TEST_BROWSER") == "required" else ["browser"]


def _browser_line() -> str:
    if BROWSER:
        return f"browser tests: with {BROWSER}"
    return "browser tests: LEFT OUT, there is no Chromium on this machine (install one: make test-browser)"


def pytest_report_header() -> str:
    return _browser_line()


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    if collect_ignore:
        terminalreporter.write_line(_browser_line(), yellow=True)
