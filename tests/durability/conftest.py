"""Says so where there is no compiler for the tests that cut the power."""

import pytest

from .power.recording import compiler

LEFT_OUT = "power cuts under SQLite: LEFT OUT, there is no C compiler for Linux here (install one: gcc)"
collect_ignore = [] if compiler() else ["test_power.py"]


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    if collect_ignore:
        terminalreporter.write_line(LEFT_OUT, yellow=True)
